# SPDX-License-Identifier: GPL-3.0-or-later
"""The pods of a build's Job. They have the labels of the Job only, not those of the build.

See docs/operator-behavior.md ("Build Job and attempts").
"""

from __future__ import annotations

from .._errors import OperationError
from .._model.objects.resources import OPERATOR_NAMESPACE, POD, Object
from .._model.objects.subject import Subject
from .session import Session


def pods_subject(build: str) -> Subject:
    """Return the subject for the pods of a MachineOSBuild's Job."""
    return Subject(POD, OPERATOR_NAMESPACE, label_selector=f"job-name=build-{build}")


def pods_of_build(session: Session, build: str) -> list[Object] | None:
    """Return the pods of a MachineOSBuild's Job, or None if they may not be read."""
    subject = pods_subject(build)
    try:
        return session.list(POD, subject.namespace, label_selector=subject.label_selector).items
    except OperationError:
        return None
