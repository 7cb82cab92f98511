# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of a run of a playbook: the statistic image_mode_result, what a report needs, and the summary."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from ..module_utils._errors import OperationError, as_line
from ..module_utils._model.findings import FindingId
from ..module_utils._model.proof.verdict import Verdict
from ..module_utils._model.text import listed, printable, truncate_bytes
from ._progress import duration
from ._variables.validation import PUBLISHED
from ._verdicts import node_lines, reason_of, why_not_verified

REGISTERED_AS = "__image_mode_published"
"""Variable with the result of publish_result for a host."""
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
_BUILD_FIELDS = ("name", "state", "digested_image_push_spec", "seeded")
_CONTAINERFILE_FIELDS = ("sha256", "proven")
"""Its text is in the report only."""
_LISTS = ("unproven_nodes", "changed", "reports")
"""Fields from which entries are left out first."""
_FORECAST_LISTS = ("first_nodes", "lines")
_DETAILS = ("rollout", "forecast", "counts", "account", "transport", "build")
"""Fields that are left out next."""
_NO_NODES = "none"
"""Verdict on a pool without nodes, and of a forecast."""
_NOT_STARTED = "Not started: each host of the batch before failed. Correct the failure, and run the playbook again."
_MAX_FIRST_NODES = 10
_MAX_LINES = 12
_MAX_LINE = 400
"""Bytes of a line of a forecast."""

Result = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class Steps:
    """Results of the tasks of a playbook, empty for a task that did not run."""

    validation: Result
    request: Result
    """The check of the request, with the forecast in check mode."""
    secrets: Result
    build: Result
    rollout: Result
    verification: Result
    missing: tuple[str, ...] = ()
    """Names of tasks of the playbook that did not run."""

    def __iter__(self) -> t.Iterator[Result]:
        return iter((self.validation, self.request, self.secrets, self.build, self.rollout, self.verification))

    @property
    def failed(self) -> bool:
        """Whether a task failed, so that the play fails without help."""
        return any(_has_failed(step) for step in self)

    @property
    def failure(self) -> str:
        """Why the run failed: the message of the task that failed, or that a task did not run. Or an empty text."""
        failed = next((step for step in self if _has_failed(step)), None)
        if failed is not None:
            return as_line(str(failed.get("msg") or "a task failed"))
        if not self.missing:
            return ""
        reason = f"task {self.missing[0]} did not run"
        return str(OperationError("finish the playbook", reason, "Run the playbook without options that select tasks"))

    @property
    def forecast(self) -> Result | None:
        """The forecast of a run in check mode."""
        return self.request.get("forecast") or None

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


def _has_failed(step: Result) -> bool:
    return bool(step.get("failed") or step.get("unreachable"))


def full_result(run: Run, verified: Result) -> dict[str, t.Any]:
    """Return everything that a report shows.

    :param verified: the verification of one cluster
    """
    steps = run.steps
    nodes = list(verified.get("nodes") or ())
    pools = {str(node["pool"]) for node in nodes if node.get("pool")}
    clusters = [
        step["cluster"] for step in (steps.request, steps.build, steps.rollout, verified) if step.get("cluster")
    ]
    return {
        "schema_version": "1.0",
        "host": run.host,
        "pool": run.pool or (pools.pop() if len(pools) == 1 else None),
        "cluster": clusters[-1] if clusters else None,
        "machineosconfig": steps.build.get("machineosconfig"),
        "containerfile": verified.get("containerfile"),
        "build": steps.build.get("build"),
        "rollout": steps.rollout.get("rollout"),
        "timeline": steps.rollout.get("timeline"),
        "forecast": steps.forecast,
        "account": verified.get("account"),
        "transport": verified.get("transport"),
        "verdict": verified.get("verdict") or _without_verification(steps),
        "failure": steps.failure or why_not_verified(verified, run.fail_on) or None,
        "summary": verified.get("summary"),
        "pool_total": verified.get("pool_total"),
        "left_out": verified.get("left_out") or 0,
        "nodes": nodes,
        "findings": [f for step in (steps.build, steps.rollout, verified) for f in step.get("findings") or ()],
    }


