# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the name under which an image is pushed against the narrower rules of v1alpha1.

The API server enforces them with two messages, neither of which names the wrong part.
Source: docs/operator-behavior.md ("Limits of v1alpha1").
"""

from __future__ import annotations

import re

from ..registry.image_reference import parse_image
from .rejection import Rejection, quoted

_SERVICE = re.compile(r"[^.]+\.[^.]+\.svc:[0-9]+/[^/]+/[^/]+:[^/]+")
"""Name in a registry that is a Service, the only one with a port."""
_SERVICE_EXAMPLE = "image-registry.openshift-image-registry.svc:5000/NAMESPACE/NAME:TAG"
_TAG = re.compile(r"[a-zA-Z0-9.-]+")
_NAMESPACE = re.compile(r"[a-zA-Z0-9_-]{1,61}")


def reject_push_spec_in_v1alpha1(push_spec: str) -> Rejection | None:
    """Return why v1alpha1 does not accept a push spec that v1 accepts, or None."""
    try:
        image = parse_image(push_spec)
    except ValueError:
        return None  # rejected for every version
    if _SERVICE.fullmatch(push_spec):
        return None
    shown = quoted(push_spec)
    if ":" in image.host:
        reason = f"{shown} has a port, which v1alpha1 accepts only in the form {_SERVICE_EXAMPLE}"
        return Rejection(reason, "Use a registry without a port, or the internal registry")
    if not _TAG.fullmatch(image.tag):
        reason = f"{shown} has the tag {quoted(image.tag)}, and v1alpha1 accepts only letters, digits, . and - in a tag"
        return Rejection(reason, "Use another tag, such as :latest")
    wrong = next((part for part in image.path[:-1] if not _NAMESPACE.fullmatch(part)), None)
    if wrong is not None:
        reason = (
            f"{shown} has the namespace {quoted(wrong)}, and v1alpha1 accepts only letters, digits, _ and - in a "
            "namespace, at most 61"
        )
        return Rejection(reason, "Use another namespace of the registry")
    return None
