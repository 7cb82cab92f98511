# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that the API accepts but with which a build never completes.

The API accepts any number of path segments in ``renderedImagePushSpec``, but only one namespace segment in the digest
that the operator records. Such a build pushes its image and then stays Building (docs/operator-behavior.md, "Build
states"). The API server validates everything else, such as the host and the tag.
"""

from __future__ import annotations

from .image_reference import parse_image

MAX_NAMESPACE_SEGMENTS = 1
MAX_POOL_NAME = 21
"""Maximum characters of a pool's name. The label ``rendered-<pool>-<32 hex>`` of a build has at most 63 characters."""


def why_push_would_hang(push_spec: str) -> str:
    """Return why a build with this push spec would never complete, or an empty string."""
    try:
        image = parse_image(push_spec)
    except ValueError:
        return ""
    namespaces = image.path[:-1]
    if len(namespaces) <= MAX_NAMESPACE_SEGMENTS:
        return ""
    return (
        f"{push_spec} has {len(namespaces)} namespace segments ({'/'.join(namespaces)}), "
        "and the operator cannot record an image with more than one"
    )


def why_pool_would_hang(pool: str) -> str:
    """Return why no build would start for a pool of this name, or an empty string."""
    if len(pool) <= MAX_POOL_NAME:
        return ""
    return (
        f"the name of MachineConfigPool {pool} has {len(pool)} characters, and the operator can only label builds of "
        f"pools with up to {MAX_POOL_NAME}"
    )
