# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab scripts, seen through the real API: builds that run, fail and are cut off, and nodes that follow."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
import urllib3
from kubernetes import client, config
from kubernetes.stream import stream
from started_lab import started_lab

from lab.facts import Facts
from lab.kube_rest import Api, ApiError
from lab.node_annotations import NodeView
from lab.oci_registry import Credentials, ImageName, Registry
from lab.processes import lab_processes
from lab.release import JULY_2025

pytestmark = pytest.mark.lab

NAMESPACE = "openshift-machine-config-operator"
GROUP = "machineconfiguration.openshift.io"
POOLS = f"/apis/{GROUP}/v1/machineconfigpools"
CONFIGS = f"/apis/{GROUP}/v1/machineosconfigs"
BUILDS = f"/apis/{GROUP}/v1/machineosbuilds"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
STATUS = ["chroot", "/rootfs", "rpm-ostree", "status", "--json"]
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
PATIENCE = 150.0

Found = TypeVar("Found")


@dataclass(frozen=True)
class Exec:
    """What a command on a node printed, and how it ended; ``code`` is None where it has not."""

    code: int | None
    out: str
    err: str


class ScriptedLab:
    """A running lab, and what these tests do with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts = Facts.load(folder)
        self.api = Api(self.facts.kubeconfigs.admin)

    def build(self, pool: str, run: str) -> None:
        """Create a pool and have an image built for it, by a Containerfile with one RUN."""
        roles = {"key": f"{GROUP}/role", "operator": "In", "values": ["worker", pool]}
        self._create(
            POOLS,
            "MachineConfigPool",
            pool,
            {
                "machineConfigSelector": {"matchExpressions": [roles]},
                "nodeSelector": {"matchLabels": {f"node-role.kubernetes.io/{pool}": ""}},
            },
        )
        containerfile = f"FROM configs AS final\nRUN {run}\n"
        self._create(
            CONFIGS,
            "MachineOSConfig",
            pool,
            {
                "machineConfigPool": {"name": pool},
                "imageBuilder": {"imageBuilderType": "Job"},
                "renderedImagePushSecret": {"name": "push"},
                "renderedImagePushSpec": f"{self.facts.registry_host}/lab/os-{pool}:latest",
                "containerFile": [{"containerfileArch": "NoArch", "content": containerfile}],
            },
        )

    def _create(self, path: str, kind: str, name: str, spec: dict[str, Any]) -> None:
        body = {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        self.api.create(path, body)

    def image(self, pool: str) -> str:
        """The image that was built for a pool."""

        def built() -> str:
            return str(self.api.get(f"{CONFIGS}/{pool}").get("status", {}).get("currentImagePullSpec", ""))

        return eventually(f"pool {pool} has an image", built)

    def build_pods(self, pool: str) -> list[dict[str, Any]]:
        """The pods of a pool's build, oldest first."""
        pods = self.api.get(PODS, labelSelector="job-name")["items"]
        ours = [pod for pod in pods if pod["metadata"]["name"].startswith(f"build-{pool}-")]
        return sorted(ours, key=lambda pod: pod["metadata"]["creationTimestamp"])

    def log(self, pod: str, container: str) -> str:
        """A container's log, as the API server gives it."""
        core = client.CoreV1Api(config.new_client_from_config(str(self.facts.kubeconfigs.admin)))
        return str(core.read_namespaced_pod_log(pod, NAMESPACE, container=container))

    def has_begun(self, pool: str) -> str:
        """The first pod of a pool's build, once buildah has begun."""

        def begun() -> str:
            for pod in self.build_pods(pool):
                name = str(pod["metadata"]["name"])
                if pod["status"].get("phase") == "Running" and "STEP" in self.log_or_nothing(name):
                    return name
            return ""

        return eventually(f"the build of pool {pool} has begun", begun)

    def log_or_nothing(self, pod: str) -> str:
        try:
            return self.log(pod, "image-build")
        except client.ApiException as error:
            if error.status != 404:
                raise
            return ""

    def node(self, name: str) -> NodeView:
        return NodeView.of(self.api.get(f"/api/v1/nodes/{name}"))

    def label(self, node: str, pool: str) -> None:
        """Put a node into a pool."""
        self.api.patch(f"/api/v1/nodes/{node}", {"metadata": {"labels": {f"node-role.kubernetes.io/{pool}": ""}}})

    def execute(self, node: str, command: list[str], patience: float = 30) -> Exec:
        """Run a command on a node as users do: in its machine-config-daemon's pod."""
        found = self.api.get(PODS, labelSelector="k8s-app=machine-config-daemon", fieldSelector=f"spec.nodeName={node}")
        core = client.CoreV1Api(config.new_client_from_config(str(self.facts.kubeconfigs.admin)))
        answer = stream(
            core.connect_get_namespaced_pod_exec,
            found["items"][0]["metadata"]["name"],
            NAMESPACE,
            container="machine-config-daemon",
            command=command,
            stdout=True,
            stderr=True,
            _preload_content=False,
        )
        answer.run_forever(timeout=patience)
        code = None if answer.is_open() else answer.returncode
        printed = Exec(code, answer.read_stdout(timeout=0), answer.read_stderr(timeout=0))
        answer.close()
        return printed

    def booted(self, node: str) -> str:
        """The digest a node says it has booted."""
        printed = self.execute(node, STATUS)
        assert printed.code == 0, printed.err
        (booted,) = [item for item in json.loads(printed.out)["deployments"] if item["booted"]]
        return str(booted["container-image-reference-digest"])

    def command(self, verb: str, *arguments: str) -> None:
        command = [sys.executable, "-m", "lab", verb, "--name", self.folder.name, *arguments]
        subprocess.run(command, check=True, capture_output=True)

    def kill(self, module: str) -> None:
        """kill -9 one of the lab's own programs; it is started again by itself."""
        (pid,) = [
            process.pid
            for process in lab_processes(self.folder)
            if module.encode() in Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")
        ]
        os.kill(pid, signal.SIGKILL)


