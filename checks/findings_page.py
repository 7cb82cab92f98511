# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the page of findings from the table in the code: ``python -m checks.findings_page``."""

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

A finding is a named fact about a build, a pool, a node or a cluster. Its id does not change between releases, so that
a playbook can test for it. A finding also contains the object, a message, the evidence and the remedy below.

The severity of a finding:

fatal
  The condition cannot clear by itself. It ends a wait, unless ``fail_on_findings`` changes that.
error
  The condition blocks progress and may clear. In a verification it is the reason why a node is not verified.
warning
  The condition blocks nothing and changes no verdict.

"""
_SECTIONS = {"build": "Builds", "pool": "Pools", "node": "Nodes", "cluster": "The cluster"}


def findings_page() -> str:
    """Return the content of the page."""
    by_kind: dict[str, list[str]] = {}
    for name, definition in findings_table().items():
        by_kind.setdefault(name.partition(".")[0], []).append(_entry(name, definition))
    unknown = sorted(set(by_kind) - set(_SECTIONS))
    if unknown:
        raise LookupError(f"Findings of {', '.join(unknown)} have no heading. Add it to _SECTIONS.")
    sections = [_section(title, by_kind[kind]) for kind, title in _SECTIONS.items() if kind in by_kind]
    return _HEAD + "\n".join(sections)


def write_findings_page() -> Path:
    """Write the page and return its path."""
    PAGE.write_text(findings_page(), encoding="utf-8")
    return PAGE


def findings_table() -> t.Mapping[str, t.Any]:
    """Return the table of this repository, independent of installed collections."""
    package = "checks_of_model"
    spec = importlib.machinery.ModuleSpec(package, None, is_package=True)
    spec.submodule_search_locations = [str(ROOT / _MODEL)]
    sys.modules[package] = importlib.util.module_from_spec(spec)
    table: t.Mapping[str, t.Any] = importlib.import_module(f"{package}.findings").FINDINGS
    return table


def _section(title: str, entries: t.Sequence[str]) -> str:
    table = ".. list-table::\n   :header-rows: 1\n   :widths: 25 10 35 30\n\n"
    head = "   * - id\n     - severity\n     - meaning\n     - remedy\n"
    return f"{title}\n{'-' * len(title)}\n\n{table}{head}{''.join(entries)}"


def _entry(name: str, definition: t.Any) -> str:
    cells = (f"``{name}``", definition.severity.value, _text(definition.meaning), f"{_text(definition.remedy)}.")
    return "   * - " + "\n     - ".join(cells) + "\n"


def _text(text: str) -> str:
    """Return *text* with the markup of reStructuredText escaped."""
    return "".join(f"\\{c}" if c in "\\*`|_" else c for c in text)


if __name__ == "__main__":
    print(f"Wrote {write_findings_page()}")