def published_entry(run: Run, full: Result, reports: t.Sequence[Result], failure: str = "") -> dict[str, t.Any]:
    """Return the entry of image_mode_result: printable, and at most MAX_BYTES of JSON.

    :param failure: why a report was not written; a failure of the run takes precedence
    """
    build, cluster = full["build"] or {}, full["cluster"] or {}
    content = full["containerfile"] or {}
    unproven = [node for node in full["nodes"] if node["verdict"] != Verdict.MATCH.value]
    why = full["failure"] or failure
    entry = {
        "schema_version": "1.0",
        **minimal_entry(run.host, run.pool, why),
        "message": _short(as_line(message_of(full)), _MAX_FAILURE),
        "pool": _short(full["pool"]),
        "cluster": {name: _short(cluster.get(name)) for name in _CLUSTER_FIELDS},
        "verdict": _short(full["verdict"]),
        "counts": _short(full["summary"]),
        "pool_total": full["pool_total"],
        "left_out": full["left_out"],
        "build": {n: _short(build.get(n), _MAX_IMAGE) for n in _BUILD_FIELDS} if build else None,
        "containerfile": {n: _short(content.get(n)) for n in _CONTAINERFILE_FIELDS} if content else None,
        "rollout": _short(full["rollout"]),
        "forecast": _short_forecast(full["forecast"]) if full["forecast"] else None,
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
    why = _short(as_line(failure), _MAX_FAILURE) or None
    return {
        "schema_version": "1.0",
        "message": why,
        "host": _short(host),
        "pool": _short(pool) or None,
        "cluster": dict.fromkeys(_CLUSTER_FIELDS),
        "verdict": Verdict.UNKNOWN.value,
        "counts": None,
        "pool_total": None,
        "left_out": 0,
        "failure": why,
        "build": None,
        "containerfile": None,
        "rollout": None,
        "forecast": None,
        "account": None,
        "transport": None,
        "changed": [],
        "seconds": None,
        "reports": [],
        "unproven_nodes": [],
    }


def entries_without_report(hostvars: t.Mapping[str, t.Any], hosts: t.Iterable[str]) -> list[Result]:
    """Return the entries of failed runs that have no report, of all hosts of a play that have ended, each once."""
    found: list[Result] = []
    for host in hosts:
        entries = _entries_of(hostvars, host)
        found += [e for e in entries if e.get("failure") and not e.get("reports") and e not in found]
    return found


def entries_not_started(
    hostvars: t.Mapping[str, t.Any], active: t.Sequence[str], hosts: t.Iterable[str]
) -> list[Result]:
    """Return the entries of the hosts of later batches, if none of them starts because each host of a batch failed.

    :param active: the hosts of the batch of which no task has failed yet. They have published their results, and fail
        if these do
    :param hosts: all hosts of the play
    """
    if not all(any(entry.get("failure") for entry in _entries_of(hostvars, host)) for host in active):
        return []
    later = [host for host in hosts if host in hostvars and not _entries_of(hostvars, host)]
    return [minimal_entry(host, str(hostvars[host].get("image_mode_pool") or ""), _NOT_STARTED) for host in later]


def last_with_a_result(hostvars: t.Mapping[str, t.Any], hosts: t.Iterable[str]) -> str:
    """Return the last host of a play that has published its result. It is one of the latest batch."""
    return ([host for host in hosts if _entries_of(hostvars, host)] or [""])[-1]


def _entries_of(hostvars: t.Mapping[str, t.Any], host: str) -> t.Sequence[Result]:
    """Return what a host has published, or nothing if it has not yet."""
    published = (hostvars[host].get(REGISTERED_AS) or {}) if host in hostvars else {}
    return t.cast("t.Sequence[Result]", published.get("ansible_stats", {}).get("data", {}).get(PUBLISHED, ()))


def message_of(full: Result) -> str:
    """Return the result in one line."""
    if full["failure"]:
        return str(full["failure"])
    name = f"pool {full['pool']}" if full["pool"] else "all hosts"
    counts = full["summary"]
    if is_forecast(full):
        return f"{name}: forecast: {'; '.join(full['forecast']['lines'][:2])}"
    if full["verdict"] == _NO_NODES:
        return f"{name} has no nodes"
    if not counts:
        return f"{name}: not verified"
    return f"{name}: {counts['match']} of {counts['total']} nodes match"


def summary_lines(run: Run, full: Result, reports: t.Sequence[Result], check_mode: bool) -> list[str]:
    """Return the summary that ends the output of a run."""
    forecast = full["forecast"] or {}
    lines = [f"Forecast: {line}" for line in forecast["lines"]] if is_forecast(full) or forecast.get("complete") else []
    if is_forecast(full):
        return [*lines, f"Would change: {_changes(run.steps.changes)}", f"Time: {duration(run.seconds)}"]
    lines.append(f"Result: {'check mode: ' if check_mode else ''}{message_of(full)}")
    build = full["build"] or {}
    image = build.get("digested_image_push_spec")
    if image:
        how = " (seeded, not built from the Containerfile)" if build.get("seeded") else ""
        lines.append(f"Image: {image}{how}")
    lines += [f"Pool: {message}" for message in _pauses(full)]
    lines += [f"Node {line}" for line in node_lines(full["nodes"])]
    lines.append(f"{'Would change' if check_mode else 'Changed'}: {_changes(run.steps.changes)}")
    lines += [f"Report: {report['path']}" for report in reports]
    lines.append(f"Time: {duration(run.seconds)}")
    return lines


def _pauses(full: Result) -> list[str]:
    """Return the messages about paused pools."""
    return [str(f["message"]) for f in full["findings"] if f.get("id") == FindingId.POOL_UPDATES_PAUSED.value]


def is_forecast(full: Result) -> bool:
    """Return whether the run is a forecast of changes, so that it has no result."""
    return bool(full["forecast"]) and not full["forecast"]["complete"] and not full["failure"]


def _short_forecast(forecast: Result) -> dict[str, t.Any]:
    """Return a forecast whose size does not depend on the pool."""
    rollout = forecast["rollout"]
    order = [name for batch in rollout["batches"][:MAX_NODES] for name in batch]
    return {
        **{name: forecast[name] for name in ("complete", "changes", "pool", "machineosconfig")},
        "build": _short(forecast["build"]),
        "reboots": rollout["total"],
        "max_unavailable": _short(rollout["max_unavailable"]),
        "at_once": rollout["at_once"],
        "batches": len(rollout["batches"]),
        "first_nodes": [_short(name) for name in order[:_MAX_FIRST_NODES]],
        "findings": sorted({_short(finding["id"]) for finding in forecast["findings"]})[:_MAX_ENTRIES],
        "lines": [_short(line, _MAX_LINE) for line in forecast["lines"][:_MAX_LINES]],
    }


def _without_verification(steps: Steps) -> str:
    if steps.forecast and not steps.failure:
        return _NO_NODES
    rollout = steps.rollout.get("rollout") or {}
    return _NO_NODES if not steps.failure and rollout.get("total") == 0 else Verdict.UNKNOWN.value


def _unproven(node: Result) -> dict[str, t.Any]:
    texts = {"name": _short(node["name"]), "verdict": _short(node["verdict"])}
    return {**texts, "reason": _short(reason_of(node), _MAX_REASON)}


def _changes(changes: t.Sequence[str]) -> str:
    return listed(changes, _MAX_CHANGES) or "nothing"


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
    forecast = entry["forecast"] or {}
    for holder, name in [*((entry, name) for name in _LISTS), *((forecast, name) for name in _FORECAST_LISTS)]:
        while _size(entry) > MAX_BYTES and holder.get(name):
            holder[name].pop()
    for name in _DETAILS:
        if _size(entry) > MAX_BYTES:
            entry[name] = None
    return entry


def _size(entry: t.Mapping[str, t.Any]) -> int:
    return len(json.dumps(entry, default=str).encode("utf-8"))
