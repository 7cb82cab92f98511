# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the namespace of an image that is pushed to the internal image registry of the cluster.

That registry keeps an image as an ImageStream in the namespace of the image, and creates no namespace. The build would
run to its end and could not push.
"""

from __future__ import annotations

from ..objects.resources import OPERATOR_NAMESPACE
from ..registry.image_reference import parse_image
from .rejection import Rejection, quoted

_SERVICE = "image-registry.openshift-image-registry.svc"
"""Service of the internal image registry, as pods resolve it. The name of its route differs in each cluster."""


def namespace_to_check(push_spec: str) -> str:
    """Return the namespace that has to exist for a push, or an empty text if that is certain or not known."""
    try:
        image = parse_image(push_spec)
    except ValueError:
        return ""
    service = image.host.partition(":")[0]
    is_internal = service == _SERVICE or service.startswith(f"{_SERVICE}.")
    namespace = image.path[0] if is_internal and len(image.path) > 1 else ""
    return "" if namespace == OPERATOR_NAMESPACE else namespace


def reject_missing_namespace(push_spec: str, namespace: str) -> Rejection:
    """Return why no build can push an image to a namespace that does not exist."""
    reason = f"{quoted(push_spec)} is an image of namespace {namespace}, which does not exist"
    return Rejection(reason, f"Create the namespace, or use {OPERATOR_NAMESPACE}, from which the nodes can pull")
