# SPDX-License-Identifier: GPL-3.0-or-later
"""Read objects for a wait."""

from __future__ import annotations

import typing as t

from .._cluster.api_error import ApiError, Unreachable
from .._cluster.session import Session
from .._errors import OperationError
from .._model.objects.resources import Object
from .._model.objects.subject import Subject
from .._model.observation import ListResult, Need, ReadList, ReadObject, ReadResult


def read_objects(session: Session, need: Need[t.Any]) -> ReadResult | ListResult:
    """Return the result of a :class:`ReadObject` or :class:`ReadList` need.

    An object that may not be read is unknown, not missing.

    :raises TypeError: no source fetches this need
    """
    if isinstance(need, ReadList):
        return _list(session, need)
    if not isinstance(need, ReadObject):
        raise TypeError(f"no source fetches {type(need).__name__}")
    try:
        return ReadResult(_listed(session, need) if need.by_list else _found(session, need))
    except (OperationError, ApiError, Unreachable):
        return ReadResult(known=False)


def _list(session: Session, need: ReadList) -> ListResult:
    try:
        return ListResult(tuple(session.pages(Subject(need.kind, need.namespace, need.label_selector)).items))
    except (ApiError, Unreachable):
        return ListResult(known=False)


def _listed(session: Session, need: ReadObject) -> Object | None:
    subject = Subject(need.kind, need.namespace, field_selector=f"metadata.name={need.name}")
    return next(iter(session.pages(subject, is_patient=need.retried).items), None)


def _found(session: Session, need: ReadObject) -> Object | None:
    if need.retried:
        return session.find(need.kind, need.name, need.namespace)
    return session.found(need.kind, need.name, need.namespace)
