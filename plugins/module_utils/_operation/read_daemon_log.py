# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch what the wait for a rollout needs of the logs of the machine-config-daemons."""

from __future__ import annotations

import typing as t

from .._cluster.api_error import ApiError, Unreachable
from .._cluster.daemon_pods import CONTAINER, newest_daemon_pod
from .._cluster.log_text import read_log
from .._cluster.session import Session
from .._model.observation import Need
from .._model.rollout.daemon_log import LOG_LINES, ReadDaemonLog


class DaemonLogSource:
    """The source of the need in ``_model/rollout/daemon_log.py``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def fetch(self, need: Need[t.Any]) -> t.Any:
        """Return the end of a log. Empty if it cannot be read, None if the need concerns no log of a daemon."""
        if not isinstance(need, ReadDaemonLog):
            return None
        try:
            pod = newest_daemon_pod(self._session, need.node)  # pods of the daemon are replaced during a rollout
            return read_log(self._session, pod, CONTAINER, LOG_LINES) if pod else ""
        except (ApiError, Unreachable):
            return ""

    def keep(self, needs: t.Sequence[Need[t.Any]]) -> None:
        """Keep up nothing: a log is read once."""

    def results(self) -> t.Mapping[Need[t.Any], t.Any]:
        """Return no results, because nothing is kept up."""
        return {}
