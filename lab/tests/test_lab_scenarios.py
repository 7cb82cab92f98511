# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenarios played on a running lab, of the second release, so that its whole loop is seen here as well."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from started_lab import started_lab
from test_lab_scripted import eventually

from lab.facts import Facts
from lab.kube_rest import Api, ApiError
from lab.node_annotations import NodeView
from lab.release import MARCH_2025
from lab.scenarios.stage import BUILDS, CONFIGS, CURRENT_BUILD, NODES, PODS, POOLS

pytestmark = pytest.mark.lab

POOL = "layered"
STUCK = "stuck"
# A pool of its own: in 4.19 the clean-up after a build that was made again often hits the new one's Job, and its pod.
EVICTED = "evicted"


class PlayedLab:
    """A running lab of 4.19 on which scenarios are played by the command that users type."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts = Facts.load(folder)
        self.api = Api(self.facts.kubeconfigs.admin)

    def play(self, scenario: str, *options: str) -> str:
        """Play a scenario and return what it said."""
        command = [sys.executable, "-m", "lab", "scenario", "--name", self.folder.name, scenario, *options]
        ended = subprocess.run(command, check=False, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def node(self, name: str) -> NodeView:
        return NodeView.of(self.api.get(f"{NODES}/{name}"))

    def is_true(self, build: str, condition: str) -> bool:
        conditions = self.api.get(f"{BUILDS}/{build}").get("status", {}).get("conditions", [])
        return any(item["type"] == condition and item["status"] == "True" for item in conditions)

    def current_build(self, pool: str) -> str:
        def named() -> str:
            annotations = self.api.get(f"{CONFIGS}/{pool}")["metadata"].get("annotations", {})
            return str(annotations.get(CURRENT_BUILD, ""))

        return eventually(f"pool {pool} has a build", named)

    def build_pods(self, build: str) -> dict[str, str]:
        """The pods of a build that run, by name their uid."""
        pods = self.api.get(PODS, labelSelector=f"job-name=build-{build}")["items"]
        return {
            pod["metadata"]["name"]: pod["metadata"]["uid"]
            for pod in pods
            if pod["status"].get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]
        }


@pytest.fixture(scope="module")
def lab() -> Iterator[PlayedLab]:
    with started_lab("scenarios", MARCH_2025, nodes=3) as folder:
        lab = PlayedLab(folder)
        lab.play("config-edited", "--pool", POOL)
        lab.play("build-hangs", "--pool", STUCK)
        lab.play("build-hangs", "--pool", EVICTED)
        lab.api.patch(f"{POOLS}/{POOL}", {"spec": {"maxUnavailable": 3}})
        yield lab


@pytest.fixture(scope="module")
def image(lab: PlayedLab) -> str:
    def built() -> str:
        return str(lab.api.get(f"{CONFIGS}/{POOL}").get("status", {}).get("currentImagePullSpec", ""))

    return eventually("the pool has an image", built)


def test_the_lab_is_of_the_release_that_was_asked_for(lab: PlayedLab) -> None:
    version = lab.api.get("/apis/config.openshift.io/v1/clusterversions/version")
    assert version["status"]["desired"]["version"] == lab.facts.release == MARCH_2025.version


def test_a_guarded_pod_cannot_be_evicted_until_it_is_undone(lab: PlayedLab) -> None:
    lab.play("drain-blocked", "--node", "worker-0")
    pod = "/api/v1/namespaces/lab-scenario/pods/guarded-worker-0"
    eventually("the pod runs", lambda: lab.api.get(pod)["status"].get("phase") == "Running")
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": "guarded-worker-0", "namespace": "lab-scenario"},
    }
    with pytest.raises(ApiError, match="429"):
        lab.api.create(f"{pod}/eviction", eviction)

    lab.play("drain-blocked", "--node", "worker-0", "--undo")

    with pytest.raises(ApiError, match="404"):
        lab.api.get("/apis/policy/v1/namespaces/lab-scenario/poddisruptionbudgets/guarded-worker-0")


def test_a_refusing_daemon_gives_its_reason_until_it_is_undone(lab: PlayedLab) -> None:
    lab.play("node-degraded", "--node", "worker-0")
    assert lab.node("worker-0").state == "Degraded"
    assert "content mismatch" in lab.node("worker-0").reason

    lab.play("node-degraded", "--node", "worker-0", "--undo")

    eventually("the node is done", lambda: lab.node("worker-0").state == "Done")


def test_the_operator_says_what_its_validation_does_not_find(lab: PlayedLab) -> None:
    lab.play("operator-degraded", "--pool", STUCK)
    operator = lab.api.get("/apis/config.openshift.io/v1/clusteroperators/machine-config")

    (degraded,) = [item for item in operator["status"]["conditions"] if item["type"] == "Degraded"]

    assert (degraded["status"], degraded["reason"]) == ("True", "MachineOSBuilderFailed")
    assert f'renderedImagePushSecret "push" for MachineOSConfig {STUCK}' in degraded["message"]
    lab.play("operator-degraded", "--undo")


def test_a_deleted_job_interrupts_its_build_and_a_deleted_build_is_made_again(lab: PlayedLab) -> None:
    build_name = lab.current_build(STUCK)
    eventually("the build is Building", lambda: lab.is_true(build_name, "Building"))
    lab.play("build-interrupted", "--pool", STUCK)
    eventually("the build is Interrupted", lambda: lab.is_true(build_name, "Interrupted"))
    uid = lab.api.get(f"{BUILDS}/{build_name}")["metadata"]["uid"]
    pods_before = set(lab.build_pods(build_name))

    lab.play("build-vanishes", "--pool", STUCK)

    def uids() -> set[str]:
        return {
            str(item["metadata"]["uid"])
            for item in lab.api.get(BUILDS)["items"]
            if item["metadata"]["name"] == build_name
        }

    eventually("the operator makes the build again", lambda: uids() - {uid})
    # Both builds have one name, and so have their pods' labels.
    eventually("a pod of its own runs", lambda: set(lab.build_pods(build_name)) - pods_before)


def test_an_evicted_build_gets_another_pod(lab: PlayedLab) -> None:
    build_name = lab.current_build(EVICTED)
    first = eventually("the build runs", lambda: lab.build_pods(build_name))

    lab.play("build-evicted", "--pool", EVICTED)

    eventually("another pod runs", lambda: set(lab.build_pods(build_name)) - set(first))


def test_an_older_build_is_written_and_taken_back(lab: PlayedLab, image: str) -> None:
    lab.play("older-build-first", "--pool", POOL)
    assert lab.is_true(f"{POOL}-{'0' * 32}", "Succeeded")

    lab.play("older-build-first", "--pool", POOL, "--undo")

    with pytest.raises(ApiError, match="404"):
        lab.api.get(f"{BUILDS}/{POOL}-{'0' * 32}")
    assert lab.api.get(f"{CONFIGS}/{POOL}")["status"]["currentImagePullSpec"] == image


def _done(node: NodeView) -> NodeView | None:
    return node if node.settled and node.ready else None


def test_a_node_that_is_refused_the_image_says_so_and_one_that_is_lost_stays_not_ready(
    lab: PlayedLab, image: str
) -> None:
    lab.play("image-refused")
    lab.play("node-joins", "--pool", POOL, "--node", "worker-1")
    eventually("the node is degraded", lambda: lab.node("worker-1").state == "Degraded")
    assert "unauthorized" in lab.node("worker-1").reason
    assert lab.node("worker-1").desired.image in lab.node("worker-1").reason
    lab.play("node-lost", "--pool", POOL, "--node", "worker-1")
    lab.play("image-refused", "--undo")
    eventually("the node reboots", lambda: not lab.node("worker-1").ready)
    held = lab.folder / "nodes" / "worker-1" / "stays-down"
    assert held.exists()

    lab.play("node-lost", "--pool", POOL, "--node", "worker-1", "--undo")

    node = eventually("the node is done", lambda: _done(lab.node("worker-1")))
    assert node.current.image.startswith(f"{lab.facts.registry_host}/lab/{POOL}@sha256:")


def test_an_edit_is_taken_back_with_the_text_that_was_there(lab: PlayedLab, image: str) -> None:
    before: dict[str, Any] = lab.api.get(f"{CONFIGS}/{POOL}")["spec"]
    lab.play("config-edited", "--pool", POOL)
    assert lab.api.get(f"{CONFIGS}/{POOL}")["spec"] != before

    lab.play("config-edited", "--pool", POOL, "--undo")

    assert lab.api.get(f"{CONFIGS}/{POOL}")["spec"] == before


def test_what_a_later_release_writes_of_a_failed_build_is_written_and_taken_back(lab: PlayedLab, image: str) -> None:
    lab.play("later-failure-told", "--pool", POOL)
    build_name = f"{POOL}-{'c' * 32}"
    assert lab.is_true(build_name, "Failed")
    assert lab.current_build(POOL) == build_name

    lab.play("later-failure-told", "--pool", POOL, "--undo")

    with pytest.raises(ApiError, match="404"):
        lab.api.get(f"{BUILDS}/{build_name}")
