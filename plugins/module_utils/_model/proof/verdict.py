# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdict on a node: match, mismatch or unknown. Unknown is never a success.

The proof is the digest of the deployment that the node itself reports as booted. A digest identifies the content in any
repository, so an image from a mirror is the same image. A node with local changes does not match, unless the user
allows the changes. The state that the operator reports is only a cross-check.
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass, replace

from ..fault import name_of
from ..findings import Finding, FindingId, by_severity, share_evidence_limit
from ..node_failure import cause_in_log, failure_of
from ..objects.machineconfignode import MachineConfigNode
from ..objects.node import NodeState
from ..objects.resources import ObjectRef
from ..registry.image_reference import comparable, is_digest, parse_image
from ..text import legible
from .deployment import Deployment, Origin, Status, UnreadableStatus, read_status
from .deviation import NOTHING_ALLOWED, Allowed, Deviation


class Verdict(enum.Enum):
    """Result of the verification of a node, the best first."""

    MATCH = "match"
    MISMATCH = "mismatch"
    UNKNOWN = "unknown"


FORBIDDEN = "forbidden"
"""Source of an expectation that the account cannot read."""

_WORST_FIRST = (Verdict.UNKNOWN, Verdict.MISMATCH, Verdict.MATCH)


@dataclass(frozen=True)
class Expected:
    """Image that nodes should boot."""

    pull_spec: str
    digest: str
    source: str
    """``option``, ``machineosconfig``, ``machineconfig``, ``forbidden`` if the account cannot read the MachineConfig,
    or ``none`` for a node in no pool."""
    current: bool = True
    """Whether the image belongs to the current spec of the pool. No node matches an image that does not."""
    why_not: str = ""
    """Why it is not current, or empty."""
    doubt: FindingId = FindingId.CLUSTER_EXPECTATION_NOT_CURRENT
    """Finding for nodes if the image is not current."""
    read_at: str = ""
    """When it was read from the cluster (RFC 3339), or empty if it was not."""

    @classmethod
    def of_pull_spec(cls, pull_spec: str, source: str, current: bool = True) -> Expected:
        """Parse a pull spec with a digest, or a digest alone.

        :raises ValueError: it has no digest
        """
        if is_digest(pull_spec):
            return cls(pull_spec, pull_spec, source, current)
        image = parse_image(pull_spec)
        if not image.digest:
            raise ValueError(f"{pull_spec} has no digest; a tag does not identify an image")
        return cls(pull_spec, image.digest, source, current)

    def is_image(self, pull_spec: str) -> bool:
        """Whether a pull spec has the digest of the image."""
        return pull_spec.rpartition("@")[2] == self.digest

    @property
    def repository(self) -> str:
        """Repository of the image, or empty for a digest alone."""
        return parse_image(self.pull_spec).repository if self.pull_spec != self.digest else ""


@dataclass(frozen=True)
class CommandResult:
    """Output of the command on a node, or the reason why it has none."""

    exit_status: int | None = None
    stdout: str = ""
    stderr: str = ""
    failure: FindingId | None = None
    """Finding id if the command did not complete."""
    failure_message: str = ""


@dataclass(frozen=True)
class NodeVerdict:
    """Verdict on a node with its findings."""

    name: str
    verdict: Verdict
    findings: tuple[Finding, ...]
    """Findings by severity, the highest first. Of one severity the deciding ones are first."""
    booted: Deployment | None = None
    allowances: frozenset[str] | None = None
    """Entries of ``allowed_deviations`` that allowed a local change. None if the changes are not known."""


def evaluate(
    node: NodeState,
    expected: Expected,
    output: CommandResult,
    allowed: Allowed = NOTHING_ALLOWED,
    machine_config_node: MachineConfigNode | None = None,
) -> NodeVerdict:
    """Return the verdict on a node from the output of its command. Invalid output is a verdict, never an error.

    :param allowed: local changes that the user allows
    :param machine_config_node: MachineConfigNode of the node, if the cluster has one
    """
    try:
        return _evaluate(node, expected, output, allowed, machine_config_node)
    except Exception as error:  # noqa: BLE001 - one node must not end the verification of all
        message = f"the verification failed with an unexpected {name_of(error)}"
        finding = Finding(FindingId.NODE_UNEXPECTED_ERROR, ObjectRef("Node", node.name), message, output.stdout)
        return _verdict(node, Verdict.UNKNOWN, [finding])


