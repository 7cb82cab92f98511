# SPDX-License-Identifier: GPL-3.0-or-later
"""Did a node boot the expected image? Match, mismatch or unknown; unknown is never success.

The proof is the digest of the deployment that the node itself calls booted. A digest names the content whatever the
repository's name, so an image pulled through a mirror is the same image. A node that changes what its image brought has
not booted that image, unless the caller allows the change. What the operator's objects claim is a cross-check only.
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass, replace

from ..fault import name_of
from ..findings import Finding, FindingId, Severity, legible, sharing
from ..objects.machineconfignode import MachineConfigNode
from ..objects.node import NodeState
from ..objects.resources import ObjectRef
from ..registry.image_reference import comparable, is_digest, parse_image
from .deployment import Deployment, Origin, Status, UnreadableAnswer, read_status
from .deviation import NOTHING_ALLOWED, Allowed, Deviation


class Verdict(enum.Enum):
    """What is known about a node, the better one first."""

    MATCH = "match"
    MISMATCH = "mismatch"
    UNKNOWN = "unknown"


FORBIDDEN = "forbidden"
"""The source of an expectation that the account may not read."""

_GRAVEST_FIRST = list(Severity)
_WORST_FIRST = (Verdict.UNKNOWN, Verdict.MISMATCH, Verdict.MATCH)


@dataclass(frozen=True)
class Expected:
    """The image that nodes should have booted."""

    pull_spec: str
    digest: str
    source: str
    """``option``, ``machineosconfig``, ``machineconfig``, ``forbidden`` where the account may not read the
    MachineConfig, or ``none`` of a node that no pool drives."""
    current: bool = True
    """Whether it answers for what the pool wants now; nothing matches an expectation that does not."""

    @classmethod
    def of_pull_spec(cls, pull_spec: str, source: str, current: bool = True) -> Expected:
        """Read a pull spec with a digest, or a digest alone.

        :raises ValueError: it names no digest, so nothing could be proven by it
        """
        if is_digest(pull_spec):
            return cls(pull_spec, pull_spec, source, current)
        image = parse_image(pull_spec)
        if not image.digest:
            raise ValueError(f"{pull_spec} names no digest, and a tag proves nothing")
        return cls(pull_spec, image.digest, source, current)

    @property
    def repository(self) -> str:
        """Where the image lies, or empty when it is named by its digest alone."""
        return parse_image(self.pull_spec).repository if self.pull_spec != self.digest else ""


@dataclass(frozen=True)
class CommandResult:
    """What came back when a node was asked: the command's output, or why there is none."""

    exit_status: int | None = None
    stdout: str = ""
    stderr: str = ""
    failure: FindingId | None = None
    """A finding's id when the command did not run to its end."""
    failure_message: str = ""


@dataclass(frozen=True)
class NodeVerdict:
    """A node's verdict and what it rests on."""

    name: str
    verdict: Verdict
    findings: tuple[Finding, ...]
    """The gravest first, and of these what decided."""
    booted: Deployment | None = None


def judge(
    node: NodeState,
    expected: Expected,
    answer: CommandResult,
    allowed: Allowed = NOTHING_ALLOWED,
    claim: MachineConfigNode | None = None,
) -> NodeVerdict:
    """Decide about one node. Whatever is wrong with its answer is a verdict on this node, and never an error.

    :param allowed: what the node may change of its image
    :param claim: its MachineConfigNode, where the cluster has one
    """
    try:
        return _judge(node, expected, answer, allowed, claim)
    except Exception as error:  # noqa: BLE001 - one node must not end the verification of all
        message = f"reading the answer failed with {name_of(error)}"
        finding = Finding(FindingId.NODE_UNEXPECTED_ERROR, ObjectRef("Node", node.name), message, answer.stdout)
        return _verdict(node, Verdict.UNKNOWN, [finding])


