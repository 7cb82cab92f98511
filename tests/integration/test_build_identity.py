# SPDX-License-Identifier: GPL-3.0-or-later
"""Which build answers an edit: the playbooks never take another one, whatever the operator writes meanwhile.

Each test has a pool of its own, whose builds it starts. No pool has a node, so that a test ends with its build.
See docs/operator-behavior.md ("Build identity").
"""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest
from lab.scenarios.scenario import WaitCase
from lab.scenarios.stage import CONFIGS, Stage, is_true
from polling import wait_until
from pools import BUILD_TIMEOUT, PoolPlan, containerfile, create_tasks, edit_task, push_spec, wait_for_build

if t.TYPE_CHECKING:
    from ansible_run import Ansible, Run
    from audit_log import AuditLog
    from conftest import During, NewAnsible
    from lab.facts import Facts
    from lab.kube_rest import Api
    from pools import Pools

APPLY = "imagemode.openshift.apply"
VERIFY = "imagemode.openshift.verify"


def content(line: str) -> str:
    """Return a line of a Containerfile, and with it an image, that no other line has."""
    return f"echo {line} > /etc/identity"


def apply(ansible: Ansible, lab: Facts, pool: str, line: str, **more: t.Any) -> Run:
    """Run the playbook ``apply`` as a user does."""
    variables = {
        "image_mode_pool": pool,
        "image_mode_create_pool": True,
        "image_mode_containerfile": containerfile(line),
        "image_mode_rendered_image_push_spec": push_spec(lab, pool),
        "image_mode_rendered_image_push_secret": "push",
        "image_mode_build_timeout": BUILD_TIMEOUT,
        **more,
    }
    return ansible.run_playbook(APPLY, variables=variables)


def image_of(run: Run) -> str:
    """Return the image, with its digest, that a successful run published. Each build has a digest of its own."""
    assert run.rc == 0, run.output
    (entry,) = run.published
    assert entry["verdict"] == "none", entry
    return str(entry["build"]["digested_image_push_spec"])


def message_of(run: Run) -> str:
    """Return the message of the one task that failed."""
    assert run.rc != 0, run.output
    (failed,) = [result for result in run.results if result.failed]
    return failed.msg


class History:
    """The builds of a pool in the order of their creation, each made by one edit of the test."""

    def __init__(self, lab: Facts, api: Api, pool: str) -> None:
        self._stage = Stage(lab, api, pool)

    def uids(self) -> list[str]:
        """The uid of each build, the oldest first."""
        return [str(build["metadata"]["uid"]) for build in self._stage.builds()]

    def images(self) -> list[str]:
        """The image of each build that succeeded, the oldest first."""
        done = [build for build in self._stage.builds() if is_true(build, "Succeeded")]
        return [str(build["status"]["digestedImagePushSpec"]) for build in done]

    def new_build(self, known: t.Collection[str], condition: str = "") -> dict[str, t.Any] | None:
        """Return the newest build if it is not one of the *known* ones and the condition is True, else None."""
        builds = self._stage.builds()
        newest = builds[-1] if builds else None
        if newest is None or newest["metadata"]["uid"] in known:
            return None
        return newest if not condition or is_true(newest, condition) else None


@pytest.fixture
def history(lab: Facts, api: Api) -> t.Callable[[str], History]:
    """The builds of a pool: ``history("pool")``."""
    return lambda pool: History(lab, api, pool)


@pytest.fixture
def apart(new_ansible: NewAnsible) -> t.Iterator[t.Callable[..., t.Any]]:
    """Run a function with an Ansible of its own beside the test: ``apart(apply, lab, pool, line).result()``."""
    with ThreadPoolExecutor() as workers:
        yield lambda function, *arguments: workers.submit(function, new_ansible(), *arguments)


