# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time
import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import Refused
from ansible_collections.imagemode.openshift.plugins.module_utils._model.cursor import Cursor
from ansible_collections.imagemode.openshift.plugins.module_utils._model.resources import (
    CLUSTER_VERSION,
    MACHINE_CONFIG_POOL,
    MACHINE_OS_BUILD,
    MACHINE_OS_CONFIG,
    POD,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.await_build import Ask, await_build
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.window import Limits
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    all_pools,
    cluster_version,
    image_of,
    machine_os_build,
    machine_os_config,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import forbidden

NAMESPACE = "openshift-machine-config-operator"


def ask(cursor: str = "", timeout: float = 0, window: float = 30, check: bool = False) -> Ask:
    return Ask("layered", Limits(timeout, window), cursor, check)


@pytest.fixture
def cluster(api):
    api.keep(CLUSTER_VERSION, cluster_version("4.20.1"))
    api.keep(MACHINE_CONFIG_POOL, *all_pools())
    api.keep(MACHINE_OS_CONFIG, machine_os_config(build="layered-a"))
    return api


def failed_pod(message: str) -> dict[str, t.Any]:
    ended = {"name": "image-build", "state": {"terminated": {"exitCode": 1, "message": message}}}
    return {
        "metadata": {"name": "build-layered-a-x", "namespace": NAMESPACE, "labels": {"job-name": "build-layered-a"}},
        "status": {"containerStatuses": [ended]},
    }


def succeed(api) -> None:
    api.keep(MACHINE_OS_BUILD, machine_os_build("layered-a"))
    api.keep(MACHINE_OS_CONFIG, machine_os_config(build="layered-a", image=image_of("a"), observed_generation=1))


def test_a_build_that_is_done_returns_at_once(cluster, session):
    succeed(cluster)
    done = await_build(session, ask())
    assert done["finished"]
    assert (done["build"]["name"], done["build"]["state"]) == ("layered-a", "succeeded")
    assert done["build"]["digested_image_push_spec"] == image_of("a")
    assert done["machineosconfig"]["current_image_pull_spec"] == image_of("a")
    assert done["cluster"]["version"] == "4.20.1"
    assert not done["changed"]
    assert done["findings"] == []


def test_a_window_returns_with_the_first_line_and_the_next_with_the_next(cluster, session):
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", state="Prepared"))
    first = await_build(session, ask())
    assert (first["finished"], first["progress"]) == (False, "build layered-a: preparing")
    assert first["build"]["state"] == "preparing"
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", state="Building"))
    second = await_build(session, ask(first["cursor"]))
    assert (second["finished"], second["progress"]) == (False, "build layered-a: building")
    succeed(cluster)
    last = second
    while not last["finished"]:
        last = await_build(session, ask(last["cursor"]))
    assert image_of("a") in last["progress"]


def test_nothing_is_listed_twice(cluster, session):
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", state="Prepared"))
    first = await_build(session, ask())
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", state="Building"))
    await_build(session, ask(first["cursor"]))
    kinds = ("machineconfigpools", "machineosconfigs", "machineosbuilds")
    lists = [r.path.rpartition("/")[2] for r in cluster.requests if "limit" in r.query]
    assert sorted(lists) == sorted(kinds)


def test_a_line_is_not_said_twice(cluster, session):
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", state="Building"))
    first = await_build(session, ask())
    quiet = await_build(session, ask(first["cursor"], window=0.3))
    assert not quiet["finished"]
    assert quiet["progress"] == first["progress"]


@pytest.mark.parametrize(
    ("state", "reason"), [("Failed", "MachineOSBuild layered-a failed"), ("Interrupted", "was interrupted")]
)
def test_a_build_that_ends_badly_fails_with_its_last_words(state, reason, cluster, session):
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", state=state))
    cluster.keep(POD, failed_pod("STEP 2/3\nError: no space left\n"))
    with pytest.raises(Refused, match=rf"MachineConfigPool layered: .*{reason}: Error: no space left\. ") as refused:
        await_build(session, ask())
    result = refused.value.result
    assert result["finished"]
    (finding,) = result["findings"]
    assert finding["evidence"] == "STEP 2/3\nError: no space left"
    assert result["build"]["state"] == state.lower()


def test_the_last_words_only_explain(cluster, session):
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", state="Failed"))
    cluster.always_fail("pods", forbidden("pods"))
    with pytest.raises(Refused, match=r"MachineOSBuild layered-a failed\. "):
        await_build(session, ask())


def test_the_build_before_an_edit_ends_nothing_even_when_it_failed(cluster, session):
    morning = "2026-03-01T08:00:00Z"
    edited = machine_os_config(build="layered-a", generation=2, observed_generation=1, build_before="layered-a/1")
    cluster.keep(MACHINE_OS_CONFIG, edited)
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", uid="1", state="Failed", created=morning))
    waiting = await_build(session, ask())
    assert not waiting["finished"]
    assert waiting["build"] is None
    assert [f["id"] for f in waiting["findings"]] == ["build.identity_unproven"]


def test_a_timeout_says_where_it_stood(cluster, session):
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", state="Building"))
    began = str(Cursor(time.time() - 61, told="build layered-a: building"))
    with pytest.raises(Refused, match=r"not done after 60 s \(build layered-a: building\)\. ") as refused:
        await_build(session, ask(began, timeout=60))
    assert not refused.value.result["finished"]
    assert refused.value.result["elapsed"] >= 61


def test_a_timeout_within_a_window_says_what_holds_it(cluster, session):
    cluster.keep(MACHINE_OS_CONFIG, machine_os_config())
    first = await_build(session, ask())
    with pytest.raises(Refused, match=r"the operator has started no build.*Look at ClusterOperator machine-config"):
        await_build(session, ask(first["cursor"], timeout=0.5))


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        (MACHINE_CONFIG_POOL, "MachineConfigPool layered does not exist"),
        (MACHINE_OS_CONFIG, "no MachineOSConfig serves it"),
    ],
)
def test_there_must_be_something_to_wait_for(missing, reason, cluster, session):
    cluster.drop(missing, "layered")
    with pytest.raises(Refused, match=f"^Could not await the build of MachineConfigPool layered: {reason}"):
        await_build(session, ask())


