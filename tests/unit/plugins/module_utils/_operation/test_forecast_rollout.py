# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineconfigpool import WantedPool
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosconfig import WantedConfig
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    CLUSTER_VERSION,
    MACHINE_CONFIG_POOL,
    MACHINE_OS_BUILD,
    MACHINE_OS_CONFIG,
    NODE,
    POD,
    POD_DISRUPTION_BUDGET,
    SECRET,
    VIRTUAL_MACHINE_INSTANCE,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.spec_edit import spec_hash
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.forecast_inputs import ForecastRequest
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.forecast_rollout import forecast
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    LATER,
    OWN,
    all_pools,
    budget,
    cluster_version,
    image_of,
    machine_config_pool,
    machine_os_build,
    machine_os_config,
    node,
    node_with_image,
    pod,
    secret,
    virtual_machine,
    virtual_machine_budget,
    virtual_machine_pod,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import forbidden

CONTAINERFILE = "FROM configs AS final\nRUN true\n"
OTHER = "FROM configs AS final\nRUN false\n"
PUSH = "registry.example.com/lab/os-layered:latest"


class Forecast:
    """Makes forecasts. Nothing may ever be written."""

    def __init__(self, session: t.Any, api: t.Any) -> None:
        self.session, self.api = session, api
        self.warnings: list[str] = []

    def __call__(self, containerfile: str = CONTAINERFILE, pool: str = "layered", **more: t.Any) -> dict[str, t.Any]:
        config = {"rendered_image_push_spec": PUSH, "rendered_image_push_secret": "push", **more.pop("config", {})}
        options: dict[str, t.Any] = {
            "config": WantedConfig(pool, containerfile, **config),
            "pool": WantedPool(pool, **more.pop("wanted", {})),
            "create_pool": False,
            "nodes": (),
            "new_secrets": (),
            "allow_node_reboots": True,
            "delete_superseded": False,
            "details": True,
            **more,
        }
        try:
            return forecast(self.session, ForecastRequest(**options), self.warnings.append)
        finally:
            assert self.api.writes == []


@pytest.fixture
def run(session, api) -> Forecast:
    return Forecast(session, api)


@pytest.fixture
def cluster(api):
    """A pool with two nodes that have the image of its build."""
    api.keep(CLUSTER_VERSION, cluster_version("4.20.5"))
    api.keep(MACHINE_CONFIG_POOL, *all_pools())
    api.keep(SECRET, secret("push"))
    api.keep(NODE, node_with_image("a", "worker-0"), node_with_image("a", "worker-1"), node("worker-2", ["worker"]))
    api.keep(MACHINE_OS_CONFIG, machine_os_config(build="layered-a", image=image_of("a")))
    api.keep(MACHINE_OS_BUILD, machine_os_build("layered-a"))
    return api


def test_complete_pool_needs_nothing(cluster, run):
    found = run()["forecast"]
    assert (found["complete"], found["changes"]) == (True, False)
    assert found["lines"] == ["no build would start: build layered-a has succeeded", "no node would reboot"]


def test_check_of_a_complete_pool_takes_three_requests_and_returns_no_forecast(cluster, run):
    assert run(details=False)["forecast"] is None
    assert len(cluster.requests) == 3


def test_changed_containerfile_starts_a_build_and_reboots_all_nodes(cluster, run):
    found = run(OTHER)["forecast"]
    assert (found["complete"], found["changes"], found["machineosconfig"]) == (False, True, "changed")
    assert found["build"] == {"expected": "start", "name": None}
    assert found["rollout"]["batches"] == [["worker-0"], ["worker-1"]]


def test_build_of_the_present_spec_is_not_reused_for_another_one(cluster, run):
    assert run(OTHER)["forecast"]["lines"][0] == "the MachineOSConfig would be changed, and a build would start"
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-0", image=image_of("0")))
    assert "unless the older build layered-0 has the same inputs" in run(OTHER)["forecast"]["lines"][0]


def taken_back(cluster, second: str = "layered-b") -> None:
    """The spec was edited by this collection from OTHER to the present one, and both were built."""
    other = machine_os_config(containerfile=OTHER)
    proven = [{"specHash": spec_hash(other["spec"]), "build": "layered-a/uid-of-layered-a", "image": image_of("a")}]
    before = ["layered-a/uid-of-layered-a"]
    edited = machine_os_config(build=second, image=image_of("b"), generation=2, builds_before=before, proven=proven)
    cluster.keep(MACHINE_OS_CONFIG, edited)
    cluster.keep(MACHINE_OS_BUILD, machine_os_build(second, image=image_of("b"), created=LATER))
    cluster.keep(NODE, node_with_image("b", "worker-0"), node_with_image("a", "worker-1"))


