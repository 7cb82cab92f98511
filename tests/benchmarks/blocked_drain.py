# SPDX-License-Identifier: GPL-3.0-or-later
"""From the first refused eviction to the name of the pod: ``python tests/benchmarks/blocked_drain.py LAB.json``.

A PodDisruptionBudget lets nobody evict a pod of a node that drains. Counted from the moment at which the API server
noted the first eviction that it refused to the moment at which ansible-playbook says that the task has failed. Prints
the delay, and fails when the task names another reason, or later than AIM.
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
from lab.scenarios.catalogue import SCENARIOS
from lab.scenarios.stage import Stage
from measuring import FAILED, when_told
from pools import build_pools

POOL = "drain-blocked"
NODE = "worker-0"
AIM = 30.0


def main() -> int:
    """Measure, print, and return the exit status."""
    facts = Facts.load(Path(sys.argv[1]).parent)
    stage = Stage(facts, Api(facts.kubeconfigs.admin), POOL, NODE)
    scenario = SCENARIOS["drain-blocked"]
    with tempfile.TemporaryDirectory() as folder:
        variables = {"K8S_AUTH_KUBECONFIG": str(facts.kubeconfigs.admin), "PYTHONUNBUFFERED": "1"}
        ansible = Ansible(installed_beside_pytest(), Path(folder), variables)
        build_pools(ansible, facts, POOL)
        began = time.time()
        scenario.play(stage)
        try:
            named_at, said = _follow(ansible)
        finally:
            if scenario.undo is not None:
                scenario.undo(stage)
    refused_at = _first_refusal(facts.audit_log, began)
    delay = named_at - refused_at
    print(f"a budget that blocks a drain: named {delay:.1f} s after the first refused eviction (aim: {AIM:g} s)")
    whole = all(part in said for part in ("PodDisruptionBudget lab-scenario/", "of Pod lab-scenario/", f"Node {NODE}"))
    if not whole:
        print(f"WRONG: the task names something else:\n{said[-3000:]}")
    return 0 if whole and delay <= AIM else 1


def _follow(ansible: Ansible) -> tuple[float, str]:
    """Bring the node in and wait; return when the task was said to have failed, and all that was printed."""
    playbook = write_playbook(
        ansible.scratch,
        [
            {"name": "Join", "imagemode.openshift.machineconfigpool_nodes": {"pool": POOL, "nodes": [NODE]}},
            {"name": "Roll", "imagemode.openshift.machineconfigpool_wait": {"pool": POOL, "timeout": 600}},
        ],
    )
    command = [str(ansible.programs / "ansible-playbook"), str(playbook)]
    return when_told(command, ansible.environment(ansible.scratch / "results.jsonl"), FAILED)


def _first_refusal(audit_log: Path, since: float) -> float:
    """Return when the API server noted the first eviction that it refused."""
    for line in audit_log.open(encoding="utf-8"):
        if '"subresource":"eviction"' not in line:
            continue
        noted: t.Mapping[str, t.Any] = json.loads(line)
        at = datetime.fromisoformat(noted["stageTimestamp"].replace("Z", "+00:00")).timestamp()
        if at >= since and (noted.get("responseStatus") or {}).get("code") == 429:
            return at
    raise SystemExit("No eviction was refused.")


if __name__ == "__main__":
    sys.exit(main())
