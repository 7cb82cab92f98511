# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch what a wait needs of the logs of a build."""

from __future__ import annotations

import typing as t

from .._cluster.build_pods import pods_of_build
from .._cluster.logs import BuildLogs
from .._cluster.session import Session
from .._model.build.attempts import attempts
from .._model.build.log_needs import FinishedLogs, FinishLogs, FollowLogs, ReadLogText
from .._model.observation import Need


class BuildLogSource:
    """The source of the needs in ``_model/build/log_needs.py``."""

    def __init__(self, session: Session, logs: BuildLogs) -> None:
        self._session = session
        self._logs = logs
        self._followed: FollowLogs | None = None

    def fetch(self, need: Need[t.Any]) -> t.Any:
        """Return the result of a need that is read once. None if it does not concern logs."""
        if isinstance(need, FinishLogs):
            return self._finish(need)
        if isinstance(need, ReadLogText):
            return self._logs.text(need.attempt, need.container)
        return None

    def keep(self, needs: t.Sequence[Need[t.Any]]) -> None:
        """Follow the logs of the named build. They are followed until another build is named, or the window ends."""
        for need in needs:
            if isinstance(need, FollowLogs):
                self._followed = need
                self._logs.follow(need.run)

    def results(self) -> t.Mapping[Need[t.Any], t.Any]:
        """Return the progress of the logs that are followed."""
        return {self._followed: self._logs.progress()} if self._followed else {}

    def _finish(self, need: FinishLogs) -> FinishedLogs:
        pods = pods_of_build(self._session, need.run)
        self._logs.take(need.run)
        self._logs.read_out(pods, need.seconds)
        return FinishedLogs(self._logs.progress(), tuple(attempts(pods or [], need.run.created)))
