# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from checks.findings_page import PAGE, findings_page


def test_page_of_findings_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == findings_page(), "Run `make findings`"