def edit_through_api(api: Api, pool: str, line: str, manager: str) -> None:
    """Change the Containerfile as another program does, which leaves no annotation of this collection."""
    entries = [{"containerfileArch": "NoArch", "content": containerfile(line)}]
    api.patch(f"{CONFIGS}/{pool}?fieldManager={manager}", {"spec": {"containerFile": entries}})


@pytest.mark.wait_case(WaitCase.PREVIOUS_BUILD_RECORDED)
def test_edit_within_seconds_of_the_end_of_a_build_gets_a_build_of_its_own(
    new_ansible: NewAnsible, lab: Facts, pools: Pools, apart: t.Callable[..., t.Any], history: t.Callable[..., History]
) -> None:
    pool = pools.built("edited-at-end").name
    builds, starter = history(pool), new_ansible()
    signal = starter.scratch / "edit-now"
    known = builds.uids()
    assert new_ansible().run_tasks([edit_task(lab, pool, content("first"))]).rc == 0
    tasks = [
        {"name": "Signal", "ansible.builtin.wait_for": {"path": str(signal), "sleep": 1, "timeout": BUILD_TIMEOUT}},
        edit_task(lab, pool, content("second")),
    ]
    edited = apart(lambda dummy: starter.run_tasks(tasks))
    first = wait_until(lambda: builds.new_build(known, "Succeeded"), BUILD_TIMEOUT)
    signal.touch()
    assert edited.result().rc == 0, edited.result().output

    second = image_of(apply(new_ansible(), lab, pool, content("second")))

    assert second != first["status"]["digestedImagePushSpec"]
    assert builds.images()[-2:] == [first["status"]["digestedImagePushSpec"], second]


@pytest.mark.wait_case(WaitCase.OLDER_BUILDS_RETURN)
def test_older_builds_that_the_operator_names_again_are_never_taken(
    ansible: Ansible, lab: Facts, pools: Pools, during: During, history: t.Callable[..., History]
) -> None:
    pool = pools.built("flapping").name
    builds = history(pool)
    with during("config-orphaned", pool):
        for number in range(2):
            known = builds.images()
            run = apply(ansible, lab, pool, content(f"number {number}"), image_mode_replacement_grace=60)
            found = run.of("Build the image")
            assert "cluster.orphaned_machineosconfig" in [finding["id"] for finding in found["findings"]]
            if run.rc == 0:
                assert [*known, image_of(run)] == builds.images()
            else:  # it cannot be proven while the operator repeats what it wrote
                assert "build.identity_unverified" in [finding["id"] for finding in found["findings"]], run.output
                assert found["build"] is None
    known = builds.images()
    repaired = apply(ansible, lab, pool, content("without the orphan"))
    assert [*known, image_of(repaired)] == builds.images()


def test_apply_fails_when_another_user_applies_another_containerfile(
    new_ansible: NewAnsible,
    lab: Facts,
    pools: Pools,
    apart: t.Callable[..., t.Any],
    history: t.Callable[..., History],
) -> None:
    pool = pools.built("two-users").name
    builds = history(pool)
    known = builds.uids()
    # An edit waits until the edit before it is fifteen seconds old: the build of A must not end earlier.
    first = apart(apply, lab, pool, f"sleep 3600; {content('of user A')}")
    wait_until(lambda: builds.new_build(known, "Building"), BUILD_TIMEOUT)

    second = image_of(apply(new_ansible(), lab, pool, content("of user B")))

    assert second == builds.images()[-1]
    assert f"MachineOSConfig {pool} was changed by imagemode.openshift after this run wrote it" in message_of(
        first.result()
    )


@pytest.mark.parametrize("manager", ["kubectl-edit", "argocd-controller"])
def test_apply_fails_when_somebody_edits_the_config_by_hand(
    manager: str, lab: Facts, api: Api, apart: t.Callable[..., t.Any], history: t.Callable[..., History]
) -> None:
    pool = f"by-{manager.partition('-')[0]}"
    builds = history(pool)
    run = apart(apply, lab, pool, content(f"before {manager}"))
    wait_until(lambda: builds.new_build([]), BUILD_TIMEOUT)

    edit_through_api(api, pool, content(f"by {manager}"), manager)

    assert f"MachineOSConfig {pool} was changed by {manager} after this run wrote it" in message_of(run.result())


