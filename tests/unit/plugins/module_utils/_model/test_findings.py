# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model import findings
from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import (
    FINDINGS,
    MAX_EVIDENCE,
    Finding,
    FindingId,
    Severity,
    by_severity,
    share_evidence_limit,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import ObjectRef

NODE = ObjectRef("Node", "worker-0")
TABLE = Path(findings.__file__)
PLUGINS = TABLE.parents[2]
AN_ID = re.compile(r"FindingId\.([A-Z][A-Z0-9_]+)")


def ids_in_the_code() -> set[FindingId]:
    code = [file.read_text(encoding="utf-8") for file in PLUGINS.rglob("*.py") if file != TABLE]
    return {FindingId[found] for text in code for found in AN_ID.findall(text)}


def test_every_id_has_a_definition():
    assert set(FINDINGS) == set(FindingId)


def test_every_public_id_is_used():
    assert set(FINDINGS) - ids_in_the_code() == set()


@pytest.mark.parametrize("finding_id", FINDINGS)
def test_every_finding_has_a_meaning_and_a_remedy(finding_id):
    definition = FINDINGS[finding_id]
    assert re.fullmatch(r"\S.*\.", definition.meaning)
    assert re.fullmatch(r"[A-Z].*[^.]", definition.remedy)


@pytest.mark.parametrize(
    ("finding_id", "severity", "fatal"),
    [
        ("build.failed", Severity.FATAL, True),
        ("pool.render_degraded", Severity.ERROR, False),
        ("node.deviation_allowed", Severity.WARNING, False),
    ],
)
def test_the_table_says_what_is_fatal(finding_id, severity, fatal):
    finding = Finding(finding_id, NODE, "message")
    assert (finding.severity, finding.fatal) == (severity, fatal)


def test_a_result_shows_the_finding_with_its_remedy():
    secret = ObjectRef("Secret", "push", "ns")
    assert Finding(FindingId.POOL_RENDER_DEGRADED, secret, "message", "evidence").as_result() == {
        "id": "pool.render_degraded",
        "severity": "error",
        "object": {"kind": "Secret", "namespace": "ns", "name": "push"},
        "message": "message",
        "evidence": "evidence",
        "remedy": FINDINGS["pool.render_degraded"].remedy,
    }


@pytest.mark.parametrize("character", ["a", "ü", "●", "🙂"])
def test_evidence_is_cut_at_its_limit_of_bytes(character):
    shown = Finding(FindingId.NODE_COMMAND_FAILED, NODE, "message", character * 5000).as_result()["evidence"]
    assert MAX_EVIDENCE - 4 < len(shown.encode()) <= MAX_EVIDENCE
    assert set(shown) == {character}


def test_the_findings_of_a_node_share_its_evidence_the_first_ones_first():
    given = [Finding(FindingId.NODE_COMMAND_FAILED, NODE, "message", text) for text in ("aaaa", "", "bbbb", "cccc")]
    assert [f.evidence for f in share_evidence_limit(given, limit=6)] == ["aaaa", "", "bb", ""]
    assert share_evidence_limit(given) == tuple(given)


def test_a_message_that_quotes_a_text_of_any_length_is_cut_in_a_result():
    finding = Finding(FindingId.NODE_IMAGE_STAGED, ObjectRef("Node", "worker-0"), "x" * 10_000_000)
    assert len(finding.as_result()["message"].encode()) <= 2000 + len("...")


def test_findings_are_sorted_by_severity_not_by_alphabet():
    warning, error, fatal = (
        Finding(FindingId.NODE_NOT_QUERIED, NODE, "a"),
        Finding(FindingId.NODE_NOT_READY, NODE, "b"),
        Finding(FindingId.NODE_IN_TWO_POOLS, NODE, "c"),
    )
    other = Finding(FindingId.NODE_DEGRADED, NODE, "d")
    assert by_severity([warning, error, other, fatal]) == [fatal, error, other, warning]
