# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure how soon apply ends after its last node is Done, and an apply that changes nothing.

``python tests/benchmarks/apply_end.py LAB.JSON``: applies a pool of two nodes twice, and its MachineOSConfig a third
time by the module. The script fails when a run fails, when a node does not match, or when the second run changes
something. The end of apply contains the verification; the playbook verify alone is subtracted, with its own start.
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

from ansible_run import Ansible, Run, installed_beside_pytest
from audit_log import AuditLog
from lab.facts import Facts
from lab.kube_rest import Api
from pools import BUILD_TIMEOUT, ROLLOUT_TIMEOUT, config_options, containerfile, push_spec
from results import record

APPLY = "imagemode.openshift.apply"
VERIFY = "imagemode.openshift.verify"
POOL = "applied"
NODES = ["worker-0", "worker-1"]


def main() -> int:
    """Measure, print, and return the exit status."""
    facts = Facts.load(Path(sys.argv[1]).parent)
    api = Api(facts.kubeconfigs.admin)
    with tempfile.TemporaryDirectory() as folder:
        variables = {"K8S_AUTH_KUBECONFIG": str(facts.kubeconfigs.admin)}
        ansible = Ansible(installed_beside_pytest(), Path(folder), variables)
        first, ended_at, dummy = _timed(ansible, APPLY, _variables(facts))
        waited = ended_at - _last_done(facts.audit_log)
        verified, dummy, verification = _timed(ansible, VERIFY, {"image_mode_pool": POOL})
        second, dummy, unchanged = _timed(ansible, APPLY, _variables(facts))
        with AuditLog(facts.audit_log, api).recording() as recording:
            config, dummy = ansible.run_module("machineosconfig", config_options(facts, POOL))
    requests = recording.ours
    print(f"last node Done -> end of apply: {waited:.1f} s; the playbook verify alone takes {verification:.1f} s")
    print(f"unchanged second apply, {len(NODES)} nodes: {unchanged:.1f} s")
    print(f"unchanged MachineOSConfig: {len(requests)} requests, {sum(r.is_write for r in requests)} writes")
    record("apply.after-last-done", max(0.0, waited - verification))
    record("apply.unchanged", unchanged)
    record("unchanged-config.requests", len(requests))
    record("unchanged-config.writes", sum(r.is_write for r in requests))
    wrong = [
        *(f"{name} failed:\n{run.output[-3000:]}" for name, run in _runs(first, verified, second) if run.rc),
        *([f"the second apply changed {second.changed} things"] if second.changed else []),
        *(["the MachineOSConfig was changed"] if config.changed or config.failed else []),
    ]
    for what in wrong:
        print(f"WRONG: {what}")
    return 1 if wrong else 0


def _runs(*runs: Run) -> t.Iterable[tuple[str, Run]]:
    return zip(("the first apply", "the verification", "the second apply"), runs)


def _variables(facts: Facts) -> dict[str, t.Any]:
    return {
        "image_mode_pool": POOL,
        "image_mode_create_pool": True,
        "image_mode_max_unavailable": "100%",
        "image_mode_containerfile": containerfile(f"echo {POOL} > /etc/pool"),
        "image_mode_rendered_image_push_spec": push_spec(facts, POOL),
        "image_mode_rendered_image_push_secret": "push",
        "image_mode_nodes": NODES,
        "image_mode_build_timeout": BUILD_TIMEOUT,
        "image_mode_rollout_timeout": ROLLOUT_TIMEOUT,
    }


def _timed(ansible: Ansible, playbook: str, variables: t.Mapping[str, t.Any]) -> tuple[Run, float, float]:
    """Run a playbook and return the run, the time of its end, and its seconds."""
    began = time.time()
    run = ansible.run_playbook(playbook, variables=variables)
    ended_at = time.time()
    return run, ended_at, ended_at - began


def _last_done(audit_log: Path) -> float:
    """Return when the API server stored the last Done of a node of the pool."""
    last = 0.0
    for line in audit_log.open(encoding="utf-8"):
        if '"resource":"nodes"' not in line or '"verb":"patch"' not in line:
            continue
        event = json.loads(line)
        about = event.get("objectRef") or {}
        # The daemon's last write of an update.
        if about.get("name") in NODES and not about.get("subresource") and "node-daemon" in _writer(event):
            last = datetime.fromisoformat(event["stageTimestamp"].replace("Z", "+00:00")).timestamp()
    if not last:
        raise SystemExit("Could not find the last Done: the audit log has no write of the node daemon.")
    return last


def _writer(event: t.Mapping[str, t.Any]) -> str:
    return f"{event['user'].get('username', '')} {event.get('userAgent', '')}"


if __name__ == "__main__":
    sys.exit(main())