def _judge(
    node: NodeState, expected: Expected, answer: CommandResult, allowed: Allowed, claim: MachineConfigNode | None
) -> NodeVerdict:
    ref = ObjectRef("Node", node.name)
    failed = _failed(ref, answer)
    if failed:
        return _verdict(node, Verdict.UNKNOWN, [failed, *_troubles(ref, node, failed.id)])
    try:
        status = read_status(answer.stdout)
    except UnreadableAnswer as unreadable:
        finding = Finding(unreadable.finding, ref, str(unreadable), answer.stdout)
        return _verdict(node, Verdict.UNKNOWN, [finding, *_troubles(ref, node)])
    verdict, difference = _compare(ref, expected, status)
    refused, permitted = _departures(ref, status.booted, allowed)
    if verdict is Verdict.MATCH and refused:
        verdict = Verdict.MISMATCH
    waiting = _waiting(ref, expected, status)
    remarks = [*_remarks(ref, expected, status), *_claims(ref, node, status.booted, claim)]
    findings = [*difference, *waiting, *refused, *_troubles(ref, node), *permitted, *remarks]
    return _verdict(node, verdict, findings, status.booted)


def judge_claim(node: NodeState, expected: Expected, claim: MachineConfigNode | None = None) -> NodeVerdict:
    """Decide about a node that was not asked, by what the operator's objects say of it.

    They can be wrong and anybody who may write them can make them so: they refute at most, and never prove.
    """
    ref = ObjectRef("Node", node.name)
    troubles = list(_troubles(ref, node))
    if not expected.current:
        return _verdict(node, Verdict.UNKNOWN, [_stale(ref, expected), *troubles])
    for pull_spec in [node.current_image] + ([claim.current_image] if claim else []):
        claimed = _digest_of(pull_spec)
        if comparable([claimed], expected.digest) and claimed != expected.digest:
            message = f"the machine-config-daemon says that the node booted {claimed} instead of {expected.digest}"
            return _verdict(
                node,
                Verdict.MISMATCH,
                [Finding(FindingId.NODE_REPORTED_IMAGE_DIFFERS, ref, message, pull_spec), *troubles],
            )
    unasked = Finding(
        FindingId.NODE_NOT_QUERIED, ref, f"Node {node.name} was not asked what it booted", node.current_image
    )
    return _verdict(node, Verdict.UNKNOWN, [unasked, *troubles])


def in_no_pool(judged: NodeVerdict) -> NodeVerdict:
    """Return the verdict on a node of which the cluster expects no image, because no pool drives it, or two would."""
    message = f"Node {judged.name} is in no MachineConfigPool, or in two, so the cluster expects no image of it"
    return _without_expectation(judged, Finding(FindingId.NODE_IN_NO_POOL, ObjectRef("Node", judged.name), message))


def expected_from_a_cache(judged: NodeVerdict, read_at: str) -> NodeVerdict:
    """Return the verdict on a node whose expected image a cache remembers: the pool may want another by now."""
    message = f"the image that is expected of Node {judged.name} was read at {read_at} and comes from a cache"
    return _without_expectation(
        judged, Finding(FindingId.CLUSTER_EXPECTATION_CACHED, ObjectRef("Node", judged.name), message)
    )


def _without_expectation(judged: NodeVerdict, why: Finding) -> NodeVerdict:
    others = tuple(f for f in judged.findings if f.id != FindingId.CLUSTER_EXPECTATION_NOT_CURRENT)
    return replace(judged, verdict=Verdict.UNKNOWN, findings=(why, *others))


def worst(verdicts: t.Iterable[Verdict]) -> Verdict | None:
    """Return the verdict of the whole: the least certain one, or None of nothing."""
    seen = set(verdicts)
    return next((v for v in _WORST_FIRST if v in seen), None)


def summarize(verdicts: t.Iterable[Verdict]) -> dict[str, int]:
    """Count total, match, mismatch and unknown."""
    seen = list(verdicts)
    return {"total": len(seen), **{v.value: seen.count(v) for v in Verdict}}


def _verdict(
    node: NodeState, verdict: Verdict, findings: t.Iterable[Finding], booted: Deployment | None = None
) -> NodeVerdict:
    gravest_first = sorted(findings, key=lambda f: _GRAVEST_FIRST.index(f.severity))
    if booted:
        booted = replace(booted, deviations=())  # the findings say them; of a thousand nodes they would be large
    return NodeVerdict(node.name, verdict, sharing(gravest_first), booted)


