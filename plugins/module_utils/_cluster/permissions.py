# SPDX-License-Identifier: GPL-3.0-or-later
"""What may the account do? The API server is asked, so that nothing has to be tried."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._model.objects.resources import SELF_SUBJECT_ACCESS_REVIEW
from .api_error import ApiError, Unreachable
from .session import Session


@dataclass(frozen=True)
class Right:
    """One verb on one resource of a namespace."""

    verb: str
    resource: str
    namespace: str

    def __str__(self) -> str:
        return f"{self.verb} {self.resource} in namespace {self.namespace}"


def missing_rights(session: Session, rights: t.Iterable[Right]) -> list[Right]:
    """Return the rights that the API server says the account does not have: one request each.

    What it does not answer counts as a right that is there; the attempt will show.
    """
    return [right for right in rights if _is_denied(session, right)]


def _is_denied(session: Session, right: Right) -> bool:
    resource, dummy, subresource = right.resource.partition("/")
    wanted = {"namespace": right.namespace, "verb": right.verb, "resource": resource, "subresource": subresource}
    kind = SELF_SUBJECT_ACCESS_REVIEW
    body = {"apiVersion": kind.api_version, "kind": kind.name, "spec": {"resourceAttributes": wanted}}
    try:
        review = session.request("POST", kind.path(), body=body)
    except (ApiError, Unreachable):
        return False
    return (review.get("status") or {}).get("allowed") is False
