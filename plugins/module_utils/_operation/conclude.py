# SPDX-License-Identifier: GPL-3.0-or-later
"""What do the verdicts come to: the part of the result that all ways of asking share, and whether they fail."""

from __future__ import annotations

import typing as t

from .._errors import OperationError
from .._model.proof.verdict import NodeVerdict, Verdict, summarize, worst


def concluded(judged: t.Sequence[NodeVerdict]) -> dict[str, t.Any]:
    """Return the verdict on all nodes together, and how many got which."""
    verdicts = [j.verdict for j in judged]
    whole = worst(verdicts)
    return {"verdict": whole.value if whole else "none", "summary": summarize(verdicts)}


def refusal(what: str, judged: t.Sequence[NodeVerdict], fail_on: t.Collection[Verdict]) -> OperationError | None:
    """Return why the verdicts are no success, naming the worst node, or None when they are one.

    :param what: what was tried
    """
    bad = [j for j in judged if j.verdict in fail_on]
    if not bad:
        return None
    first = min(bad, key=lambda j: j.verdict is not Verdict.MISMATCH)
    finding = first.findings[0]
    reason = f"{len(bad)} of {len(judged)} nodes not proven; {first.name}: {first.verdict.value}, {finding.message}"
    return OperationError(what, reason, finding.remedy)
