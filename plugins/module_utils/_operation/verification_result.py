# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the result of a verification, the same for all transports, and decide whether it is a failure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import OperationError
from .._model.findings import Finding, FindingId
from .._model.objects.resources import MACHINE_CONFIG_POOL, NODE, ObjectRef
from .._model.proof.coverage import NO_POOL, Coverage, unused_allowances
from .._model.proof.deviation import NOTHING_ALLOWED, Allowed
from .._model.proof.verdict import NodeVerdict, Verdict, summarize, worst
from .._result import findings_result, result

NO_NODES = "none"
"""Verdict on a pool without nodes."""


@dataclass(frozen=True)
class Verification:
    """What was verified.

    :ivar what: the operation, as in ``verify MachineConfigPool layered``
    :ivar fail_on: the verdicts that make the verification fail
    :ivar allowed: the local changes that the user allows
    :ivar allow_empty_pool: whether a pool without nodes is no failure
    """

    what: str
    verdicts: t.Sequence[NodeVerdict]
    fail_on: t.Collection[Verdict]
    coverage: Coverage = NO_POOL
    allowed: Allowed = NOTHING_ALLOWED
    allow_empty_pool: bool = False
    warnings: tuple[Finding, ...] = ()
    """Findings about pools that fail nothing."""

    @property
    def unused(self) -> list[str] | None:
        """Entries of ``allowed_deviations`` that allowed nothing. None if no node reported its local changes."""
        return self.allowed.unused(verdict.allowances for verdict in self.verdicts)


def verification_result(
    verification: Verification, cluster: t.Mapping[str, t.Any], **fields: t.Any
) -> dict[str, t.Any]:
    """Return the result of a verification.

    :param cluster: the known fields of the cluster, ``api_url`` among them
    :param fields: further fields of the result
    :raises OperationError: a verdict is one of *fail_on*; the error has the result
    """
    done = result(
        cluster.get("api_url"),
        cluster,
        **verdict_result(
            [verdict.verdict for verdict in verification.verdicts],
            verification.coverage,
            verification.unused,
            fields["nodes"],
            verification.warnings,
        ),
        **fields,
    )
    error = _failure(verification)
    if error:
        raise error.having(done)
    return done


def verdict_result(
    verdicts: t.Sequence[Verdict],
    coverage: Coverage,
    unused: t.Sequence[str] | None,
    nodes: t.Iterable[t.Mapping[str, t.Any]],
    warnings: t.Iterable[Finding] = (),
) -> dict[str, t.Any]:
    """Return the fields of a result about all nodes together.

    :param unused: entries of ``allowed_deviations`` that allowed nothing, if known
    :param nodes: the results of the nodes
    :param warnings: further findings about pools
    """
    overall = worst(verdicts, coverage.left_out)
    return {
        "verdict": overall.value if overall else NO_NODES,
        "summary": summarize(verdicts, coverage.left_out),
        **coverage.as_result(),
        "unused_allowed_deviations": unused,
        "findings": findings_result(
            [*coverage.findings, *unused_allowances(unused or (), _verified(nodes)), *warnings]
        ),
    }


def _verified(nodes: t.Iterable[t.Mapping[str, t.Any]]) -> ObjectRef:
    """Return the first pool of the nodes, or the first node if no node is in a pool."""
    listed = list(nodes)
    pools = sorted({str(node["pool"]) for node in listed if node["pool"]})
    if pools:
        return ObjectRef(MACHINE_CONFIG_POOL.name, pools[0])
    return ObjectRef(NODE.name, str(listed[0]["name"]) if listed else "")


def _failure(verification: Verification) -> OperationError | None:
    """Return an error if a verdict is one of *fail_on*, else None. It names a mismatching node if there is one."""
    verdicts, fail_on = verification.verdicts, verification.fail_on
    failed = [verdict for verdict in verdicts if verdict.verdict in fail_on]
    if not failed:
        return next(
            (_error(verification.what, f) for f in verification.coverage.findings if _fails(verification, f)), None
        )
    first = min(failed, key=lambda verdict: verdict.verdict is not Verdict.MISMATCH)
    finding = first.findings[0]
    reason = (
        f"{len(failed)} of {len(verdicts)} nodes not verified; {first.name}: {first.verdict.value}, {finding.message}"
    )
    return OperationError(verification.what, reason, finding.remedy)


def _fails(verification: Verification, finding: Finding) -> bool:
    """Whether a finding about a pool fails the verification. An empty ``fail_on`` lets nothing fail."""
    if finding.id is FindingId.POOL_NO_NODES:
        return bool(verification.fail_on) and not verification.allow_empty_pool
    return Verdict.UNKNOWN in verification.fail_on


def _error(what: str, finding: Finding) -> OperationError:
    return OperationError(what, finding.message, finding.remedy)
