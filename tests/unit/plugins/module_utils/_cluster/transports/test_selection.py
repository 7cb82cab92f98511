# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.exec import (
    ExecFailed,
    ExecTimedOut,
    Output,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.transports import pod_exec, transport
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.transports.pod_exec import PodExec
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.transports.reported_state import (
    ReportedStates,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.transports.selection import AutoSelection
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.transports.transport import (
    NodeReply,
    ReportedState,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.node import NodeState
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import MACHINE_CONFIG, POD
from ansible_collections.imagemode.openshift.plugins.module_utils._model.proof.verdict import CommandResult
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    RENDERED,
    daemon_pod,
    image_of,
    node,
    node_with_image,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import Reply, forbidden

NODES = [NodeState.from_api(node_with_image(letter, f"worker-{n}")) for n, letter in enumerate("abc")]
EXEC = "get pods/exec"


class Pods:
    """Stands in for the commands in the daemons' pods: what each of the nodes' pods answers."""

    def __init__(self) -> None:
        self.answers: dict[str, Output | Exception] = {}
        self.asked: list[str] = []

    def run(self, connection: t.Any, namespace: str, pod: str, *command: t.Any) -> Output:
        name = pod.removeprefix("machine-config-daemon-")
        self.asked.append(name)
        answer = self.answers.get(name, Output(name, "", 0))
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def pods(monkeypatch, api) -> Pods:
    stand_in = Pods()
    monkeypatch.setattr(pod_exec, "run_in_container", stand_in.run)
    monkeypatch.setattr(transport.random, "uniform", lambda low, high: 0.0)
    api.keep(POD, *(daemon_pod(n.name) for n in NODES))
    return stand_in


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def auto(session, warnings) -> AutoSelection:
    return AutoSelection(PodExec(session, 1, 5.0, "/rootfs"), ReportedStates(session), warnings.append)


def words(auto: AutoSelection) -> dict[str, NodeReply]:
    said = list(auto.query(NODES))
    assert len({n.name for n, dummy in said}) == len(said)
    return {n.name: word for n, word in said}


CLAIMED = {f"worker-{n}": ReportedState(image_of(letter)) for n, letter in enumerate("abc")}


def test_nodes_are_queried_if_the_account_may(api, pods, auto, warnings):
    assert words(auto) == {n.name: CommandResult(0, n.name, "") for n in NODES}
    assert (auto.name, warnings) == ("pod_exec", [])
    asked = [r.body["spec"]["resourceAttributes"] for r in api.requests if r.is_review]
    assert [(a["verb"], a["resource"], a["subresource"], a["namespace"]) for a in asked] == [
        ("list", "pods", "", "openshift-machine-config-operator"),
        ("get", "pods", "exec", "openshift-machine-config-operator"),
        ("create", "pods", "exec", "openshift-machine-config-operator"),
    ]


@pytest.mark.parametrize("right", ["list pods", "get pods/exec", "create pods/exec"])
def test_missing_right_means_no_query_and_a_warning(right, api, pods, auto, warnings):
    api.denied.add(right)
    assert words(auto) == CLAIMED
    assert (auto.name, pods.asked) == ("api", [])
    (warning,) = warnings
    assert f"the account may not {right} in namespace openshift-machine-config-operator." in warning
    assert "never prove a match" in warning


def test_reported_states_are_read_if_every_query_is_denied(pods, auto, warnings):
    pods.answers = {n.name: ExecFailed(403, 'pods "x" is forbidden') for n in NODES}
    assert words(auto) == CLAIMED
    assert auto.name == "api"
    assert 'pods "x" is forbidden' in warnings[0]


def test_failed_node_beside_denied_nodes_is_yielded_once(pods, auto):
    refused = ExecFailed(403, "no")
    pods.answers = {"worker-0": ExecTimedOut("no answer"), "worker-1": refused, "worker-2": refused}
    assert words(auto) == CLAIMED


@pytest.mark.parametrize("refused", ["worker-0", "worker-1", "worker-2"])
def test_denial_beside_a_reply_belongs_to_one_node_only(refused, pods, auto, warnings):
    pods.answers = {refused: ExecFailed(403, "no")}
    said = words(auto)
    assert {name for name, word in said.items() if word.failure == "node.exec_forbidden"} == {refused}
    assert (auto.name, warnings) == ("pod_exec", [])


def test_failed_queries_without_a_denial_are_the_replies(pods, auto, warnings):
    pods.answers = {n.name: ExecTimedOut("no answer") for n in NODES}
    assert {word.failure for word in words(auto).values()} == {"node.no_response"}
    assert (auto.name, warnings) == ("pod_exec", [])


@pytest.mark.parametrize(
    "reply", [forbidden("selfsubjectaccessreviews"), Reply(404, "404 page not found"), Reply(201, "{}")]
)
def test_query_decides_if_rights_cannot_be_reviewed(reply, api, pods, auto):
    api.always_fail("selfsubjectaccessreviews", reply)
    assert words(auto) == {n.name: CommandResult(0, n.name, "") for n in NODES}
    pods.answers = {n.name: ExecFailed(403, "no") for n in NODES}
    assert words(auto) == CLAIMED


def test_second_query_uses_the_same_transport(api, pods, auto, warnings):
    api.denied.add(EXEC)
    words(auto)
    api.denied.clear()
    assert words(auto) == CLAIMED
    assert len(warnings) == 1


# What is said of nodes -----------------------------------------------------------------------------------------------


def test_reported_image_of_a_node_in_image_mode_is_its_annotation(api, session):
    assert [word for dummy, word in ReportedStates(session).query(NODES)] == list(CLAIMED.values())
    assert api.requests == []


def test_reported_image_of_another_node_is_that_of_its_rendered_config(api, session):
    old = {"metadata": {"name": "rendered-old"}, "spec": {"osImageURL": image_of("d")}}
    api.keep(MACHINE_CONFIG, {"metadata": {"name": RENDERED}, "spec": {"osImageURL": image_of("c")}}, old)
    plain = [node("plain-0"), node("plain-1"), node("plain-2", annotations={"currentConfig": "rendered-old"})]
    said = ReportedStates(session).query([NodeState.from_api(n) for n in plain])
    assert [word for dummy, word in said] == [
        ReportedState(image_of("c")),
        ReportedState(image_of("c")),
        ReportedState(image_of("d")),
    ]
    assert len(api.requests) == 2


@pytest.mark.parametrize("notes", [{"currentConfig": None}, {"currentConfig": "rendered-gone"}])
def test_node_without_a_readable_config_has_no_reported_image(notes, session):
    ((dummy, word),) = ReportedStates(session).query([NodeState.from_api(node("new-0", annotations=notes))])
    assert word == ReportedState("")


@pytest.mark.parametrize("spec", [None, [], "x", 7, {"osImageURL": None}, {"osImageURL": {"a": 1}}, {}])
def test_config_of_another_shape_has_no_image_and_is_no_error(spec, api, session):
    api.keep(MACHINE_CONFIG, {"metadata": {"name": RENDERED}, "spec": spec})
    plain = [NodeState.from_api(node(f"plain-{number}")) for number in range(2)]
    assert [word for dummy, word in ReportedStates(session).query(plain)] == [ReportedState(""), ReportedState("")]


def test_nothing_is_written(api, pods, auto):
    api.denied.add(EXEC)
    words(auto)
    assert api.writes == []
