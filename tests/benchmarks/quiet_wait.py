# SPDX-License-Identifier: GPL-3.0-or-later
"""Count the requests of a wait while nothing changes: ``python tests/benchmarks/quiet_wait.py LAB.JSON SECONDS``.

The pool is paused, its image is built, and all workers of the lab are in it. The script prints the requests in the
audit log and the budget of a wait: one list for each kind, one watch for each kind and window, and three requests for
each change of state. It fails when there are more.
"""

from __future__ import annotations

import collections
import math
import sys
import tempfile
import typing as t
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from ansible_run import Ansible, installed_beside_pytest, write_playbook
from audit_log import ApiRequest, AuditLog
from lab.facts import Facts
from lab.kube_rest import Api
from measuring import cost_of
from pools import config_options, wait_for_build

POOL = "quiet"
WORKERS = "node-role.kubernetes.io/worker"
WINDOW = 300
KINDS = 4
"""Pools, nodes, configs and builds: the kinds that a wait for a rollout watches while no node drains."""
A_CHANGE = 3
CHANGES = 2
"""The start of the wait, with its first progress line, and its end."""


def main() -> int:
    """Measure, print, and return the exit status."""
    facts = Facts.load(Path(sys.argv[1]).parent)
    seconds = int(sys.argv[2])
    api = Api(facts.kubeconfigs.admin)
    nodes = sorted(n["metadata"]["name"] for n in api.get("/api/v1/nodes", labelSelector=WORKERS)["items"])
    with tempfile.TemporaryDirectory() as folder:
        ansible = Ansible(
            installed_beside_pytest(), Path(folder), {"K8S_AUTH_KUBECONFIG": str(facts.kubeconfigs.admin)}
        )
        _prepare(ansible, facts, nodes)
        # A paused pool is a fatal finding, which would end the wait at once.
        options = {"pool": POOL, "timeout": seconds, "fail_on_findings": []}
        wait = {"name": "Wait", "imagemode.openshift.machineconfigpool_wait": options}
        playbook = write_playbook(Path(folder), [{**wait, "ignore_errors": True}])
        record = Path(folder) / "results.jsonl"
        record.unlink(missing_ok=True)
        with AuditLog(facts.audit_log, api).recording() as recording:
            cost = cost_of(
                [str(ansible.programs / "ansible-playbook"), str(playbook)],
                ansible.environment(record),
                Path(folder),
            )
        output = (Path(folder) / "output").read_text(encoding="utf-8")
    requests = recording.ours
    lines = [line for line in output.splitlines() if f"  pool {POOL}: 0/{len(nodes)} nodes updated" in line]
    print(f"{f'wait for {len(nodes)} nodes of a paused pool':<40} {cost}", flush=True)
    print(f"  {len(lines)} progress lines, {len(requests)} requests: {_counts(requests)}")
    print(f"  {_budget(seconds)}")
    record(f"quiet-wait-{len(nodes)}.requests", len(requests))
    wrong = list(_wrong(requests, seconds))
    if f"not done after {seconds} s" not in output:
        wrong.append(f"the wait ended early:\n{output[-2000:]}")
    for what in wrong:
        print(f"WRONG: {what}")
    return 1 if wrong else 0


def _prepare(ansible: Ansible, facts: Facts, nodes: t.Sequence[str]) -> None:
    """Build the image of a paused pool, and add the nodes to the pool."""
    built = [
        {"name": "Pool", "imagemode.openshift.machineconfigpool": {"pool": POOL, "paused": True}},
        {"name": "Config", "imagemode.openshift.machineosconfig": config_options(facts, POOL)},
    ]
    run = ansible.run_tasks(built)
    if run.rc:
        raise RuntimeError(run.output)
    wait_for_build(ansible, POOL)
    dummy, run = ansible.run_module("machineconfigpool_nodes", {"pool": POOL, "nodes": list(nodes)})
    if run.rc:
        raise RuntimeError(run.output)


def _windows(seconds: int) -> int:
    return math.ceil(seconds / WINDOW)


def _budget(seconds: int) -> str:
    watches, changes = KINDS * _windows(seconds), A_CHANGE * CHANGES
    return (
        f"budget: {KINDS} lists, {watches} watches (of {KINDS} kinds in {_windows(seconds)} windows of {WINDOW} s), "
        f"{changes} for the start and the end: {KINDS + watches + changes}"
    )


def _wrong(requests: t.Sequence[ApiRequest], seconds: int) -> t.Iterator[str]:
    """Yield what exceeds the budget."""
    counted = collections.Counter((r.verb, r.resource) for r in requests)
    others = 0
    for (verb, resource), count in counted.items():
        if verb == "list" and count > 1:
            yield f"{resource} were listed {count} times"
        elif verb == "watch" and count > _windows(seconds):
            yield f"{resource} were watched {count} times in {_windows(seconds)} windows"
        elif verb not in ("list", "watch"):
            others += count
    if others > A_CHANGE * CHANGES:
        yield f"{others} requests besides the lists and watches"


def _counts(requests: t.Iterable[ApiRequest]) -> str:
    counted = collections.Counter(f"{r.verb} {r.resource}" for r in requests)
    return ", ".join(f"{what} {count}" for what, count in sorted(counted.items()))


if __name__ == "__main__":
    sys.exit(main())
