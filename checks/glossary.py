# SPDX-License-Identifier: GPL-3.0-or-later
"""Find words that the project does not use: ``python -m checks.glossary``. ``glossary.yml`` lists them."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from pathlib import Path

import yaml

from .commands import main
from .environment import ROOT
from .tree import files_of

_GLOSSARY = Path(__file__).with_name("glossary.yml")
_BETWEEN_WORDS = re.compile(r"_+|(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True)
class Glossary:
    """Words to replace, quotations that may contain them, and folders where a word is the standard term."""

    words: t.Mapping[str, str]
    quotations: t.Sequence[str]
    paths: t.Sequence[str]
    terms: t.Mapping[str, t.Sequence[str]]

    @classmethod
    def load(cls, file: Path = _GLOSSARY) -> Glossary:
        """Read the glossary."""
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        quotations = [quotation["text"] for quotation in document["quotations"]]
        terms = {term["word"]: term["paths"] for term in document["terms"]}
        return cls(document["words"], quotations, document["paths"], terms)

    def find(self, text: str) -> t.Iterator[tuple[int, str]]:
        """Yield the line number and the word of each occurrence in *text*."""
        for quotation in self.quotations:
            text = text.replace(quotation, "")
        plain = _BETWEEN_WORDS.sub(" ", text)
        for found in self._pattern().finditer(plain):
            yield plain.count("\n", 0, found.start()) + 1, " ".join(found.group().lower().replace("#", " ").split())

    def _pattern(self) -> re.Pattern[str]:
        # A phrase may continue on the next line, in a comment behind "#". Of two words the longer one is found.
        phrases = sorted(self.words, key=len, reverse=True)
        alternatives = "|".join(r"[\s#]+".join(map(re.escape, phrase.split())) for phrase in phrases)
        return re.compile(rf"\b(?:{alternatives})\b", re.IGNORECASE)


def glossary() -> bool:
    """Print each occurrence by file and return whether there was none."""
    rules = Glossary.load()
    count = 0
    for file in files_of(ROOT):
        if not _is_below(file, rules.paths):
            continue
        found = [(0, word) for dummy, word in rules.find(file.as_posix())]
        found += rules.find((ROOT / file).read_text(encoding="utf-8", errors="replace"))
        for line, word in found:
            if not _is_below(file, rules.terms.get(word, ())):
                print(f"{file}:{line}: {word} -> {rules.words[word]}")
                count += 1
    print(f"{count} words to replace")
    return not count


def _is_below(file: Path, paths: t.Iterable[str]) -> bool:
    return any(file == Path(path) or Path(path) in file.parents for path in paths)


if __name__ == "__main__":
    main(glossary)
