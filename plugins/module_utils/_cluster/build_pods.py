# SPDX-License-Identifier: GPL-3.0-or-later
"""The pods of a build's Job. They carry none of the build's labels, only their Job's (operator.md 2.3)."""

from __future__ import annotations

from .._errors import OperationError
from .._model.objects.resources import OPERATOR_NAMESPACE, POD, Object
from .._model.objects.subject import Subject
from .session import Session


def pods_subject(build: str) -> Subject:
    """Return what has to be watched to see the pods of a MachineOSBuild's Job."""
    return Subject(POD, OPERATOR_NAMESPACE, label_selector=f"job-name=build-{build}")


def pods_of_build(session: Session, build: str) -> list[Object] | None:
    """Return the pods of a MachineOSBuild's Job; None when they may not be read, because they only explain."""
    subject = pods_subject(build)
    try:
        return session.list(POD, subject.namespace, label_selector=subject.label_selector).items
    except OperationError:
        return None
