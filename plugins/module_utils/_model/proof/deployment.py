# SPDX-License-Identifier: GPL-3.0-or-later
"""What did a node boot? Reads the answer of ``rpm-ostree status --json``.

Unknown keys are normal, booleans that are absent mean false, and the order of deployments says nothing about which one
is booted (node.md 1.2 and 1.3).
"""

from __future__ import annotations

import enum
import re
import typing as t
from dataclasses import dataclass

from ..findings import FindingId, legible
from ..json_text import read_json
from ..registry.image_reference import ImageReference, is_digest, parse_deployed
from .deviation import Deviation, deviations_of

_COMMIT = re.compile(r"[0-9a-f]{64}")
_PIVOT = "pivot://"
_MOST_DEPLOYMENTS = 100
"""Entries of a boot menu; rpm-ostree keeps a handful."""
_LONGEST_REFERENCE = 2048
"""Characters of a container reference."""


class UnreadableAnswer(Exception):
    """The answer names no booted deployment.

    :ivar finding: the public id of what is wrong with it
    """

    def __init__(self, finding: FindingId, message: str) -> None:
        self.finding = finding
        super().__init__(message)


class Origin(enum.Enum):
    """What a deployment was made from."""

    CONTAINER = "a container image"
    PIVOT = "an image of which only a pivot's note tells"
    COMMIT = "a bare ostree commit"
    BRANCH = "a branch of an ostree repository"
    UNREADABLE = "a reference that cannot be read"
    UNNAMED = "nothing that it names"


@dataclass(frozen=True)
class Deployment:
    """One entry of the node's boot menu."""

    booted: bool
    staged: bool
    locked: bool
    """Whether it is staged and will not be booted before somebody unlocks it."""
    origin: Origin
    source: str
    """What it was made from, as the node names it."""
    image: ImageReference | None
    """The container image by its name in a registry, or None when it names none."""
    resolved_digest: str
    """The digest of the manifest that was imported, empty when the node names none."""
    digests: frozenset[str]
    """The digest that was asked for and the one that was imported; they differ for a manifest list (node.md 1.4).

    None of what was not made from a container image, whatever stands beside it.
    """
    version: str
    end_of_life: str
    deviations: tuple[Deviation, ...]

    @property
    def reference(self) -> str:
        """Its container reference, empty when it was not made from a container image."""
        return self.source if self.origin is Origin.CONTAINER else ""


@dataclass(frozen=True)
class Status:
    """What a node says about its deployments."""

    booted: Deployment
    waiting: tuple[Deployment, ...]
    """What is to be booted instead, at the next boot or once it is unlocked."""
    transaction: str
    """What rpm-ostree is doing, empty when it is idle."""


def read_status(text: str) -> Status:
    """Return what an answer says; exactly one of its deployments is booted.

    :raises UnreadableAnswer: it is not such an answer
    """
    answer = _parse(text)
    entries = answer.get("deployments")
    if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
        raise UnreadableAnswer(FindingId.NODE_OUTPUT_UNREADABLE, "the answer has no list of deployments")
    if not entries:
        raise UnreadableAnswer(FindingId.NODE_NO_DEPLOYMENTS, "rpm-ostree lists no deployment at all")
    if len(entries) > _MOST_DEPLOYMENTS:
        message = f"the answer lists more than {_MOST_DEPLOYMENTS} deployments"
        raise UnreadableAnswer(FindingId.NODE_OUTPUT_UNREADABLE, message)
    deployments = [_read(e) for e in entries]
    places = [place for place, d in enumerate(deployments) if d.booted]
    if not places:
        raise UnreadableAnswer(FindingId.NODE_NO_BOOTED_DEPLOYMENT, f"none of {len(entries)} deployments is booted")
    if len(places) > 1:
        message = f"{len(places)} of {len(entries)} deployments are booted"
        raise UnreadableAnswer(FindingId.NODE_SEVERAL_BOOTED_DEPLOYMENTS, message)
    (place,) = places
    # The menu is in the order in which it is booted: what stands before the booted one comes next.
    waiting = [d for at, d in enumerate(deployments) if at != place and (at < place or d.staged)]
    return Status(deployments[place], tuple(waiting), _transaction(answer.get("transaction")))


def _parse(text: str) -> dict[str, t.Any]:
    try:
        answer = read_json(text)
    except ValueError as error:
        raise UnreadableAnswer(FindingId.NODE_OUTPUT_UNREADABLE, f"the answer cannot be read: {error}") from error
    if not isinstance(answer, dict):
        raise UnreadableAnswer(FindingId.NODE_OUTPUT_UNREADABLE, "the answer is not an object of JSON")
    return answer


def _read(entry: t.Mapping[str, t.Any]) -> Deployment:
    origin, source, image = _origin(entry)
    resolved = _text(entry.get("container-image-reference-digest"))
    resolved = resolved if is_digest(resolved) else ""
    named = (image.digest if image else "", resolved) if origin is Origin.CONTAINER else ()
    try:
        deviations = deviations_of(entry)
    except ValueError as error:
        raise UnreadableAnswer(FindingId.NODE_OUTPUT_UNREADABLE, str(error)) from error
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
        deviations=deviations,
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
    # Read before it is made legible: making it so must not make a reference out of what is none.
    try:
        if len(reference) > _LONGEST_REFERENCE or not reference.isprintable():
            raise ValueError("it is not a reference")
        return Origin.CONTAINER, reference, parse_deployed(reference).image
    except ValueError:
        return (Origin.PIVOT if reference.startswith(_PIVOT) else Origin.UNREADABLE), _text(reference), None


def _flag(entry: t.Mapping[str, t.Any], key: str) -> bool:
    value = entry.get(key)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise UnreadableAnswer(FindingId.NODE_OUTPUT_UNREADABLE, f"{key} of a deployment is neither true nor false")


def _transaction(value: t.Any) -> str:
    if not value:
        return ""
    method = _text(value[0]) if isinstance(value, list) else ""
    return method or "something that it does not name"


def _text(value: t.Any) -> str:
    return legible(value) if isinstance(value, str) else ""
