# SPDX-License-Identifier: GPL-3.0-or-later
"""The ids of findings, each of which must have what a user needs."""

from __future__ import annotations

import typing as t

from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import Finding


def ids_of(findings: t.Iterable[Finding]) -> list[str]:
    """Return the ids of findings.

    :raises AssertionError: one has no object, no message or no remedy
    """
    return [str(finding.id) for finding in findings if _is_complete(finding)]


def _is_complete(finding: Finding) -> bool:
    texts = (finding.object.kind, finding.object.name, finding.message, finding.remedy)
    assert all(isinstance(text, str) and text for text in texts), finding
    return True