def eventually(what: str, value: Callable[[], Found | None], patience: float = PATIENCE) -> Found:
    """What ``value`` returns once that is true."""
    deadline = time.monotonic() + patience
    while True:
        found = value()
        if found:
            return found
        if time.monotonic() > deadline:
            pytest.fail(f"not within {patience:.0f} s: {what}")
        time.sleep(0.2)


@pytest.fixture(scope="module")
def lab() -> Iterator[ScriptedLab]:
    with started_lab("scripted", JULY_2025, nodes=3) as folder:
        lab = ScriptedLab(folder)
        # All at once: a new pool's build takes half a minute to begin.
        lab.build("good", "echo good > /etc/good && rpm-ostree install tool && ostree container commit")
        lab.build("bad", "exit 7")
        lab.build("slow", "sleep 6")
        lab.build("cut-off", "sleep 300")
        yield lab


def test_a_build_goes_on_when_its_runner_is_killed(lab: ScriptedLab) -> None:
    lab.has_begun("slow")
    lab.kill("lab.build_runner")
    assert "/os-slow@sha256:" in lab.image("slow")


def test_the_image_of_a_build_is_in_the_registry_under_the_digest_the_operator_got(lab: ScriptedLab) -> None:
    image = ImageName.parse(lab.image("good"))
    puller = Credentials.parse(lab.facts.registry_auth_files.puller.read_text())
    fetched = Registry(lab.facts.ca_cert).fetch(image, puller)
    assert fetched.digest == image.digest
    assert fetched.labels["machineconfigpool"] == "good"
    # The last layer is the user's.
    assert "echo good" in json.loads(fetched.config)["history"][-1]["created_by"]


def test_a_failed_build_says_the_commands_exit_code_and_last_words_in_its_pod_and_log(lab: ScriptedLab) -> None:
    pod = eventually(
        "a build of pool bad failed",
        lambda: next((pod for pod in lab.build_pods("bad") if pod["status"]["phase"] == "Failed"), None),
    )
    image_build, wait_for_done = (item["state"]["terminated"] for item in pod["status"]["containerStatuses"])
    assert (image_build["exitCode"], wait_for_done["exitCode"]) == (7, 1)
    assert 'Error: building at STEP "RUN exit 7": exit status 7' in image_build["message"]
    log = lab.log(pod["metadata"]["name"], "image-build")
    assert log.endswith(image_build["message"])
    assert "Error file found. Exiting." in lab.log(pod["metadata"]["name"], "wait-for-done")


