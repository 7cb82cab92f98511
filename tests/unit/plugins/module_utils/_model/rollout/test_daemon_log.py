# SPDX-License-Identifier: GPL-3.0-or-later
"""The cause of a failed update in the log of the daemon (OpenShift 4.16 and 4.17)."""

from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import FindingId
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.node import NodeState
from ansible_collections.imagemode.openshift.plugins.module_utils._model.observation import Snapshot
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.daemon_log import (
    MOST_READ,
    READ_INTERVAL,
    ReadDaemonLog,
    cause_in,
    read_daemon_logs,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.history import RolloutHistory
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import image_of, node

IMAGE = image_of("a")
REASON = f"Failed to update OS to {IMAGE} after retries: timed out waiting for the condition"
DENIED = "Creating importer: Failed to invoke skopeo proxy method OpenImage: remote error: unauthorized: access denied"
NO_HISTORY = RolloutHistory()


def failed_try(error: str = DENIED, image: str = IMAGE, minute: int = 1) -> str:
    """Return what the daemon writes to its log after a failed try."""
    command = f"rpm-ostree rebase --experimental ostree-unverified-registry:{image}"
    return (
        f"I0812 12:{minute:02d}:00.000001    2541 rpm-ostree.go:88] Executing rebase to {image}\n"
        f"W0812 12:{minute:02d}:01.123456    2541 update.go:2345] Failed to update OS to {image} (will retry): "
        f"error running {command}: error: {error}\n: exit status 1\n"
    )


def degraded(name: str = "worker-0", reason: str = REASON, state: str = "Degraded") -> NodeState:
    notes = {"state": state, "reason": reason, "desiredImage": IMAGE}
    return NodeState.from_api(node(name, annotations=notes))


def test_error_of_the_last_try_is_the_cause() -> None:
    log = failed_try("manifest unknown") + failed_try(minute=2) + "I0812 12:03:00.000001    2541 daemon.go:1] waiting\n"
    cause = cause_in(log, IMAGE)
    assert cause is not None
    assert (cause.finding, cause.error) == (FindingId.NODE_IMAGE_PULL_DENIED, "unauthorized: access denied")


def test_message_without_a_header_is_read() -> None:
    log = "\n".join(line.partition("] ")[2] or line for line in failed_try().splitlines())
    cause = cause_in(log, IMAGE)
    assert cause is not None
    assert cause.finding is FindingId.NODE_IMAGE_PULL_DENIED


def test_error_that_a_retry_prints_is_not_the_cause() -> None:
    log = failed_try("Source image rejected: A signature was required") + failed_try("Old and new refs are equal: x")
    cause = cause_in(log, IMAGE)
    assert cause is not None
    assert cause.finding is FindingId.NODE_IMAGE_REJECTED


def test_error_of_several_lines_is_read_to_its_end() -> None:
    log = failed_try("Pulling manifest\nerror: manifest unknown: was deleted or has expired")
    cause = cause_in(log, IMAGE)
    assert cause is not None
    assert cause.finding is FindingId.NODE_IMAGE_NOT_FOUND


@pytest.mark.parametrize(
    "log",
    [
        "",
        failed_try(image=image_of("b")),
        "W0812 12:01:01.123456    2541 update.go:1] Something else failed\n",
        DENIED,
    ],
    ids=["empty", "another image", "another message", "no message"],
)
def test_log_without_the_error_of_a_try_tells_no_cause(log: str) -> None:
    assert cause_in(log, IMAGE) is None


def test_log_of_a_failed_node_is_read_and_its_cause_kept() -> None:
    need = ReadDaemonLog("worker-0")
    history, read_at, needs = read_daemon_logs(Snapshot(watched=5.0), [degraded()], NO_HISTORY, {})
    assert (history, read_at, needs) == (NO_HISTORY, {}, (need,))
    snapshot = Snapshot(results={need: failed_try()}, watched=5.0)
    history, read_at, needs = read_daemon_logs(snapshot, [degraded()], NO_HISTORY, {})
    assert read_at == {"worker-0": 5.0}
    failure = history.of("worker-0").failure
    assert failure is not None
    assert failure.finding is FindingId.NODE_IMAGE_PULL_DENIED
    later = Snapshot(watched=5.0 + READ_INTERVAL - 1)
    assert read_daemon_logs(later, [degraded()], history, read_at) == (history, read_at, ())
    again = Snapshot(watched=5.0 + READ_INTERVAL)
    assert read_daemon_logs(again, [degraded()], history, read_at)[2] == (need,)


def test_log_is_read_while_the_daemon_tries_again() -> None:
    assert read_daemon_logs(Snapshot(), [degraded(state="Working")], NO_HISTORY, {})[2] == (ReadDaemonLog("worker-0"),)


@pytest.mark.parametrize(
    "state",
    [
        degraded(reason="", state="Working"),
        degraded(reason="", state="Degraded"),
        degraded(reason=f"failed to update OS to {IMAGE}: error: {DENIED}"),
        degraded(state="Done"),
    ],
    ids=["working", "no reason", "reason with its cause", "done"],
)
def test_log_is_not_read_without_need(state: NodeState) -> None:
    assert read_daemon_logs(Snapshot(), [state], NO_HISTORY, {"worker-0": 0.0}) == (NO_HISTORY, {}, ())


def test_log_is_not_read_during_an_outage() -> None:
    assert read_daemon_logs(Snapshot(outage="connection refused"), [degraded()], NO_HISTORY, {})[2] == ()


def test_number_of_logs_that_are_read_at_once_is_limited() -> None:
    nodes = [degraded(f"worker-{number:02d}") for number in range(MOST_READ + 2)]
    first = read_daemon_logs(Snapshot(watched=100.0), nodes, NO_HISTORY, {"worker-00": 1.0})[2]
    assert [need.node for need in first] == [f"worker-{number:02d}" for number in range(1, MOST_READ + 1)]
