# SPDX-License-Identifier: GPL-3.0-or-later
"""A forecast in plain lines. Its length does not grow with the pool."""

from __future__ import annotations

import typing as t

from ..findings import Finding
from ..text import listed
from .forecast import RolloutForecast
from .forecast_build import BuildForecast, ExpectedBuild

MOST_BATCHES = 5
MOST_NAMES = 8
"""Names in one batch or list."""
MOST_FINDINGS = 5


def forecast_lines(
    build: BuildForecast, rollout: RolloutForecast, updating: t.Sequence[str], findings: t.Sequence[Finding]
) -> list[str]:
    """Return the forecast in lines."""
    lines = [build.line, *_deletion_lines(build)]
    if updating:
        lines.append(
            f"{_nodes(len(updating))} {_is(len(updating))} being updated already: {listed(updating, MOST_NAMES)}"
        )
    if rollout.total:
        lines.append(f"{_nodes(rollout.total)} would drain and reboot{_pace(rollout)}")
    elif not updating:
        lines.append("no node would reboot")
    if rollout.doubt:
        lines.append(rollout.doubt)
    lines += [
        f"{name} would follow when it is a candidate: now it {_state(why)}" for name, why in _first(rollout.later)
    ]
    lines += _more(len(rollout.later), MOST_NAMES, "nodes that are no candidates now")
    lines += [finding.message for finding in findings[:MOST_FINDINGS]]
    lines += _more(len(findings), MOST_FINDINGS, "findings")
    return lines


def nothing_happens(build: BuildForecast, rollout: RolloutForecast, updating: t.Sequence[str]) -> bool:
    """Whether everything is built and every node is done."""
    return build.expected is ExpectedBuild.NONE and not rollout.total and not updating


def _deletion_lines(build: BuildForecast) -> list[str]:
    if not build.deletions:
        return []
    names = listed(build.deletions, MOST_NAMES)
    if build.expected is ExpectedBuild.START:
        return [f"before the build these would be deleted, because an edit alone starts no build here: {names}"]
    return [f"these would be deleted, because a failed pod can mark the current build as failed: {names}"]


def _pace(rollout: RolloutForecast) -> str:
    if not rollout.order:
        return ""
    if not rollout.at_once:
        return f", but none can start now: {listed(rollout.order, MOST_NAMES)}"
    batches = rollout.batches
    shown = "; then ".join(listed(batch, MOST_NAMES) for batch in batches[:MOST_BATCHES])
    more = sum(len(batch) for batch in batches[MOST_BATCHES:])
    rest = f"; then {_nodes(more)} in {len(batches) - MOST_BATCHES} more batches" if more else ""
    return f", at most {rollout.at_once} at once: {shown}{rest}"


def _first(later: t.Mapping[str, str]) -> list[tuple[str, str]]:
    return list(later.items())[:MOST_NAMES]


def _state(why: str) -> str:
    return why if why.startswith("is ") else f"is {why}"


def _more(count: int, shown: int, what: str) -> list[str]:
    return [f"{count - shown} more {what}"] if count > shown else []


def _nodes(count: int) -> str:
    return "1 node" if count == 1 else f"{count} nodes"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"