def test_a_build_whose_job_is_deleted_stops_and_leaves_no_digest(lab: ScriptedLab) -> None:
    pod = lab.has_begun("cut-off")
    job = pod.rpartition("-")[0]
    batch = client.BatchV1Api(config.new_client_from_config(str(lab.facts.kubeconfigs.admin)))
    batch.delete_namespaced_job(job, NAMESPACE, propagation_policy="Background")

    def conditions() -> dict[str, str]:
        listed = lab.api.get(BUILDS)["items"]
        (ours,) = [item for item in listed if item["metadata"]["name"].startswith("cut-off-")]
        return {item["type"]: item["status"] for item in ours.get("status", {}).get("conditions", [])}

    eventually("the build is Interrupted", lambda: conditions().get("Interrupted") == "True")
    sandboxes = lab.folder / "pods"
    eventually("its logs are gone", lambda: not list(sandboxes.glob(f"*{pod}*")))
    with pytest.raises(ApiError, match="not found"):
        lab.api.get(f"/api/v1/namespaces/{NAMESPACE}/configmaps/{job.replace('build-', 'digest-', 1)}")


def test_a_node_whose_image_was_removed_is_degraded_until_it_is_there_again(lab: ScriptedLab) -> None:
    image = ImageName.parse(lab.image("good"))
    password = lab.facts.registry_password_files.pusher.read_text().strip()
    login = urllib3.make_headers(basic_auth=f"pusher:{password}")
    url = f"https://{image.host}/v2/{image.repository}/manifests/{image.digest}"
    http = urllib3.PoolManager(ca_certs=str(lab.facts.ca_cert))
    manifest = http.request("GET", url, headers={**login, "Accept": MANIFEST}).data
    assert http.request("DELETE", url, headers=login).status == 202
    before = lab.node("worker-1").boot_id
    lab.label("worker-1", "good")
    eventually("worker-1 is degraded", lambda: lab.node("worker-1").state == "Degraded")
    degraded = lab.node("worker-1")
    assert f"failed to update OS to {image}: error running rpm-ostree rebase" in degraded.reason
    assert "manifest unknown" in degraded.reason
    assert (degraded.boot_id, degraded.current.image) == (before, "")
    assert http.request("PUT", url, headers={**login, "Content-Type": MANIFEST}, body=manifest).status == 201
    eventually("worker-1 recovers", lambda: lab.node("worker-1").settled)
    recovered = lab.node("worker-1")
    assert (recovered.state, recovered.reason, recovered.current.image) == ("Done", "", str(image))
    assert lab.booted("worker-1") == image.digest
    assert recovered.boot_id != before


def test_a_reboot_is_ended_by_the_next_daemon_when_the_one_before_was_killed(lab: ScriptedLab) -> None:
    image = ImageName.parse(lab.image("good"))
    lab.label("worker-2", "good")
    down = lab.facts.nodes_dir / "worker-2" / "down"
    eventually("worker-2 reboots", down.exists)
    assert not lab.node("worker-2").ready
    lab.kill("lab.node_daemon")
    eventually("worker-2 is done", lambda: lab.node("worker-2").current.image == str(image))
    view = lab.node("worker-2")
    assert (view.settled, view.ready) == (True, True)
    assert lab.booted("worker-2") == image.digest


def test_a_node_knows_one_command(lab: ScriptedLab) -> None:
    other = lab.execute("worker-0", ["ls"])
    assert other.code == 127
    assert "only knows: chroot /rootfs rpm-ostree status --json" in other.err


def test_a_node_claims_fails_and_hangs_as_it_is_told_until_it_is_reset(lab: ScriptedLab) -> None:
    base = ImageName.parse(lab.facts.base_image).digest
    assert lab.booted("worker-0") == base
    claimed = "sha256:" + "1" * 64
    lab.command("node", "worker-0", "--boots", claimed)
    assert lab.booted("worker-0") == claimed
    lab.command("node", "worker-0", "--exec", "fail")
    failed = lab.execute("worker-0", STATUS)
    assert failed.code == 1
    assert "Failed to activate service 'org.projectatomic.rpmostree1'" in failed.err
    lab.command("node", "worker-0", "--exec", "hang")
    assert lab.execute("worker-0", STATUS, patience=2) == Exec(None, "", "")
    lab.command("node", "worker-0", "--reset")
    assert lab.booted("worker-0") == base
