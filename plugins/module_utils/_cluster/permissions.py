# SPDX-License-Identifier: GPL-3.0-or-later
"""Check permissions of the account with SelfSubjectAccessReviews."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._model.objects.resources import SELF_SUBJECT_ACCESS_REVIEW
from .api_error import ApiError, Unreachable
from .session import Session


@dataclass(frozen=True)
class Right:
    """The permission for one verb on one resource in a namespace."""

    verb: str
    resource: str
    namespace: str
    """Empty for resources of the cluster."""
    group: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}" + (f" in namespace {self.namespace}" if self.namespace else "")


def missing_rights(session: Session, rights: t.Iterable[Right]) -> list[Right]:
    """Return the rights that the account does not have, according to the API server. One request per right.

    A review that fails counts as a right that the account has, because the operation itself will show.
    """
    return [right for right in rights if _is_denied(session, right)]


def _is_denied(session: Session, right: Right) -> bool:
    resource, dummy, subresource = right.resource.partition("/")
    wanted = {"namespace": right.namespace, "verb": right.verb, "resource": resource, "subresource": subresource}
    if right.group:
        wanted["group"] = right.group
    kind = SELF_SUBJECT_ACCESS_REVIEW
    body = {"apiVersion": kind.api_version, "kind": kind.name, "spec": {"resourceAttributes": wanted}}
    try:
        review = session.request("POST", kind.path(), body=body)
    except (ApiError, Unreachable):
        return False
    return (review.get("status") or {}).get("allowed") is False
