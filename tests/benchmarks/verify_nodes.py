# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the verification of all nodes of a lab, and of 100 nodes beside ``oc debug``.

``python tests/benchmarks/verify_nodes.py LAB.JSON OC``. Each node takes 0.3 s to respond. The script fails when a
verdict is missing, or when the number of requests other than commands depends on the number of nodes.
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
from results import record

WORKERS = "node-role.kubernetes.io/worker"
TAKES = 0.3
"""Seconds that rpm-ostree takes on a node."""
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
        cost, missed = measured.verify(nodes)
        playbook = measured.verify_with_report(len(nodes))
        few, wrong = measured.verify(nodes[:BESIDE_OC])
        theirs = measured.debug(sys.argv[2], nodes[:BESIDE_OC])
        print(f"{'':<40} oc debug / ours: {theirs.seconds / few.seconds:.1f} by the clock,", end=" ")
        print(f"{theirs.processor / few.processor:.1f} by the processor")
    for name, found in ((f"verify-{len(nodes)}", cost), (f"verify-playbook-{len(nodes)}", playbook)):
        record(f"{name}.seconds", found.seconds)
        record(f"{name}.memory", found.memory)
    record("oc-debug.ratio", theirs.seconds / few.seconds)
    for what in missed + wrong:
        print(f"WRONG: {what}")
    return 1 if missed or wrong else 0


class _Measured:
    """Runs programs as the administrator of the lab."""

    def __init__(self, facts: Facts, audit: AuditLog, scratch: Path, pages: int) -> None:
        self._facts = facts
        self._audit = audit
        self._scratch = scratch
        self._pages = pages

    def verify(self, nodes: t.Sequence[str]) -> tuple[Cost, list[str]]:
        """Verify nodes in one task; return its cost, and what was wrong with it."""
        task = {
            "name": "Verify",
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
        counts = f"{len(execs)} commands, {len(requests) - len(execs)} other requests"
        print(f"{f'verify {len(nodes)} nodes, node_image_verify':<40} {cost} {counts}", flush=True)
        return cost, [*_wrong_verdicts(result, nodes), *_wrong_requests(requests, execs, len(nodes), self._pages)]

    def verify_with_report(self, nodes: int) -> Cost:
        """Run the playbook verify with a report over the pool of all workers, and return its cost."""
        variables = {
            "image_mode_pool": "worker",
            "image_mode_expected_image": self._facts.base_image,
            "image_mode_transport": "pod_exec",
            "image_mode_report_dir": str(self._scratch / "reports"),
        }
        program = str(installed_beside_pytest() / "ansible-playbook")
        command = [program, "imagemode.openshift.verify", "--extra-vars", json.dumps(variables)]
        cost = cost_of(command, self._environment(self._scratch / "verify.jsonl"), self._scratch)
        print(f"{f'verify {nodes} nodes, playbook with report':<40} {cost}", flush=True)
        return cost

    def debug(self, oc: str, nodes: t.Sequence[str]) -> Cost:
        """Run oc debug on nodes, as a shell loop does."""
        (self._scratch / "nodes").write_text("".join(f"{node}\n" for node in nodes), encoding="utf-8")
        answers = self._scratch / "answers"
        loop = _LOOP.format(oc=oc, answers=answers)
        environment = {**os.environ, "KUBECONFIG": str(self._facts.kubeconfigs.admin), "HOME": str(self._scratch)}
        cost = cost_of(["sh", "-c", f"{loop} <nodes; true"], environment, self._scratch)
        got = answers.read_text(encoding="utf-8").count('"deployments"')
        # On a busy machine some of them fail; only the answers are counted.
        print(f"{f'verify {len(nodes)} nodes, {PARALLEL} oc debug at once':<40} {cost} {got} answers", flush=True)
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
    """Yield the requests that grow with the nodes, other than commands and pages of lists."""
    if len(execs) != nodes:
        yield f"{len(execs)} commands for {nodes} nodes"
    counted = collections.Counter((r.verb, r.resource) for r in requests if r.subresource != "exec")
    for (verb, resource), count in counted.items():
        # Nodes are listed before and after the commands; each permission is checked by one review.
        most = 2 * pages if verb == "list" else 1
        if count > most:
            yield f"{count} times {verb} {resource} for {nodes} nodes"
    written = [r.uri for r in requests if r.is_write and r.subresource != "exec"]
    if written:
        yield f"a verification wrote, such as {written[0]}"


if __name__ == "__main__":
    sys.exit(main())
