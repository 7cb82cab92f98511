# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure a wait for hundreds of rolling nodes: ``python tests/benchmarks/rolling.py LAB.JSON SECONDS``.

The programs of the operator build the image and render the pool. Then the script stops the controller and the node
daemons, and writes to the nodes what they would write, evenly over the time. It prints the cost of the wait and that
of a task that only sleeps, and fails when the task fails, writes anything, or uses more memory than MOST_MEMORY.
"""

from __future__ import annotations

import collections
import sys
import tempfile
import threading
import time
import typing as t
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from ansible_run import Ansible, installed_beside_pytest, write_playbook
from audit_log import ApiRequest, AuditLog
from lab.components import REBOOTING_ANNOTATION
from lab.facts import Facts
from lab.faults import without
from lab.kube_rest import STRATEGIC_PATCH, Api
from measuring import cost_of
from pools import config_options, containerfile, wait_for_build

from lab import node_annotations as says

POOL = "rolling"
STOPPED = ("machine-config-controller", "node-daemon")
WORKERS = "node-role.kubernetes.io/worker"
UPDATING_PART = 0.1
"""The part of the time that one node takes, so that a tenth of the nodes update at once."""
WRITERS = 8
MANY = 500
MOST_MEMORY = {True: 300.0, False: 400.0}
"""MB for up to MANY nodes, and for more. The processor time depends on the machine and decides nothing."""
ASLEEP = (1, 31)
"""Seconds of two tasks that sleep. The difference of their costs is the cost of waiting in Ansible itself."""


class _ScriptedRollout:
    """Writes what the controller and the node daemons write, for many nodes at once."""

    def __init__(self, api: Api, nodes: t.Sequence[str], target: says.Target, seconds: float) -> None:
        self._api = api
        self._target = target
        updating = seconds * UPDATING_PART
        between = (seconds - updating) / len(nodes)
        steps = self._steps()
        self._plan = sorted(
            (number * between + updating * part, node, step)
            for number, node in enumerate(nodes)
            for part, step in zip((0.0, 0.02, 0.2, 0.5, 0.9, 0.95, 1.0), range(len(steps)))
        )
        self._do = steps
        self.late = 0.0
        """The longest delay of a write, in seconds."""

    def play(self) -> None:
        """Write each step at its time."""
        began = time.monotonic()
        with ThreadPoolExecutor(WRITERS) as threads:
            running: list[Future[None]] = []
            for at, node, step in self._plan:
                time.sleep(max(0.0, began + at - time.monotonic()))
                running.append(threads.submit(self._write, node, step, began + at))
            for future in running:
                future.result()

    def _write(self, node: str, step: int, due: float) -> None:
        self._do[step](f"/api/v1/nodes/{node}")
        self.late = max(self.late, time.monotonic() - due)

    def _steps(self) -> tuple[t.Callable[[str], None], ...]:
        target = self._target
        wanted = {f"{says.PREFIX}desiredConfig": target.config, f"{says.PREFIX}desiredImage": target.image}

        def annotate(path: str, annotations: t.Mapping[str, str | None], **spec: object) -> None:
            self._api.patch(path, {"metadata": {"annotations": annotations}, **({"spec": spec} if spec else {})})

        def applied(request: str) -> dict[str, str | None]:
            return {f"{says.PREFIX}lastAppliedDrain": request}

        def reboot(path: str) -> None:
            annotate(path, {REBOOTING_ANNOTATION: "true"})
            status = {"conditions": [{"type": "Ready", "status": "False", "reason": "KubeletNotReady"}]}
            self._api.patch(f"{path}/status", {"status": status}, STRATEGIC_PATCH)

        def come_back(path: str) -> None:
            status = {"nodeInfo": {"bootID": str(uuid.uuid4())}}
            self._api.patch(f"{path}/status", {"status": status}, STRATEGIC_PATCH)
            annotate(path, {REBOOTING_ANNOTATION: None})  # then KWOK sets the node Ready

        return (
            lambda path: annotate(path, wanted),
            lambda path: annotate(path, {**says.working(), **says.drain_request(target.drain)}, unschedulable=True),
            lambda path: annotate(path, applied(target.drain)),
            reboot,
            come_back,
            lambda path: annotate(path, {**says.drain_request(target.uncordon), **says.done(target)}),
            lambda path: annotate(path, applied(target.uncordon), unschedulable=None),
        )


def main() -> int:
    """Measure, print, and return the exit status."""
    facts = Facts.load(Path(sys.argv[1]).parent)
    seconds = float(sys.argv[2])
    api = Api(facts.kubeconfigs.admin)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        ansible = Ansible(
            installed_beside_pytest(),
            scratch,
            {"K8S_AUTH_KUBECONFIG": str(facts.kubeconfigs.admin), "PYTHONUNBUFFERED": "1"},
        )
        target = _prepare(ansible, facts, api)
        nodes = sorted(n["metadata"]["name"] for n in api.get("/api/v1/nodes", labelSelector=WORKERS)["items"])
        with without(facts, *STOPPED):
            _release(ansible, nodes)
            return _measure(ansible, facts, api, _ScriptedRollout(api, nodes, target, seconds), len(nodes))


def _prepare(ansible: Ansible, facts: Facts, api: Api) -> says.Target:
    """Build a new image for the paused pool, and return the target of its nodes."""
    config = config_options(facts, POOL, containerfile=containerfile(f"echo {uuid.uuid4()} > /etc/pool"))
    run = ansible.run_tasks(
        [
            {"name": "Pool", "imagemode.openshift.machineconfigpool": {"pool": POOL, "paused": True}},
            {"name": "Config", "imagemode.openshift.machineosconfig": config},
        ]
    )
    if run.rc:
        raise RuntimeError(run.output)
    image = wait_for_build(ansible, POOL).image
    pool = api.get(f"/apis/machineconfiguration.openshift.io/v1/machineconfigpools/{POOL}")
    return says.Target(pool["spec"]["configuration"]["name"], image)


def _release(ansible: Ansible, nodes: t.Sequence[str]) -> None:
    """Add nodes to the pool, and end its pause."""
    run = ansible.run_tasks(
        [
            {"name": "Nodes", "imagemode.openshift.machineconfigpool_nodes": {"pool": POOL, "nodes": list(nodes)}},
            {"name": "Go", "imagemode.openshift.machineconfigpool": {"pool": POOL, "paused": False}},
        ]
    )
    if run.rc:
        raise RuntimeError(run.output)


def _measure(ansible: Ansible, facts: Facts, api: Api, rollout: _ScriptedRollout, nodes: int) -> int:
    scratch = ansible.scratch
    task = {"name": "Follow", "imagemode.openshift.machineconfigpool_wait": {"pool": POOL}}
    playbook = write_playbook(scratch, [task])
    record = scratch / "results.jsonl"
    record.unlink(missing_ok=True)
    with AuditLog(facts.audit_log, api).recording() as recording:
        thread = threading.Thread(target=rollout.play, daemon=True)
        thread.start()
        cost = cost_of(
            [str(ansible.programs / "ansible-playbook"), str(playbook)], ansible.environment(record), scratch
        )
        thread.join()
    output = (scratch / "output").read_text(encoding="utf-8")
    lines = [line for line in output.splitlines() if f"  pool {POOL}: " in line]
    share = cost.processor / cost.seconds
    idle = _idle_share(ansible)
    requests = recording.ours
    print(f"{f'follow {nodes} nodes that roll':<40} {cost} {100 * share:.1f} % of one core", flush=True)
    print(f"  {len(lines)} progress lines, {len(requests)} requests: {_counts(requests)}")
    print(
        f"  the last line: {lines[-1].strip() if lines else 'none'}; written at most {rollout.late:.1f} s late",
        flush=True,
    )
    print(f"  Ansible alone, with a task that sleeps: {100 * idle:.1f} % of one core", flush=True)
    record(f"rolling-{nodes}.processor", 100 * share)
    record(f"rolling-{nodes}.memory", cost.memory)
    most = MOST_MEMORY[nodes <= MANY]
    wrong = [
        *([f"{cost.memory:.0f} MB are more than {most:.0f}"] if cost.memory > most else []),
        *(
            []
            if lines and f"{nodes}/{nodes} nodes updated" in lines[-1]
            else ["the wait did not report every node as updated"]
        ),
        *(f"a wait wrote {r.uri}" for r in requests if r.is_write),
    ]
    for what in wrong:
        print(f"WRONG: {what}")
    return 1 if wrong else 0


def _idle_share(ansible: Ansible) -> float:
    """Return the share of one core that Ansible uses while a task sleeps."""
    costs = []
    for seconds in ASLEEP:
        playbook = write_playbook(
            ansible.scratch, [{"name": "Sleep", "ansible.builtin.command": {"cmd": f"sleep {seconds}"}}]
        )
        command = [str(ansible.programs / "ansible-playbook"), str(playbook)]
        costs.append(cost_of(command, ansible.environment(ansible.scratch / "asleep.jsonl"), ansible.scratch))
    return (costs[1].processor - costs[0].processor) / (costs[1].seconds - costs[0].seconds)


def _counts(requests: t.Iterable[ApiRequest]) -> str:
    counted = collections.Counter(f"{r.verb} {r.resource}" for r in requests)
    return ", ".join(f"{what} {count}" for what, count in sorted(counted.items()))


if __name__ == "__main__":
    sys.exit(main())