def test_build_of_an_earlier_spec_is_reused_when_the_edit_is_taken_back(cluster, run):
    taken_back(cluster)
    found = run(OTHER)["forecast"]
    assert found["build"] == {"expected": "reuse", "name": "layered-a"}
    assert found["lines"][0].endswith("no build would start: the operator reuses build layered-a")
    assert found["rollout"]["batches"] == [["worker-0"]]
    assert run("FROM configs AS final\nRUN third\n")["forecast"]["lines"][0].endswith("and a build would start")


def test_reused_build_that_is_not_the_first_by_name_blocks_the_rollout(cluster, run):
    taken_back(cluster, second="layered-0")
    assert "uses the older MachineOSBuild layered-0 instead of" in rejected(run, OTHER)
    cluster.keep(CLUSTER_VERSION, cluster_version("4.21.0"))
    assert run(OTHER)["forecast"]["build"]["expected"] == "reuse"


def test_forecast_counts_nodes_that_join_and_shows_their_labels(cluster, run):
    found = run(nodes=["worker-2"])["forecast"]
    assert found["labels"] == {
        "worker-2": {
            "before": {"node-role.kubernetes.io/layered": None},
            "after": {"node-role.kubernetes.io/layered": ""},
        }
    }
    assert found["build"]["expected"] == "none"
    assert found["rollout"]["batches"] == [["worker-2"]]
    assert (found["changes"], found["complete"]) == (True, False)


def test_new_pool_has_its_own_selector_and_limit(cluster, run):
    wanted = {"node_selector": {"example.com/os": "new"}, "max_unavailable": "50%"}
    found = run(pool="new", create_pool=True, nodes=["worker-2"], wanted=wanted)["forecast"]
    assert found["pool"] == found["machineosconfig"] == "created"
    assert found["labels"]["worker-2"]["after"] == {"example.com/os": "new"}
    assert found["rollout"]["max_unavailable"] == "50%"
    assert found["rollout"]["batches"] == [["worker-2"]]


def test_changed_limit_of_the_pool_decides_the_batches(cluster, run):
    found = run(OTHER, create_pool=True, wanted={"max_unavailable": "2"})["forecast"]
    assert (found["pool"], found["rollout"]["at_once"]) == ("changed", 2)
    assert found["rollout"]["batches"] == [["worker-0", "worker-1"]]


def test_budget_that_blocks_a_drain_is_found_with_the_pods_of_its_namespace_only(cluster, run):
    cluster.keep_as(POD_DISRUPTION_BUDGET.path(), budget())
    cluster.keep(POD, pod("db-0", node="worker-1"), pod("other", namespace="elsewhere", node="worker-1"))
    found = run(OTHER)["forecast"]
    assert [finding["id"] for finding in found["findings"]] == ["node.drain_blocked"]
    assert found["lines"][-1].startswith("Node worker-1 cannot be drained: PodDisruptionBudget shop/db")
    assert [r.path for r in cluster.requests if r.path.endswith("/pods")] == ["/api/v1/namespaces/shop/pods"]


@pytest.mark.parametrize(
    ("reason", "finding"), [("DisksNotLiveMigratable", "node.vm_not_migratable"), ("", "node.vm_migrating")]
)
def test_virtual_machine_that_cannot_migrate_is_found_before_a_node_drains(reason, finding, cluster, run):
    cluster.keep_as(POD_DISRUPTION_BUDGET.path(), virtual_machine_budget())
    cluster.keep(POD, virtual_machine_pod(node="worker-1"))
    cluster.keep(VIRTUAL_MACHINE_INSTANCE, virtual_machine(reason=reason))
    found = run(OTHER)["forecast"]
    assert [f["id"] for f in found["findings"]] == [finding]


def test_virtual_machines_that_may_not_be_read_are_no_reason(cluster, run):
    cluster.keep_as(POD_DISRUPTION_BUDGET.path(), virtual_machine_budget())
    cluster.keep(POD, virtual_machine_pod(node="worker-1"))
    cluster.always_fail("virtualmachineinstances", forbidden("virtualmachineinstances"))
    found = run(OTHER)["forecast"]
    assert [f["id"] for f in found["findings"]] == ["node.vm_migrating"]
    assert found["lines"][-1] == (
        "The drain of Node worker-1 requires the live migration of VirtualMachineInstance vms/vm1"
    )


def test_budgets_are_not_read_if_no_node_reboots(cluster, run):
    run()
    run(OTHER, details=False)
    assert not [r for r in cluster.requests if "poddisruptionbudgets" in r.path]


