# SPDX-License-Identifier: GPL-3.0-or-later
"""Choose free loopback ports."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack, closing
from dataclasses import fields
from pathlib import Path

from lab.errors import LabError
from lab.facts import Ports

_LOWEST = 15000
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def choose_ports() -> Ports:
    """Return ports that are free now.

    They are below the range of the ports of outgoing connections, so that a restarted component finds its port free.
    Another program can still take a port before its component binds it; the start is then repeated with other ports.
    """
    names = [field.name for field in fields(Ports)]
    highest = int(_EPHEMERAL.read_text().split()[0]) - 1
    if highest - _LOWEST < 1000:
        highest = 65535
    candidates = random.sample(range(_LOWEST, highest + 1), 500)
    chosen: list[int] = []
    with ExitStack() as held:
        for port in candidates:
            if len(chosen) == len(names):
                break
            probe = held.enter_context(closing(socket.socket()))
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            chosen.append(port)
    if len(chosen) < len(names):
        raise LabError(f"Could not find {len(names)} free ports on 127.0.0.1. Stop what listens there.")
    return Ports(**dict(zip(names, chosen, strict=True)))
