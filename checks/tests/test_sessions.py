# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re

from checks.__main__ import session_names
from checks.environment import ROOT


def test_sessions_are_chosen_by_name_and_by_tag_in_the_order_of_the_list():
    assert session_names(["typing", "format", "ruff"]) == ["ruff", "format", "typing"]
    assert set(session_names(["lint"])) > {"ruff", "ansible-lint"}


def test_session_with_parameters_is_chosen_whole_or_in_part():
    parts = session_names(["mutation"])
    assert len(parts) > 1
    assert session_names(parts[:1]) == parts[:1]


def test_make_names_sessions_only():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = [line.split() for line in re.findall(r"^with(?:out)?_lab := (.*)$", makefile, flags=re.MULTILINE)]
    named = [*targets[0], *targets[1], "findings", "surface", "versions", "mutation", "fuzz", "bench"]
    assert len(session_names(named)) >= len(named)
