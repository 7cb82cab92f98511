# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes whose answers contradict their annotations, and nodes that do not answer."""

from __future__ import annotations

from lab import node_state
from lab.errors import LabError
from lab.node_state import ExecMode, Host, NodeFolder
from lab.scenarios.scenario import EVERY_API, Scenario, Subject, WaitCase
from lab.scenarios.stage import Stage

_ANOTHER = f"sha256:{'0' * 64}"


def _boots_another(stage: Stage) -> str:
    node_state.boots(stage.facts, stage.node, _ANOTHER)
    return f"let Node {stage.node} answer that it booted {_ANOTHER}; its annotations are Done"


def _staged_only(stage: Stage) -> str:
    host = _host(stage)
    node_state.boots(stage.facts, stage.node, _ANOTHER)
    node_state.stages(stage.facts, stage.node, host.booted.digest)
    return f"let Node {stage.node} answer that {host.booted.digest} waits for its next boot; its annotations are Done"


def _host(stage: Stage) -> Host:
    host = NodeFolder(stage.facts.nodes_dir, stage.node).host
    if host is None:
        raise LabError(f"Could not script Node {stage.node}: the lab has no such node. Name another.")
    return host


def _fails(stage: Stage) -> str:
    node_state.exec_mode(stage.facts, stage.node, ExecMode.FAIL.value)
    return f"let every command on Node {stage.node} fail"


def _hangs(stage: Stage) -> str:
    node_state.exec_mode(stage.facts, stage.node, ExecMode.HANG.value)
    return f"let every command on Node {stage.node} hang"


def _warns(stage: Stage) -> str:
    node_state.exec_mode(stage.facts, stage.node, ExecMode.NOISE.value)
    return f"let commands on Node {stage.node} warn on stderr in the middle of what they print"


def _plain(stage: Stage) -> str:
    node_state.reset(stage.facts, stage.node)
    return f"let Node {stage.node} answer with what it booted"


ANSWER_SCENARIOS = (
    Scenario(
        "node-boots-another-image",
        Subject.NODE,
        "The annotations of the node are Done, and it booted another image.",
        _boots_another,
        _plain,
        cases=(WaitCase.ANNOTATIONS_DISAGREE,),
        scripted=True,
        apis=EVERY_API,
    ),
    Scenario(
        "node-staged-only",
        Subject.NODE,
        "The image is staged on the node, and another one is booted.",
        _staged_only,
        _plain,
        cases=(WaitCase.IMAGE_ONLY_STAGED,),
        scripted=True,
        apis=EVERY_API,
    ),
    Scenario(
        "exec-fails",
        Subject.NODE,
        "Every command on the node fails.",
        _fails,
        _plain,
        cases=(WaitCase.COMMANDS_FAIL,),
        scripted=True,
        apis=EVERY_API,
    ),
    Scenario(
        "exec-hangs",
        Subject.NODE,
        "No command on the node ends.",
        _hangs,
        _plain,
        cases=(WaitCase.COMMANDS_FAIL,),
        scripted=True,
        apis=EVERY_API,
    ),
    Scenario(
        "exec-warns",
        Subject.NODE,
        "Commands on the node warn on stderr around their JSON.",
        _warns,
        _plain,
        cases=(WaitCase.WARNINGS_IN_OUTPUT,),
        scripted=True,
        apis=EVERY_API,
    ),
)
