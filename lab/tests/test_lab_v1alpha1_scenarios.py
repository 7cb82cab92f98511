# SPDX-License-Identifier: GPL-3.0-or-later
"""The scenarios of v1alpha1, played by the command that users type, side by side on pools of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from started_lab import started_lab
from test_lab_scripted import eventually

from lab.facts import Facts
from lab.kube_rest import Api
from lab.release import AUGUST_2024
from lab.scenarios.catalogue import SCENARIOS
from lab.v1alpha1.objects import (
    BUILDS,
    CLUSTER_OPERATORS,
    CONFIG_MAPS,
    CONFIGS,
    PODS,
    POOL_LABEL,
    POOLS,
    build_name,
    image_of,
    is_true,
    pod_name,
    rendered_of,
)

pytestmark = pytest.mark.lab

AT_ONCE = 4


class PlayedLab:
    """A running lab of v1alpha1."""

    def __init__(self, folder: Path) -> None:
        self.name = folder.name
        self.api = Api(Facts.load(folder).kubeconfigs.admin)

    def play(self, scenario: str, pool: str, *options: str) -> None:
        command = [sys.executable, "-m", "lab", "scenario", "--name", self.name, f"v1alpha1-{scenario}", "--pool", pool]
        ended = subprocess.run([*command, *options], check=False, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr

    def rendered(self, pool: str) -> str:
        return rendered_of(self.api.get(f"{POOLS}/{pool}"))

    def build(self, pool: str) -> dict[str, Any]:
        """The build of the pool's rendered config; empty until the operator has created it."""
        return self.api.find(BUILDS, build_name(pool, self.rendered(pool))) or {}

    def pullspec(self, pool: str) -> str:
        """What the pool's build pushed, or an empty text."""
        return str(self.build(pool).get("status", {}).get("finalImagePullspec") or "")

    def image(self, pool: str) -> str:
        return image_of(self.api.get(f"{CONFIGS}/{pool}"))

    def builds(self, config: str) -> list[dict[str, Any]]:
        found = self.api.get(BUILDS)["items"]
        return [item for item in found if item["spec"]["machineOSConfig"]["name"] == config]

    def left(self, pool: str) -> list[str]:
        """What builds of a pool left."""
        selector = f"{POOL_LABEL}={pool}"
        return [
            item["metadata"]["name"]
            for path in (PODS, CONFIG_MAPS)
            for item in self.api.get(path, labelSelector=selector)["items"]
        ]


def failed(lab: PlayedLab, pool: str) -> bool:
    return is_true(lab.build(pool), "Failed")


def building(lab: PlayedLab, pool: str) -> bool:
    return is_true(lab.build(pool), "Building")


def building_without_pod(lab: PlayedLab, pool: str) -> bool:
    return building(lab, pool) and lab.api.find(PODS, pod_name(lab.rendered(pool))) is None


def never_started(lab: PlayedLab, pool: str) -> bool:
    status = lab.build(pool).get("status", {})
    return [item["type"] for item in status.get("conditions", [])] == ["Failed"] and "builderReference" not in status


def rejected(lab: PlayedLab, pool: str) -> bool:
    (degraded,) = [
        item
        for item in lab.api.get(f"{CLUSTER_OPERATORS}/machine-config")["status"]["conditions"]
        if item["type"] == "Degraded"
    ]
    return f'"not-there" for MachineOSConfig {pool}' in degraded["message"]


def failed_with_an_image(lab: PlayedLab, pool: str) -> bool:
    return failed(lab, pool) and lab.pullspec(pool) == lab.image(pool) != ""


def succeeded_without_an_image(lab: PlayedLab, pool: str) -> bool:
    return is_true(lab.build(pool), "Succeeded") and not lab.image(pool)


def succeeded(lab: PlayedLab, pool: str) -> bool:
    return is_true(lab.build(pool), "Succeeded")


def image_of_another_config(lab: PlayedLab, pool: str) -> bool:
    return "" != lab.pullspec(pool) != lab.image(pool) != ""


def one_of_two_is_building(lab: PlayedLab, pool: str) -> bool:
    return len(lab.builds(pool)) == 2 and succeeded(lab, pool) and any(map(_is_building, lab.builds(pool)))


def _is_building(found: dict[str, Any]) -> bool:
    return is_true(found, "Building")


OUTCOMES: dict[str, Callable[[PlayedLab, str], bool]] = {
    "failed-pod-left": failed_with_an_image,
    "build-fails": failed,
    "build-hangs": building,
    "config-edited": succeeded,
    "push-denied": failed,
    "build-evicted": building_without_pod,
    "config-maps-left": never_started,
    "config-back": image_of_another_config,
    "build-superseded": one_of_two_is_building,
}
# It stops the builder, which the others need.
ALONE = "build-stale"
# They need nodes; test_lab_v1alpha1 has their cases.
WITH_NODES = {"pull-denied", "config-deleted"}


@pytest.fixture(scope="module")
def lab() -> Iterator[PlayedLab]:
    with started_lab("old-scenarios", AUGUST_2024, nodes=1) as folder:
        yield PlayedLab(folder)


def test_every_scenario_of_v1alpha1_is_tested() -> None:
    known = {name.removeprefix("v1alpha1-") for name in SCENARIOS if name.startswith("v1alpha1-")}
    assert known == {*OUTCOMES, ALONE, "two-configs", "secret-missing", *WITH_NODES}


def play_and_undo(lab: PlayedLab, scenario: str, outcome: Callable[[PlayedLab, str], bool]) -> None:
    pool = f"of-{scenario}"
    lab.play(scenario, pool)
    eventually(f"{scenario} is in its state", lambda: outcome(lab, pool))
    lab.play(scenario, pool, "--undo")
    assert lab.api.find(CONFIGS, pool) is None
    eventually(f"{scenario} left nothing", lambda: not lab.builds(pool) and not lab.left(pool))


def test_each_scenario_ends_in_its_state_and_leaves_nothing_when_it_is_undone(lab: PlayedLab) -> None:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for played in [threads.submit(play_and_undo, lab, *case) for case in OUTCOMES.items()]:
            played.result()


def test_a_build_of_a_deleted_config_is_in_the_way_until_it_is_undone(lab: PlayedLab) -> None:
    play_and_undo(lab, ALONE, succeeded_without_an_image)


def test_a_missing_secret_degrades_the_operator_until_it_is_undone(lab: PlayedLab) -> None:
    lab.play("secret-missing", "unsecret")
    eventually("the operator rejects it", lambda: rejected(lab, "unsecret"))

    lab.play("secret-missing", "unsecret", "--undo")

    eventually("the operator is well", lambda: not rejected(lab, "unsecret"))


def test_of_two_configs_one_gets_a_build_and_the_other_is_removed(lab: PlayedLab) -> None:
    lab.play("config-edited", "double")
    built = lab.build("double")["metadata"]["uid"]

    lab.play("two-configs", "double")

    assert lab.api.find(CONFIGS, "double-too")
    assert lab.build("double")["metadata"]["uid"] == built
    lab.play("two-configs", "double", "--undo")
    assert lab.api.find(CONFIGS, "double-too") is None
    eventually("the pool is built again", lambda: succeeded(lab, "double"))
    assert lab.build("double")["metadata"]["uid"] != built
