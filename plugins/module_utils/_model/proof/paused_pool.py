# SPDX-License-Identifier: GPL-3.0-or-later
"""Report that a verified pool is paused, and that its nodes keep another image for that reason.

A pause changes no verdict: a node that booted the expected image matches in a paused pool too.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ..findings import Finding, FindingId
from ..objects.machineconfigpool import Pool, find_other_manager
from ..objects.node import NodeState
from ..objects.resources import MACHINE_CONFIG_POOL, ObjectRef
from .verdict import Expected, NodeVerdict

_OTHER_IMAGE = frozenset((
    FindingId.NODE_IMAGE_DIFFERS,
    FindingId.NODE_REPORTED_IMAGE_DIFFERS,
    FindingId.NODE_NOT_CONTAINER,
    FindingId.NODE_PIVOT,
))  # fmt: skip
"""Findings for a node that booted something else than the expected image, which is not staged."""


def paused_findings(pools: t.Iterable[Pool]) -> tuple[Finding, ...]:
    """Return a finding for each pool that is paused."""
    return tuple(_finding(pool) for pool in pools if pool.paused)


def with_pause(verdict: NodeVerdict, node: NodeState, expected: Expected, pool: Pool | None) -> NodeVerdict:
    """Return the verdict with the pause of the pool as the reason why the node has another image, if it is.

    :param expected: the image that the node should have booted
    :param pool: the pool of the node, or None if it is in none
    """
    if pool is None or not pool.paused or not _is_held(node, expected, pool):
        return verdict
    findings = [_explained(f, pool) if f.id in _OTHER_IMAGE else f for f in verdict.findings]
    return replace(verdict, findings=tuple(findings))


def _is_held(node: NodeState, expected: Expected, pool: Pool) -> bool:
    """Whether the operator has not assigned the image of the pool to the node. A node that has it is updated."""
    if expected.source == "machineosconfig":
        return not expected.is_image(node.desired_image)
    return expected.source == "machineconfig" and node.desired_config != pool.rendered_config


def _explained(finding: Finding, pool: Pool) -> Finding:
    message = f"{finding.message}; {_paused(pool)}, so the operator does not update the node"
    return replace(finding, message=message, own_remedy=_remedy(pool))


def _finding(pool: Pool) -> Finding:
    message = f"{_paused(pool)}, so the operator updates none of its nodes"
    ref = ObjectRef(MACHINE_CONFIG_POOL.name, pool.name)
    return Finding(FindingId.POOL_UPDATES_PAUSED, ref, message, own_remedy=_remedy(pool))


def _paused(pool: Pool) -> str:
    return f"MachineConfigPool {pool.name} is paused{f' by {pool.paused_by}' if pool.paused_by else ''}"


def _remedy(pool: Pool) -> str:
    if pool.paused_by_us:
        return "Unpause the pool (machineconfigpool, or image_mode_allow_node_reboots=true in the playbook apply)"
    return find_other_manager(pool.name)
