# SPDX-License-Identifier: GPL-3.0-or-later
"""What the machine-config-operator would do, which does not run in a lab: validate, and degrade its ClusterOperator."""

from __future__ import annotations

from typing import Any

from lab.api_time import now
from lab.scenarios.scenario import Scenario, Subject
from lab.scenarios.stage import CONFIGS, Stage

OPERATORS = "/apis/config.openshift.io/v1/clusteroperators"
NAME = "machine-config"


def _conditions(degraded: bool, reason: str, message: str) -> list[dict[str, Any]]:
    moment = now()

    def condition(kind: str, status: bool, why: str = "AsExpected", text: str = "") -> dict[str, Any]:
        word = "True" if status else "False"
        return {"type": kind, "status": word, "reason": why, "message": text, "lastTransitionTime": moment}

    return [
        condition("Available", True),
        condition("Progressing", False),
        condition("Degraded", degraded, reason, message),
        condition("Upgradeable", not degraded),
    ]


def _write(stage: Stage, conditions: list[dict[str, Any]]) -> None:
    body = {"apiVersion": "config.openshift.io/v1", "kind": "ClusterOperator", "metadata": {"name": NAME}}
    stage.ensure(OPERATORS, {**body, "spec": {}})
    versions = [{"name": "operator", "version": stage.facts.release}]
    stage.api.patch(f"{OPERATORS}/{NAME}/status", {"status": {"conditions": conditions, "versions": versions}})


def validation_failure(release: str, pool: str, secret: str) -> str:
    """The message of the operator that does not find the push secret of a MachineOSConfig."""
    return (
        f"Failed to resync {release} because: could not update Machine OS Builder deployment: could not validate "
        f'renderedImagePushSecret "{secret}" for MachineOSConfig {pool}: secret {secret} from {pool} is not found. '
        "Did you use the right secret name?"
    )


def _degraded(stage: Stage) -> str:
    config = stage.find(CONFIGS, stage.pool)
    secret = config["spec"]["renderedImagePushSecret"]["name"] if config else "push"
    message = validation_failure(stage.facts.release, stage.pool, secret)
    _write(stage, _conditions(True, "MachineOSBuilderFailed", message))
    return f"wrote ClusterOperator {NAME}, Degraded: {message}"


def _builder_stopped(stage: Stage) -> str:
    stage.stop_builder()
    return f"{_degraded(stage)}. Stopped machine-os-builder, which the operator would not start"


def _well(stage: Stage) -> str:
    _write(stage, _conditions(False, "AsExpected", f"Cluster version is {stage.facts.release}"))
    stage.start_builder()
    return f"wrote ClusterOperator {NAME}, not Degraded, and started machine-os-builder where it was stopped"


OPERATOR_SCENARIOS = (
    Scenario(
        "operator-degraded",
        Subject.POOL,
        "ClusterOperator machine-config is Degraded: a secret of the pool's MachineOSConfig was not found.",
        _degraded,
        _well,
        scripted=True,
    ),
    Scenario(
        "operator-stops-builder",
        Subject.POOL,
        "The same, and machine-os-builder does not run, so that no build begins.",
        _builder_stopped,
        _well,
        scripted=True,
    ),
)