def test_check_mode_does_not_wait_and_tolerates_what_is_not_there_yet(cluster, session):
    for kind in (MACHINE_CONFIG_POOL, MACHINE_OS_CONFIG):
        done = await_build(session, ask(check=True))
        assert (done["finished"], done["changed"]) == (True, False)
        cluster.drop(kind, "layered")
    assert await_build(session, ask(check=True))["build"] is None


def test_check_mode_does_not_fail_for_a_failed_build(cluster, session):
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", state="Failed"))
    assert await_build(session, ask(check=True))["build"]["state"] == "failed"


def test_an_outage_is_told_once(cluster, session, nap):
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", state="Building"))
    first = await_build(session, ask())
    cluster.stop()
    away = await_build(session, ask(first["cursor"]))
    assert away["progress"].startswith("API server away: no connection to ")

    def come_back() -> None:
        cluster.start()
        succeed(cluster)

    nap.after(10, come_back)
    back = await_build(session, ask(away["cursor"]))
    assert "away" not in back["progress"]


def test_an_outage_that_outlasts_a_window_is_no_news_in_the_next(cluster, session):
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", state="Building"))
    first = await_build(session, ask())
    cluster.stop()
    away = await_build(session, ask(first["cursor"]))
    still = await_build(session, ask(away["cursor"], window=1))
    assert still["progress"] == away["progress"]
    assert not still["finished"]
    assert still["elapsed"] > away["elapsed"]


def test_image_mode_that_is_not_served_is_refused(api, session):
    api.not_served.update(("machineosconfigs", "machineosbuilds"))
    api.keep(MACHINE_CONFIG_POOL, *all_pools())
    with pytest.raises(Refused, match=r"does not serve machineosconfigs|does not serve machineosbuilds"):
        await_build(session, ask())
