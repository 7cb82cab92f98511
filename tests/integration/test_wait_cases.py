# SPDX-License-Identifier: GPL-3.0-or-later
"""The eighteen cases that make a wait hang or lie, one test each: the right answer, or an error that names the trouble.

Each is made to happen by a scenario of the lab (``lab scenario --list`` tells which). They have a lab of their own,
since they leave pools and nodes in a state that no other test wants, and the slow ones go on beside the quick ones.
Those that another file decides already stand in ELSEWHERE.
"""

from __future__ import annotations

import ast
import os
import subprocess
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ansible_run import Ansible, TaskResult
from lab.cache import lab_folder
from lab.facts import Facts
from lab.faults import Fault, FaultProxy, standing_still
from lab.kube_rest import Api
from lab.scenarios.catalogue import SCENARIOS
from lab.scenarios.stage import BUILDS as BUILDS_PATH
from lab.scenarios.stage import CONFIGS, POOLS, SECRETS, Stage
from pools import (
    BUILD_TIMEOUT,
    ROLLOUT_TIMEOUT,
    BuiltPool,
    build_wait_task,
    config_options,
    containerfile,
    wait_for_build,
)

if t.TYPE_CHECKING:
    from concurrent.futures import Future

    from ansible_run import Run

ELSEWHERE: t.Mapping[int, str] = {
    1: "test_waits.py::test_an_edit_is_answered_by_its_own_build_not_by_the_one_before",
    3: "test_waits.py::test_a_failed_build_fails_with_the_builders_own_last_words",
    7: "test_node_image_verify.py::test_a_node_that_booted_another_image_is_named_though_its_annotations_say_done",
    10: "test_waits.py::test_a_paused_pool_is_named_instead_of_waited_for",
    11: "test_waits.py::test_a_pod_that_may_not_be_evicted_is_named_with_its_budget_and_its_node",
}

ROLLED, REBUILT, EXPIRED, LOST = "rolled", "rebuilt", "expired", "lost"
HERE = Path(__file__).resolve()


@pytest.fixture(scope="module")
def lab(request: pytest.FixtureRequest) -> t.Iterator[Facts]:
    """A lab for this file alone, in which pools and nodes are brought into trouble."""
    chosen = request.config.getoption("--lab")
    name = chosen or f"cases-{os.getpid()}"
    if not chosen:
        up = ("lab", "up", "--name", name, "--nodes", "8", "--with-pid", str(os.getpid()))
        subprocess.run(up, check=True, capture_output=True)
    yield Facts.load(lab_folder(name))
    if not chosen:
        subprocess.run(("lab", "down", "--name", name), check=True, capture_output=True)


@pytest.fixture(scope="module")
def api(lab: Facts) -> Api:
    """That lab's API."""
    return Api(lab.kubeconfigs.admin)


@pytest.fixture(scope="module")
def background() -> t.Iterator[ThreadPoolExecutor]:
    """Where waits go on while something is done to what they wait for."""
    with ThreadPoolExecutor() as threads:
        yield threads


class Playing(t.Protocol):
    """How a test has a scenario played, on a pool and perhaps a node of it."""

    def __call__(self, name: str, pool: str, node: str = "", *, undo: bool = False) -> str:
        """Play it, or take it back, and return what was done."""


@pytest.fixture(scope="module")
def play(lab: Facts, api: Api) -> Playing:
    """Play a scenario of the lab."""

    def act(name: str, pool: str, node: str = "", *, undo: bool = False) -> str:
        scenario, stage = SCENARIOS[name], Stage(lab, api, pool, node)
        if not undo:
            return scenario.play(stage)
        assert scenario.undo is not None
        return scenario.undo(stage)

    return act


class NewAnsible(t.Protocol):
    """How a test gets an Ansible that runs beside others."""

    def __call__(self, kubeconfig: Path | None = None) -> Ansible:
        """Return one, with a folder of its own."""


