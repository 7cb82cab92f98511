# SPDX-License-Identifier: GPL-3.0-or-later
"""Read one object for a wait."""

from __future__ import annotations

import typing as t

from .._cluster.api_error import ApiError, Unreachable
from .._cluster.session import Session, selectors
from .._errors import OperationError
from .._model.objects.resources import Object
from .._model.observation import Need, ReadObject, ReadResult


def read_object(session: Session, need: Need[t.Any]) -> ReadResult:
    """Return the result of a :class:`ReadObject` need. An object that may not be read is unknown, not missing.

    :raises TypeError: no source fetches this need
    """
    if not isinstance(need, ReadObject):
        raise TypeError(f"no source fetches {type(need).__name__}")
    try:
        return ReadResult(_listed(session, need) if need.by_list else _found(session, need))
    except (OperationError, ApiError, Unreachable):
        return ReadResult(known=False)


def _listed(session: Session, need: ReadObject) -> Object | None:
    query = selectors("", f"metadata.name={need.name}")
    path = need.kind.path(namespace=need.namespace)
    return next(iter(session.pages(path, query, is_patient=need.retried).items), None)


def _found(session: Session, need: ReadObject) -> Object | None:
    if need.retried:
        return session.find(need.kind, need.name, need.namespace)
    try:
        return session.request_once("GET", need.kind.path(need.name, need.namespace))
    except ApiError as error:
        if error.status == 404 and not error.not_served:
            return None
        raise
