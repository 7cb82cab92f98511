# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a wait for one window: observe, fetch what an observation needs, report progress, end the wait.

The loop is the same for all waits. See ``_model/observation.py`` for the contract.
"""

from __future__ import annotations

import typing as t

from .._cluster.cluster_identity import read_cluster
from .._errors import OperationError
from .._model.observation import Need, Observation, Outcome, Pace, WatchObjects
from .._result import findings_result, result
from .fetch import read_objects
from .window import Window

S = t.TypeVar("S")
Obs = t.TypeVar("Obs", bound=Observation)

Results = dict[Need[t.Any], t.Any]
_MAX_ROUNDS = 20
"""Greatest number of observations in a row that may need more."""


class NeedSource(t.Protocol):
    """Fetches the needs of one subject area, such as the logs of builds."""

    def fetch(self, need: Need[t.Any]) -> t.Any:
        """Return the result of a need that is read once. None if the need belongs to another source."""

    def keep(self, needs: t.Sequence[Need[t.Any]]) -> None:
        """Keep up the needs among these that belong to this source, and no other."""

    def results(self) -> t.Mapping[Need[t.Any], t.Any]:
        """Return the present results of the needs that are kept up."""


def run(window: Window[S, Obs], sources: t.Sequence[NeedSource], check_mode: bool) -> Obs | None:
    """Observe until the wait ends or there is something to report. Return the last observation.

    None means that not all subjects were listed before the window was over.

    :raises OperationError: an observation has an error
    """
    last: Obs | None = None
    pace = Pace()
    is_stale = True
    observed_at = 0.0
    for changed in window.moments():
        is_stale = is_stale or changed
        is_due = last is not None and window.line(last.progress) != window.reported and _may_report(window, pace)
        passed = abs(window.now() - observed_at)
        if not is_due and passed < (pace.shortest if is_stale else pace.longest):
            continue
        observed_at, is_stale = window.now(), False
        last = observe(window, sources, check_mode)
        pace = last.pace
        if _is_reported(window, last, check_mode, _may_report(window, pace)):
            return last
    if is_stale and window.complete:
        last = observe(window, sources, check_mode)
        _is_reported(window, last, check_mode, may_report=True)
    return last


def wait_result(
    window: Window[S, Obs],
    last: Obs | None,
    check_mode: bool,
    parts: t.Mapping[str, t.Any],
    at_end: t.Callable[[], t.Mapping[str, t.Any]] = dict,
) -> dict[str, t.Any]:
    """Return the result of a window, or raise an error if the wait failed.

    :param last: the last observation
    :param parts: what the results of this wait contain in addition
    :param at_end: returns what only the last result contains, because it is large
    :raises OperationError: a finding ends the wait, its timeout is over, or it made no progress for too long
    """
    ending = window.ending(last) if last and not check_mode else None
    succeeded = last is not None and last.outcome is Outcome.SUCCEEDED
    failed = last is not None and last.outcome is Outcome.FAILED and ending is not None
    is_late = not (check_mode or succeeded or ending) and (window.timed_out or window.stalled)
    is_over = check_mode or succeeded or ending or is_late
    done = result(
        window.session.api_url,
        read_cluster(window.session) if is_over else None,
        finished=check_mode or succeeded or failed,
        **parts,
        **(at_end() if is_over else {}),
        findings=findings_result(last.findings if last else ()),
        progress=window.progress_line,
        elapsed=int(window.elapsed),
        cursor=window.cursor(),
    )
    if ending and not succeeded:
        raise OperationError(window.wait.goal, ending.message, ending.remedy, done)
    if is_late:
        raise _late(window, last).having(done)
    return done


def observe(window: Window[S, Obs], sources: t.Sequence[NeedSource], check_mode: bool) -> Obs:
    """Return an observation that has all that it needs.

    :raises OperationError: the observation has an error
    """
    results: Results = {need: value for source in sources for need, value in source.results().items()}
    for dummy in range(_MAX_ROUNDS):
        window.state, last = window.wait.observe(window.snapshot(results), window.state, window.now())
        if last.error:
            raise OperationError(window.wait.goal, last.error.reason, last.error.remedy)
        missing = [need for need in last.needs if (need.once or check_mode) and need not in results]
        if not missing:
            break
        _fetch(window, sources, missing, results)
    if not check_mode:
        window.watch_also(need.subject for need in last.needs if isinstance(need, WatchObjects))
        for source in sources:
            source.keep(last.needs)
    return last


def _fetch(
    window: Window[S, Obs], sources: t.Sequence[NeedSource], needs: t.Sequence[Need[t.Any]], results: Results
) -> None:
    """Fetch needs, and add them to the results. In check mode, what would be watched is read once."""
    watched = [need for need in needs if isinstance(need, WatchObjects)]
    window.read_once(need.subject for need in watched)
    results.update(dict.fromkeys(watched))
    for need in needs:
        if need in results:
            continue
        found = (source.fetch(need) for source in sources)
        value = next((value for value in found if value is not None), None)
        results[need] = read_objects(window.session, need) if value is None else value


def _may_report(window: Window[S, Obs], pace: Pace) -> bool:
    return window.now() >= window.progress.reported_at + pace.report_interval


def _is_reported(window: Window[S, Obs], last: Obs, check_mode: bool, may_report: bool) -> bool:
    """Record an observation. Return whether the window ends with it."""
    is_new = window.record(last)
    line = window.line(last.progress)
    if check_mode or _is_over(window, last):
        line = last.progress
    elif window.unread:
        # Without a cursor everything is new: each call would end at once, and the next would start at once.
        window.keep_line(line)
        return False
    elif not is_new and (line == window.reported or not (window.outage or may_report)):
        return False
    window.report(line)
    return True


def _is_over(window: Window[S, Obs], last: Obs) -> bool:
    return last.outcome is Outcome.SUCCEEDED or window.ending(last) is not None or window.stalled


def _late(window: Window[S, Obs], last: Obs | None) -> OperationError:
    limits = window.limits
    state = window.outage or (last.progress if last else "") or window.reported or "nothing was read yet"
    if window.timed_out:
        reason, remedy = f"not done after {limits.timeout:g} s ({state})", "Raise timeout"
    else:
        reason, remedy = f"no progress for {limits.stall_timeout:g} s ({state})", "Raise stall_timeout"
    if last is None or not last.findings:
        return OperationError(window.wait.goal, reason, remedy)
    finding = last.findings[0]
    reason = reason if finding.message in reason else f"{reason}: {finding.message}"
    return OperationError(window.wait.goal, reason, finding.remedy)
