# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the name under which an image is pushed.

The API rejects some of these names with a regular expression. It accepts others that no registry accepts, so that a
build runs to its end and cannot push. Source: docs/operator-behavior.md ("API versions").
"""

from __future__ import annotations

import re

from ..registry.image_reference import ImageReference, parse_image
from ..registry.push_spec import why_push_would_hang
from .rejection import Rejection, quoted

_LONGEST = 447
"""Characters that the API accepts."""
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*")
"""Part of the path of an image, as registries and builders accept it."""
_EXAMPLE = "registry.example.com/os/layered:latest"


def reject_push_spec(push_spec: str) -> Rejection | None:
    """Return why an image cannot be pushed under a name, or None."""
    try:
        image = parse_image(push_spec)
    except ValueError:
        empty = "is empty" if not push_spec.strip() else "is not the name of an image"
        return Rejection(f"{quoted(push_spec) or 'the push spec'} {empty}", "Give HOST/NAMESPACE/NAME:TAG")
    return _reject_reference(push_spec, image) or _reject_path(push_spec, image)


def _reject_reference(push_spec: str, image: ImageReference) -> Rejection | None:
    shown = quoted(push_spec)
    if image.digest:
        return Rejection(f"{shown} has a digest, which the build decides", "Give a tag instead, such as :latest")
    if not image.host:
        return Rejection(f"{shown} has no registry", f"Add its host, as in {_EXAMPLE}")
    if not image.tag:
        return Rejection(f"{shown} has no tag", "Add one, such as :latest")
    if "." not in image.host:
        reason = f"{shown} has the host {image.host} without a dot, which the API does not accept"
        return Rejection(reason, "Use the full name of the registry")
    if len(push_spec) > _LONGEST:
        return Rejection(f"{shown} has {len(push_spec)} characters; the limit is {_LONGEST}", "Use a shorter name")
    return None


def _reject_path(push_spec: str, image: ImageReference) -> Rejection | None:
    path = "/".join(image.path)
    if path != path.lower():
        reason = f"{quoted(push_spec)} has upper case letters ({path}), which registries do not accept"
        return Rejection(reason, f"Use {path.lower()}")
    wrong = next((part for part in image.path if not _COMPONENT.fullmatch(part)), None)
    if wrong is not None:
        reason = f"{quoted(push_spec)} has the part {quoted(wrong)}, which registries do not accept"
        return Rejection(reason, "Use lower case letters and digits, with single ., _ or - between them")
    reason = why_push_would_hang(push_spec)
    return Rejection(reason, f"Use one namespace segment, as in {_EXAMPLE}") if reason else None
