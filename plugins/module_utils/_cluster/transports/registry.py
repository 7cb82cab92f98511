# SPDX-License-Identifier: GPL-3.0-or-later
"""All transports by name, as in the option ``transport``. A new transport is one class and one entry here."""

from __future__ import annotations

import typing as t

from .host_connection import HostConnection
from .oc_debug import OcDebug
from .pod_exec import PodExec
from .reported_state import ReportedStates
from .selection import AutoSelection
from .transport import Access, Transport

TRANSPORTS: t.Mapping[str, type[Transport]] = {
    AutoSelection.OPTION: AutoSelection,
    PodExec.name: PodExec,
    OcDebug.name: OcDebug,
    HostConnection.name: HostConnection,
    ReportedStates.name: ReportedStates,
}


def create_transport(name: str, access: Access) -> Transport:
    """Return the transport of this name.

    :raises OperationError: the transport needs other means of access
    """
    return TRANSPORTS[name].create(access)
