# SPDX-License-Identifier: GPL-3.0-or-later
"""Parser of ``rpm-ostree status --json``: the booted deployment of a node.

Unknown keys are ignored, absent booleans are false, and the order of deployments does not show which one is booted
(docs/operator-behavior.md, "rpm-ostree status").
"""

from __future__ import annotations

import enum
import re
import typing as t
from dataclasses import dataclass

from ..findings import FindingId
from ..json_text import read_json
from ..registry.image_reference import ImageReference, is_digest, parse_deployed
from ..text import legible
from .deviation import Deviation, local_changes_of

_COMMIT = re.compile(r"[0-9a-f]{64}")
_PIVOT = "pivot://"
_MAX_DEPLOYMENTS = 100
"""Maximum number of deployments. rpm-ostree keeps a few."""
_MAX_REFERENCE = 2048
"""Maximum characters of a container reference."""


class UnreadableStatus(Exception):
    """The output does not identify one booted deployment.

    :ivar finding: public id of the reason
    """

    def __init__(self, finding: FindingId, message: str) -> None:
        self.finding = finding
        super().__init__(message)


class Origin(enum.Enum):
    """Source of a deployment."""

    CONTAINER = "a container image"
    PIVOT = "a pivoted image"
    COMMIT = "an ostree commit"
    BRANCH = "an ostree branch"
    UNREADABLE = "an unreadable image reference"
    UNNAMED = "an unnamed source"


@dataclass(frozen=True)
class Deployment:
    """One deployment of a node."""

    booted: bool
    staged: bool
    locked: bool
    """Whether the deployment is staged and not booted before it is unlocked."""
    origin: Origin
    source: str
    """Source as the node names it."""
    image: ImageReference | None
    """Container image by its name in a registry, or None."""
    resolved_digest: str
    """Digest of the imported manifest, or empty."""
    digests: frozenset[str]
    """Requested digest and imported digest; empty if the source is not a container image.

    The two differ for a manifest list (docs/operator-behavior.md, "rpm-ostree status").
    """
    version: str
    end_of_life: str
    deviations: tuple[Deviation, ...]
    """Local changes that are applied to the deployment or to the running system."""
    inactive_requests: tuple[Deviation, ...] = ()
    """Requested local changes that changed nothing."""

    @property
    def reference(self) -> str:
        """Container reference, or empty if the source is not a container image."""
        return self.source if self.origin is Origin.CONTAINER else ""


@dataclass(frozen=True)
class Status:
    """Deployments of a node."""

    booted: Deployment
    pending: tuple[Deployment, ...]
    """Deployments for the next boot, or for a boot after they are unlocked."""
    transaction: str
    """Running transaction of rpm-ostree, or empty."""


def read_status(text: str) -> Status:
    """Parse the output of ``rpm-ostree status --json``.

    :raises UnreadableStatus: the output is something else, or not exactly one deployment is booted
    """
    output = _parse(text)
    entries = output.get("deployments")
    if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
        raise UnreadableStatus(FindingId.NODE_OUTPUT_UNREADABLE, "the output has no list of deployments")
    if not entries:
        raise UnreadableStatus(FindingId.NODE_NO_DEPLOYMENTS, "rpm-ostree reports no deployments")
    if len(entries) > _MAX_DEPLOYMENTS:
        message = f"the output lists more than {_MAX_DEPLOYMENTS} deployments"
        raise UnreadableStatus(FindingId.NODE_OUTPUT_UNREADABLE, message)
    deployments = [_read(e) for e in entries]
    booted = [index for index, d in enumerate(deployments) if d.booted]
    if not booted:
        raise UnreadableStatus(FindingId.NODE_NO_BOOTED_DEPLOYMENT, f"none of {len(entries)} deployments is booted")
    if len(booted) > 1:
        message = f"{len(booted)} of {len(entries)} deployments are booted"
        raise UnreadableStatus(FindingId.NODE_SEVERAL_BOOTED_DEPLOYMENTS, message)
    (current,) = booted
    # Deployments are listed in boot order: those before the booted one are booted next.
    pending = [d for index, d in enumerate(deployments) if index != current and (index < current or d.staged)]
    return Status(deployments[current], tuple(pending), _transaction(output.get("transaction")))


def _parse(text: str) -> dict[str, t.Any]:
    try:
        output = read_json(text, unique_keys=True)
    except ValueError as error:
        raise UnreadableStatus(FindingId.NODE_OUTPUT_UNREADABLE, f"the output cannot be parsed: {error}") from error
    if not isinstance(output, dict):
        raise UnreadableStatus(FindingId.NODE_OUTPUT_UNREADABLE, "the output is not a JSON object")
    return output


def _read(entry: t.Mapping[str, t.Any]) -> Deployment:
    origin, source, image = _origin(entry)
    resolved = _text(entry.get("container-image-reference-digest"))
    resolved = resolved if is_digest(resolved) else ""
    named = (image.digest if image else "", resolved) if origin is Origin.CONTAINER else ()
    try:
        changes = local_changes_of(entry)
    except ValueError as error:
        raise UnreadableStatus(FindingId.NODE_OUTPUT_UNREADABLE, str(error)) from error
    return Deployment(
        booted=_flag(entry, "booted"),
        staged=_flag(entry, "staged"),
        locked=_flag(entry, "finalization-locked"),
        origin=origin,
        source=source,
        image=image,
        resolved_digest=resolved,
        digests=frozenset(digest for digest in named if digest),
        version=_text(entry.get("version")),
        end_of_life=_text(entry.get("endoflife")),
        deviations=changes.applied,
        inactive_requests=changes.inactive,
    )


def _origin(entry: t.Mapping[str, t.Any]) -> tuple[Origin, str, ImageReference | None]:
    reference = entry.get("container-image-reference")
    if reference:
        return _origin_of_reference(reference if isinstance(reference, str) else "")
    custom = entry.get("custom-origin")
    url = _text(custom[0]) if isinstance(custom, list) and custom else ""
    name = url or _text(entry.get("origin"))
    if name.startswith(_PIVOT):
        return Origin.PIVOT, name, None
    if _COMMIT.fullmatch(name):
        return Origin.COMMIT, name, None
    return (Origin.BRANCH if name else Origin.UNNAMED), name, None


def _origin_of_reference(reference: str) -> tuple[Origin, str, ImageReference | None]:
    # Parse the original text: a shortened or cleaned text could be a valid reference although the original is not.
    try:
        if len(reference) > _MAX_REFERENCE or not reference.isprintable():
            raise ValueError("not a reference")
        return Origin.CONTAINER, reference, parse_deployed(reference).image
    except ValueError:
        return (Origin.PIVOT if reference.startswith(_PIVOT) else Origin.UNREADABLE), _text(reference), None


def _flag(entry: t.Mapping[str, t.Any], key: str) -> bool:
    value = entry.get(key)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise UnreadableStatus(FindingId.NODE_OUTPUT_UNREADABLE, f"{key} of a deployment is not a boolean")


def _transaction(value: t.Any) -> str:
    if not value:
        return ""
    method = _text(value[0]) if isinstance(value, list) else ""
    return method or "unnamed"


def _text(value: t.Any) -> str:
    return legible(value) if isinstance(value, str) else ""
