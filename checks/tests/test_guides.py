# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from pathlib import Path

import pytest

from checks.environment import ROOT
from checks.findings_page import findings_page

GUIDES = sorted(path for path in (ROOT / "docs/docsite/rst").glob("*.rst") if path.stem != "variables")
"""The pages with examples. That of the variables is generated."""
FINDING = re.compile(r"``((?:build|pool|node|cluster)\.(?!yml\b)[a-z_]+)``")
EXAMPLE = re.compile(r" *\.\. code-block:: (?:console|yaml)")
MARKER = re.compile(r" *\.\. (?:Run: (?:v1|v1alpha1)(?:, (?:v1|v1alpha1))*|Not run: \S.*\.)")


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_every_example_of_a_guide_states_where_it_is_run_or_why_not(guide: Path):
    before, unmarked = "", []
    for number, line in enumerate(guide.read_text(encoding="utf-8").splitlines(), 1):
        if EXAMPLE.fullmatch(line) and not MARKER.fullmatch(before):
            unmarked.append(number)
        before = line if line.strip() else before
    assert unmarked == []


def test_guide_of_4_16_names_every_finding_that_only_these_releases_have():
    rows = findings_page().split("\n   * - ")
    of_4_16 = {name for row in rows if "4.16" in row for name in FINDING.findall(row)[:1]}
    guide = (ROOT / "docs/docsite/rst/guide_openshift_4_16.rst").read_text(encoding="utf-8")

    assert "build.edit_not_built" in of_4_16
    assert of_4_16 - set(FINDING.findall(guide)) == set()