def _evaluate(
    node: NodeState,
    expected: Expected,
    output: CommandResult,
    allowed: Allowed,
    machine_config_node: MachineConfigNode | None,
) -> NodeVerdict:
    ref = ObjectRef("Node", node.name)
    failure = _command_failure(ref, output)
    if failure:
        return _verdict(node, Verdict.UNKNOWN, [failure, *_node_problems(ref, node, failure.id)])
    try:
        status = read_status(output.stdout)
    except UnreadableStatus as unreadable:
        finding = Finding(unreadable.finding, ref, str(unreadable), output.stdout)
        return _verdict(node, Verdict.UNKNOWN, [finding, *_node_problems(ref, node)])
    verdict, difference = _compare(ref, expected, status)
    denied, permitted = _local_changes(ref, status.booted, allowed)
    allowances = frozenset(entry for d in status.booted.deviations for entry in allowed.entries_for(d))
    if verdict is Verdict.MATCH and denied:
        verdict = Verdict.MISMATCH
    pending = _pending_deployments(ref, expected, status)
    notes = [*_notes(ref, expected, status), *_disagreements(ref, node, status.booted, machine_config_node)]
    findings = [*difference, *pending, *denied, *_node_problems(ref, node), *permitted, *notes]
    return replace(_verdict(node, verdict, findings, status.booted), allowances=allowances)


def evaluate_reported_state(
    node: NodeState, expected: Expected, machine_config_node: MachineConfigNode | None = None
) -> NodeVerdict:
    """Return the verdict on a node that was not queried, from the state that the operator reports.

    The reported state can be wrong, and everyone with write access can change it. It never proves a match.
    """
    ref = ObjectRef("Node", node.name)
    problems = list(_node_problems(ref, node))
    if not expected.current:
        return _verdict(node, Verdict.UNKNOWN, [_not_current(ref, expected), *problems])
    for pull_spec in [node.current_image] + ([machine_config_node.current_image] if machine_config_node else []):
        reported = _digest_of(pull_spec)
        if comparable([reported], expected.digest) and reported != expected.digest:
            message = f"the machine-config-daemon reports {reported} as booted, expected {expected.digest}"
            difference = Finding(FindingId.NODE_REPORTED_IMAGE_DIFFERS, ref, message, pull_spec)
            return _verdict(node, Verdict.MISMATCH, [difference, *problems])
    not_queried = Finding(FindingId.NODE_NOT_QUERIED, ref, f"Node {node.name} was not queried", node.current_image)
    return _verdict(node, Verdict.UNKNOWN, [not_queried, *problems])


def without_pool(result: NodeVerdict) -> NodeVerdict:
    """Return the verdict on a node in no pool or in two custom pools: the cluster expects no image of it."""
    message = f"Node {result.name} is in no MachineConfigPool, or in two, so the cluster expects no image of it"
    return _without_expectation(result, Finding(FindingId.NODE_IN_NO_POOL, ObjectRef("Node", result.name), message))


def with_outdated_expectation(result: NodeVerdict, doubt: Finding) -> NodeVerdict:
    """Return the verdict on a node whose expected image may be outdated."""
    return _without_expectation(result, doubt)


def _without_expectation(result: NodeVerdict, reason: Finding) -> NodeVerdict:
    others = tuple(f for f in result.findings if f.id != FindingId.CLUSTER_EXPECTATION_NOT_CURRENT)
    return replace(result, verdict=Verdict.UNKNOWN, findings=(reason, *others))


def worst(verdicts: t.Iterable[Verdict], left_out: int = 0) -> Verdict | None:
    """Return the least certain verdict, or None if there is no node.

    :param left_out: number of nodes without a verdict; they count as unknown
    """
    present = {*verdicts, *([Verdict.UNKNOWN] if left_out else [])}
    return next((v for v in _WORST_FIRST if v in present), None)


def summarize(verdicts: t.Iterable[Verdict], left_out: int = 0) -> dict[str, int]:
    """Count total, match, mismatch and unknown.

    :param left_out: number of nodes without a verdict; they count as unknown
    """
    counted = [*verdicts, *[Verdict.UNKNOWN] * left_out]
    return {"total": len(counted), **{v.value: counted.count(v) for v in Verdict}}


def _verdict(
    node: NodeState, verdict: Verdict, findings: t.Iterable[Finding], booted: Deployment | None = None
) -> NodeVerdict:
    if booted:
        # Findings contain the changes; for thousands of nodes they need much memory.
        booted = replace(booted, deviations=(), inactive_requests=())
    return NodeVerdict(node.name, verdict, share_evidence_limit(by_severity(findings)), booted)


_NOT_OSTREE = "not booted via libostree"
"""Message of rpm-ostree if /run/ostree-booted is missing."""