def test_drains_that_may_not_be_read_are_a_finding(cluster, run):
    cluster.always_fail("poddisruptionbudgets", forbidden("poddisruptionbudgets"))
    found = run(OTHER)["forecast"]
    assert [finding["id"] for finding in found["findings"]] == ["cluster.drains_not_readable"]
    assert found["rollout"]["total"] == 2


def test_config_without_its_pool_is_part_of_the_forecast(cluster, run):
    cluster.keep(MACHINE_OS_CONFIG, machine_os_config("gone", pool="gone"))
    found = run(OTHER)["forecast"]
    assert [finding["id"] for finding in found["findings"]] == ["cluster.orphaned_machineosconfig"]


def test_config_of_a_pool_that_the_run_creates_has_its_pool(cluster, run):
    cluster.keep(MACHINE_OS_CONFIG, machine_os_config("new", pool="new"))
    assert run(OTHER, pool="new", create_pool=True)["forecast"]["findings"] == []


def test_failed_build_of_the_unchanged_spec_is_no_new_build(cluster, run):
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", state="Failed"))
    found = run()["forecast"]
    assert found["build"] == {"expected": "failed", "name": "layered-a"}
    assert "the run would fail" in found["lines"][0]


# What cannot work


def rejected(run: Forecast, *args: t.Any, **options: t.Any) -> str:
    """Return the error, which a check without details gives too."""
    pool = options.get("pool", "layered")
    with pytest.raises(OperationError) as details:
        run(*args, **options)
    with pytest.raises(OperationError) as check:
        run(*args, **options, details=False)
    assert str(details.value) == str(check.value)
    assert str(check.value).startswith("Could not ")
    assert pool in str(check.value)
    return check.value.reason


def test_pool_that_does_not_exist_is_an_error_unless_it_is_created(cluster, run):
    assert rejected(run, pool="new") == "MachineConfigPool new does not exist"
    assert run(pool="new", create_pool=True)["forecast"]["pool"] == "created"


def test_missing_secret_is_an_error_unless_the_run_creates_it(cluster, run):
    config = {"rendered_image_push_secret": "robot"}
    reason = "Secret openshift-machine-config-operator/robot does not exist"
    assert rejected(run, config=config) == reason
    assert run(config=config, new_secrets=["robot"])["forecast"]["machineosconfig"] == "changed"
    assert rejected(run, pool="new", create_pool=True, config=config) == reason


def test_secret_of_another_type_is_an_error(cluster, run):
    cluster.keep(SECRET, secret("robot", kind="Opaque"))
    assert rejected(run, config={"rendered_image_push_secret": "robot"}).endswith("robot has type Opaque")


def test_secret_that_may_not_be_read_is_left_to_the_step_that_uses_it(cluster, run):
    cluster.always_fail("secrets", forbidden("secrets"))
    assert run(config={"rendered_image_push_secret": "robot"})["forecast"]["changes"]


def test_image_of_a_namespace_that_does_not_exist_is_an_error(cluster, run):
    push_spec = "image-registry.openshift-image-registry.svc:5000/images/os:latest"
    with pytest.raises(OperationError, match="is an image of namespace images, which does not exist"):
        run(OTHER, config={"rendered_image_push_spec": push_spec})


def test_nodes_reboot_only_with_consent(cluster, run):
    assert "it would drain and reboot the nodes" in rejected(run, OTHER, allow_node_reboots=False)
    with pytest.raises(OperationError, match=r"worker-0, worker-1\. Set allow_node_reboots=true\.$"):
        run(OTHER, allow_node_reboots=False)
    assert run(allow_node_reboots=False)["forecast"]["complete"]
    assert run(allow_node_reboots=False, nodes=["worker-2"])["forecast"]["rollout"]["total"] == 1


def paused(by_us: bool) -> dict[str, t.Any]:
    notes = {OWN + "paused-by": "imagemode.openshift"} if by_us else {}
    return machine_config_pool("layered", paused=True, annotations=notes)


