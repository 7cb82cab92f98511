# SPDX-License-Identifier: GPL-3.0-or-later
"""Results of verifications, made by what makes them in earnest."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import FindingId
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.node import NodeState
from ansible_collections.imagemode.openshift.plugins.module_utils._model.proof.built_content import BuiltContent
from ansible_collections.imagemode.openshift.plugins.module_utils._model.proof.deviation import Allowed
from ansible_collections.imagemode.openshift.plugins.module_utils._model.proof.verdict import (
    CommandResult,
    Expected,
    Verdict,
    evaluate,
    summarize,
    worst,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._result import containerfile_result, node_result

RIGHT, WRONG = "sha256:" + "a" * 64, "sha256:" + "b" * 64
REPOSITORY = "registry.example.com/os/layered"
ALLOWED = Allowed.of(["tcpdump", "strace"])
CONTENT = BuiltContent("layered", "c" * 64, "FROM configs AS final\nRUN true\n", is_exact=True)
ASKED_AT = "2026-11-24T09:30:00Z"
CLUSTER = {
    "api_url": "https://api.blue.example.com:6443",
    "id": "0f7a4e1c-6b0e-4d0a-9a51-3c8f5c7c9b21",
    "name": "blue-7xk2p",
    "version": "4.20.4",
}


def booted(digest: str, **deployment: t.Any) -> CommandResult:
    """Return what a node answers that booted *digest*."""
    reference = f"ostree-unverified-registry:{REPOSITORY}@{digest}"
    whole = {"booted": True, "container-image-reference": reference, "version": "9.6.20251015-0", **deployment}
    return CommandResult(0, json.dumps({"deployments": [whole]}))


def silent() -> CommandResult:
    """Return what there is of a node that does not answer."""
    return CommandResult(failure=FindingId.NODE_NO_RESPONSE, failure_message="Node did not answer within 60 s")


def verified(answers: t.Mapping[str, CommandResult], pool: str = "layered", **parts: t.Any) -> dict[str, t.Any]:
    """Return the result of a verification in which the nodes gave these answers."""
    expected = Expected.of_pull_spec(f"{REPOSITORY}@{RIGHT}", "machineosconfig")
    nodes, verdicts = [], []
    for name, answer in answers.items():
        status = {"nodeInfo": {"bootID": f"boot-of-{name}"}, "conditions": [{"type": "Ready", "status": "True"}]}
        node = NodeState.from_api({"metadata": {"name": name}, "status": status})
        judged = evaluate(node, expected, answer, ALLOWED)
        verdicts.append(judged.verdict)
        nodes.append(node_result(node, pool, expected, judged, ASKED_AT))
    whole = worst(verdicts) or Verdict.UNKNOWN
    return {
        "changed": False,
        "schema_version": "1.0",
        "cluster": CLUSTER,
        "account": "system:serviceaccount:audit:imagemode",
        "transport": "pod_exec",
        "containerfile": containerfile_result(CONTENT),
        "verdict": whole.value,
        "summary": summarize(verdicts),
        "nodes": nodes,
        **parts,
    }


def of_200_nodes() -> dict[str, t.Any]:
    """Return a verification of 200 nodes: 12 booted another image, 3 did not answer, 2 have packages that they may."""
    answers = {f"worker-{number}.blue.example.com": booted(RIGHT) for number in range(200)}
    for number in range(7, 67, 5):
        answers[f"worker-{number}.blue.example.com"] = booted(WRONG, version="9.6.20250820-1")
    for number in (100, 150, 199):
        answers[f"worker-{number}.blue.example.com"] = silent()
    for number in (20, 21):
        answers[f"worker-{number}.blue.example.com"] = booted(RIGHT, packages=["tcpdump", "strace"])
    return verified(answers)
