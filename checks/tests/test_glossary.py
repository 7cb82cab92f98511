# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from checks.glossary import Glossary

GLOSSARY = Glossary(
    {"told": "reported", "stands above": "is shown above", "refused": "denied"}, ["connection refused"], [], {}
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It was told.", [(1, "told")]),
        ("one\nTold", [(2, "told")]),
        ("_told_twice = ToldTwice", [(1, "told"), (1, "told")]),
        ("# It stands\n    # above.", [(1, "stands above")]),
        ("It stands.", []),
        ("retold", []),
        ("connection refused", []),
        ("the registry refused", [(1, "refused")]),
    ],
    ids=["sentence", "second line", "identifiers", "phrase over two lines", "part of a phrase", "part of a word",
         "quotation", "beside a quotation"],
)  # fmt: skip
def test_glossary_finds_words_in_text_and_identifiers(text, found):
    assert list(GLOSSARY.find(text)) == found


def test_each_word_of_the_glossary_has_a_replacement():
    assert all(isinstance(replacement, str) and replacement for replacement in Glossary.load().words.values())