def test_pool_that_another_client_paused_is_an_error_if_a_node_would_wait(cluster, run):
    held = paused(by_us=False)
    writers = [{"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {"f:paused": {}}}}]
    cluster.keep(MACHINE_CONFIG_POOL, {**held, "metadata": {**held["metadata"], "managedFields": writers}})
    assert rejected(run, OTHER) == "it was paused by another client (kubectl-edit by Update)"
    assert rejected(run, nodes=["worker-2"]) == "it was paused by another client (kubectl-edit by Update)"
    assert run()["forecast"]["complete"]


def test_pause_of_this_collection_ends_only_with_consent(cluster, run):
    cluster.keep(MACHINE_CONFIG_POOL, paused(by_us=True))
    assert "to unpause it reboots its nodes" in rejected(run, OTHER, allow_node_reboots=False)
    found = run(OTHER)["forecast"]
    assert (found["pool"], found["rollout"]["total"]) == ("changed", 2)


def test_paused_pool_without_nodes_can_be_built(cluster, run):
    cluster.keep(MACHINE_CONFIG_POOL, paused(by_us=False))
    cluster.keep(NODE, node("worker-0", ["worker"]), node("worker-1", ["worker"]))
    assert run(OTHER)["forecast"]["build"]["expected"] == "start"


@pytest.fixture
def superseded(cluster):
    """The nodes wait for the image of the second build by name, and 4.20 takes the first."""
    edited = machine_os_config(build="layered-b", image=image_of("b"), generation=2, observed_generation=2)
    cluster.keep(MACHINE_OS_CONFIG, edited)
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-b", created=LATER))
    return cluster


def test_older_build_that_blocks_the_rollout_is_an_error(superseded, run):
    reason = rejected(run)
    assert reason == (
        "OpenShift 4.20.5 uses the older MachineOSBuild layered-a instead of the current build, so no node would get "
        "the image"
    )
    assert run(delete_superseded=True)["forecast"]["rollout"]["total"] == 2


@pytest.mark.parametrize("version", ["4.18.30", "4.19.2"])
def test_older_build_is_only_a_doubt_where_it_depends_on_the_z_stream(superseded, run, version):
    superseded.keep(CLUSTER_VERSION, cluster_version(version))
    found = run()["forecast"]
    assert found["rollout"]["total"] == 2
    assert found["lines"][-1].startswith(f"OpenShift {version} may use the older MachineOSBuild layered-a")


def test_run_that_is_only_checked_is_warned_of_the_doubt(superseded, run):
    superseded.keep(CLUSTER_VERSION, cluster_version("4.19.2"))
    assert run(details=False)["forecast"] is None
    (warning,) = run.warnings
    assert warning.startswith("OpenShift 4.19.2 may use the older MachineOSBuild layered-a")
    assert warning.endswith("Set delete_superseded=true to delete them.")


def test_older_build_does_not_matter_where_the_current_one_is_followed(superseded, run):
    superseded.keep(CLUSTER_VERSION, cluster_version("4.21.0"))
    assert "2 nodes would drain and reboot" in run()["forecast"]["lines"][-1]
    superseded.always_fail("clusterversions", forbidden("clusterversions"))
    assert "2 nodes would drain and reboot" in run()["forecast"]["lines"][-1]


def test_rollout_in_progress_proves_that_no_older_build_blocks_it(superseded, run):
    notes = {"currentImage": image_of("a"), "desiredImage": image_of("b"), "state": "Working"}
    superseded.keep(NODE, node("worker-0", annotations=notes))
    found = run()["forecast"]["rollout"]
    assert (found["updating"], found["batches"]) == (["worker-0"], [["worker-1"]])


def test_older_builds_may_block_the_image_of_a_changed_spec(cluster, run):
    lines = run(OTHER)["forecast"]["lines"]
    assert "may use the older MachineOSBuild layered-a instead of the build of this spec" in lines[-1]
    assert lines[-1].endswith("Set delete_superseded=true to delete them")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"nodes": ["worker-9"]}, "Node worker-9 does not exist"),
        ({"config": {"rendered_image_push_spec": "r.example.com/os"}}, "r.example.com/os has no tag"),
        ({"containerfile": "RUN true\n"}, "the Containerfile has no FROM instruction"),
        ({"wanted": {"max_unavailable": "lots"}}, "lots is neither a number nor a percentage"),
        ({"pool": "a-name-of-22-characters", "create_pool": True}, "characters, and the operator can only label"),
        ({"pool": "new", "create_pool": True, "config": {"rendered_image_push_secret": None}}, "is not set"),
        (
            {"pool": "new", "create_pool": True, "wanted": {"node_selector": {"node-role.kubernetes.io/layered": ""}}},
            "its selector also matches nodes of another custom pool: worker-0, worker-1",
        ),
        (
            {"create_pool": True, "wanted": {"node_selector": {"a": "b"}}},
            "the new node_selector would move nodes (worker-0, worker-1)",
        ),
    ],
)
def test_request_that_cannot_work_is_an_error(cluster, run, options, reason):
    assert reason in rejected(run, **options)


def test_node_cannot_join_a_built_in_pool(cluster, run):
    assert rejected(run, pool="worker", nodes=["worker-0"]) == "the role of a node determines its built-in pool"
