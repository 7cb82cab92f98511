# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure how soon a failed build fails the task: ``python tests/benchmarks/build_failure.py LAB.json [COUNT]``.

Real builds fail, each in a pool of its own, some of them side by side. The time counts from the last write of the
status of the build (Failed=True) in the audit log to the line with which ansible-playbook reports the failed task. The
script prints each delay and the worst, and fails when a task does not report the cause.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import typing as t
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from ansible_run import TREE, installed_beside_pytest
from lab.facts import Facts
from measuring import FAILED, first_line_with
from pools import config_options, containerfile
from results import record

COUNT = 20
SIDE_BY_SIDE = 4


def main() -> None:
    """Let builds fail, and print the delays."""
    facts = Facts.load(Path(sys.argv[1]).parent)
    count = int(sys.argv[2]) if len(sys.argv) > 2 else COUNT
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(SIDE_BY_SIDE) as workers:
        folder = Path(scratch)
        delays = list(workers.map(lambda number: _delay(facts, folder, f"bench-fails-{number}"), range(count)))
    print(f"build failed -> task failed, {count} times, {SIDE_BY_SIDE} builds side by side:")
    print("  " + " ".join(f"{delay:.2f}" for delay in sorted(delays)))
    print(f"  median {median(delays):.2f} s, worst {max(delays):.2f} s", flush=True)
    record("build-failed.worst", max(delays))


def _delay(facts: Facts, folder: Path, pool: str) -> float:
    options = config_options(facts, pool, containerfile=containerfile("echo no such luck >&2; exit 7"))
    tasks = [
        {"imagemode.openshift.machineconfigpool": {"pool": pool}},
        {"imagemode.openshift.machineosconfig": options},
        {"imagemode.openshift.machineosbuild_wait": {"pool": pool, "timeout": 900}},
    ]
    playbook = folder / f"{pool}.yml"
    playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]), encoding="utf-8")
    environment = {
        **os.environ,
        "K8S_AUTH_KUBECONFIG": str(facts.kubeconfigs.admin),
        "ANSIBLE_COLLECTIONS_PATH": str(TREE),
        "ANSIBLE_HOME": str(folder / pool),
    }
    command = [str(installed_beside_pytest() / "ansible-playbook"), str(playbook)]
    failed_at, output = first_line_with(command, environment, FAILED)
    if "build.run_failed" not in output or "exit status 7: no such luck" not in output:
        raise SystemExit(f"The task of pool {pool} did not report the cause:\n{output[-4000:]}")
    delay = failed_at - _stored_at(facts.audit_log, pool)
    print(f"  {pool}: {delay:.2f} s", flush=True)
    return delay


def _stored_at(audit_log: Path, pool: str) -> float:
    """Return when the API server stored the last write of the status of the build."""
    events = [json.loads(line) for line in audit_log.open(encoding="utf-8") if f"/machineosbuilds/{pool}-" in line]
    writes: list[t.Mapping[str, t.Any]] = [
        event
        for event in events
        if event["verb"] in ("update", "patch")
        and event["objectRef"].get("subresource") == "status"
        and event["responseStatus"]["code"] == 200
    ]
    return datetime.fromisoformat(writes[-1]["stageTimestamp"].replace("Z", "+00:00")).timestamp()


if __name__ == "__main__":
    main()
