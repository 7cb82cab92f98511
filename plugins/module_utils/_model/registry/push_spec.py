# SPDX-License-Identifier: GPL-3.0-or-later
"""Would the operator be able to use this push spec?

The API accepts any depth of path in ``renderedImagePushSpec``, but the digest it writes afterwards allows one namespace
segment at most: such a build pushes its image and then stays Building for ever (observed.md 3f). The API's own rules
(dotted host, mandatory tag) are left to the API, which enforces them loudly.
"""

from __future__ import annotations

from .image_reference import parse_image

MAX_NAMESPACE_SEGMENTS = 1
MAX_POOL_NAME = 21
"""The label ``rendered-<pool>-<32 hex>`` of a build must fit into 63 characters (observed.md 3g)."""


def why_push_would_hang(push_spec: str) -> str:
    """Return why a build with this push spec could never end, or an empty string."""
    try:
        image = parse_image(push_spec)
    except ValueError:
        return ""
    namespaces = image.path[:-1]
    if len(namespaces) <= MAX_NAMESPACE_SEGMENTS:
        return ""
    return (
        f"{push_spec} has {len(namespaces)} namespace segments ({'/'.join(namespaces)}), "
        "and the operator cannot record the digest of an image below more than one"
    )


def why_pool_would_hang(pool: str) -> str:
    """Return why no build could ever start for a pool of this name, or an empty string."""
    if len(pool) <= MAX_POOL_NAME:
        return ""
    return (
        f"the name of MachineConfigPool {pool} has {len(pool)} characters, and the operator can only label builds of "
        f"pools with up to {MAX_POOL_NAME}"
    )
