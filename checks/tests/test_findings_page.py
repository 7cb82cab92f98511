# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from checks.findings_page import PAGE, findings_page


def test_the_page_of_findings_says_what_the_table_says():
    assert PAGE.read_text(encoding="utf-8") == findings_page(), "Run `make findings`"
