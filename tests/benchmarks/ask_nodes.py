# SPDX-License-Identifier: GPL-3.0-or-later
"""What does it cost to ask a thousand nodes what they booted, and a hundred beside ``oc debug``?

Each node takes 0.3 s to answer. Run as ``ask_nodes.py LAB.JSON OC``; prints figures, and fails where an answer is
missing or the number of requests depends on the number of nodes.
"""

from __future__ import annotations

import collections
import json
import math
import os
import sys
import tempfile
import typing as t
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from ansible_run import CALLBACKS, TREE, installed_beside_pytest
from audit_log import ApiRequest, AuditLog
from lab.facts import Facts
from lab.kube_rest import Api
from measuring import Cost, cost_of

WORKERS = "node-role.kubernetes.io/worker"
TAKES = 0.3
"""Seconds that rpm-ostree needs to answer."""
PARALLEL = 50
BESIDE_OC = 100
PAGE = 500

_LOOP = (
    f"xargs -P {PARALLEL} -I NODE {{oc}} debug --quiet node/NODE -- chroot /host rpm-ostree status --json >{{answers}}"
)


def main() -> int:
    """Measure, print, and return the exit status."""
    facts = Facts.load(Path(sys.argv[1]).parent)
    api = Api(facts.kubeconfigs.admin)
    nodes = sorted(n["metadata"]["name"] for n in api.get("/api/v1/nodes", labelSelector=WORKERS)["items"])
    for node in nodes:
        (facts.folder / "nodes" / node / "exec-delay").write_text(f"{TAKES}\n", encoding="utf-8")
    print(f"load of the machine: {' '.join(f'{load:.1f}' for load in os.getloadavg())}, {os.cpu_count()} processors")
    with tempfile.TemporaryDirectory() as scratch:
        pages = math.ceil(len(api.get("/api/v1/nodes")["items"]) / PAGE)
        measured = _Measured(facts, AuditLog(facts.audit_log, api), Path(scratch), pages)
        dummy, missed = measured.ask(nodes)
        few, wrong = measured.ask(nodes[:BESIDE_OC])
        theirs = measured.debug(sys.argv[2], nodes[:BESIDE_OC])
        print(f"{'':<40} oc debug / ours: {theirs.seconds / few.seconds:.1f} by the clock,", end=" ")
        print(f"{theirs.processor / few.processor:.1f} by the processor")
    for what in missed + wrong:
        print(f"WRONG: {what}")
    return 1 if missed or wrong else 0


class _Measured:
    """Runs programs as the lab's administrator."""

    def __init__(self, facts: Facts, audit: AuditLog, scratch: Path, pages: int) -> None:
        self._facts = facts
        self._audit = audit
        self._scratch = scratch
        self._pages = pages

    def ask(self, nodes: t.Sequence[str]) -> tuple[Cost, list[str]]:
        """Ask nodes in one task; return its cost, and what was wrong with it."""
        task = {
            "name": "Ask",
            "imagemode.openshift.node_image_verify": {
                "nodes": list(nodes),
                "expected_image": self._facts.base_image,
                "transport": "pod_exec",
                "concurrency": PARALLEL,
            },
        }
        playbook = self._scratch / "playbook.yml"
        playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
        record = self._scratch / "results.jsonl"
        record.unlink(missing_ok=True)
        program = str(installed_beside_pytest() / "ansible-playbook")
        with self._audit.recording() as recording:
            cost = cost_of([program, str(playbook)], self._environment(record), self._scratch)
        requests = recording.by(user="admin", agent="imagemode.openshift")
        execs = [r for r in requests if r.subresource == "exec"]
        (result,) = (json.loads(line)["result"] for line in record.read_text(encoding="utf-8").splitlines())
        told = f"{len(execs)} commands, {len(requests) - len(execs)} other requests"
        print(f"{f'ask {len(nodes)} nodes, node_image_verify':<40} {cost} {told}", flush=True)
        return cost, [*_wrong_verdicts(result, nodes), *_wrong_requests(requests, execs, len(nodes), self._pages)]

    def debug(self, oc: str, nodes: t.Sequence[str]) -> Cost:
        """Ask nodes as people do."""
        (self._scratch / "nodes").write_text("".join(f"{node}\n" for node in nodes), encoding="utf-8")
        answers = self._scratch / "answers"
        loop = _LOOP.format(oc=oc, answers=answers)
        environment = {**os.environ, "KUBECONFIG": str(self._facts.kubeconfigs.admin), "HOME": str(self._scratch)}
        cost = cost_of(["sh", "-c", f"{loop} <nodes; true"], environment, self._scratch)
        got = answers.read_text(encoding="utf-8").count('"deployments"')
        # Some of them fail on a machine that is busy; what came is counted.
        print(f"{f'ask {len(nodes)} nodes, {PARALLEL} oc debug at once':<40} {cost} {got} answers", flush=True)
        return cost

    def _environment(self, record: Path) -> dict[str, str]:
        foreign = ("ANSIBLE_", "K8S_AUTH_", "KUBECONFIG")
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(foreign)},
            "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS),
            "ANSIBLE_CALLBACKS_ENABLED": "record_results",
            "ANSIBLE_COLLECTIONS_PATH": str(TREE),
            "ANSIBLE_HOME": str(self._scratch / "ansible"),
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "K8S_AUTH_KUBECONFIG": str(self._facts.kubeconfigs.admin),
            "RECORD_RESULTS": str(record),
        }


def _wrong_verdicts(result: t.Mapping[str, t.Any], nodes: t.Sequence[str]) -> t.Iterator[str]:
    verdicts = collections.Counter(node["name"] for node in result["nodes"])
    if verdicts != collections.Counter(nodes):
        yield f"{len(verdicts)} of {len(nodes)} nodes have a verdict, or one has two"
    if result["summary"]["match"] != len(nodes):
        yield f"not all nodes match: {result['summary']}"


def _wrong_requests(
    requests: t.Sequence[ApiRequest], execs: t.Sequence[ApiRequest], nodes: int, pages: int
) -> t.Iterator[str]:
    """Yield what grows with the nodes other than the commands and the pages of lists."""
    if len(execs) != nodes:
        yield f"{len(execs)} commands for {nodes} nodes"
    counted = collections.Counter((r.verb, r.resource) for r in requests if r.subresource != "exec")
    for (verb, resource), count in counted.items():
        # Nodes are listed before they are asked and after; rights are asked for by one review each.
        most = 2 * pages if verb == "list" else 1
        if count > most:
            yield f"{count} times {verb} {resource} for {nodes} nodes"
    written = [r.uri for r in requests if r.is_write and r.subresource != "exec"]
    if written:
        yield f"a verification wrote, such as {written[0]}"


if __name__ == "__main__":
    sys.exit(main())
