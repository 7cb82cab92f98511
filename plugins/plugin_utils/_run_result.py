# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of a run of a playbook: the statistic image_mode_result, what a report needs, and the summary."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from ..module_utils._model.proof.verdict import Verdict
from ..module_utils._model.text import printable, truncate_bytes
from ._progress import duration
from ._verdicts import node_lines, reason_of, why_not_verified

MAX_BYTES = 20_000
"""Bytes of one entry of image_mode_result."""
MAX_NODES = 20
"""Unproven nodes in an entry."""

_MAX_REASON = 200
_MAX_FAILURE = 2000
_MAX_CHANGES = 20
_MAX_TEXT = 300
"""Bytes of a text of the cluster. Names of objects have 253 at most."""
_MAX_IMAGE = 600
"""Bytes of the name of an image, whose end is its digest. The API allows 447."""
_MAX_PATH = 4096
"""Bytes of the path of a report: a part of a path is of no use."""
_MAX_REPORTS = 10
_MAX_ENTRIES = 20
"""Entries of any other list or dictionary."""
_CLUSTER_FIELDS = ("api_url", "id", "name", "version")
_BUILD_FIELDS = ("name", "state", "digested_image_push_spec")
_LISTS = ("unproven_nodes", "changed", "reports")
"""Fields from which entries are left out first."""
_DETAILS = ("rollout", "counts", "account", "transport", "build")
"""Fields that are left out next."""
_NO_NODES = "none"
"""Verdict on a pool without nodes."""

Result = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class Steps:
    """Results of the tasks of a playbook, empty for a task that did not run."""

    validation: Result
    secrets: Result
    build: Result
    rollout: Result
    verification: Result

    def __iter__(self) -> t.Iterator[Result]:
        return iter((self.validation, self.secrets, self.build, self.rollout, self.verification))

    @property
    def failure(self) -> str:
        """The message of the task that failed, or an empty text."""
        return next((str(step.get("msg") or "a task failed") for step in self if step.get("failed")), "")

    @property
    def changes(self) -> list[str]:
        """The objects that were changed."""
        return [str(change) for step in self for change in step.get("changes") or ()]


@dataclass(frozen=True)
class Run:
    """One run of a playbook for one host."""

    host: str
    pool: str
    fail_on: tuple[str, ...]
    seconds: int
    steps: Steps

    def verified(self) -> list[Result]:
        """Return the verifications, one per cluster."""
        clusters = self.steps.verification.get("clusters")
        return list(clusters) if clusters else [self.steps.verification]


def full_result(run: Run, verified: Result) -> dict[str, t.Any]:
    """Return everything that a report shows.

    :param verified: the verification of one cluster
    """
    steps = run.steps
    nodes = list(verified.get("nodes") or ())
    pools = {str(node["pool"]) for node in nodes if node.get("pool")}
    clusters = [step["cluster"] for step in (steps.build, steps.rollout, verified) if step.get("cluster")]
    return {
        "schema_version": "1.0",
        "host": run.host,
        "pool": run.pool or (pools.pop() if len(pools) == 1 else None),
        "cluster": clusters[-1] if clusters else None,
        "machineosconfig": steps.build.get("machineosconfig"),
        "build": steps.build.get("build"),
        "rollout": steps.rollout.get("rollout"),
        "account": verified.get("account"),
        "transport": verified.get("transport"),
        "verdict": verified.get("verdict") or _without_verification(steps),
        "failure": steps.failure or why_not_verified(verified, run.fail_on) or None,
        "summary": verified.get("summary"),
        "nodes": nodes,
        "findings": [finding for step in (steps.build, steps.rollout) for finding in step.get("findings") or ()],
    }


