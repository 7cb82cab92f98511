# SPDX-License-Identifier: GPL-3.0-or-later
"""How does a wait go through its window, and how does it end?

The same for all waits: look when something changed, return when there is an end or something to tell, and end with what
was waited for, with a finding, or because the time is over or nothing moves.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._cluster.cluster_identity import read_cluster
from .._cluster.session import Session
from .._errors import OperationError
from .._model.findings import Finding
from .._model.observation import Outcome
from .._result import findings_result, result
from .window import Window

_TOLD_AT = "told_at"
"""Under which name a wait remembers when it told something."""


@dataclass(frozen=True)
class Look:
    """What a wait makes of the objects at one moment."""

    outcome: Outcome
    """FAILED comes with the finding that says so."""
    line: str
    """Where it stands, for people; another line is news."""
    mark: str
    """Stands for where everything is. It changes with what counts as a movement, and with nothing else."""
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Pace:
    """How often is looked, and how often is told, in seconds."""

    least: float = 0.0
    """Between two looks, even when something changes."""
    most: float = 1.0
    """Until the next look when nothing changes: some findings come with time alone."""
    news: float = 0.0
    """Between two changes of the line that are told. An end, a new finding and an outage are told at once."""


def follow(window: Window, judge: t.Callable[[], Look], pace: Pace, check_mode: bool) -> Look | None:
    """Look through the window until there is an end or something to tell, and return the last look.

    None means that the objects were not all there before the window was over.
    """
    look: Look | None = None
    stale = True
    looked_at = 0.0
    news_at = min(window.memory.get(_TOLD_AT, 0.0), window.now()) + pace.news
    for changed in window.moments():
        stale = stale or changed
        differs = look is not None and window.line(look.line) != window.told
        held_back = differs and window.now() >= news_at
        passed = abs(window.now() - looked_at)
        if not held_back and passed < (pace.least if stale else pace.most):
            continue
        looked_at, stale = window.now(), False
        look = judge()
        if _is_told(window, look, check_mode, window.now() >= news_at):
            return look
    if stale and window.complete:
        look = judge()
        _is_told(window, look, check_mode, in_time=True)
    return look


def _is_told(window: Window, look: Look, check_mode: bool, in_time: bool) -> bool:
    """Take a look down, and tell whether the window is over with it."""
    window.saw(look.mark)
    is_new = window.learns(look.findings)
    line = window.line(look.line)
    if check_mode or _is_over(window, look):
        line = look.line
    elif window.unread:
        # To a call that knows of no call before, all is news: each would end at once, and the next begin at once.
        window.told = line
        return False
    elif not is_new and (line == window.told or not (window.outage or in_time)):
        return False
    window.told = line
    window.memory[_TOLD_AT] = window.now()
    return True


def conclude(
    session: Session,
    window: Window,
    what: str,
    look: Look | None,
    check_mode: bool,
    parts: t.Mapping[str, t.Any],
) -> dict[str, t.Any]:
    """Return the result of a window, or fail with it when the wait is over without what was waited for.

    :param what: what is waited for, for the refusal
    :param parts: what this wait's results have besides
    :raises OperationError: a finding ends the wait, its time is over, or nothing has moved for too long
    """
    ending = window.ending(look.findings) if look and not check_mode else None
    succeeded = look is not None and look.outcome is Outcome.SUCCEEDED
    failed = look is not None and look.outcome is Outcome.FAILED and ending is not None
    late = not (check_mode or succeeded or ending) and (window.timed_out or window.stalled)
    done = result(
        session.api_url,
        read_cluster(session) if check_mode or succeeded or ending or late else None,
        finished=check_mode or succeeded or failed,
        **parts,
        findings=findings_result(look.findings if look else ()),
        progress=window.progress,
        elapsed=int(window.elapsed),
        cursor=window.cursor(),
    )
    if ending and not succeeded:
        raise OperationError(what, ending.message, ending.remedy, done)
    if late:
        raise _too_late(window, what, look).having(done)
    return done


def _is_over(window: Window, look: Look) -> bool:
    return look.outcome is Outcome.SUCCEEDED or window.ending(look.findings) is not None or window.stalled


def _too_late(window: Window, what: str, look: Look | None) -> OperationError:
    limits = window.limits
    state = window.outage or (look.line if look else "") or window.told or "nothing is known of it"
    if window.timed_out:
        reason, remedy = f"not done after {limits.timeout:g} s ({state})", "Raise timeout"
    else:
        reason, remedy = f"nothing has moved for {limits.stall_timeout:g} s ({state})", "Raise stall_timeout"
    if look is None or not look.findings:
        return OperationError(what, reason, remedy)
    finding = look.findings[0]
    return OperationError(what, reason if finding.message in reason else f"{reason}: {finding.message}", finding.remedy)
