# SPDX-License-Identifier: GPL-3.0-or-later
"""Read which cluster a session is connected to, and as which account."""

from __future__ import annotations

from .._model.objects.release import desired_version
from .._model.objects.resources import CLUSTER_VERSION, INFRASTRUCTURE, SELF_SUBJECT_REVIEW
from .session import Session


def read_cluster(session: Session) -> dict[str, str | None]:
    """Return id, name and version of the cluster. A field is None if the account may not read it. Two requests."""
    version = session.peek(CLUSTER_VERSION, "version") or {}
    infrastructure = session.peek(INFRASTRUCTURE, "cluster") or {}
    return {
        "id": (version.get("spec") or {}).get("clusterID"),
        "name": (infrastructure.get("status") or {}).get("infrastructureName"),
        "version": desired_version(version) or None,
    }


def read_account(session: Session) -> str | None:
    """Return the user name of the account, or None if the API server does not report it. One request."""
    review = session.review(SELF_SUBJECT_REVIEW) or {}
    user = (review.get("status") or {}).get("userInfo") or {}
    return user.get("username") or None
