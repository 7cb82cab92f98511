# SPDX-License-Identifier: GPL-3.0-or-later
"""Structure of results, the same in every module and on failure."""

from __future__ import annotations

import typing as t

from ._model.build.attempts import Attempt, states_of
from ._model.build.diagnosis import Diagnosis
from ._model.findings import Finding, by_severity
from ._model.objects.machineosbuild import BuildState, MachineOSBuild
from ._model.objects.machineosconfig import MachineOSConfig
from ._model.objects.node import NodeState
from ._model.objects.resources import Object
from ._model.objects.v1alpha1 import as_served
from ._model.proof.built_content import BuiltContent
from ._model.proof.deployment import Deployment
from ._model.proof.verdict import Expected, NodeVerdict

SCHEMA_VERSION = "1.0"


def result(api_url: str | None, cluster: t.Mapping[str, str | None] | None = None, **parts: t.Any) -> dict[str, t.Any]:
    """Return a result: the fields that all results have, and *parts*.

    :param api_url: the address of the API server, or None if it is unknown
    :param cluster: other known fields of the cluster
    """
    base = {"api_url": api_url, "id": None, "name": None, "version": None}
    return {"changed": False, "schema_version": SCHEMA_VERSION, "cluster": {**base, **(cluster or {})}, **parts}


def build_result(
    build: MachineOSBuild | None,
    state: str = "",
    attempts: t.Sequence[Attempt] = (),
    log_paths: t.Iterable[str] = (),
    failure: t.Mapping[str, t.Any] | None = None,
) -> dict[str, t.Any] | None:
    """Return a build.

    :param state: state if a wait knows a newer one than the object
    :param failure: result of :func:`failure_result`
    """
    if build is None:
        return None
    state = state or build.state.value
    states = states_of(attempts, state == BuildState.SUCCEEDED.value)
    return {
        "name": build.name,
        "uid": build.uid,
        "state": state,
        "digested_image_push_spec": build.digested_image_push_spec or None,
        "started": build.started or None,
        "finished": build.finished or None,
        "seeded": build.seeded,
        "attempts": [{**attempt.as_result(), "state": ended.value} for attempt, ended in zip(attempts, states)],
        "log_paths": sorted(log_paths),
        "failure": failure,
    }


def config_result(obj: Object | None) -> dict[str, t.Any] | None:
    """Return a MachineOSConfig."""
    if obj is None:
        return None
    config = MachineOSConfig.from_api(obj)
    return {
        "name": config.name,
        "pool": config.pool,
        "generation": config.generation,
        "rendered_image_push_spec": config.rendered_image_push_spec,
        "current_image_pull_spec": config.current_image_pull_spec or None,
        "current_machine_os_build": config.current_build or None,
        "spec_hash": config.spec_hash,
    }


def failure_result(reason: Diagnosis) -> dict[str, t.Any]:
    """Return the cause of a failed build."""
    return {
        "finding": reason.cause.value,
        "containerfile_line": reason.line,
        "instruction": reason.instruction or None,
        "excerpt": reason.excerpt,
    }


def findings_result(findings: t.Iterable[Finding]) -> list[dict[str, t.Any]]:
    """Return findings sorted by severity, the highest first, then by id and object."""
    by_id = sorted(findings, key=lambda f: (f.id, f.object.namespace, f.object.name))
    return [f.as_result() for f in by_severity(by_id)]


def node_result(
    node: NodeState, pool: str, expected: Expected, verdict: NodeVerdict, verified_at: str
) -> dict[str, t.Any]:
    """Return a node with its verdict."""
    return {
        "name": node.name,
        "pool": pool,
        "verdict": verdict.verdict.value,
        "expected": {
            "pull_spec": expected.pull_spec or None,
            "digest": expected.digest or None,
            "source": expected.source,
            "current": expected.current,
            "read_at": expected.read_at or None,
        },
        "booted": _booted(verdict.booted),
        "boot_id": node.boot_id,
        "verified_at": verified_at,
        "findings": findings_result(verdict.findings),
    }


def containerfile_result(content: BuiltContent | None) -> dict[str, t.Any] | None:
    """Return the Containerfile of a verified image."""
    if content is None:
        return None
    return {
        "machineosconfig": content.config,
        "sha256": content.sha256 or None,
        "text": content.text or None,
        "exact": content.is_exact,
        "proven": content.is_proven,
        "why_not": content.why_not or None,
    }


def served(obj: Object | None) -> dict[str, t.Any] | None:
    """Return an object as the API server returned it, without ``metadata.managedFields``."""
    if obj is None:
        return None
    metadata = {k: v for k, v in (obj.get("metadata") or {}).items() if k != "managedFields"}
    return {**as_served(obj), "metadata": metadata}


def _booted(deployment: Deployment | None) -> dict[str, t.Any] | None:
    if deployment is None:
        return None
    image = deployment.image
    return {
        "pull_spec": str(image) if image else deployment.reference or None,
        "digest": deployment.resolved_digest or (image.digest if image else "") or None,
        "version": deployment.version or None,
        "evidence_source": "rpm-ostree",
    }