def published_entry(run: Run, full: Result, reports: t.Sequence[Result], failure: str = "") -> dict[str, t.Any]:
    """Return the entry of image_mode_result: printable, and at most MAX_BYTES of JSON.

    :param failure: why a report was not written; a failure of the run takes precedence
    """
    build, cluster = full["build"] or {}, full["cluster"] or {}
    unproven = [node for node in full["nodes"] if node["verdict"] != Verdict.MATCH.value]
    why = full["failure"] or failure
    entry = {
        "schema_version": "1.0",
        **minimal_entry(run.host, run.pool, why),
        "message": _short(message_of(full), _MAX_FAILURE),
        "pool": _short(full["pool"]),
        "cluster": {name: _short(cluster.get(name)) for name in _CLUSTER_FIELDS},
        "verdict": _short(full["verdict"]),
        "counts": _short(full["summary"]),
        "build": {n: _short(build.get(n), _MAX_IMAGE) for n in _BUILD_FIELDS} if build else None,
        "rollout": _short(full["rollout"]),
        "account": _short(full["account"]),
        "transport": _short(full["transport"]),
        "changed": [_short(change) for change in run.steps.changes[:_MAX_CHANGES]],
        "seconds": run.seconds,
        "reports": [_short(report, _MAX_PATH) for report in reports[:_MAX_REPORTS]],
        "unproven_nodes": [_unproven(node) for node in unproven[:MAX_NODES]],
    }
    return _within_limit(entry)


def minimal_entry(host: str, pool: str, failure: str) -> dict[str, t.Any]:
    """Return the entry of a run of which nothing but its failure is known."""
    why = _short(failure, _MAX_FAILURE) or None
    return {
        "schema_version": "1.0",
        "message": why,
        "host": _short(host),
        "pool": _short(pool) or None,
        "cluster": dict.fromkeys(_CLUSTER_FIELDS),
        "verdict": Verdict.UNKNOWN.value,
        "counts": None,
        "failure": why,
        "build": None,
        "rollout": None,
        "account": None,
        "transport": None,
        "changed": [],
        "seconds": None,
        "reports": [],
        "unproven_nodes": [],
    }


def message_of(full: Result) -> str:
    """Return the result in one line."""
    if full["failure"]:
        return str(full["failure"])
    name = f"pool {full['pool']}" if full["pool"] else "all hosts"
    counts = full["summary"]
    if full["verdict"] == _NO_NODES:
        return f"{name}: no nodes to verify"
    if not counts:
        return f"{name}: not verified"
    return f"{name}: {counts['match']} of {counts['total']} nodes match"


def summary_lines(run: Run, full: Result, reports: t.Sequence[Result], check_mode: bool) -> list[str]:
    """Return the summary that ends the output of a run."""
    lines = [f"Result: {'check mode: ' if check_mode else ''}{message_of(full)}"]
    image = (full["build"] or {}).get("digested_image_push_spec")
    if image:
        lines.append(f"Image: {image}")
    lines += [f"Node {line}" for line in node_lines(full["nodes"])]
    lines.append(f"{'Would change' if check_mode else 'Changed'}: {_changes(run.steps.changes)}")
    lines += [f"Report: {report['path']}" for report in reports]
    lines.append(f"Time: {duration(run.seconds)}")
    return lines


def _without_verification(steps: Steps) -> str:
    rollout = steps.rollout.get("rollout") or {}
    return _NO_NODES if not steps.failure and rollout.get("total") == 0 else Verdict.UNKNOWN.value


def _unproven(node: Result) -> dict[str, t.Any]:
    texts = {"name": _short(node["name"]), "verdict": _short(node["verdict"])}
    return {**texts, "reason": _short(reason_of(node), _MAX_REASON)}


def _changes(changes: t.Sequence[str]) -> str:
    if not changes:
        return "nothing"
    more = len(changes) - _MAX_CHANGES
    return ", ".join(changes[:_MAX_CHANGES]) + (f" and {more} more" if more > 0 else "")


def _short(value: t.Any, limit: int = _MAX_TEXT) -> t.Any:
    """Return a value with printable texts of *limit* bytes at most, and with few entries."""
    if isinstance(value, str):
        return truncate_bytes(printable(value[:limit]), limit)
    if isinstance(value, t.Mapping):
        return {_short(str(key)): _short(content, limit) for key, content in list(value.items())[:_MAX_ENTRIES]}
    if isinstance(value, (list, tuple)):
        return [_short(content, limit) for content in value[:_MAX_ENTRIES]]
    return value


def _within_limit(entry: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return an entry with so much left out that it has MAX_BYTES at most; the failure stays."""
    for name in _LISTS:
        while _size(entry) > MAX_BYTES and entry[name]:
            entry[name].pop()
    for name in _DETAILS:
        if _size(entry) > MAX_BYTES:
            entry[name] = None
    return entry


def _size(entry: t.Mapping[str, t.Any]) -> int:
    return len(json.dumps(entry, default=str).encode("utf-8"))
