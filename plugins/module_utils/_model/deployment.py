# SPDX-License-Identifier: GPL-3.0-or-later
"""What did a node boot? Reads the answer of ``rpm-ostree status --json``.

Unknown keys are normal, booleans that are absent mean false, and the order of deployments says nothing about which one
is booted (node.md 1.2 and 1.3).
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from .image_reference import ImageReference, parse_deployed

_CHANGES = (
    "requested-packages",
    "requested-local-packages",
    "requested-local-fileoverride-packages",
    "requested-base-removals",
    "requested-base-local-replacements",
    "requested-base-remote-replacements",
    "regenerate-initramfs",
    "initramfs-args",
    "initramfs-etc",
    "live-inprogress",
    "live-replaced",
)
"""Keys that are non-empty when something changes what the image brought."""


class UnreadableAnswer(Exception):
    """The answer names no booted deployment.

    :ivar finding: the public id of what is wrong with it
    """

    def __init__(self, finding: str, message: str) -> None:
        self.finding = finding
        super().__init__(message)


@dataclass(frozen=True)
class Deployment:
    """One entry of the node's boot menu."""

    booted: bool
    staged: bool
    reference: str
    resolved_digest: str
    version: str
    local_changes: tuple[str, ...]

    @property
    def image(self) -> ImageReference | None:
        """The container image that it names, or None when it names none."""
        try:
            return parse_deployed(self.reference) if self.reference else None
        except ValueError:
            return None

    @property
    def digests(self) -> frozenset[str]:
        """The digest it was asked for and the one that was imported; they differ for a manifest list (node.md 1.4)."""
        asked = self.image.digest if self.image else ""
        return frozenset(d for d in (asked, self.resolved_digest) if d)


def read_deployments(text: str) -> list[Deployment]:
    """Return the deployments of an answer, which hold exactly one booted one.

    :raises UnreadableAnswer: it is not such an answer
    """
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableAnswer("node.answer_unreadable", f"the answer is not JSON ({error})") from error
    entries = answer.get("deployments") if isinstance(answer, dict) else None
    if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
        raise UnreadableAnswer("node.answer_unreadable", "the answer has no list of deployments")
    deployments = [_read(e) for e in entries]
    booted = sum(d.booted for d in deployments)
    if booted != 1:
        raise UnreadableAnswer("node.no_booted_deployment", f"{booted} of {len(entries)} deployments are booted")
    return deployments


def _read(entry: t.Mapping[str, t.Any]) -> Deployment:
    changes = tuple(key for key in _CHANGES if entry.get(key))
    unlocked = entry.get("unlocked", "none") not in ("none", "", None)
    return Deployment(
        booted=entry.get("booted") is True,
        staged=entry.get("staged") is True,
        reference=_text(entry.get("container-image-reference")),
        resolved_digest=_text(entry.get("container-image-reference-digest")),
        version=_text(entry.get("version")),
        local_changes=changes + (("unlocked",) if unlocked else ()),
    )


def _text(value: t.Any) -> str:
    return value if isinstance(value, str) else ""
