# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare labelling many nodes with kubectl: ``python tests/benchmarks/node_tasks.py LAB_JSON KUBECTL``.

Prints seconds, requests and memory of both on the same lab. The exit status is 1 when a node was missed.
"""

from __future__ import annotations

import multiprocessing
import resource
import subprocess
import sys
import tempfile
import time
import typing as t
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from ansible_run import Ansible, installed_beside_pytest
from audit_log import AuditLog
from lab.facts import Facts
from lab.kube_rest import Api
from results import record

POOL = "bench"
WORKERS = "node-role.kubernetes.io/worker"


@dataclass(frozen=True)
class Cost:
    """The cost of a job: seconds, and the memory of its largest process in MiB."""

    seconds: float
    memory: float


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    job: str
    cost: Cost
    requests: int

    def __str__(self) -> str:
        """Return the line of the job."""
        return f"{self.job:<58} {self.cost.seconds:>7.1f} s {self.requests:>6} requests {self.cost.memory:>5.0f} MiB"


def main() -> int:
    """Measure, print, and return the exit status."""
    facts = Facts.load(Path(sys.argv[1]).parent)
    kubectl = Path(sys.argv[2])
    api = Api(facts.kubeconfigs.admin)
    audit = AuditLog(facts.audit_log, api)
    nodes = _names(api, "/api/v1/nodes", labelSelector=WORKERS)
    with tempfile.TemporaryDirectory() as scratch:
        ansible = Ansible(
            installed_beside_pytest(), Path(scratch), {"K8S_AUTH_KUBECONFIG": str(facts.kubeconfigs.admin)}
        )
        missed = list(_label_nodes(ansible, kubectl, facts, api, audit, nodes))
    for what in missed:
        print(f"WRONG: {what}")
    return 1 if missed else 0


def _label_nodes(
    ansible: Ansible, kubectl: Path, facts: Facts, api: Api, audit: AuditLog, nodes: t.Sequence[str]
) -> t.Iterator[str]:
    """Add all nodes to a paused pool, and set another label on the same nodes with kubectl."""
    # The pool is paused, so that the controllers do nothing with the labels.
    made, run = ansible.run_module("machineconfigpool", {"pool": POOL, "paused": True})
    if made.failed:
        raise SystemExit(f"Could not create the pool:\n{run.output}")
    kubectl_label = (
        str(kubectl),
        "--kubeconfig",
        str(facts.kubeconfigs.admin),
        "label",
        "nodes",
        "-l",
        WORKERS,
        "measured=",
    )
    with audit.recording() as recorded:
        kubectl_cost = _measure(_run_program, *kubectl_label)
    kubectl_row = Row(f"label {len(nodes)} nodes, one kubectl label", kubectl_cost, len(recorded.by(user="admin")))
    with audit.recording() as recorded:
        cost = _measure(_run_module, ansible, "machineconfigpool_nodes", {"pool": POOL, "label_selector": WORKERS})
    print(kubectl_row)
    print(Row(f"label {len(nodes)} nodes, one machineconfigpool_nodes", cost, len(recorded.by(user="admin"))))
    print(
        f"{'':<58} {cost.seconds / kubectl_cost.seconds:>7.2f} times kubectl, including the start of ansible-playbook"
    )
    record(f"label-{len(nodes)}.ratio", cost.seconds / kubectl_cost.seconds)
    labelled = set(_names(api, "/api/v1/nodes", labelSelector=f"node-role.kubernetes.io/{POOL}"))
    missing = [name for name in nodes if name not in labelled]
    if missing:
        yield f"{len(missing)} nodes were not labelled, such as {missing[0]}"


def _measure(job: t.Callable[..., None], *arguments: t.Any) -> Cost:
    """Run *job* in a process of its own: the kernel reports only the largest memory of all ended children."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as alone:
        return alone.submit(_cost_of, job, *arguments).result()


def _cost_of(job: t.Callable[..., None], *arguments: t.Any) -> Cost:
    began = time.monotonic()
    job(*arguments)
    seconds = time.monotonic() - began
    return Cost(seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)


def _run_program(*command: str) -> None:
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)


def _run_module(ansible: Ansible, module: str, arguments: t.Mapping[str, t.Any]) -> None:
    result, run = ansible.run_module(module, arguments)
    if result.failed:
        raise RuntimeError(f"{module} failed:\n{run.output[-3000:]}")


def _names(api: Api, path: str, **query: str) -> list[str]:
    names = [item["metadata"]["name"] for item in api.get(path, **query)["items"]]
    return sorted(names, key=lambda name: (len(name), name))


if __name__ == "__main__":
    sys.exit(main())
