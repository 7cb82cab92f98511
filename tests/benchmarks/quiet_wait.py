# SPDX-License-Identifier: GPL-3.0-or-later
"""What does a wait ask of the API server while nothing happens?

A pool on hold with its image built and all workers of the lab in it. Run as ``quiet_wait.py LAB.JSON SECONDS``; prints
the requests that the audit log has beside the budget of a wait, which is one list a kind, one watch a kind a window,
and three a change of state. It fails when they are more.
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
"""Pools, nodes, configs and builds: what a wait for a rollout watches while no node drains."""
A_CHANGE = 3
CHANGES = 2
"""The beginning of the wait, where the first line is told, and its end."""


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
        # A pool on hold is a fatal finding, which would end the wait at once.
        asked = {"pool": POOL, "timeout": seconds, "fail_on_findings": []}
        wait = {"name": "Wait", "imagemode.openshift.machineconfigpool_wait": asked}
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
    print(f"{f'wait for {len(nodes)} nodes of a pool on hold':<40} {cost}", flush=True)
    print(f"  {len(lines)} progress lines, {len(requests)} requests: {_told(requests)}")
    print(f"  {_budget(seconds)}")
    wrong = list(_wrong(requests, seconds))
    if f"not done after {seconds} s" not in output:
        wrong.append(f"the wait did not last as long as it should:\n{output[-2000:]}")
    for what in wrong:
        print(f"WRONG: {what}")
    return 1 if wrong else 0


def _prepare(ansible: Ansible, facts: Facts, nodes: t.Sequence[str]) -> None:
    """Have an image built for a pool on hold, and bring the nodes into it."""
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
        f"{changes} for the beginning and the end: {KINDS + watches + changes}"
    )


def _wrong(requests: t.Sequence[ApiRequest], seconds: int) -> t.Iterator[str]:
    """Yield what is over the budget."""
    counted = collections.Counter((r.verb, r.resource) for r in requests)
    beside = 0
    for (verb, resource), count in counted.items():
        if verb == "list" and count > 1:
            yield f"{resource} were listed {count} times"
        elif verb == "watch" and count > _windows(seconds):
            yield f"{resource} were watched {count} times in {_windows(seconds)} windows"
        elif verb not in ("list", "watch"):
            beside += count
    if beside > A_CHANGE * CHANGES:
        yield f"{beside} requests beside a list a kind and a watch a kind a window"


def _told(requests: t.Iterable[ApiRequest]) -> str:
    counted = collections.Counter(f"{r.verb} {r.resource}" for r in requests)
    return ", ".join(f"{what} {count}" for what, count in sorted(counted.items()))


if __name__ == "__main__":
    sys.exit(main())