def _command_failure(ref: ObjectRef, output: CommandResult) -> Finding | None:
    if output.failure:
        return Finding(output.failure, ref, legible(output.failure_message), output.stderr)
    if output.exit_status is None:
        return Finding(FindingId.NODE_EXEC_FAILED, ref, "the command ended without an exit status", output.stderr)
    if output.exit_status == 0:
        return None
    text = output.stderr or output.stdout
    lines = text.strip().splitlines()
    message = f"rpm-ostree status exited with {output.exit_status}" + (f": {legible(lines[-1])}" if lines else "")
    finding_id = FindingId.NODE_NOT_OSTREE if _NOT_OSTREE in text else FindingId.NODE_COMMAND_FAILED
    return Finding(finding_id, ref, message, text)


_NOT_A_CONTAINER_IMAGE: t.Mapping[Origin, tuple[Verdict, FindingId]] = {
    Origin.PIVOT: (Verdict.MISMATCH, FindingId.NODE_PIVOT),
    Origin.COMMIT: (Verdict.MISMATCH, FindingId.NODE_NOT_CONTAINER),
    Origin.BRANCH: (Verdict.MISMATCH, FindingId.NODE_NOT_CONTAINER),
    Origin.UNREADABLE: (Verdict.UNKNOWN, FindingId.NODE_REFERENCE_UNREADABLE),
    Origin.UNNAMED: (Verdict.UNKNOWN, FindingId.NODE_NO_REFERENCE),
}


def _compare(ref: ObjectRef, expected: Expected, status: Status) -> tuple[Verdict, list[Finding]]:
    """Compare the booted digest with the expected one. The findings are the reasons why they differ."""
    booted = status.booted
    if not expected.current:
        return Verdict.UNKNOWN, [_not_current(ref, expected)]
    if booted.origin is not Origin.CONTAINER:
        verdict, finding_id = _NOT_A_CONTAINER_IMAGE[booted.origin]
        named = f": {booted.source}" if booted.source else ""
        return verdict, [Finding(finding_id, ref, f"booted {booted.origin.value}{named}", booted.source)]
    if expected.digest in booted.digests:
        return Verdict.MATCH, []
    digests = comparable(booted.digests, expected.digest)
    if not digests:
        message = f"{legible(booted.source)} has no digest to compare with {expected.digest}"
        return Verdict.UNKNOWN, [Finding(FindingId.NODE_NO_DIGEST, ref, message, booted.source)]
    if _pending_match(expected, status):
        return Verdict.MISMATCH, []
    message = f"booted {', '.join(digests)}, expected {expected.digest}"
    return Verdict.MISMATCH, [Finding(FindingId.NODE_IMAGE_DIFFERS, ref, message, booted.source)]


def _not_current(ref: ObjectRef, expected: Expected) -> Finding:
    if expected.source == FORBIDDEN:
        message = f"The expected image of Node {ref.name} is not known: the account cannot read MachineConfigs"
        return Finding(FindingId.CLUSTER_EXPECTATION_FORBIDDEN, ref, message)
    why = f": {expected.why_not}" if expected.why_not else ""
    return Finding(expected.doubt, ref, f"{expected.pull_spec or 'no image'} is not current{why}")


def _pending_match(expected: Expected, status: Status) -> list[Deployment]:
    """Return the pending deployments with the expected image, if the booted one has a different image."""
    if not expected.current or expected.digest in status.booted.digests:
        return []
    return [d for d in status.pending if expected.digest in d.digests]


def _pending_deployments(ref: ObjectRef, expected: Expected, status: Status) -> t.Iterator[Finding]:
    booted = ", ".join(sorted(status.booted.digests)) or status.booted.origin.value
    matching = _pending_match(expected, status)
    for pending in status.pending:
        name = legible(pending.source) or pending.origin.value
        if pending in matching and pending.locked:
            message = f"booted {booted}; expected {expected.digest} is staged but locked"
            yield Finding(FindingId.NODE_IMAGE_LOCKED, ref, message, pending.source)
        elif pending in matching:
            message = f"booted {booted}; expected {expected.digest} is staged"
            yield Finding(FindingId.NODE_IMAGE_STAGED, ref, message, pending.source)
        elif pending.locked:
            yield Finding(FindingId.NODE_DEPLOYMENT_LOCKED, ref, f"{name} is staged but locked", pending.source)
        else:
            yield Finding(FindingId.NODE_DEPLOYMENT_STAGED, ref, f"{name} is staged for the next boot", pending.source)