def test_failed_edit_that_is_taken_back_ends_with_the_build_before_it(
    ansible: Ansible, lab: Facts, history: t.Callable[..., History]
) -> None:
    pool, line = "taken-back", content("kept")
    plan = PoolPlan(config={"containerfile": containerfile(line)})
    assert ansible.run_tasks(create_tasks(lab, pool, plan)).rc == 0
    first = wait_for_build(ansible, pool).image
    assert apply(ansible, lab, pool, "exit 7").rc != 0

    again = apply(ansible, lab, pool, line)

    assert image_of(again) == first
    verified = ansible.run_playbook(VERIFY, variables={"image_mode_pool": pool, "image_mode_allow_empty_pool": True})
    assert verified.rc == 0, verified.output
    assert history(pool).images() == [first]


def test_edit_that_is_undone_during_its_build_ends_with_the_build_before_it(
    ansible: Ansible, lab: Facts, history: t.Callable[..., History]
) -> None:
    pool, line = "undone", content("kept")
    plan = PoolPlan(config={"containerfile": containerfile(line)})
    assert ansible.run_tasks(create_tasks(lab, pool, plan)).rc == 0
    first = wait_for_build(ansible, pool).image
    builds = history(pool)
    known = builds.uids()
    assert ansible.run_tasks([edit_task(lab, pool, "sleep 3600")]).rc == 0
    wait_until(lambda: builds.new_build(known, "Building"), BUILD_TIMEOUT)

    again = apply(ansible, lab, pool, line)

    assert image_of(again) == first


def test_edit_of_another_tool_is_answered_with_its_build(
    ansible: Ansible, api: Api, pools: Pools, history: t.Callable[..., History]
) -> None:
    pool = pools.built("other-tool").name
    builds = history(pool)
    known = builds.uids()
    edit_through_api(api, pool, content("of another tool"), "kubectl-edit")

    answered = wait_for_build(ansible, pool)

    assert answered.build["build"]["uid"] not in known
    assert answered.image == builds.images()[-1]


def test_waits_of_a_run_write_nothing(
    ansible: Ansible, lab: Facts, pools: Pools, audit: AuditLog, history: t.Callable[..., History]
) -> None:
    pool = pools.built("read-only-waits").name
    with audit.recording() as recording:
        image_of(apply(ansible, lab, pool, content("of one write")))
    written = [(r.verb, r.resource) for r in recording.ours if r.is_write and "dryRun" not in r.uri]
    assert written == [("patch", "machineosconfigs")]


def test_older_build_that_the_operator_records_late_is_not_taken(
    ansible: Ansible, lab: Facts, pools: Pools, during: During
) -> None:
    pool, line = "recorded-late", content("younger")
    older = pools.built(pool).image
    younger = image_of(apply(ansible, lab, pool, line))
    assert younger != older
    with during("older-build-recorded", pool):
        again = apply(ansible, lab, pool, line, image_mode_build_timeout=30)
    if again.rc == 0:
        assert image_of(again) == younger
    else:
        assert older not in [entry["build"] and entry["build"]["digested_image_push_spec"] for entry in again.published]


def test_rebuild_is_answered_with_the_build_that_replaces_the_one_before(
    ansible: Ansible,
    lab: Facts,
    pools: Pools,
    play: t.Callable[..., str],
    history: t.Callable[..., History],
) -> None:
    pool, line = pools.built("replaced").name, content("replaced")
    builds = history(pool)
    before = image_of(apply(ansible, lab, pool, line))
    known = builds.uids()
    play("build-again", pool)
    wait_until(lambda: builds.new_build(known), BUILD_TIMEOUT)

    after = image_of(apply(ansible, lab, pool, line))

    assert after != before
    assert after == builds.images()[-1]
