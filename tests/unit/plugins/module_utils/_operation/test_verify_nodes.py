# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.exec import (
    ExecFailed,
    ExecTimedOut,
    Output,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.transports import pod_exec, transport
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.run_spec import RunSpec
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    CLUSTER_VERSION,
    MACHINE_CONFIG,
    MACHINE_CONFIG_NODE,
    MACHINE_CONFIG_POOL,
    MACHINE_OS_BUILD,
    MACHINE_OS_CONFIG,
    NODE,
    POD,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.proof.verdict import Verdict
from ansible_collections.imagemode.openshift.plugins.module_utils._operation import verify_nodes as operation
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.select_nodes import Selection
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.verify_nodes import VerificationRequest
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    RENDERED,
    all_pools,
    booted_image,
    cluster_version,
    daemon_pod,
    digest_of,
    image_of,
    machine_config_node,
    machine_config_pool,
    machine_os_build,
    machine_os_config,
    node,
    node_with_image,
    rpm_ostree_status,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import HANG_UP, Reply, forbidden

BOTH = frozenset((Verdict.MISMATCH, Verdict.UNKNOWN))
MATCHING = Output(rpm_ostree_status(booted_image("a")), "", 0)
DIFFERING = Output(rpm_ostree_status(booted_image("b")), "", 0)


def ask(
    pool: str = "layered",
    names: t.Sequence[str] = (),
    selector: str = "",
    expected: str = "",
    fail_on: frozenset[Verdict] = BOTH,
    transport: str = "pod_exec",
) -> VerificationRequest:
    return VerificationRequest(pool, Selection(names, selector), expected, 10, 5.0, "/rootfs", fail_on, transport)


def verify_nodes(
    session: t.Any, asked: VerificationRequest, warn: t.Callable[[str], None] = lambda text: None
) -> dict[str, t.Any]:
    return operation.verify_nodes(session, asked, warn)


