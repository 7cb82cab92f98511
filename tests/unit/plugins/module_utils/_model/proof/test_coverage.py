# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import FindingId
from ansible_collections.imagemode.openshift.plugins.module_utils._model.proof.coverage import (
    NO_POOL,
    Coverage,
    PoolCoverage,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.proof.verdict import (
    Verdict,
    summarize,
    worst,
)


@pytest.mark.parametrize(
    ("total", "verified", "left_out", "found"),
    [
        (3, 3, 0, []),
        (3, 2, 1, [FindingId.POOL_NODES_LEFT_OUT]),
        (3, 0, 3, [FindingId.POOL_NODES_LEFT_OUT]),
        (0, 0, 0, [FindingId.POOL_NO_NODES]),
        (2, 3, 0, []),
    ],
)
def test_nodes_of_a_pool_without_a_verdict_are_left_out(total, verified, left_out, found):
    pool = PoolCoverage("layered", total, verified)
    assert pool.left_out == left_out
    assert [finding.id for finding in pool.findings] == found


def test_findings_about_a_pool_name_it():
    (left_out,) = PoolCoverage("layered", 3, 1).findings
    (empty,) = PoolCoverage("gpu", 0, 0).findings
    assert str(left_out.object) == "MachineConfigPool layered"
    assert left_out.message == "2 of 3 nodes of MachineConfigPool layered were not verified"
    assert empty.message == "MachineConfigPool gpu has no nodes"


def test_coverage_of_several_pools_is_their_sum():
    coverage = Coverage((PoolCoverage("a", 3, 1), PoolCoverage("b", 2, 2), PoolCoverage("c", 2, 1)))
    assert coverage.as_result() == {"pool_total": 7, "left_out": 3}
    assert [finding.object.name for finding in coverage.findings] == ["a", "c"]


def test_pool_with_more_verified_nodes_than_it_has_hides_no_node_of_another():
    assert Coverage((PoolCoverage("a", 1, 3), PoolCoverage("b", 2, 1))).left_out == 1


def test_verification_of_single_nodes_has_no_total():
    assert NO_POOL.as_result() == {"pool_total": None, "left_out": 0}
    assert NO_POOL.findings == ()


@pytest.mark.parametrize("verdicts", [[], [Verdict.MATCH], [Verdict.MISMATCH, Verdict.MATCH], [Verdict.UNKNOWN]])
def test_node_that_was_left_out_counts_as_unknown(verdicts):
    counts, all_counts = summarize(verdicts), summarize(verdicts, 2)
    assert worst(verdicts, 2) is Verdict.UNKNOWN
    assert all_counts == {**counts, "total": counts["total"] + 2, "unknown": counts["unknown"] + 2}