def _local_changes(ref: ObjectRef, booted: Deployment, allowed: Allowed) -> tuple[list[Finding], list[Finding]]:
    """Return the findings for local changes that are not allowed, one for each kind, and for those that are."""
    denied = [d for d in booted.deviations if not allowed.covers(d)]
    permitted = [d for d in booted.deviations if allowed.covers(d)]
    kinds = sorted({d.finding for d in denied})
    found = [_local_change(kind, ref, [d for d in denied if d.finding == kind]) for kind in kinds]
    return found, [_local_change(FindingId.NODE_DEVIATION_ALLOWED, ref, permitted)] if permitted else []


def _local_change(finding_id: FindingId, ref: ObjectRef, deviations: list[Deviation]) -> Finding:
    shown = [d.shown for d in deviations]
    message = legible(f"the node has local changes: {', '.join(shown)}")
    return Finding(finding_id, ref, message, "\n".join(shown))


def _inactive_requests(ref: ObjectRef, booted: Deployment) -> t.Iterator[Finding]:
    shown = [request.shown for request in booted.inactive_requests]
    if shown:
        message = legible(f"requested, but not applied: {', '.join(shown)}")
        yield Finding(FindingId.NODE_REQUEST_INACTIVE, ref, message, "\n".join(shown))


def _requested_digest(ref: ObjectRef, expected: Expected, booted: Deployment) -> t.Iterator[Finding]:
    """Yield a finding if the node booted the expected digest only according to its request."""
    if not expected.current or expected.digest not in booted.digests or booted.resolved_digest == expected.digest:
        return
    imported = f"and imported {booted.resolved_digest}" if booted.resolved_digest else "and reports no imported digest"
    message = f"the node requested {expected.digest} {imported}"
    yield Finding(FindingId.NODE_DIGEST_NOT_IMPORTED, ref, message, booted.source)


def _node_problems(ref: ObjectRef, node: NodeState, known: str = "") -> t.Iterator[Finding]:
    """Yield problems that the cluster reports for the node, except the finding *known*."""
    if not node.ready and known != FindingId.NODE_NOT_READY:
        yield Finding(FindingId.NODE_NOT_READY, ref, f"Node {node.name} is not Ready")
    if node.degraded:
        cause = failure_of(node.reason).finding
        if cause is FindingId.NODE_CAUSE_IN_LOG:
            yield Finding(FindingId.NODE_CAUSE_IN_LOG, ref, cause_in_log(node.name), node.reason)
            return
        message = legible(node.reason) or f"Node {node.name} is {node.state}"
        is_revert = cause is FindingId.NODE_REVERT_NOT_SUPPORTED
        yield Finding(cause if is_revert else FindingId.NODE_DEGRADED, ref, message, node.reason)


def _notes(ref: ObjectRef, expected: Expected, status: Status) -> t.Iterator[Finding]:
    booted = status.booted
    if status.transaction:
        yield Finding(FindingId.NODE_TRANSACTION_RUNNING, ref, f"rpm-ostree transaction running: {status.transaction}")
    yield from _inactive_requests(ref, booted)
    yield from _requested_digest(ref, expected, booted)
    if booted.end_of_life:
        yield Finding(FindingId.NODE_END_OF_LIFE, ref, booted.end_of_life)
    name = booted.image.repository if booted.image else legible(booted.source)
    if expected.repository and expected.digest in booted.digests and name != expected.repository:
        message = f"the image was pulled from {name}, not from {expected.repository}"
        yield Finding(FindingId.NODE_REPOSITORY_DIFFERS, ref, message, booted.source)


def _disagreements(
    ref: ObjectRef, node: NodeState, booted: Deployment, reported: MachineConfigNode | None
) -> t.Iterator[Finding]:
    """Compare the state that the operator reports with the booted deployment, and its objects with each other."""
    if _contradicts(node.current_image, booted):
        message = f"annotation currentImage names {_digest_of(node.current_image)}"
        yield Finding(FindingId.NODE_ANNOTATION_DISAGREES, ref, message, node.current_image)
    if reported is None:
        return
    if _contradicts(reported.current_image, booted):
        message = f"MachineConfigNode {reported.name} reports {_digest_of(reported.current_image)}"
        yield Finding(FindingId.NODE_MACHINE_CONFIG_NODE_DISAGREES, ref, message, reported.current_image)
    if reported.current_config and node.current_config and reported.current_config != node.current_config:
        message = f"MachineConfigNode {reported.name} reports {reported.current_config}, the node {node.current_config}"
        yield Finding(FindingId.NODE_MACHINE_CONFIG_NODE_DISAGREES, ref, message, reported.current_config)


def _contradicts(pull_spec: str, booted: Deployment) -> bool:
    reported = _digest_of(pull_spec)
    return bool(reported) and reported not in booted.digests


def _digest_of(pull_spec: str) -> str:
    try:
        return parse_image(pull_spec).digest
    except ValueError:
        return ""
