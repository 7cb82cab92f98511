# SPDX-License-Identifier: GPL-3.0-or-later
"""Report that the node controller stops because the current build is no longer marked as succeeded.

Source: docs/operator-behavior.md ("Builds in single pods").
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ..build.pending_build import BuildProgress
from ..findings import Finding, FindingId
from .node_phase import Phase


def unsucceeded_build(build: BuildProgress | None, phases: t.Mapping[str, Phase]) -> tuple[Finding, ...]:
    """Return the finding if nodes wait for an image whose build is no longer marked as succeeded.

    :param phases: the phase of each awaited node
    """
    if build is None or Phase.WAITING not in phases.values():
        return ()
    hidden = (finding for finding in build.findings if finding.id is FindingId.BUILD_SUCCESS_HIDDEN)
    return tuple(replace(finding, id=FindingId.POOL_BUILD_NOT_SUCCEEDED, own_remedy="") for finding in hidden)
