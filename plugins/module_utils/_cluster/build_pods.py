# SPDX-License-Identifier: GPL-3.0-or-later
"""The pods of a build's Job. They carry none of the build's labels, only their Job's (operator.md 2.3)."""

from __future__ import annotations

from .._errors import Refused
from .._model.resources import OPERATOR_NAMESPACE, POD, Object
from .session import Session


def pods_of_build(session: Session, build: str) -> list[Object]:
    """Return the pods of a MachineOSBuild's Job; none when they may not be read, because they only explain."""
    try:
        return session.list(POD, OPERATOR_NAMESPACE, label_selector=f"job-name=build-{build}").items
    except Refused:
        return []
