# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from checks.environment import ROOT
from checks.variable_pages import generated_files


@pytest.mark.parametrize("path", sorted(generated_files()), ids=str)
def test_generated_text_is_up_to_date(path):
    assert (ROOT / path).read_text(encoding="utf-8") == generated_files()[path], "Run `make variables`"
