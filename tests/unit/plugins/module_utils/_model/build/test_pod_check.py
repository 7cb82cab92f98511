# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pods a wait reads that does not follow the build, and when (OpenShift 4.16 and 4.17)."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.attempts import attempts
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.log_needs import (
    BuildRun,
    FollowedLogs,
    LogProgress,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.own_pod import (
    OwnPod,
    depends_on_other_pods,
    depends_on_pod,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.pending_build import BuildProgress
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.pod_check import (
    DOUBT_INTERVAL,
    LEFT_PODS_INTERVAL,
    POD_INTERVAL,
    LeftPods,
    PodRead,
    ReadPods,
    followed_pod,
    with_read_pods,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.progress import build_progress
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import POD
from ansible_collections.imagemode.openshift.plugins.module_utils._model.observation import (
    ListResult,
    ReadList,
    ReadObject,
    ReadResult,
    Snapshot,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import RENDERED, image_of
from ansible_collections.imagemode.openshift.tests.unit.plugins.pod_builds import (
    MORNING,
    NAMESPACE,
    build,
    config,
    failed_pod,
    pod,
    published,
    read_builds,
    read_config,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.pod_builds import POD as OWN_POD

OWN = ReadObject(POD, OWN_POD, NAMESPACE, by_list=True)
LEFT = tuple(
    ReadList(POD, NAMESPACE, f"machineconfiguration.openshift.io/{label}=layered")
    for label in ("targetMachineConfigPool", "target-machine-config-pool")
)
NOTHING = ReadPods()


def of(obj: dict[str, t.Any]) -> BuildProgress:
    return build_progress(read_config(config()), read_builds(obj), RENDERED)


def read(
    progress: BuildProgress, before: ReadPods, watched: float = 0.0, outage: str = "", **results: t.Any
) -> tuple[BuildProgress, ReadPods, tuple[t.Any, ...]]:
    """Observe once.

    :param own: the result of the read of the own pod
    :param left: the failed pods of other builds, for each label
    """
    fetched: dict[t.Any, t.Any] = {}
    if "own" in results:
        fetched[OWN] = results["own"]
    if "left" in results:
        fetched.update(zip(LEFT, (ListResult(tuple(items)) for items in results["left"])))
    return with_read_pods(Snapshot(results=fetched, watched=watched, outage=outage), progress, before)


def exists(obj: dict[str, t.Any]) -> ReadResult:
    return ReadResult(obj)


ABSENT = ReadResult(None)
UNREADABLE = ReadResult(None, known=False)


def test_pod_of_a_build_that_runs_is_read_once_a_minute() -> None:
    running = of(build("Building"))
    dummy, first, needs = read(running, NOTHING, 100.0)
    assert (first, needs) == (NOTHING, (OWN,)), "the pod is not read yet"
    dummy, known, needs = read(running, first, 100.0, own=exists(pod()))
    assert known.own.read_at == 100.0
    assert known.own.pod is not None
    assert known.own.pod.attempt is not None
    assert read(running, known, 100.0 + POD_INTERVAL - 1)[1:] == (known, ())
    assert read(running, known, 100.0 + POD_INTERVAL)[2] == (OWN,)


@pytest.mark.parametrize(("state", "result"), [("Building", ABSENT), ("Failed", exists(pod()))])
def test_pod_of_a_doubtful_build_is_read_every_five_seconds(state: str, result: ReadResult) -> None:
    doubtful = of(build(state))
    known = read(doubtful, NOTHING, 10.0, own=result, left=([], []))[1]
    assert OWN not in read(doubtful, known, 10.0 + DOUBT_INTERVAL - 1)[2]
    assert OWN in read(doubtful, known, 10.0 + DOUBT_INTERVAL)[2]


def test_pod_that_may_not_be_read_decides_nothing() -> None:
    running = of(build("Building"))
    found, known, dummy = read(running, NOTHING, own=UNREADABLE)
    assert found == running
    assert known.own.pod is None
    assert known.own.build != ""


def test_pod_of_a_build_before_is_not_the_pod_of_this_one() -> None:
    known = ReadPods(own=PodRead("another/1", None, 5.0))
    assert read(of(build("Building")), known, 6.0)[2] == (OWN,)


def test_nothing_is_read_during_an_outage_or_without_a_build() -> None:
    assert read(of(build("Building")), NOTHING, outage="the API server is away")[1:] == (NOTHING, ())
    none = build_progress(read_config(config()), [], RENDERED)
    assert not depends_on_pod(none)
    assert not depends_on_other_pods(none, OwnPod(None, has_older=False))
    assert read(none, NOTHING)[1:] == (NOTHING, ())


def test_pod_of_a_published_build_is_not_read() -> None:
    done = build_progress(read_config(published()), read_builds(build(image=image_of("a"))), RENDERED)
    assert read(done, NOTHING)[1:] == (NOTHING, ())


def test_failed_build_without_a_pod_is_explained_by_the_pods_that_were_left() -> None:
    failed = of(build("Failed"))
    left = failed_pod(rendered="rendered-layered-old")
    found, known, needs = read(failed, NOTHING, 20.0, own=ABSENT, left=([left], []))
    assert set(needs) == {OWN, *LEFT}
    assert known.left.names == (left["metadata"]["name"],)
    assert left["metadata"]["name"] in found.after(60.0).findings[0].message


def test_left_pods_are_read_once_a_minute_for_one_state_of_a_build() -> None:
    failed = of(build("Failed"))
    known = read(failed, NOTHING, 20.0, own=ABSENT, left=([], []))[1]
    assert not set(LEFT) & set(read(failed, known, 20.0 + LEFT_PODS_INTERVAL - 1, own=ABSENT)[2])
    assert set(LEFT) <= set(read(failed, known, 20.0 + LEFT_PODS_INTERVAL, own=ABSENT)[2])
    other = ReadPods(known.own, LeftPods("another/1 failed", ("a",), 20.0))
    assert set(LEFT) <= set(read(failed, other, 21.0, own=ABSENT)[2])


def test_answer_for_one_label_is_not_the_whole_answer() -> None:
    failed = of(build("Failed"))
    snapshot = Snapshot(results={OWN: ABSENT, LEFT[0]: ListResult((failed_pod(rendered="rendered-old"),))})
    known = with_read_pods(snapshot, failed, NOTHING)[1]
    assert known.left == LeftPods()


@pytest.mark.parametrize(
    ("obj", "is_left"),
    [
        (failed_pod(rendered="rendered-layered-old"), True),
        (failed_pod(rendered="rendered-layered-old", release="4.17"), True),
        (failed_pod(created=MORNING), True),
        (failed_pod(), False),
        (pod(rendered="rendered-layered-old"), False),
    ],
    ids=["4.16", "4.17", "older", "own", "running"],
)
def test_only_a_failed_pod_of_another_build_is_left(obj: dict[str, t.Any], is_left: bool) -> None:
    known = read(of(build("Failed")), NOTHING, own=ABSENT, left=([], [obj]))[1]
    assert bool(known.left.names) is is_left


# The pod of a build that is followed ---------------------------------------------------------------------------------

(BUILDING,) = read_builds(build("Building"))
OWN_ATTEMPTS = tuple(attempts([pod()]))


@pytest.mark.parametrize("has_older", [False, True])
def test_followed_pod_is_the_last_attempt_of_its_build(has_older: bool) -> None:
    logs = LogProgress(BUILDING.identity, OWN_ATTEMPTS, is_listed=True, has_older=has_older)
    assert followed_pod(BUILDING, logs, FollowedLogs()) == OwnPod(OWN_ATTEMPTS[-1], has_older)


def test_followed_pod_is_unknown_until_the_pods_are_listed() -> None:
    logs = LogProgress(BUILDING.identity, OWN_ATTEMPTS, is_listed=False)
    before = FollowedLogs(BUILDING.identity, "7", (pod(),))
    assert followed_pod(BUILDING, logs, before) is None


def test_followed_pod_is_absent_if_the_list_is_empty() -> None:
    logs = LogProgress(BUILDING.identity, (), is_listed=True)
    assert followed_pod(BUILDING, logs, FollowedLogs()) == OwnPod(None, has_older=False)


@pytest.mark.parametrize("logs", [None, LogProgress("another/1", OWN_ATTEMPTS, is_listed=True)])
def test_followed_pod_is_the_one_of_the_call_before_until_it_is_followed_again(logs: LogProgress | None) -> None:
    before = FollowedLogs(BUILDING.identity, "7", (pod(created=MORNING), pod()))
    assert followed_pod(BUILDING, logs, before) == OwnPod(OWN_ATTEMPTS[-1], has_older=True)
    assert followed_pod(BUILDING, logs, FollowedLogs(BUILDING.identity, "", (pod(),))) is None
    assert followed_pod(BUILDING, logs, FollowedLogs("another/1", "7", (pod(),))) is None


def test_build_without_a_single_pod_has_no_followed_pod() -> None:
    logs = LogProgress(BUILDING.identity, OWN_ATTEMPTS, is_listed=True)
    assert followed_pod(None, logs, FollowedLogs()) is None


def test_run_of_a_build_names_the_pod_that_makes_it() -> None:
    assert BuildRun.of(BUILDING).pod == OWN_POD
    (never_started,) = read_builds(build(""))
    assert BuildRun.of(never_started).pod == OWN_POD
