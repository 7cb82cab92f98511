# SPDX-License-Identifier: GPL-3.0-or-later
"""Check before a build that the namespace exists to which it pushes in the internal image registry."""

from __future__ import annotations

from .._cluster.session import Session
from .._errors import OperationError
from .._model.objects.resources import NAMESPACE
from .._model.preflight.push_namespace import namespace_to_check, reject_missing_namespace
from .._model.preflight.rejection import Rejection


def check_push_namespace(session: Session, push_spec: str) -> Rejection | None:
    """Return why no build can push, or None. A namespace that may not be read is not rejected.

    One request, and none for a registry outside of the cluster or for the namespace of the operator.
    """
    namespace = namespace_to_check(push_spec)
    if not namespace:
        return None
    try:
        found = session.find(NAMESPACE, namespace)
    except OperationError:
        return None
    return reject_missing_namespace(push_spec, namespace) if found is None else None
