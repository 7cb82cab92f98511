# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import subprocess
import sys

import pytest

from checks.reports import Count, read_count, summarize


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ("def test_a(): pass\ndef test_b(): pass\n", Count(passed=2)),
        ("def test_a(): pass\ndef test_b(): assert False\n", Count(passed=1, failed=1)),
        ("import pytest\ndef test_a(): pass\ndef test_b(): pytest.skip('x')\n", Count(passed=1, skipped=1)),
        ("import pytest\n@pytest.fixture\ndef f(): raise OSError\ndef test_a(f): pass\n", Count(failed=1)),
        ("import nothing_of_that_name\n", Count(failed=1)),
        ("", Count()),
    ],
    ids=["passed", "failed", "skipped", "fixture failed", "import failed", "no test"],
)
def test_tests_of_a_pytest_report_are_counted(tmp_path, body, count):
    (tmp_path / "test_it.py").write_text(body, encoding="utf-8")
    report = tmp_path / "report.xml"
    pytest_of_its_own = (sys.executable, "-m", "pytest", "--junit-xml", report, "test_it.py")
    subprocess.run(pytest_of_its_own, cwd=tmp_path, stdout=subprocess.DEVNULL, check=False)
    assert read_count(report) == count


@pytest.fixture
def summary(tmp_path):
    def of(*sessions, **reports):
        for name, (tests, failures, skipped) in reports.items():
            attributes = f'tests="{tests}" failures="{failures}" errors="0" skipped="{skipped}"'
            (tmp_path / f"00-{name}.xml").write_text(f"<testsuite {attributes}/>", encoding="utf-8")
        entries = [{"name": name, "signatures": [name], "result": result, "duration": 1.0} for name, result in sessions]
        (tmp_path / "nox.json").write_text(json.dumps({"sessions": entries}), encoding="utf-8")
        return summarize(tmp_path / "nox.json", tmp_path)

    return of


def test_tests_of_all_sessions_are_added_on_the_last_line(summary):
    lines = summary(("unit", "failed"), ("fuzz", "success"), unit=(4, 1, 0), fuzz=(2, 0, 0))
    assert lines[-1] == "5 passed, 1 failed"


def test_session_without_tests_counts_as_one(summary):
    assert summary(("ruff", "success"), ("docs", "failed"))[-1] == "1 passed, 1 failed"


def test_session_that_failed_without_a_failed_test_counts_as_failed(summary):
    assert summary(("unit", "failed"), unit=(3, 0, 0))[-1] == "3 passed, 1 failed"


def test_skipped_test_counts_as_failed(summary):
    lines = summary(("unit", "failed"), unit=(3, 0, 1))
    assert lines[-1] == "2 passed, 1 failed"
    assert "FAILED" in lines[1]


def test_session_that_did_not_run_counts_as_failed(summary):
    assert summary(("integration", "aborted"))[-1] == "0 passed, 1 failed"
