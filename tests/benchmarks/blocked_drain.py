# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure how soon a blocked drain is reported: ``python tests/benchmarks/blocked_drain.py LAB.json``.

A PodDisruptionBudget blocks the eviction of a pod from a node that drains. The time counts from the first denied
eviction in the audit log to the line with which ansible-playbook reports the failed task. The script prints the delay,
and fails when the task reports another reason or takes longer than GOAL.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import typing as t
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from ansible_run import Ansible, installed_beside_pytest, write_playbook
from lab.facts import Facts
from lab.kube_rest import Api
from lab.scenarios.catalogue import in_scenario
from lab.scenarios.stage import Stage
from measuring import FAILED, first_line_with
from pools import build_pools

POOL = "drain-blocked"
NODE = "worker-0"
GOAL = 30.0


def main() -> int:
    """Measure, print, and return the exit status."""
    facts = Facts.load(Path(sys.argv[1]).parent)
    stage = Stage(facts, Api(facts.kubeconfigs.admin), POOL, NODE)
    with tempfile.TemporaryDirectory() as folder:
        variables = {"K8S_AUTH_KUBECONFIG": str(facts.kubeconfigs.admin), "PYTHONUNBUFFERED": "1"}
        ansible = Ansible(installed_beside_pytest(), Path(folder), variables)
        build_pools(ansible, facts, POOL)
        began = time.time()
        with in_scenario("drain-blocked", stage):
            reported_at, output = _follow(ansible)
    delay = reported_at - _first_denial(facts.audit_log, began)
    print(f"a budget that blocks a drain: reported {delay:.1f} s after the first denied eviction (goal: {GOAL:g} s)")
    whole = all(
        part in output for part in ("PodDisruptionBudget lab-scenario/", "of Pod lab-scenario/", f"Node {NODE}")
    )
    if not whole:
        print(f"WRONG: the task reports another reason:\n{output[-3000:]}")
    return 0 if whole and delay <= GOAL else 1


def _follow(ansible: Ansible) -> tuple[float, str]:
    """Add the node and wait; return the time of the failed task, and the output."""
    playbook = write_playbook(
        ansible.scratch,
        [
            {"name": "Join", "imagemode.openshift.machineconfigpool_nodes": {"pool": POOL, "nodes": [NODE]}},
            {"name": "Roll", "imagemode.openshift.machineconfigpool_wait": {"pool": POOL, "timeout": 600}},
        ],
    )
    command = [str(ansible.programs / "ansible-playbook"), str(playbook)]
    return first_line_with(command, ansible.environment(ansible.scratch / "results.jsonl"), FAILED)


def _first_denial(audit_log: Path, since: float) -> float:
    """Return when the API server first denied an eviction."""
    for line in audit_log.open(encoding="utf-8"):
        if '"subresource":"eviction"' not in line:
            continue
        event: t.Mapping[str, t.Any] = json.loads(line)
        at = datetime.fromisoformat(event["stageTimestamp"].replace("Z", "+00:00")).timestamp()
        if at >= since and (event.get("responseStatus") or {}).get("code") == 429:
            return at
    raise SystemExit("No eviction was denied.")


if __name__ == "__main__":
    sys.exit(main())
