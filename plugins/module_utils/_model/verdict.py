# SPDX-License-Identifier: GPL-3.0-or-later
"""Did a node boot the expected image? Match, mismatch or unknown; unknown is never success.

The proof is the digest of the deployment that the node itself calls booted. A digest names the content whatever the
repository's name, so an image pulled through a mirror is the same image. Annotations are a cross-check only.
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass

from .deployment import Deployment, UnreadableAnswer, read_deployments
from .findings import Finding
from .image_reference import parse_image
from .node import NodeState
from .resources import ObjectRef


class Verdict(enum.Enum):
    """What is known about a node, the better one first."""

    MATCH = "match"
    MISMATCH = "mismatch"
    UNKNOWN = "unknown"


_WORST_FIRST = (Verdict.UNKNOWN, Verdict.MISMATCH, Verdict.MATCH)


@dataclass(frozen=True)
class Expected:
    """The image that nodes should have booted."""

    pull_spec: str
    digest: str
    source: str
    """``option``, ``machineosconfig`` or ``machineconfig``."""
    current: bool = True
    """Whether it answers for what the pool wants now; nothing matches an expectation that does not."""

    @classmethod
    def of_pull_spec(cls, pull_spec: str, source: str, current: bool = True) -> Expected:
        """Read a pull spec with a digest, or a digest alone.

        :raises ValueError: it names no digest, so nothing could be proven by it
        """
        if pull_spec.startswith("sha256:"):
            parse_image(f"image@{pull_spec}")
            return cls(pull_spec, pull_spec, source, current)
        image = parse_image(pull_spec)
        if not image.digest:
            raise ValueError(f"{pull_spec} names no digest, and a tag proves nothing")
        return cls(pull_spec, image.digest, source, current)


@dataclass(frozen=True)
class Answer:
    """What came back when a node was asked: the command's output, or why there is none."""

    exit_status: int | None = None
    stdout: str = ""
    stderr: str = ""
    failure: str = ""
    """A finding's id when the command did not run to its end."""
    failure_message: str = ""


@dataclass(frozen=True)
class NodeVerdict:
    """A node's verdict and what it rests on."""

    name: str
    verdict: Verdict
    findings: tuple[Finding, ...]
    booted: Deployment | None = None


def judge(node: NodeState, expected: Expected, answer: Answer) -> NodeVerdict:
    """Decide about one node."""
    ref = ObjectRef("Node", node.name)
    failed = _failed(ref, answer)
    if failed:
        return NodeVerdict(node.name, Verdict.UNKNOWN, (failed,))
    try:
        deployments = read_deployments(answer.stdout)
    except UnreadableAnswer as unreadable:
        finding = Finding(unreadable.finding, ref, str(unreadable), answer.stdout)
        return NodeVerdict(node.name, Verdict.UNKNOWN, (finding,))
    booted = next(d for d in deployments if d.booted)
    remarks = tuple(_remarks(ref, node, booted))
    if not expected.current:
        stale = Finding("cluster.expectation_not_current", ref, f"{expected.pull_spec or 'no image'} is not current")
        return NodeVerdict(node.name, Verdict.UNKNOWN, (stale, *remarks), booted)
    if booted.image is not None and expected.digest in booted.digests:
        return NodeVerdict(node.name, Verdict.MATCH, remarks, booted)
    difference = _difference(ref, expected, booted, deployments)
    unproven = difference.id == "node.no_digest"
    return NodeVerdict(node.name, Verdict.UNKNOWN if unproven else Verdict.MISMATCH, (difference, *remarks), booted)


def worst(verdicts: t.Iterable[Verdict]) -> Verdict | None:
    """Return the verdict of the whole: the least certain one, or None of nothing."""
    seen = set(verdicts)
    return next((v for v in _WORST_FIRST if v in seen), None)


def summarize(verdicts: t.Iterable[Verdict]) -> dict[str, int]:
    """Count total, match, mismatch and unknown."""
    seen = list(verdicts)
    return {"total": len(seen), **{v.value: seen.count(v) for v in Verdict}}


def _failed(ref: ObjectRef, answer: Answer) -> Finding | None:
    if answer.failure:
        return Finding(answer.failure, ref, answer.failure_message, answer.stderr)
    if answer.exit_status is None:
        return Finding("node.exec_failed", ref, "the answer ended without an exit status", answer.stderr)
    if answer.exit_status != 0:
        words = (answer.stderr or answer.stdout).strip().splitlines()
        message = f"rpm-ostree status exited with {answer.exit_status}" + (f": {words[-1]}" if words else "")
        return Finding("node.command_failed", ref, message, answer.stderr or answer.stdout)
    return None


def _difference(ref: ObjectRef, expected: Expected, booted: Deployment, deployments: list[Deployment]) -> Finding:
    if booted.image is None:
        what = booted.reference or "no container image"
        return Finding("node.not_container", ref, f"the node booted {what}", booted.reference)
    if not booted.digests:
        return Finding("node.no_digest", ref, f"{booted.reference} names no digest", booted.reference)
    has = ", ".join(sorted(booted.digests))
    if any(d.staged and expected.digest in d.digests for d in deployments):
        return Finding("node.image_staged", ref, f"the node booted {has}; {expected.digest} is staged", has)
    return Finding("node.image_differs", ref, f"the node booted {has} instead of {expected.digest}", booted.reference)


def _remarks(ref: ObjectRef, node: NodeState, booted: Deployment) -> t.Iterator[Finding]:
    if booted.local_changes:
        names = ", ".join(booted.local_changes)
        yield Finding("node.local_changes", ref, f"the node changes its image: {names}", names)
    claimed = _digest_of(node.current_image)
    if claimed and claimed not in booted.digests:
        message = f"the annotation currentImage says {claimed}"
        yield Finding("node.annotation_disagrees", ref, message, node.current_image)


def _digest_of(pull_spec: str) -> str:
    try:
        return parse_image(pull_spec).digest
    except ValueError:
        return ""
