# SPDX-License-Identifier: GPL-3.0-or-later
"""Each case in which a simple wait never ends or reports a wrong result is decided by a test."""

from __future__ import annotations

import ast
import collections
from pathlib import Path

from lab.scenarios.scenario import WaitCase

FOLDER = Path(__file__).resolve().parent


def _cases_of(file: Path) -> list[str]:
    """Return the cases in the ``wait_case`` markers of the tests of a file."""
    tests = (node for node in ast.parse(file.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef))
    marked = (mark for test in tests for mark in test.decorator_list if isinstance(mark, ast.Call))
    return [
        case.attr
        for mark in marked
        if isinstance(mark.func, ast.Attribute) and mark.func.attr == "wait_case"
        for case in mark.args
        if isinstance(case, ast.Attribute)
    ]


def test_each_wait_case_is_decided_by_one_test() -> None:
    found = collections.Counter(case for file in sorted(FOLDER.glob("test_*.py")) for case in _cases_of(file))
    assert found == collections.Counter(case.name for case in WaitCase)
