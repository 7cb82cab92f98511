# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin: what it takes is what is documented, and which release it says it is."""

from __future__ import annotations

import json
import typing as t

import yaml
from ansible_collections.imagemode.openshift.plugins.action.evidence_report import FORMATS, OPTIONS, collection_version
from ansible_collections.imagemode.openshift.plugins.modules import evidence_report

if t.TYPE_CHECKING:
    from pathlib import Path


def test_it_takes_what_its_documentation_says() -> None:
    documented = yaml.safe_load(evidence_report.DOCUMENTATION)["options"]
    for option in documented.values():
        del option["description"]

    assert documented == OPTIONS


def test_the_page_the_data_and_the_xml_have_names_that_tools_find() -> None:
    assert {name: ending for name, (ending, dummy) in FORMATS.items()} == {
        "html": ".html",
        "json": ".json",
        "junit": ".junit.xml",
    }


def test_an_installed_collection_knows_its_release(tmp_path: Path) -> None:
    (tmp_path / "MANIFEST.json").write_text(json.dumps({"collection_info": {"version": "1.2.3"}}), encoding="utf-8")

    assert collection_version(tmp_path) == "1.2.3"


def test_a_source_knows_the_release_that_it_is_going_to_be(tmp_path: Path) -> None:
    (tmp_path / "galaxy.yml").write_text("version: 1.2.4\n", encoding="utf-8")

    assert collection_version(tmp_path) == "1.2.4"


def test_a_collection_that_says_nothing_has_no_release(tmp_path: Path) -> None:
    assert collection_version(tmp_path) is None
