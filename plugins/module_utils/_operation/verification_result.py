# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the result of a verification, the same for all transports, and decide whether it is a failure."""

from __future__ import annotations

import typing as t

from .._errors import OperationError
from .._model.proof.verdict import NodeVerdict, Verdict, summarize, worst
from .._result import result


def verification_result(
    what: str,
    verdicts: t.Sequence[NodeVerdict],
    fail_on: t.Collection[Verdict],
    cluster: t.Mapping[str, t.Any],
    **fields: t.Any,
) -> dict[str, t.Any]:
    """Return the result of a verification.

    :param what: the operation, as in ``verify MachineConfigPool layered``
    :param fail_on: the verdicts that make the verification fail
    :param cluster: the known fields of the cluster, ``api_url`` among them
    :param fields: further fields of the result
    :raises OperationError: a verdict is one of *fail_on*; the error has the result
    """
    values = [verdict.verdict for verdict in verdicts]
    overall = worst(values)
    done = result(
        cluster.get("api_url"),
        cluster,
        verdict=overall.value if overall else "none",
        summary=summarize(values),
        **fields,
    )
    error = _failure(what, verdicts, fail_on)
    if error:
        raise error.having(done)
    return done


def _failure(what: str, verdicts: t.Sequence[NodeVerdict], fail_on: t.Collection[Verdict]) -> OperationError | None:
    """Return an error if a verdict is one of *fail_on*, else None. It names a mismatching node if there is one."""
    failed = [verdict for verdict in verdicts if verdict.verdict in fail_on]
    if not failed:
        return None
    first = min(failed, key=lambda verdict: verdict.verdict is not Verdict.MISMATCH)
    finding = first.findings[0]
    reason = (
        f"{len(failed)} of {len(verdicts)} nodes not verified; {first.name}: {first.verdict.value}, {finding.message}"
    )
    return OperationError(what, reason, finding.remedy)
