# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure how soon a failed attempt is reported: ``python tests/benchmarks/attempt_failure.py LAB.json COUNT BUILDS``.

The first attempt of real builds fails, each in a pool of its own, some of them side by side. The time counts from the
last write of the status of the first pod in the audit log to the line with which the running wait reports the attempt.
The script prints each delay and the worst, and fails when that line does not name the cause. It deletes each
MachineOSConfig after its line, so that no further attempt runs.

BUILDS is the number of builds that run side by side. The builds of a lab use the processors of the waits, unlike those
of a cluster. A build fails some seconds after its last change of state, as real ones do: right after a progress line
the module of the wait is starting again, which takes a second or two more.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from ansible_run import TREE, installed_beside_pytest
from lab.facts import Facts
from lab.kube_rest import Api
from lab.scenarios.stage import CONFIGS
from pools import config_options, containerfile
from results import record

COUNT = 20
SIDE_BY_SIDE = 2
REPORTED = re.compile(r"attempt 1 (of \d+ )?failed")
CAUSE = "exit status 7: no such luck"


def main() -> None:
    """Let attempts fail, and print the delays."""
    facts = Facts.load(Path(sys.argv[1]).parent)
    count = int(sys.argv[2]) if len(sys.argv) > 2 else COUNT
    builds = int(sys.argv[3]) if len(sys.argv) > 3 else SIDE_BY_SIDE
    # The audit log of a lab keeps the pods of earlier runs.
    names = [f"attempt-{os.getpid()}-{number}" for number in range(count)]
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(builds) as workers:
        folder = Path(scratch)
        delays = list(workers.map(lambda name: _delay(facts, folder, name), names))
    print(f"first failed attempt stored -> reported, {count} times, {builds} builds side by side:")
    print("  " + " ".join(f"{delay:.2f}" for delay in sorted(delays)))
    print(f"  median {median(delays):.2f} s, worst {max(delays):.2f} s", flush=True)
    record("first-attempt-failed", max(delays))


def _delay(facts: Facts, folder: Path, pool: str) -> float:
    options = config_options(facts, pool, containerfile=containerfile("sleep 10; echo no such luck >&2; exit 7"))
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
    try:
        printed_at, line = _report([str(installed_beside_pytest() / "ansible-playbook"), str(playbook)], environment)
    finally:
        Api(facts.kubeconfigs.admin).delete(f"{CONFIGS}/{pool}")
    if CAUSE not in line:
        raise SystemExit(f"The line of pool {pool} does not name the cause: {line}")
    delay = printed_at - _stored_at(facts.audit_log, pool)
    print(f"  {pool}: {delay:.2f} s", flush=True)
    return delay


def _report(command: t.Sequence[str], environment: t.Mapping[str, str]) -> tuple[float, str]:
    """Run a playbook until it reports the attempt, and return the time of that line and the line."""
    output = ""
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            if REPORTED.search(line):
                printed_at = time.time()
                process.terminate()
                return printed_at, line
            output += line
    raise SystemExit(f"No line reported the attempt:\n{output[-4000:]}")


def _stored_at(audit_log: Path, pool: str) -> float:
    """Return when the API server stored the last write of the status of the first pod of the build."""
    writes: dict[str, str] = {}
    for line in audit_log.open(encoding="utf-8"):
        if f"/pods/build-{pool}-" not in line:
            continue
        event = json.loads(line)
        about = event["objectRef"]
        if event["verb"] in ("update", "patch") and about.get("subresource") == "status":
            writes[about["name"]] = event["stageTimestamp"]
    first = next(iter(writes.values()))
    return datetime.fromisoformat(first.replace("Z", "+00:00")).timestamp()


if __name__ == "__main__":
    main()
