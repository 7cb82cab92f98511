# SPDX-License-Identifier: GPL-3.0-or-later
"""A namespace of our own for one run's debug pods, and the sweep of those that dead runs left.

One is swept when it is ours (label and annotation) and its run is over for certain: its process is one of this machine
and gone, or its lifetime is over, by the clock of the API server, which stamped both it and the namespace of the run
that looks. So a run that goes on elsewhere is never disturbed, whatever the clocks of the controllers say.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
import typing as t
from datetime import datetime, timedelta
from pathlib import Path

from .._errors import Refused
from .._model.resources import (
    CREATED_BY,
    NAMESPACE,
    OURS,
    OWN_PREFIX,
    SERVICE_ACCOUNT,
    Object,
    annotations_of,
    is_ours,
    metadata_of,
)
from .session import Session

LABEL = OWN_PREFIX + "debug-run"
_LIFETIME = OWN_PREFIX + "lifetime"
_PROCESS = OWN_PREFIX + "process"
_POD_SECURITY = "pod-security.kubernetes.io/"
_READY_WITHIN = 30.0
_ENDED = ("Z", "X")
"""How the kernel marks a process that is over and has not been reaped."""


@contextlib.contextmanager
def debug_namespace(session: Session, lifetime: float) -> t.Iterator[str]:
    """Yield the name of a new namespace in which privileged pods may run, and remove it whatever happens.

    Before that, the namespaces of dead runs are removed.

    :param lifetime: seconds after which the run is over for certain
    :raises Refused: it cannot be created
    """
    created = session.create(NAMESPACE, _namespace(lifetime))
    meta = metadata_of(created)
    name = str(meta["name"])
    try:
        _sweep(session, created)
        _await_account(session, name)
        yield name
    finally:
        session.delete(NAMESPACE, name, uid=str(meta["uid"]))


def _namespace(lifetime: float) -> Object:
    privileged = {_POD_SECURITY + mode: "privileged" for mode in ("enforce", "audit", "warn")}
    return {
        "apiVersion": NAMESPACE.api_version,
        "kind": NAMESPACE.name,
        "metadata": {
            "name": f"imagemode-debug-{secrets.token_hex(5)}",
            "labels": {LABEL: "true", **privileged, "security.openshift.io/scc.podSecurityLabelSync": "false"},
            "annotations": {
                CREATED_BY: OURS,
                _LIFETIME: str(int(lifetime) + 1),
                _PROCESS: this_process(),
                # Without it the cluster's default node selector would keep pods off some nodes.
                "openshift.io/node-selector": "",
            },
        },
    }


def _sweep(session: Session, own: Object) -> None:
    """Remove what dead runs left; what cannot be removed now is left to the next run."""
    with contextlib.suppress(Refused):
        for other in session.list(NAMESPACE, label_selector=f"{LABEL}=true").items:
            meta = metadata_of(other)
            if meta["uid"] != metadata_of(own)["uid"] and not meta.get("deletionTimestamp") and is_dead(other, own):
                session.delete(NAMESPACE, str(meta["name"]), uid=str(meta["uid"]))


def is_dead(other: Object, own: Object) -> bool:
    """Whether a namespace is of a run of ours that is over for certain."""
    return is_ours(other) and (_process_is_gone(annotations_of(other).get(_PROCESS, "")) or _is_over(other, own))


def _is_over(other: Object, own: Object) -> bool:
    try:
        began, now = (_moment(metadata_of(each)["creationTimestamp"]) for each in (other, own))
        return began + timedelta(seconds=int(annotations_of(other)[_LIFETIME])) < now
    except (KeyError, ValueError, OverflowError):
        return False


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def this_process() -> str:
    """Return what tells this process from all others: the boot, the process namespace, its number and its start."""
    return "/".join((*_machine(), str(os.getpid()), _started(os.getpid())))


def _process_is_gone(process: str) -> bool:
    boot, dummy, rest = process.partition("/")
    space, dummy, rest = rest.partition("/")
    number, dummy, started = rest.partition("/")
    if not (number.isascii() and number.isdigit() and started) or (boot, space) != _machine():
        return False
    return _started(int(number)) != started


def _machine() -> tuple[str, str]:
    """The boot and the process namespace that we are in; where the system does not say, one that nobody else is in."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return boot, os.readlink("/proc/self/ns/pid")
    except OSError:
        return "", secrets.token_hex(8)


def _started(process: int) -> str:
    """When a process started, in the kernel's ticks; empty where there is none."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    state, *rest = stat.rpartition(")")[2].split()
    return "" if state in _ENDED else rest[18]


def _await_account(session: Session, namespace: str) -> None:
    """Wait until pods can be created: the account that they run as is made after the namespace."""
    deadline = time.monotonic() + _READY_WITHIN
    while session.find(SERVICE_ACCOUNT, "default", namespace) is None:
        if time.monotonic() > deadline:
            raise Refused(
                f"use Namespace {namespace}",
                "its ServiceAccount default is not made",
                "See whether kube-controller-manager works",
            )
        session.sleep(0.2)
