# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of all findings in the documentation, written from the table that the collection itself uses."""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import sys
import typing as t
from pathlib import Path

from .environment import ROOT

PAGE = ROOT / "docs/docsite/rst/findings.rst"

_MODEL = "plugins/module_utils/_model"
_HEAD = """\
.. SPDX-License-Identifier: GPL-3.0-or-later
.. Written by `make findings` from plugins/module_utils/_model/findings.py; change it there.

.. _ansible_collections.imagemode.openshift.docsite.findings:

Findings
========

What the collection finds out about a build, a pool, a node or a cluster has an id that stays the same from release to
release, so that a playbook can test for it. A finding also carries the object it is about, a sentence, what shows it,
and the remedy below.

How grave a finding is:

fatal
  It cannot clear by itself. It ends a wait, unless ``fail_on_findings`` says otherwise.
error
  It holds something up and may clear; in a verification it is why a node is not proven.
warning
  Worth knowing. It holds nothing up and changes no verdict.

"""
_SECTIONS = {"build": "Builds", "pool": "Pools", "node": "Nodes", "cluster": "The cluster"}


def findings_page() -> str:
    """Return the page as it should be."""
    by_kind: dict[str, list[str]] = {}
    for name, definition in _findings().items():
        by_kind.setdefault(name.partition(".")[0], []).append(_entry(name, definition))
    unknown = sorted(set(by_kind) - set(_SECTIONS))
    if unknown:
        raise LookupError(f"There is no heading for findings of {', '.join(unknown)}: add it here.")
    sections = [_section(title, by_kind[kind]) for kind, title in _SECTIONS.items() if kind in by_kind]
    return _HEAD + "\n".join(sections)


def write_findings_page() -> Path:
    """Write the page and return where it is."""
    PAGE.write_text(findings_page(), encoding="utf-8")
    return PAGE


def _findings() -> t.Mapping[str, t.Any]:
    """Return the table of this repository, whatever collection is installed."""
    package = "checks_of_model"
    spec = importlib.machinery.ModuleSpec(package, None, is_package=True)
    spec.submodule_search_locations = [str(ROOT / _MODEL)]
    sys.modules[package] = importlib.util.module_from_spec(spec)
    table: t.Mapping[str, t.Any] = importlib.import_module(f"{package}.findings").FINDINGS
    return table


def _section(title: str, entries: t.Sequence[str]) -> str:
    table = ".. list-table::\n   :header-rows: 1\n   :widths: 25 10 35 30\n\n"
    head = "   * - id\n     - severity\n     - what it means\n     - what to do\n"
    return f"{title}\n{'-' * len(title)}\n\n{table}{head}{''.join(entries)}"


def _entry(name: str, definition: t.Any) -> str:
    cells = (f"``{name}``", definition.severity.value, _text(definition.meaning), f"{_text(definition.remedy)}.")
    return "   * - " + "\n     - ".join(cells) + "\n"


def _text(text: str) -> str:
    """Return a text that reStructuredText shows as it is."""
    return "".join(f"\\{c}" if c in "\\*`|_" else c for c in text)