@pytest.fixture(scope="module")
def new_ansible(request: pytest.FixtureRequest, lab: Facts, tmp_path_factory: pytest.TempPathFactory) -> NewAnsible:
    """Ansible as that lab's administrator, each with a folder of its own, so that several run at once."""

    def make(kubeconfig: Path | None = None) -> Ansible:
        return Ansible(
            programs=request.config.getoption("--ansible"),
            scratch=tmp_path_factory.mktemp("case"),
            variables={"K8S_AUTH_KUBECONFIG": str(kubeconfig or lab.kubeconfigs.admin)},
        )

    return make


@pytest.fixture(scope="module")
def session_ansible(new_ansible: NewAnsible, lab: Facts, play: Playing) -> Ansible:
    """Ansible as that lab's administrator. All builds are under way, those that fail and hang among them."""
    ansible = new_ansible()
    tasks: list[dict[str, t.Any]] = []
    for pool in (ROLLED, REBUILT):
        tasks.append({"name": f"Pool {pool}", "imagemode.openshift.machineconfigpool": {"pool": pool}})
        tasks.append({"name": f"Config {pool}", "imagemode.openshift.machineosconfig": config_options(lab, pool)})
    run = ansible.run_tasks(tasks)
    assert run.rc == 0, run.output
    play("push-denied", EXPIRED)
    play("build-hangs", LOST)
    return ansible


@pytest.fixture(scope="module")
def rolled(session_ansible: Ansible) -> BuiltPool:
    """A pool whose image is built."""
    return wait_for_build(session_ansible, ROLLED)


@pytest.fixture(scope="module")
def rebuilt(session_ansible: Ansible, rolled: BuiltPool) -> BuiltPool:
    """Another pool whose image is built, and built again by the tests."""
    return wait_for_build(session_ansible, REBUILT)


def finding_ids(result: TaskResult) -> set[str]:
    """Return what a task found."""
    return {finding["id"] for finding in result["findings"]}


def is_true(api: Api, pool: str, condition: str) -> bool:
    """Whether a condition of a pool is True: what others wait for."""
    conditions = api.get(f"{POOLS}/{pool}")["status"]["conditions"]
    return any(c["type"] == condition and c["status"] == "True" for c in conditions)


def rollout_wait(pool: str, **options: t.Any) -> dict[str, t.Any]:
    """Return the task ``Roll``, which waits for the nodes of a pool."""
    wait = {"pool": pool, "timeout": ROLLOUT_TIMEOUT, **options}
    return {"name": "Roll", "imagemode.openshift.machineconfigpool_wait": wait}


def test_every_case_has_its_test() -> None:
    here = _tests_of(HERE)
    for number in range(1, 19):
        if number in ELSEWHERE:
            file, dummy, name = ELSEWHERE[number].partition("::")
            assert name in _tests_of(HERE.with_name(file)), f"Case {number}: {name} is not in {file}"
        else:
            assert any(name.startswith(f"test_case_{number:02}_") for name in here), f"Case {number} has no test"


