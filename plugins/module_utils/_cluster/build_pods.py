# SPDX-License-Identifier: GPL-3.0-or-later
"""The pods of a build.

The pods of a Job have the labels of the Job only, not those of the build. Where the operator builds in single pods, the
labels of a pod differ between releases, and its name does not. See docs/operator-behavior.md ("Build Job and attempts",
"Builds in single pods").
"""

from __future__ import annotations

from .._errors import OperationError
from .._model.build.log_needs import BuildRun
from .._model.objects.resources import OPERATOR_NAMESPACE, POD, Object
from .._model.objects.subject import Subject
from .session import Session


def pods_subject(run: BuildRun) -> Subject:
    """Return the subject for the pods of a build."""
    if run.pod:
        return Subject(POD, OPERATOR_NAMESPACE, field_selector=f"metadata.name={run.pod}")
    return Subject(POD, OPERATOR_NAMESPACE, label_selector=f"job-name=build-{run.name}")


def pods_of_build(session: Session, run: BuildRun) -> list[Object] | None:
    """Return the pods of a build, or None if they may not be read."""
    subject = pods_subject(run)
    try:
        return session.list(POD, subject.namespace, subject.label_selector, subject.field_selector).items
    except OperationError:
        return None