_NOT_OSTREE = "not booted via libostree"
"""The words of rpm-ostree where /run/ostree-booted is missing."""


def _failed(ref: ObjectRef, answer: CommandResult) -> Finding | None:
    if answer.failure:
        return Finding(answer.failure, ref, legible(answer.failure_message), answer.stderr)
    if answer.exit_status is None:
        return Finding(FindingId.NODE_EXEC_FAILED, ref, "the answer ended without an exit status", answer.stderr)
    if answer.exit_status != 0:
        said = answer.stderr or answer.stdout
        words = said.strip().splitlines()
        message = f"rpm-ostree status exited with {answer.exit_status}" + (f": {legible(words[-1])}" if words else "")
        return Finding(
            FindingId.NODE_NOT_OSTREE if _NOT_OSTREE in said else FindingId.NODE_COMMAND_FAILED, ref, message, said
        )
    return None


_NO_CONTAINER: t.Mapping[Origin, tuple[Verdict, FindingId]] = {
    Origin.PIVOT: (Verdict.MISMATCH, FindingId.NODE_PIVOT),
    Origin.COMMIT: (Verdict.MISMATCH, FindingId.NODE_NOT_CONTAINER),
    Origin.BRANCH: (Verdict.MISMATCH, FindingId.NODE_NOT_CONTAINER),
    Origin.UNREADABLE: (Verdict.UNKNOWN, FindingId.NODE_REFERENCE_UNREADABLE),
    Origin.UNNAMED: (Verdict.UNKNOWN, FindingId.NODE_NO_REFERENCE),
}


def _compare(ref: ObjectRef, expected: Expected, status: Status) -> tuple[Verdict, list[Finding]]:
    """Hold the booted digest against the expected one; what is found says why they are not the same."""
    booted = status.booted
    if not expected.current:
        return Verdict.UNKNOWN, [_stale(ref, expected)]
    if booted.origin is not Origin.CONTAINER:
        verdict, finding_id = _NO_CONTAINER[booted.origin]
        named = f": {booted.source}" if booted.source else ""
        return verdict, [Finding(finding_id, ref, f"the node booted {booted.origin.value}{named}", booted.source)]
    if expected.digest in booted.digests:
        return Verdict.MATCH, []
    has = comparable(booted.digests, expected.digest)
    if not has:
        message = f"{legible(booted.source)} names no digest to compare with {expected.digest}"
        return Verdict.UNKNOWN, [Finding(FindingId.NODE_NO_DIGEST, ref, message, booted.source)]
    if _awaited(expected, status):
        return Verdict.MISMATCH, []
    message = f"the node booted {', '.join(has)} instead of {expected.digest}"
    return Verdict.MISMATCH, [Finding(FindingId.NODE_IMAGE_DIFFERS, ref, message, booted.source)]


def _stale(ref: ObjectRef, expected: Expected) -> Finding:
    if expected.source == FORBIDDEN:
        message = f"The expected image of Node {ref.name} is not known: the account may not read MachineConfigs"
        return Finding(FindingId.CLUSTER_EXPECTATION_FORBIDDEN, ref, message)
    return Finding(FindingId.CLUSTER_EXPECTATION_NOT_CURRENT, ref, f"{expected.pull_spec or 'no image'} is not current")


def _awaited(expected: Expected, status: Status) -> list[Deployment]:
    """What waits on the node and would be right, while what is booted is not."""
    if not expected.current or expected.digest in status.booted.digests:
        return []
    return [d for d in status.waiting if expected.digest in d.digests]