class Nodes:
    """Stands in for the nodes: what each answers, the last of its answers again and again."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Output | Exception]] = {}
        self.commands: list[tuple[str, str, str, tuple[str, ...]]] = []
        self.meanwhile: t.Callable[[], None] = lambda: None

    def run(
        self, connection: t.Any, namespace: str, pod: str, container: str, command: t.Sequence[str], timeout: float
    ) -> Output:
        self.commands.append((namespace, pod, container, tuple(command)))
        answers = self.answers.get(pod.removeprefix("machine-config-daemon-"), [MATCHING])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        self.meanwhile()
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def nodes(monkeypatch) -> Nodes:
    stand_in = Nodes()
    monkeypatch.setattr(pod_exec, "run_in_container", stand_in.run)
    monkeypatch.setattr(transport.random, "uniform", lambda low, high: 0.0)
    return stand_in


@pytest.fixture
def cluster(api):
    """A pool with a built image, two members, and one worker beside it."""
    api.keep(CLUSTER_VERSION, cluster_version())
    api.keep(MACHINE_CONFIG_POOL, *all_pools())
    api.keep(MACHINE_OS_CONFIG, machine_os_config(build="layered-a", image=image_of("a"), observed_generation=1))
    api.keep(MACHINE_OS_BUILD, machine_os_build("layered-a"))
    api.keep(NODE, node_with_image("a", "worker-0"), node_with_image("a", "worker-1"))
    api.keep(NODE, node("plain-0", roles=["worker"]))
    api.keep(POD, *(daemon_pod(name) for name in ("worker-0", "worker-1", "plain-0")))
    return api


def verdicts(done: t.Mapping[str, t.Any]) -> dict[str, str]:
    return {n["name"]: n["verdict"] for n in done["nodes"]}


def ids(done: t.Mapping[str, t.Any], name: str) -> list[str]:
    return [f["id"] for n in done["nodes"] if n["name"] == name for f in n["findings"]]


def test_every_node_of_a_pool_is_verified(cluster, nodes, session):
    done = verify_nodes(session, ask())
    assert (done["verdict"], done["changed"]) == ("match", False)
    assert done["summary"] == {"total": 2, "match": 2, "mismatch": 0, "unknown": 0}
    command = ("chroot", "/rootfs", "rpm-ostree", "status", "--json")
    pod = "machine-config-daemon-worker-0"
    assert ("openshift-machine-config-operator", pod, "machine-config-daemon", command) in nodes.commands
    first = done["nodes"][0]
    assert first["booted"]["digest"] == first["expected"]["digest"] == digest_of("a")
    assert (first["pool"], first["boot_id"], first["expected"]["current"]) == ("layered", "boot-1", True)
    assert cluster.writes == []


def test_node_in_two_custom_pools_is_unknown_and_others_have_their_verdict(cluster, nodes, session):
    """The operator drives it for neither, so leaving it out would make the pool look proven."""
    cluster.keep(MACHINE_CONFIG_POOL, machine_config_pool("infra"))
    cluster.keep(NODE, node_with_image("a", "worker-1", roles=["worker", "layered", "infra"]))
    done = verify_nodes(session, ask(fail_on=frozenset()))
    assert verdicts(done) == {"worker-0": "match", "worker-1": "unknown"}
    assert [f["id"] for n in done["nodes"] for f in n["findings"]] == ["node.in_no_pool"]


def test_other_image_is_a_mismatch_with_the_name_of_the_node(cluster, nodes, session):
    nodes.answers["worker-1"] = [DIFFERING]
    with pytest.raises(OperationError, match=r"1 of 2 nodes not verified; worker-1: mismatch, booted ") as refused:
        verify_nodes(session, ask())
    done = refused.value.result
    assert verdicts(done) == {"worker-0": "match", "worker-1": "mismatch"}
    assert done["verdict"] == "mismatch"


@pytest.mark.parametrize(
    ("answer", "finding"),
    [
        (ExecTimedOut("no answer"), "node.no_response"),
        (ExecFailed(403, "not you"), "node.exec_forbidden"),
        (ExecFailed(401, "who"), "node.exec_forbidden"),
        (ExecFailed(500, "error dialing backend"), "node.exec_failed"),
        (ExecFailed(0, "the connection broke"), "node.exec_failed"),
        (Output(MATCHING.stdout, "", None, "the connection ended"), "node.exec_failed"),
        (Output("", "error: Timeout was reached", 1), "node.command_failed"),
        (Output("not JSON", "", 0), "node.output_unreadable"),
    ],
    ids=range(8),
)
def test_node_without_proof_is_unknown_and_others_are_reported(answer, finding, cluster, nodes, session):
    nodes.answers["worker-1"] = [answer]
    with pytest.raises(OperationError, match="worker-1: unknown, ") as refused:
        verify_nodes(session, ask())
    assert verdicts(refused.value.result) == {"worker-0": "match", "worker-1": "unknown"}
    assert ids(refused.value.result, "worker-1") == [finding]


def test_broken_connection_is_retried(cluster, nodes, session):
    broken = ExecFailed(0, "the connection broke")
    nodes.answers["worker-1"] = [broken, ExecFailed(502, "bad gateway"), MATCHING]
    assert verify_nodes(session, ask())["verdict"] == "match"


@pytest.mark.parametrize("answer", [ExecFailed(403, "not you"), Output("", "no", 1), ExecTimedOut("no answer")])
def test_definite_result_is_not_requested_again(answer, cluster, nodes, session):
    nodes.answers["worker-1"] = [answer, MATCHING]
    with pytest.raises(OperationError):
        verify_nodes(session, ask())
    assert len(nodes.commands) == 2


@pytest.mark.parametrize(
    ("ready", "finding"), [("True", "node.no_daemon_pod"), ("False", "node.not_ready"), ("Unknown", "node.not_ready")]
)
def test_node_without_a_daemon_pod_is_unknown(ready, finding, cluster, nodes, session):
    cluster.keep(NODE, node_with_image("a", "worker-1", ready=ready))
    cluster.keep(POD, daemon_pod("worker-1", ready=False))
    with pytest.raises(OperationError) as refused:
        verify_nodes(session, ask())
    assert ids(refused.value.result, "worker-1") == [finding]


def rebooting(cluster: t.Any, *boots: str) -> t.Callable[[], None]:
    """Return what lets worker-1 be in the next of some boots with each answer that is asked of it."""
    left = list(boots)

    def happens() -> None:
        if left:
            cluster.keep(NODE, node_with_image("a", "worker-1", boot_id=left.pop(0)))

    return happens


def test_node_that_rebooted_meanwhile_is_queried_again(cluster, nodes, session):
    nodes.answers["worker-1"] = [DIFFERING, MATCHING]
    nodes.meanwhile = rebooting(cluster, "boot-2")
    done = verify_nodes(session, ask(pool="", names=["worker-1"]))
    assert verdicts(done) == {"worker-1": "match"}
    assert (done["nodes"][0]["boot_id"], ids(done, "worker-1"), len(nodes.commands)) == ("boot-2", [], 2)


def test_only_the_rebooted_node_is_queried_again(cluster, nodes, session):
    nodes.meanwhile = lambda: cluster.keep(NODE, node_with_image("a", "worker-1", boot_id="boot-2"))
    assert verify_nodes(session, ask())["summary"]["match"] == 2
    assert sorted(pod for dummy, pod, *rest in nodes.commands) == [
        "machine-config-daemon-worker-0",
        "machine-config-daemon-worker-1",
        "machine-config-daemon-worker-1",
    ]


def test_node_that_reboots_repeatedly_is_unknown(cluster, nodes, session):
    nodes.meanwhile = rebooting(cluster, "boot-2", "boot-3", "boot-4")
    with pytest.raises(OperationError, match="unknown, Node worker-1 rebooted while it was verified") as refused:
        verify_nodes(session, ask(pool="", names=["worker-1"]))
    assert ids(refused.value.result, "worker-1") == ["node.rebooted_during_verification"]
    assert len(nodes.commands) == 2


def test_rebooted_node_that_cannot_be_queried_again_is_unknown_for_both_reasons(cluster, nodes, session):
    nodes.answers["worker-1"] = [MATCHING, ExecTimedOut("no answer")]
    nodes.meanwhile = rebooting(cluster, "boot-2")
    with pytest.raises(OperationError) as refused:
        verify_nodes(session, ask(pool="", names=["worker-1"]))
    assert ids(refused.value.result, "worker-1") == ["node.no_response", "node.rebooted_during_verification"]


@pytest.mark.parametrize("answer", [MATCHING, ExecFailed(404, "gone")])
def test_node_that_is_deleted_meanwhile_is_unknown(answer, cluster, nodes, session):
    nodes.answers["worker-0"] = [answer]
    present = ["worker-0"]

    def leaves() -> None:
        if present:
            cluster.drop(NODE, present.pop())

    nodes.meanwhile = leaves
    with pytest.raises(
        OperationError, match="worker-0: unknown, Node worker-0 was deleted while it was verified"
    ) as refused:
        verify_nodes(session, ask(pool="", names=["worker-0"]))
    assert "node.deleted" in ids(refused.value.result, "worker-0")
    assert len({pod for dummy, pod, *rest in nodes.commands}) == 1


# What nodes change of their image -----------------------------------------------------------------------------------

LAYERED = Output(rpm_ostree_status(booted_image("a", packages=["usbguard"])), "", 0)
REQUESTING = Output(rpm_ostree_status(booted_image("a", **{"requested-packages": ["usbguard"], "packages": []})), "", 0)


def test_package_is_a_mismatch_unless_it_is_allowed(cluster, nodes, session):
    nodes.answers["worker-1"] = [LAYERED]
    with pytest.raises(OperationError, match="worker-1: mismatch, the node has local changes: ") as refused:
        verify_nodes(session, ask())
    assert ids(refused.value.result, "worker-1") == ["node.local_packages"]
    done = verify_nodes(session, replace(ask(), allowed_deviations=["usb*"]))
    assert ids(done, "worker-1") == ["node.deviation_allowed"]
    assert done["verdict"] == "match"


def test_package_that_is_only_requested_is_a_warning(cluster, nodes, session):
    nodes.answers["worker-1"] = [REQUESTING]
    done = verify_nodes(session, ask())
    assert (done["verdict"], ids(done, "worker-1")) == ("match", ["node.request_inactive"])


@pytest.mark.parametrize("entry", ["ipsec", "node.unlocked", "kernel-rt*"])
def test_entry_that_allowed_nothing_is_one_warning_for_the_pool(entry, cluster, nodes, session):
    nodes.answers["worker-1"] = [LAYERED]
    warnings: list[str] = []
    done = verify_nodes(session, replace(ask(), allowed_deviations=["usb*", entry]), warnings.append)
    assert (done["verdict"], done["unused_allowed_deviations"]) == ("match", [entry])
    assert warnings == [f"allowed_deviations: {entry} allowed no local change of a verified node."]
    (finding,) = done["findings"]
    assert (finding["id"], finding["severity"]) == ("cluster.allowed_deviation_unused", "warning")
    assert (finding["object"]["kind"], finding["object"]["name"]) == ("MachineConfigPool", "layered")
    assert entry in finding["message"]


def test_entries_that_allowed_a_change_of_one_node_are_no_warning(cluster, nodes, session):
    nodes.answers["worker-1"] = [LAYERED]
    warnings: list[str] = []
    done = verify_nodes(session, replace(ask(), allowed_deviations=["usbguard"]), warnings.append)
    assert (done["unused_allowed_deviations"], done["findings"], warnings) == ([], [], [])


@pytest.mark.parametrize("transport", ["api", "pod_exec"])
def test_entries_are_not_unused_if_no_node_reported_its_changes(transport, cluster, nodes, session):
    nodes.answers = {name: [ExecTimedOut("no answer")] for name in ("worker-0", "worker-1")}
    asked = replace(ask(transport=transport, fail_on=frozenset()), allowed_deviations=["ipsec"])
    warnings: list[str] = []
    done = verify_nodes(session, asked, warnings.append)
    assert (done["unused_allowed_deviations"], done["findings"], warnings) == (None, [], [])


def test_unused_entry_does_not_fail_and_names_a_node_if_no_pool_is_verified(cluster, nodes, session):
    cluster.keep(NODE, node("stray", roles=[]))
    cluster.keep(POD, daemon_pod("stray"))
    asked = replace(ask(pool="", names=["stray"], expected=digest_of("a")), allowed_deviations=["ipsec"])
    done = verify_nodes(session, asked)
    assert [(f["object"]["kind"], f["object"]["name"]) for f in done["findings"]] == [("Node", "stray")]


def test_invalid_allowed_deviation_fails_before_any_query(cluster, nodes, session):
    with pytest.raises(OperationError, match=r"allowed_deviations: node.unlockd is not the id of a deviation"):
        verify_nodes(session, replace(ask(), allowed_deviations=["node.unlockd"]))
    assert nodes.commands == []


# What the MachineConfigNodes claim ----------------------------------------------------------------------------------


def test_machine_config_node_that_differs_from_the_boot_is_a_warning(cluster, nodes, session):
    cluster.keep(MACHINE_CONFIG_NODE, machine_config_node("worker-0"))
    cluster.keep(MACHINE_CONFIG_NODE, machine_config_node("worker-1", image=image_of("b")))
    done = verify_nodes(session, ask())
    assert (done["verdict"], ids(done, "worker-0")) == ("match", [])
    assert ids(done, "worker-1") == ["node.machine_config_node_disagrees"]


@pytest.mark.parametrize("reply", [forbidden("machineconfignodes"), Reply(503, "not now"), HANG_UP, None])
def test_machine_config_nodes_are_optional(reply, cluster, nodes, session):
    if reply is None:
        cluster.not_served.add("machineconfignodes")
    else:
        cluster.always_fail("machineconfignodes", reply)
    assert verify_nodes(session, ask())["verdict"] == "match"
    assert sum("machineconfignodes" in said for said in cluster.said) == 1


# What is expected ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("observed", "finding"), [(1, "cluster.expectation_not_current"), (2, "cluster.expectation_unproven")]
)
def test_no_node_matches_while_the_image_is_not_current(cluster, nodes, session, observed, finding):
    edited = machine_os_config(
        build="layered-a",
        image=image_of("a"),
        generation=2,
        observed_generation=observed,
        edits=[("oc", "9999")],
    )
    cluster.keep(MACHINE_OS_CONFIG, edited)
    with pytest.raises(OperationError) as refused:
        verify_nodes(session, ask())
    assert set(verdicts(refused.value.result).values()) == {"unknown"}
    assert ids(refused.value.result, "worker-0") == [finding]


def test_expected_image_of_the_option_takes_precedence(cluster, nodes, session):
    cluster.keep(MACHINE_OS_CONFIG, machine_os_config())
    done = verify_nodes(session, ask(expected=digest_of("a")))
    assert done["verdict"] == "match"
    assert done["nodes"][0]["expected"]["source"] == "option"


@pytest.mark.parametrize(
    ("fail_on", "fails"),
    [(BOTH, True), (frozenset([Verdict.UNKNOWN]), True), (frozenset([Verdict.MISMATCH]), False), (frozenset(), False)],
)
def test_fail_on_selects_the_failing_verdicts(fail_on, fails, cluster, nodes, session):
    nodes.answers["worker-1"] = [ExecTimedOut("no answer")]
    if fails:
        with pytest.raises(OperationError):
            verify_nodes(session, ask(fail_on=fail_on))
    else:
        assert verify_nodes(session, ask(fail_on=fail_on))["verdict"] == "unknown"


def test_nodes_of_several_pools_have_the_image_of_their_pool(cluster, nodes, session):
    cluster.keep(MACHINE_CONFIG, {"metadata": {"name": RENDERED}, "spec": {"osImageURL": image_of("c")}})
    nodes.answers["plain-0"] = [Output(rpm_ostree_status(booted_image("c")), "", 0)]
    done = verify_nodes(session, ask(pool="", names=["worker-0", "plain-0"]))
    assert verdicts(done) == {"plain-0": "match", "worker-0": "match"}
    assert [n["pool"] for n in done["nodes"]] == ["worker", "layered"]
    assert [n["expected"]["source"] for n in done["nodes"]] == ["machineconfig", "machineosconfig"]


@pytest.mark.parametrize("transport", ["pod_exec", "api"])
def test_missing_right_on_machineconfigs_makes_only_that_pool_unknown(transport, cluster, nodes, session):
    cluster.always_fail("/machineconfigs/", forbidden("machineconfigs"))
    nodes.answers["plain-0"] = [Output(rpm_ostree_status(booted_image("c")), "", 0)]
    done = verify_nodes(session, ask(pool="", names=["worker-0", "plain-0"], transport=transport, fail_on=frozenset()))
    assert verdicts(done) == {"plain-0": "unknown", "worker-0": "match" if transport == "pod_exec" else "unknown"}
    (finding,) = done["nodes"][0]["findings"]
    assert finding["id"] == "cluster.expectation_forbidden"
    assert "the account cannot read MachineConfigs" in finding["message"]
    assert "rendered-configs.yaml" in finding["remedy"]


def test_nodes_are_selected_by_label(cluster, nodes, session):
    done = verify_nodes(session, ask(pool="", selector="node-role.kubernetes.io/layered"))
    assert verdicts(done) == {"worker-0": "match", "worker-1": "match"}
    assert verdicts(verify_nodes(session, ask(pool="", names=["worker-1"]))) == {"worker-1": "match"}


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (ask(pool="gone"), "verify MachineConfigPool gone: MachineConfigPool gone does not exist"),
        (ask(pool="gpu"), "verify MachineConfigPool gpu: MachineConfigPool gpu has no nodes"),
        (ask(names=["gone"]), "Node gone does not exist"),
        (ask(names=["plain-0"]), "Node plain-0 is not in it"),
        (ask(pool="", names=["gone"]), "verify Node gone: Node gone does not exist"),
        (ask(pool="", selector="zone=x"), "verify the nodes of zone=x: no Node matches"),
        (ask(expected="quay.io/os:t"), "expected_image: quay.io/os:t has no digest"),
    ],
)
def test_verification_without_nodes_or_expected_image_fails(asked, reason, cluster, nodes, session):
    cluster.keep(MACHINE_CONFIG_POOL, machine_config_pool("gpu"))
    with pytest.raises(OperationError, match=f"^Could not .*{reason}"):
        verify_nodes(session, asked)
    assert nodes.commands == []


def test_pool_of_which_a_node_was_left_out_is_unknown(cluster, nodes, session):
    reason = "1 of 2 nodes of MachineConfigPool layered were not verified"
    with pytest.raises(OperationError, match=f"^Could not verify MachineConfigPool layered: {reason}. ") as refused:
        verify_nodes(session, ask(names=["worker-1"]))
    done = refused.value.result
    assert verdicts(done) == {"worker-1": "match"}
    assert (done["verdict"], done["pool_total"], done["left_out"]) == ("unknown", 2, 1)
    assert done["summary"] == {"total": 2, "match": 1, "mismatch": 0, "unknown": 1}
    assert [f["id"] for f in done["findings"]] == ["pool.nodes_left_out"]


@pytest.mark.parametrize("selected", [{"names": ["worker-1"]}, {"selector": "kubernetes.io/hostname=worker-1"}])
def test_nodes_that_were_left_out_fail_only_where_unknown_fails(selected, cluster, nodes, session):
    cluster.keep(NODE, node_with_image("a", "worker-1", labels={"kubernetes.io/hostname": "worker-1"}))
    for fail_on in (frozenset([Verdict.MISMATCH]), frozenset()):
        assert verify_nodes(session, ask(fail_on=fail_on, **selected))["verdict"] == "unknown"
    with pytest.raises(OperationError):
        verify_nodes(session, ask(fail_on=frozenset([Verdict.UNKNOWN]), **selected))


def test_mismatch_is_reported_before_nodes_that_were_left_out(cluster, nodes, session):
    nodes.answers["worker-1"] = [DIFFERING]
    with pytest.raises(OperationError, match="1 of 1 nodes not verified; worker-1: mismatch, ") as refused:
        verify_nodes(session, ask(names=["worker-1"]))
    assert refused.value.result["verdict"] == "unknown"


@pytest.mark.parametrize("names", [(), ("worker-0", "worker-1"), ("worker-1", "worker-0", "worker-1")])
def test_verification_of_all_nodes_of_a_pool_leaves_none_out(names, cluster, nodes, session):
    done = verify_nodes(session, ask(names=names))
    assert (done["verdict"], done["pool_total"], done["left_out"], done["findings"]) == ("match", 2, 0, [])


def test_verification_of_single_nodes_is_not_about_a_pool(cluster, nodes, session):
    done = verify_nodes(session, ask(pool="", names=["worker-1"]))
    assert (done["verdict"], done["pool_total"], done["left_out"], done["findings"]) == ("match", None, 0, [])


@pytest.mark.parametrize(
    ("fail_on", "allowed", "fails"),
    [
        (BOTH, False, True),
        (frozenset([Verdict.MISMATCH]), False, True),
        (BOTH, True, False),
        (frozenset(), False, False),
    ],
)
def test_pool_without_nodes_has_no_verdict_and_its_cluster_is_known(fail_on, allowed, fails, cluster, nodes, session):
    cluster.keep(MACHINE_CONFIG_POOL, machine_config_pool("gpu"))
    asked = replace(ask(pool="gpu", fail_on=fail_on, transport="auto"), allow_empty_pool=allowed)
    if fails:
        with pytest.raises(
            OperationError, match=r"MachineConfigPool gpu has no nodes\. Add nodes to the pool"
        ) as refused:
            verify_nodes(session, asked)
        done = refused.value.result
    else:
        done = verify_nodes(session, asked)
    assert (done["verdict"], done["nodes"], done["pool_total"], done["left_out"]) == ("none", [], 0, 0)
    assert done["summary"] == {"total": 0, "match": 0, "mismatch": 0, "unknown": 0}
    assert [(f["id"], f["object"]["name"]) for f in done["findings"]] == [("pool.no_nodes", "gpu")]
    assert done["cluster"]["version"] == "4.20.1"
    assert nodes.commands == []


def test_reported_state_refutes_and_never_proves(cluster, nodes, session):
    cluster.keep(NODE, node_with_image("b", "worker-1"))
    with pytest.raises(OperationError, match="1 of 2 nodes not verified; worker-1: mismatch, ") as refused:
        verify_nodes(session, ask(transport="api", fail_on=frozenset([Verdict.MISMATCH])))
    done = refused.value.result
    assert verdicts(done) == {"worker-0": "unknown", "worker-1": "mismatch"}
    assert (done["transport"], done["verdict"], nodes.commands) == ("api", "unknown", [])
    assert ids(done, "worker-0") == ["node.not_queried"]
    assert ids(done, "worker-1") == ["node.reported_image_differs"]
    assert [n["booted"] for n in done["nodes"]] == [None, None]


def test_audit_by_reported_states_fails_only_on_a_mismatch(cluster, nodes, session):
    audit = ask(transport="api", fail_on=frozenset([Verdict.MISMATCH]))
    assert verify_nodes(session, audit)["summary"] == {"total": 2, "match": 0, "mismatch": 0, "unknown": 2}
    assert cluster.writes == []


def test_node_outside_image_mode_has_the_image_of_its_config(cluster, nodes, session):
    cluster.keep(MACHINE_CONFIG, {"metadata": {"name": RENDERED}, "spec": {"osImageURL": image_of("c")}})
    cluster.keep(MACHINE_CONFIG, {"metadata": {"name": "rendered-old"}, "spec": {"osImageURL": image_of("d")}})
    cluster.keep(NODE, node("plain-1", roles=["worker"], annotations={"currentConfig": "rendered-old"}))
    done = verify_nodes(session, ask(pool="worker", transport="api", fail_on=frozenset()))
    assert verdicts(done) == {"plain-0": "unknown", "plain-1": "mismatch"}


def test_auto_without_rights_reads_reported_states_and_warns(cluster, nodes, session):
    cluster.denied.add("create pods/exec")
    warnings: list[str] = []
    done = verify_nodes(session, ask(transport="auto", fail_on=frozenset()), warnings.append)
    assert (done["transport"], done["verdict"], nodes.commands) == ("api", "unknown", [])
    assert "may not create pods/exec" in warnings[0]


def test_auto_with_rights_queries_the_nodes(cluster, nodes, session):
    done = verify_nodes(session, ask(transport="auto"))
    assert (done["transport"], done["verdict"]) == ("pod_exec", "match")


def test_result_has_the_account(cluster, nodes, session):
    cluster.account = "system:serviceaccount:audit:imagemode"

    assert verify_nodes(session, ask())["account"] == "system:serviceaccount:audit:imagemode"


@pytest.mark.parametrize("reply", [forbidden("selfsubjectreviews"), Reply(404, "404 page not found"), Reply(201, "{}")])
def test_account_that_the_api_does_not_report_is_none(cluster, nodes, session, reply):
    cluster.always_fail("selfsubjectreviews", reply)

    done = verify_nodes(session, ask())

    assert (done["account"], done["verdict"]) == (None, "match")


def test_number_of_requests_does_not_depend_on_the_nodes(cluster, nodes, session):
    cluster.keep(NODE, *(node_with_image("a", f"many-{n:03}") for n in range(60)))
    cluster.keep(POD, *(daemon_pod(f"many-{n:03}") for n in range(60)))
    assert verify_nodes(session, ask())["summary"]["match"] == 62
    assert len(cluster.requests) <= 10


def test_config_without_its_pool_is_a_warning(cluster, nodes, session):
    cluster.keep(MACHINE_OS_CONFIG, machine_os_config("gone", pool="gone"))
    warnings: list[str] = []
    verify_nodes(session, ask(), warnings.append)
    assert any("cluster.orphaned_machineosconfig" in warning for warning in warnings)


def test_change_by_another_client_fails_the_verification_of_a_run(cluster, nodes, session):
    request = replace(ask(), run=RunSpec("sha256:other", image_of("a")))
    with pytest.raises(OperationError, match=r"MachineOSConfig layered was changed by .* after this run wrote it"):
        verify_nodes(session, request, print)


@pytest.mark.parametrize("expected_image", ["", digest_of("a")])
def test_no_node_matches_an_image_that_the_run_did_not_build(cluster, nodes, session, expected_image):
    request = replace(ask(), run=RunSpec("", image_of("b")), expected_image=expected_image)
    with pytest.raises(OperationError) as error:
        verify_nodes(session, request, print)
    assert set(verdicts(error.value.result).values()) == {"unknown"}


@pytest.mark.parametrize(
    "gone",
    [
        lambda cluster: cluster.drop(NODE, "worker-1"),
        lambda cluster: cluster.keep(NODE, node("worker-1", roles=["worker"])),
    ],
)
def test_node_that_left_the_pool_since_the_rollout_is_unknown(gone, cluster, nodes, session):
    gone(cluster)
    with pytest.raises(OperationError, match="worker-1: unknown, Node worker-1 left MachineConfigPool") as refused:
        verify_nodes(session, replace(ask(), awaited_nodes=["worker-0", "worker-1"]))
    done = refused.value.result
    assert (done["verdict"], verdicts(done)) == ("unknown", {"worker-0": "match", "worker-1": "unknown"})
    assert ids(done, "worker-1") == ["node.left_pool"]
    assert done["summary"]["total"] == 2


@pytest.mark.parametrize(
    "asked",
    [
        replace(ask(), awaited_nodes=["worker-0", "worker-1"]),
        replace(ask(), awaited_nodes=["worker-0"]),
        replace(ask(pool="", names=["worker-0"]), awaited_nodes=["worker-9"]),
    ],
)
def test_awaited_nodes_that_are_in_the_pool_change_nothing(asked, cluster, nodes, session):
    done = verify_nodes(session, asked)
    assert (done["verdict"], set(verdicts(done).values())) == ("match", {"match"})


# What the expected image was built from -------------------------------------------------------------------------------

TEXT = "FROM configs AS final\nRUN true\n"


def reasons(done: t.Mapping[str, t.Any]) -> tuple[bool, str | None]:
    content = done["containerfile"]
    return content["proven"], content["why_not"]


def test_result_has_the_containerfile_of_the_verified_image(cluster, nodes, session):
    assert verify_nodes(session, ask())["containerfile"] == {
        "machineosconfig": "layered",
        "sha256": hashlib.sha256(TEXT.encode()).hexdigest(),
        "text": TEXT,
        "exact": True,
        "proven": True,
        "why_not": None,
    }


def test_containerfile_is_the_one_of_the_read_that_gave_the_expected_image(cluster, nodes, session):
    """An edit during the verification changes neither."""

    def edit() -> None:
        edited = machine_os_config(containerfile="FROM other\n", build="layered-a", image=image_of("a"), generation=2)
        cluster.keep(MACHINE_OS_CONFIG, edited)

    nodes.meanwhile = edit
    done = verify_nodes(session, ask())
    assert (done["verdict"], done["containerfile"]["text"], done["containerfile"]["proven"]) == ("match", TEXT, True)


def test_containerfile_of_the_verdict_that_fails_is_in_the_result(cluster, nodes, session):
    nodes.answers = {name: [DIFFERING] for name in ("worker-0", "worker-1")}
    with pytest.raises(OperationError) as refused:
        verify_nodes(session, ask())
    assert reasons(refused.value.result) == (False, "no node is proven to have booted the expected image")


def test_reported_state_proves_no_containerfile(cluster, nodes, session):
    done = verify_nodes(session, ask(transport="api", fail_on=frozenset()))
    assert reasons(done) == (False, "no node is proven to have booted the expected image")


def test_containerfile_of_a_seeded_image_is_not_proven(cluster, nodes, session):
    seeded = machine_os_build("layered-a")
    seeded["metadata"]["labels"]["machineconfiguration.openshift.io/pre-built-image"] = "true"
    cluster.keep(MACHINE_OS_BUILD, seeded)
    done = verify_nodes(session, ask())
    assert done["verdict"] == "match"
    assert reasons(done) == (False, "MachineOSBuild layered-a was seeded with an existing image")


def test_containerfile_is_proven_if_the_user_names_its_image(cluster, nodes, session):
    assert reasons(verify_nodes(session, ask(expected=digest_of("a")))) == (True, None)


def test_containerfile_is_not_proven_if_the_user_names_another_image(cluster, nodes, session):
    nodes.answers = {name: [DIFFERING] for name in ("worker-0", "worker-1")}
    done = verify_nodes(session, ask(expected=digest_of("b")))
    assert done["verdict"] == "match"
    proven, why_not = reasons(done)
    assert (proven, why_not.startswith(f"the nodes were compared with {digest_of('b')}, ")) == (False, True)


@pytest.mark.parametrize("kind", ["machineosconfigs", "machineosbuilds"])
@pytest.mark.parametrize("reply", [forbidden("machineosconfigs"), Reply(503, "not now"), HANG_UP])
def test_containerfile_is_optional_if_the_user_names_the_image(kind, reply, cluster, nodes, session):
    cluster.always_fail(kind, reply)
    done = verify_nodes(session, ask(expected=digest_of("a")))
    assert (done["verdict"], done["containerfile"]) == ("match", None)


def test_image_of_a_config_without_a_digest_does_not_matter_if_the_user_names_the_image(cluster, nodes, session):
    cluster.keep(MACHINE_OS_CONFIG, machine_os_config(build="layered-a", image="quay.io/os:t"))
    done = verify_nodes(session, ask(expected=digest_of("a")))
    assert (done["verdict"], done["containerfile"]) == ("match", None)


@pytest.mark.parametrize("expected", ["", digest_of("a")])
def test_nodes_of_several_pools_have_no_common_containerfile(expected, cluster, nodes, session):
    cluster.keep(MACHINE_CONFIG, {"metadata": {"name": RENDERED}, "spec": {"osImageURL": image_of("c")}})
    asked = ask(pool="", names=["worker-0", "plain-0"], fail_on=frozenset(), expected=expected)
    assert verify_nodes(session, asked)["containerfile"] is None


@pytest.mark.parametrize("expected", ["", digest_of("a")])
def test_pool_without_a_machineosconfig_has_no_containerfile(expected, cluster, nodes, session):
    cluster.keep(MACHINE_CONFIG, {"metadata": {"name": RENDERED}, "spec": {"osImageURL": image_of("a")}})
    assert verify_nodes(session, ask(pool="worker", expected=expected))["containerfile"] is None


def test_pool_without_nodes_proves_no_containerfile(cluster, nodes, session):
    cluster.drop(NODE, "worker-0")
    cluster.drop(NODE, "worker-1")
    assert verify_nodes(session, ask(fail_on=frozenset()))["containerfile"] is None


# Paused pools --------------------------------------------------------------------------------------------------------


def pause(cluster: t.Any, name: str = "layered", manager: str = "kubectl-edit") -> None:
    """Pause a pool as another client does."""
    paused = machine_config_pool(name, paused=True)
    entry = {"manager": manager, "operation": "Update", "fieldsV1": {"f:spec": {"f:paused": {}}}}
    paused["metadata"]["managedFields"] = [entry]
    cluster.keep(MACHINE_CONFIG_POOL, paused)


@pytest.mark.parametrize("expected", ["", digest_of("a")])
def test_paused_pool_whose_nodes_match_is_a_match_with_a_warning(expected, cluster, nodes, session):
    pause(cluster)
    done = verify_nodes(session, ask(expected=expected))
    assert (done["verdict"], done["summary"]["match"]) == ("match", 2)
    (finding,) = done["findings"]
    assert (finding["id"], finding["severity"], finding["object"]["name"]) == (
        "pool.updates_paused",
        "warning",
        "layered",
    )
    assert "is paused by kubectl-edit" in finding["message"]


def test_node_that_the_pause_keeps_from_its_image_names_the_pause(cluster, nodes, session):
    pause(cluster)
    cluster.keep(NODE, node_with_image("b", "worker-1"))
    nodes.answers["worker-1"] = [DIFFERING]
    with pytest.raises(OperationError) as refused:
        verify_nodes(session, ask())
    assert "MachineConfigPool layered is paused by kubectl-edit, so the operator does not update the node" in (
        refused.value.reason
    )
    assert "unpause it with oc" in refused.value.remedy
    assert ids(refused.value.result, "worker-1") == ["node.image_differs"]


def test_only_pools_of_the_verified_nodes_are_reported_as_paused(cluster, nodes, session):
    pause(cluster, "worker")
    assert verify_nodes(session, ask())["findings"] == []
    cluster.keep(MACHINE_CONFIG, {"metadata": {"name": RENDERED}, "spec": {"osImageURL": image_of("a")}})
    done = verify_nodes(session, ask(pool="", names=["plain-0"]))
    assert [f["object"]["name"] for f in done["findings"]] == ["worker"]


def test_pool_without_nodes_is_reported_as_paused(cluster, nodes, session):
    cluster.keep(MACHINE_CONFIG_POOL, machine_config_pool("gpu", paused=True))
    done = verify_nodes(session, replace(ask(pool="gpu"), allow_empty_pool=True))
    assert [f["id"] for f in done["findings"]] == ["pool.no_nodes", "pool.updates_paused"]
