# SPDX-License-Identifier: GPL-3.0-or-later
"""Count the tests of a run from the reports of nox and pytest."""

from __future__ import annotations

import json
import typing as t
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Count:
    """Numbers of tests. A session without tests counts as one."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)


def read_count(report: Path) -> Count:
    """Read a JUnit report of pytest."""
    tests = failed = skipped = 0
    for suite in ET.parse(report).getroot().iter("testsuite"):
        tests += int(suite.get("tests", 0))
        failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped += int(suite.get("skipped", 0))
    return Count(max(tests - failed - skipped, 0), failed, skipped)


def summarize(nox_report: Path, reports: Path) -> list[str]:
    """Return a table of the sessions; the last line is "N passed, N failed".

    Skipped tests count as failed. So does a session that failed without a failed test.
    """
    sessions: list[dict[str, t.Any]] = json.loads(nox_report.read_text(encoding="utf-8"))["sessions"]
    lines, total = [f"{'session':<24} {'tests':>5} {'failed':>7} {'seconds':>8}"], Count()
    for session in sessions:
        name = session["signatures"][0] if session["signatures"] else session["name"]
        count = _count(session, sorted(reports.glob(f"*-{name}.xml")))
        total += count
        status = "ok" if session["result"] == "success" and not count.failed else "FAILED"
        tests = count.passed + count.failed
        lines.append(f"{name:<24} {tests:>5} {count.failed:>7} {session['duration']:>8.1f}  {status}")
    return [*lines, "", f"{total.passed} passed, {total.failed} failed"]


def _count(session: t.Mapping[str, t.Any], reports: t.Iterable[Path]) -> Count:
    """Count the tests of a session, or the session as one test."""
    counted = sum((read_count(report) for report in reports), Count())
    count = Count(counted.passed, counted.failed + counted.skipped)
    if session["result"] != "success":
        return count if count.failed else count + Count(failed=1)
    return count if count.passed or count.failed else Count(passed=1)
