# SPDX-License-Identifier: GPL-3.0-or-later
"""``make bench``: what the collection costs beside its peers, in one lab and one run. Prints figures, judges none."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import typing as t
from dataclasses import dataclass
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from audit_log import AuditLog
from lab.cache import lab_folder
from lab.facts import Facts
from lab.kube_rest import Api
from measuring import Cost, measure
from playing import TREE, installed_beside_pytest

NODES = 500
VERIFIED = 200
ROUNDS = 3
LABEL = "node-role.kubernetes.io/bench"


@dataclass(frozen=True)
class Bench:
    """A lab to measure in, and a folder to write playbooks to."""

    lab: Facts
    audit: AuditLog
    folder: Path

    def play(self, name: str, *tasks: t.Mapping[str, t.Any]) -> Cost:
        """Measure a playbook of these tasks."""
        playbook = self.folder / f"{name}.yml"
        playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": list(tasks)}]))
        return self.run(str(installed_beside_pytest() / "ansible-playbook"), str(playbook))

    def kubectl(self, *arguments: str) -> Cost:
        """Measure one call of kubectl."""
        return self.run("kubectl", *arguments)

    def run(self, *command: str) -> Cost:
        """Measure a command that talks to the lab as its administrator."""
        kubeconfig = str(self.lab.kubeconfigs.admin)
        environment = {
            **os.environ,
            "KUBECONFIG": kubeconfig,
            "K8S_AUTH_KUBECONFIG": kubeconfig,
            "ANSIBLE_COLLECTIONS_PATH": str(TREE),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        }
        return measure(command, environment, self.folder, self.audit, user="admin")


def main() -> None:
    """Start a lab of many nodes, measure, stop it."""
    if shutil.which("kubectl") is None:
        raise SystemExit(
            "Could not measure beside kubectl: there is none. Install it, for example the package kubernetes-client."
        )
    name = f"bench-{os.getpid()}"
    subprocess.run(["lab", "up", "--name", name, "--nodes", str(NODES), "--with-pid", str(os.getpid())], check=True)
    try:
        lab = Facts.load(lab_folder(name))
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(lab, AuditLog(lab.audit_log, Api(lab.kubeconfigs.admin)), Path(folder))
            label_nodes(bench)
            verify_nodes(bench)
            unchanged_config(bench)
    finally:
        subprocess.run(["lab", "down", "--name", name], check=False)


def label_nodes(bench: Bench) -> None:
    """Label all worker nodes in one task, beside one call of kubectl, turn by turn."""
    bench.play("pool", _task("machineconfigpool", pool="bench", paused=True))
    choice = {"pool": "bench", "label_selector": "node-role.kubernetes.io/worker"}
    ours: list[Cost] = []
    theirs: list[Cost] = []
    for dummy in range(ROUNDS):
        ours.append(bench.play("join", _task("machineconfigpool_nodes", **choice)))
        bench.play("leave", _task("machineconfigpool_nodes", **choice, state="absent"))
        theirs.append(bench.kubectl("label", "node", "-l", "node-role.kubernetes.io/worker", f"{LABEL}="))
        bench.kubectl("label", "node", "-l", "node-role.kubernetes.io/worker", f"{LABEL}-")
    _print(f"label {NODES} nodes, one task", ours)
    _print(f"label {NODES} nodes, one kubectl label", theirs)
    ratio = median(c.seconds for c in ours) / median(c.seconds for c in theirs)
    print(f"  ours / kubectl: {ratio:.2f} (whole ansible-playbook, its start included)\n", flush=True)
    few = 10
    loop = {
        "kubernetes.core.k8s": {
            "kind": "Node",
            "name": "worker-{{ item }}",
            "definition": {"metadata": {"labels": {LABEL: ""}}},
        },
        "loop": list(range(few)),
    }
    cost = bench.play("loop", loop)
    _print(f"label {few} nodes, kubernetes.core.k8s in a loop", [cost])
    print(f"  a node: {cost.seconds / few:.2f} s\n", flush=True)


def verify_nodes(bench: Bench) -> None:
    """Ask many nodes what they booted."""
    pods = _pod_names(bench)
    names = [f"worker-{number}" for number in range(VERIFIED)]
    verify = {**_task("node_image_verify", pool="worker", nodes=names), "register": "proof"}
    show = {"ansible.builtin.debug": {"msg": "SUMMARY {{ proof.summary | to_json }} {{ proof.nodes | length }}"}}
    cost = bench.play("verify", verify, show)
    _print(f"verify {VERIFIED} nodes", [cost])
    summary = next(line.strip() for line in cost.output.splitlines() if "SUMMARY" in line)
    execs = sum(request.subresource == "exec" for request in cost.requests)
    print(f"  {summary}")
    created = len(_pod_names(bench) - pods)
    print(f"  exec: {execs}, other requests: {len(cost.requests) - execs}, pods created: {created}\n", flush=True)


def unchanged_config(bench: Bench) -> None:
    """Run an unchanged MachineOSConfig again, beside kubernetes.core."""
    ours = _task(
        "machineosconfig",
        pool="bench",
        containerfile="FROM configs AS final\nRUN true\n",
        rendered_image_push_spec=f"{bench.lab.registry_host}/lab/bench:latest",
        rendered_image_push_secret="push",
    )
    bench.play("config", {**_task("machineconfigpool", pool="bench", paused=True)}, ours)
    _print("unchanged MachineOSConfig, ours", [bench.play("config-again", ours)])
    theirs = {
        "kubernetes.core.k8s": {
            "definition": {
                "apiVersion": "machineconfiguration.openshift.io/v1",
                "kind": "MachineOSConfig",
                "metadata": {"name": "bench"},
                "spec": {
                    "machineConfigPool": {"name": "bench"},
                    "imageBuilder": {"imageBuilderType": "Job"},
                    "renderedImagePushSpec": f"{bench.lab.registry_host}/lab/bench:latest",
                    "renderedImagePushSecret": {"name": "push"},
                    "containerFile": [{"containerfileArch": "NoArch", "content": "FROM configs AS final\nRUN true\n"}],
                },
            },
        }
    }
    bench.play("theirs", theirs)
    _print("unchanged MachineOSConfig, kubernetes.core.k8s", [bench.play("theirs-again", theirs)])


def _task(module: str, **options: t.Any) -> dict[str, t.Any]:
    return {f"imagemode.openshift.{module}": options}


def _pod_names(bench: Bench) -> set[str]:
    pods = Api(bench.lab.kubeconfigs.admin).get("/api/v1/pods")["items"]
    return {pod["metadata"]["uid"] for pod in pods}


def _print(what: str, costs: t.Sequence[Cost]) -> None:
    seconds = sorted(cost.seconds for cost in costs)
    spread = f" ({seconds[0]:.1f} to {seconds[-1]:.1f})" if len(seconds) > 1 else ""
    peak = max(cost.peak_mb for cost in costs)
    last = costs[-1]
    print(
        f"{what}: {median(seconds):.1f} s{spread}, {len(last.requests)} requests, {last.writes} writes, {peak:.0f} MB",
        flush=True,
    )


if __name__ == "__main__":
    main()
