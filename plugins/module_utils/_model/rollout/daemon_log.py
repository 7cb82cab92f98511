# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the cause of a failed update in the log of the node's machine-config-daemon.

On OpenShift 4.16 and 4.17 the reason on the node only reports that all tries failed. The error of each try is in the
log of the daemon. See docs/operator-behavior.md ("Node annotations and states").
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ..findings import FindingId
from ..node_failure import NodeFailure, failure_of
from ..objects.node import NodeState
from ..observation import Need, Snapshot
from .history import RolloutHistory

READ_INTERVAL = 60.0
"""Seconds between two reads of the log of one daemon, which may report another error by then."""
MOST_READ = 5
"""Number of logs that are read for one observation."""
LOG_LINES = 400
"""Lines at the end of a log that are read. Five tries of an update write far fewer."""
_LONGEST_ERROR_LINES = 20
_HEADER = re.compile(r"[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ [^\]]{1,100}\] ?")
"""Beginning of each message in the log of the daemon."""
_BEGINNING = "Failed to update OS to "
_TRY_FAILED = re.compile(rf"{_BEGINNING}(\S+) \(will retry\): (.*)", re.DOTALL)


@dataclass(frozen=True)
class ReadDaemonLog(Need[str]):
    """Read the end of the log of the daemon on a node. The result is empty if it cannot be read."""

    node: str


def read_daemon_logs(
    snapshot: Snapshot, nodes: t.Iterable[NodeState], history: RolloutHistory, read_at: t.Mapping[str, float]
) -> tuple[RolloutHistory, t.Mapping[str, float], tuple[ReadDaemonLog, ...]]:
    """Return the history with the causes in the logs, and which logs have to be read.

    :param nodes: the nodes whose daemon may report a failure without its cause
    :param read_at: name of a node -> when its log was read last, in watched seconds (``Snapshot.watched``)
    """
    failed = [node for node in nodes if _has_failed_without_cause(node)]
    last_read = {node.name: read_at[node.name] for node in failed if node.name in read_at}
    due = [n for n in failed if snapshot.watched - last_read.get(n.name, -READ_INTERVAL) >= READ_INTERVAL]
    due.sort(key=lambda node: last_read.get(node.name, -READ_INTERVAL))
    needs = []
    for node in () if snapshot.outage else due[:MOST_READ]:
        need = ReadDaemonLog(node.name)
        needs.append(need)
        log = snapshot.result(need)
        if log is None:
            continue
        last_read[node.name] = snapshot.watched
        cause = cause_in(log, node.desired_image)
        if cause is not None:
            history = history.with_failure(node.name, cause)
    return history, last_read, tuple(needs)


def cause_in(log: str, image: str) -> NodeFailure | None:
    """Return the failure of the latest try to update to an image that names its cause, or None."""
    for message in reversed(_messages(log)):
        failed_try = _TRY_FAILED.match(message)
        if failed_try is None or image not in failed_try.group(1):
            continue
        failure = failure_of(f"failed to update OS to {image}: {failed_try.group(2)}")
        if failure.names_cause:
            return failure
    return None


def _has_failed_without_cause(node: NodeState) -> bool:
    """Whether the reason tells no cause. The daemon keeps the reason while it tries again."""
    has_failed = node.degraded or node.state == "Working"
    return has_failed and failure_of(node.reason).finding is FindingId.NODE_CAUSE_IN_LOG


def _messages(log: str) -> list[str]:
    """Return the messages of a log without their headers. The error of a program can have several lines."""
    messages: list[list[str]] = []
    for line in log.splitlines():
        header = _HEADER.match(line)
        text = line[header.end() :] if header else line
        if header or text.startswith(_BEGINNING):
            messages.append([text])
        elif messages and len(messages[-1]) < _LONGEST_ERROR_LINES:
            messages[-1].append(line)
    return ["\n".join(lines) for lines in messages]