def _waiting(ref: ObjectRef, expected: Expected, status: Status) -> t.Iterator[Finding]:
    has = ", ".join(sorted(status.booted.digests)) or status.booted.origin.value
    awaited = _awaited(expected, status)
    for other in status.waiting:
        name = legible(other.source) or other.origin.value
        if other in awaited and other.locked:
            message = f"the node booted {has}; {expected.digest} is staged, but locked"
            yield Finding(FindingId.NODE_IMAGE_LOCKED, ref, message, other.source)
        elif other in awaited:
            yield Finding(
                FindingId.NODE_IMAGE_STAGED, ref, f"the node booted {has}; {expected.digest} is staged", other.source
            )
        elif other.locked:
            yield Finding(FindingId.NODE_DEPLOYMENT_LOCKED, ref, f"{name} is staged, but locked", other.source)
        else:
            yield Finding(FindingId.NODE_DEPLOYMENT_STAGED, ref, f"{name} waits for the next boot", other.source)


def _departures(ref: ObjectRef, booted: Deployment, allowed: Allowed) -> tuple[list[Finding], list[Finding]]:
    """Return what changes the image and may not, a finding a kind, and what may."""
    refused = [d for d in booted.deviations if not allowed.covers(d)]
    permitted = [d for d in booted.deviations if allowed.covers(d)]
    kinds = sorted({d.finding for d in refused})
    found = [_departure(kind, ref, [d for d in refused if d.finding == kind]) for kind in kinds]
    return found, [_departure(FindingId.NODE_DEVIATION_ALLOWED, ref, permitted)] if permitted else []


def _departure(finding_id: FindingId, ref: ObjectRef, deviations: list[Deviation]) -> Finding:
    shown = [d.shown for d in deviations]
    message = legible(f"the node departs from its image: {', '.join(shown)}")
    return Finding(finding_id, ref, message, "\n".join(shown))


def _troubles(ref: ObjectRef, node: NodeState, known: str = "") -> t.Iterator[Finding]:
    """What the cluster says is wrong with the node, beside what is *known* already."""
    if not node.ready and known != FindingId.NODE_NOT_READY:
        yield Finding(FindingId.NODE_NOT_READY, ref, f"Node {node.name} is not Ready")
    if node.degraded:
        yield Finding(
            FindingId.NODE_DEGRADED, ref, legible(node.reason) or f"Node {node.name} is {node.state}", node.reason
        )


def _remarks(ref: ObjectRef, expected: Expected, status: Status) -> t.Iterator[Finding]:
    booted = status.booted
    if status.transaction:
        yield Finding(FindingId.NODE_TRANSACTION_RUNNING, ref, f"rpm-ostree was at work: {status.transaction}")
    if booted.end_of_life:
        yield Finding(FindingId.NODE_END_OF_LIFE, ref, booted.end_of_life)
    name = booted.image.repository if booted.image else legible(booted.source)
    if expected.repository and expected.digest in booted.digests and name != expected.repository:
        message = f"the node has the image as {name}, not as {expected.repository}"
        yield Finding(FindingId.NODE_REPOSITORY_DIFFERS, ref, message, booted.source)


def _claims(
    ref: ObjectRef, node: NodeState, booted: Deployment, claim: MachineConfigNode | None
) -> t.Iterator[Finding]:
    """Hold what the operator's objects say against what is booted, and against each other."""
    if _contradicts(node.current_image, booted):
        message = f"the annotation currentImage says {_digest_of(node.current_image)}"
        yield Finding(FindingId.NODE_ANNOTATION_DISAGREES, ref, message, node.current_image)
    if claim is None:
        return
    if _contradicts(claim.current_image, booted):
        message = f"MachineConfigNode {claim.name} says {_digest_of(claim.current_image)}"
        yield Finding(FindingId.NODE_MACHINE_CONFIG_NODE_DISAGREES, ref, message, claim.current_image)
    if claim.current_config and node.current_config and claim.current_config != node.current_config:
        message = f"MachineConfigNode {claim.name} says {claim.current_config}, the node {node.current_config}"
        yield Finding(FindingId.NODE_MACHINE_CONFIG_NODE_DISAGREES, ref, message, claim.current_config)


def _contradicts(pull_spec: str, booted: Deployment) -> bool:
    claimed = _digest_of(pull_spec)
    return bool(claimed) and claimed not in booted.digests


def _digest_of(pull_spec: str) -> str:
    try:
        return parse_image(pull_spec).digest
    except ValueError:
        return ""