def _tests_of(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_case_05_a_wait_goes_on_through_503_410_and_broken_streams(
    session_ansible: Ansible, lab: Facts, new_ansible: NewAnsible
) -> None:
    faults = (
        Fault("answer", status=503, verbs=("list",), requests=2),
        Fault("answer", status=410, verbs=("watch",), requests=2),
        Fault("cut", verbs=("watch",), after_bytes=2000, seconds=15),
    )
    with FaultProxy(lab).having(*faults):
        run = new_ansible(lab.folder / "kubeconfig-through-faults").run_tasks([build_wait_task(ROLLED)])
    assert run.rc == 0, run.output
    assert run.of("Build")["build"]["state"] == "succeeded"


def test_case_02_a_pool_that_says_updated_before_its_rollout_begins_is_not_done(
    session_ansible: Ansible, lab: Facts, api: Api, play: Playing, rolled: BuiltPool
) -> None:
    with standing_still(lab, "machine-config-controller"):  # or the rollout is over before a crowded machine has asked
        play("node-joins", ROLLED, "worker-0")
        assert is_true(api, ROLLED, "Updated")
        run = session_ansible.run_tasks([rollout_wait(ROLLED, timeout=2)])
    late = run.of("Roll")
    assert late.failed
    assert "not done after 2 s" in late.msg
    assert late["rollout"]["done"] == 0


def test_case_06_a_wait_counts_who_joins_and_forgets_who_leaves_meanwhile(
    session_ansible: Ansible, api: Api, play: Playing, rolled: BuiltPool, background: ThreadPoolExecutor
) -> None:
    play("node-joins", ROLLED, "worker-1")
    waited: Future[Run] = background.submit(session_ansible.run_tasks, [rollout_wait(ROLLED)])
    _until_told(api, "worker-0", rolled.image)
    play("node-leaves", ROLLED, "worker-1")
    play("node-joins", ROLLED, "worker-2")
    run = waited.result()
    assert run.rc == 0, run.output
    assert [(n["name"], n["phase"]) for n in run.of("Roll")["nodes"]] == [("worker-0", "done"), ("worker-2", "done")]


def _until_told(api: Api, node: str, image: str) -> None:
    for event in api.follow("/api/v1/nodes", fieldSelector=f"metadata.name={node}"):
        annotations = event.object["metadata"].get("annotations", {})
        if annotations.get("machineconfiguration.openshift.io/desiredImage") == image:
            return


def test_case_08_an_image_that_is_staged_only_is_a_mismatch(
    session_ansible: Ansible, play: Playing, rolled: BuiltPool
) -> None:
    play("node-staged-only", ROLLED, "worker-0")
    try:
        refuted, dummy = session_ansible.run_module("node_image_verify", {"pool": ROLLED})
    finally:
        play("node-staged-only", ROLLED, "worker-0", undo=True)
    assert refuted.failed
    assert refuted["verdict"] == "mismatch"
    assert refuted["nodes"][0]["findings"][0]["id"] == "node.image_staged"


def test_case_12_when_every_command_fails_the_verdict_is_unknown(
    session_ansible: Ansible, play: Playing, rolled: BuiltPool
) -> None:
    for node in ("worker-0", "worker-2"):
        play("exec-fails", ROLLED, node)
    try:
        unsure, dummy = session_ansible.run_module("node_image_verify", {"pool": ROLLED})
    finally:
        for node in ("worker-0", "worker-2"):
            play("exec-fails", ROLLED, node, undo=True)
    assert unsure.failed
    assert unsure["summary"] == {"total": 2, "match": 0, "mismatch": 0, "unknown": 2}


def test_case_18_warnings_around_the_answer_do_not_get_into_it(
    session_ansible: Ansible, play: Playing, rolled: BuiltPool
) -> None:
    play("exec-warns", ROLLED, "worker-0")
    try:
        proven, dummy = session_ansible.run_module("node_image_verify", {"pool": ROLLED})
    finally:
        play("exec-warns", ROLLED, "worker-0", undo=True)
    assert not proven.failed, proven.msg
    assert proven["verdict"] == "match"


def test_case_17_a_pool_without_nodes_is_no_rollout_that_is_done(
    session_ansible: Ansible, api: Api, rebuilt: BuiltPool
) -> None:
    assert is_true(api, REBUILT, "Updated")
    refused, dummy = session_ansible.run_module("machineconfigpool_wait", {"pool": REBUILT})
    assert refused.failed
    assert "no node is in it" in refused.msg


def test_case_04_a_rebuilt_build_of_the_same_name_is_not_the_one_before(
    session_ansible: Ansible, api: Api, play: Playing, rebuilt: BuiltPool
) -> None:
    play("build-again", REBUILT)
    again = wait_for_build(session_ansible, REBUILT).build["build"]
    before = rebuilt.build["build"]
    assert again["name"] == before["name"]
    assert again["uid"] != before["uid"]
    assert again["digested_image_push_spec"] != before["digested_image_push_spec"]
    status = api.get(f"{CONFIGS}/{REBUILT}")["status"]
    assert status["currentImagePullSpec"] == again["digested_image_push_spec"]


def test_case_13_an_annotation_that_names_no_build_answers_for_nothing(
    session_ansible: Ansible, api: Api, play: Playing, rebuilt: BuiltPool
) -> None:
    names = {build["metadata"]["name"] for build in api.get(BUILDS_PATH)["items"]}
    play("stale-annotation", REBUILT)
    waited, run = session_ansible.run_module("machineosbuild_wait", {"pool": REBUILT, "timeout": BUILD_TIMEOUT})
    # The operator corrects it; a wait that believed it would have found nothing, or the wrong one.
    assert not waited.failed, run.output
    assert waited["build"]["name"] in names


def test_case_14_a_second_build_after_the_builder_was_evicted_is_not_taken_for_the_first(
    session_ansible: Ansible, api: Api, play: Playing, rebuilt: BuiltPool
) -> None:
    current = wait_for_build(session_ansible, REBUILT)
    play("two-builds", REBUILT)
    try:
        assert wait_for_build(session_ansible, REBUILT).build["build"]["uid"] == current.build["build"]["uid"]
    finally:
        play("two-builds", REBUILT, undo=True)


def test_case_15_an_interrupted_build_is_named_and_the_one_after_it_answers(
    session_ansible: Ansible, lab: Facts, api: Api, play: Playing, rolled: BuiltPool
) -> None:
    play("build-interrupted", LOST)
    impatient = {"pool": LOST, "timeout": BUILD_TIMEOUT, "replacement_grace": 5}
    wait = {"name": "Build", "imagemode.openshift.machineosbuild_wait": impatient, "ignore_errors": True}
    named = session_ansible.run_tasks([wait]).of("Build")
    assert named.failed
    assert finding_ids(named) == {"build.interrupted"}
    options = config_options(lab, LOST, containerfile=containerfile("echo found > /etc/pool"))
    run = session_ansible.run_tasks(
        [{"name": "Edit", "imagemode.openshift.machineosconfig": options}, build_wait_task(LOST)]
    )
    assert run.rc == 0, run.output
    assert run.of("Build")["build"]["uid"] != named["build"]["uid"]


def test_case_16_a_pool_that_says_not_updating_while_a_build_runs_is_not_done(
    session_ansible: Ansible, api: Api, play: Playing, rolled: BuiltPool
) -> None:
    play("build-hangs", ROLLED)
    try:
        late = session_ansible.run_tasks([rollout_wait(ROLLED, timeout=20)]).of("Roll")
        assert is_true(api, ROLLED, "Updated")
        assert not is_true(api, ROLLED, "Updating")
    finally:
        play("build-hangs", ROLLED, undo=True)
    assert late.failed
    assert "not done after 20 s" in late.msg
    assert late["rollout"]["done"] == 0


def test_case_09_an_expired_push_token_is_told_in_the_registrys_words(session_ansible: Ansible) -> None:
    refused = session_ansible.run_tasks([build_wait_task(EXPIRED)]).of("Build")
    assert refused.failed
    assert refused["build"]["state"] == "failed"
    assert "unauthorized: authentication required" in refused.msg


def test_a_corrected_secret_and_a_deleted_build_mend_a_push_that_was_refused(
    session_ansible: Ansible, api: Api
) -> None:
    refused = session_ansible.run_tasks([build_wait_task(EXPIRED)]).of("Build")
    assert refused["findings"][0]["id"] == "build.push_denied"
    assert "then delete the MachineOSBuild" in refused["findings"][0]["remedy"]
    secret = api.get(f"{CONFIGS}/{EXPIRED}")["spec"]["renderedImagePushSecret"]["name"]
    api.patch(f"{SECRETS}/{secret}", {"data": api.get(f"{SECRETS}/push")["data"]})
    api.delete(f"{BUILDS_PATH}/{refused['build']['name']}")
    mended = wait_for_build(session_ansible, EXPIRED).build["build"]
    assert (mended["name"], mended["state"]) == (refused["build"]["name"], "succeeded")
    assert mended["uid"] != refused["build"]["uid"]
