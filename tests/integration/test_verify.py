# SPDX-License-Identifier: GPL-3.0-or-later
"""node_image_verify against nodes that tell the truth, lie, fail and hang."""

from __future__ import annotations

import subprocess
import typing as t

import pytest

if t.TYPE_CHECKING:
    from audit_log import AuditLog
    from lab.facts import Facts
    from layering import BuiltPool
    from playing import Ansible

OTHER = "sha256:" + "0" * 64


@pytest.fixture
def node(lab: Facts, request: pytest.FixtureRequest) -> t.Callable[..., None]:
    """Script a node for one test: ``node("worker-0", "--boots", DIGEST)``."""

    def script(name: str, *what: str) -> None:
        subprocess.run(["lab", "node", "--name", lab.name, name, *what], check=True, capture_output=True)
        request.addfinalizer(lambda: _reset(lab, name))

    return script


def _reset(lab: Facts, name: str) -> None:
    subprocess.run(["lab", "node", "--name", lab.name, name, "--reset"], check=True, capture_output=True)


def test_every_node_is_proven_by_the_digest_it_booted(ansible: Ansible, audit: AuditLog, rolled_out: BuiltPool) -> None:
    with audit.recording() as recording:
        proven, dummy = ansible.run_module("node_image_verify", {"pool": rolled_out.name})
    assert not proven.failed, proven.msg
    assert proven["verdict"] == "match"
    assert [(n["name"], n["booted"]["digest"], n["verdict"]) for n in proven["nodes"]] == [
        ("worker-0", rolled_out.digest, "match"),
        ("worker-1", rolled_out.digest, "match"),
    ]
    assert not [r for r in recording.ours if r.is_write and r.subresource != "exec"]


def test_a_node_that_booted_another_image_is_named(
    ansible: Ansible, rolled_out: BuiltPool, node: t.Callable[..., None]
) -> None:
    node("worker-0", "--boots", OTHER)
    refuted, dummy = ansible.run_module("node_image_verify", {"pool": rolled_out.name})
    assert refuted.failed
    assert "worker-0: mismatch" in refuted.msg
    assert refuted["summary"] == {"total": 2, "match": 1, "mismatch": 1, "unknown": 0}
    assert refuted["nodes"][0]["findings"][0]["id"] == "node.image_differs"


@pytest.mark.parametrize(("mode", "finding"), [("fail", "node.command_failed"), ("hang", "node.no_answer")])
def test_a_node_that_gives_no_answer_is_unknown_and_the_others_are_still_reported(
    ansible: Ansible, rolled_out: BuiltPool, node: t.Callable[..., None], mode: str, finding: str
) -> None:
    node("worker-1", "--exec", mode)
    unsure, dummy = ansible.run_module("node_image_verify", {"pool": rolled_out.name, "node_timeout": 5})
    assert unsure.failed
    assert unsure["verdict"] == "unknown"
    assert [n["verdict"] for n in unsure["nodes"]] == ["match", "unknown"]
    assert unsure["nodes"][1]["findings"][0]["id"] == finding


def test_findings_alone_do_not_fail_when_nothing_is_to_fail_on(
    ansible: Ansible, rolled_out: BuiltPool, node: t.Callable[..., None]
) -> None:
    node("worker-0", "--boots", OTHER)
    told, dummy = ansible.run_module("node_image_verify", {"pool": rolled_out.name, "fail_on": []})
    assert not told.failed, told.msg
    assert told["verdict"] == "mismatch"


def test_a_pool_that_is_not_layered_is_held_against_its_rendered_config(ansible: Ansible, lab: Facts) -> None:
    proven, dummy = ansible.run_module("node_image_verify", {"pool": "worker", "nodes": ["worker-5"]})
    assert not proven.failed, proven.msg
    assert proven["nodes"][0]["expected"]["source"] == "machineconfig"
    assert proven["nodes"][0]["booted"]["pull_spec"] == lab.base_image


def test_an_expected_image_without_a_digest_proves_nothing(ansible: Ansible, rolled_out: BuiltPool) -> None:
    refused, dummy = ansible.run_module(
        "node_image_verify", {"pool": rolled_out.name, "expected_image": "registry.example.com/os:latest"}
    )
    assert "a tag proves nothing" in refused.msg


def test_a_pool_nobody_is_in_is_an_error_not_zero_of_zero(ansible: Ansible) -> None:
    ansible.run_module("machineconfigpool", {"pool": "deserted"})
    refused, dummy = ansible.run_module("node_image_verify", {"pool": "deserted"})
    assert refused.failed
    assert "no node is in it" in refused.msg


def test_a_verification_runs_in_full_in_check_mode(ansible: Ansible, rolled_out: BuiltPool) -> None:
    proven, dummy = ansible.run_module("node_image_verify", {"pool": rolled_out.name}, "--check")
    assert proven["verdict"] == "match"
