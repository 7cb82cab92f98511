# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the public surface: the rules for its changes, and that this repository keeps them."""

from __future__ import annotations

import re

import pytest

from checks.environment import ROOT, ChecksError
from checks.surface import records
from checks.surface.compatibility import Deprecation, Release, problems, version_key
from checks.surface.facts import Facts, public_surface, versions_added
from checks.surface.records import (
    present_version,
    read_deprecations,
    read_record,
    record_file,
    record_text,
    released_versions,
    write_record,
)

OPTION = "module m option o"
RETURN = "module m return r"
PROPERTY = "report r property p"
OLD: Facts = {
    "module m": {},
    OPTION: {"type": "str", "default": "a", "choices": ["a", "b"], "aliases": ["other"], "env": ["M_O"]},
    RETURN: {"type": "str"},
    "finding node.late": {"severity": "warning"},
    "annotation or label imagemode.openshift/edit": {},
    PROPERTY: {"types": ["null", "string"], "values": ["x", "y"], "required": True},
    "report r property closed": {"types": ["object"], "closed": True},
}


def changed(fact: str, **promise: object) -> Facts:
    """Return the old surface with another promise about *fact*. None removes an attribute."""
    return {**OLD, fact: {name: value for name, value in {**OLD.get(fact, {}), **promise}.items() if value is not None}}


def without(fact: str) -> Facts:
    return {name: promise for name, promise in OLD.items() if name != fact}


def found(facts: Facts, version: str = "1.1.0", *deprecations: Deprecation) -> list[str]:
    return problems(Release("1.0.0", OLD), Release(version, facts), deprecations)


@pytest.mark.parametrize("fact", OLD)
def test_removal_needs_a_major_release(fact):
    assert [line for line in found(without(fact)) if line.startswith(f"{fact}: was removed")]


@pytest.mark.parametrize(
    "facts",
    [
        changed(OPTION, type="int"),
        changed(OPTION, default="b"),
        changed(OPTION, default=None),
        changed(OPTION, choices=["a"]),
        changed(OPTION, aliases=[]),
        changed(OPTION, env=None),
        changed(OPTION, required=True),
        changed("module m", choices=["a"]),
        changed(RETURN, type="int"),
        changed("finding node.late", severity="fatal"),
        changed(PROPERTY, types=["integer", "null", "string"]),
        changed(PROPERTY, types=None),
        changed(PROPERTY, values=["x", "y", "z"]),
        changed(PROPERTY, values=None),
        changed(PROPERTY, pattern="^x$"),
        changed(PROPERTY, required=None),
        changed(PROPERTY, closed=True),
        changed("module m option new", type="str", required=True),
        changed("report r property closed.new", types=["string"]),
    ],
)
def test_incompatible_change_needs_a_major_release(facts):
    assert len(found(facts)) == 1
    assert found(facts, "2.0.0") == []


@pytest.mark.parametrize(
    "facts",
    [
        OLD,
        changed(OPTION, choices=["a", "b", "c"]),
        changed(OPTION, choices=None),
        changed(OPTION, aliases=["another", "other"]),
        changed(PROPERTY, types=["string"]),
        changed(PROPERTY, values=["x"]),
        changed("module m option new", type="str"),
        changed("module m return new", type="str"),
        changed("module new"),
        {**changed("module new"), "module new option o": {"required": True}},
        changed("finding node.new", severity="fatal"),
        changed("report r property new", types=["string"], required=True),
    ],
)
def test_compatible_change_needs_a_minor_release_only_for_an_addition(facts):
    assert found(facts) == []
    assert bool(found(facts, "1.0.1")) == bool(facts.keys() - OLD.keys())


def test_removal_in_a_major_release_needs_a_deprecation_in_an_earlier_one():
    announced = Deprecation(OPTION, since="1.0.0", removed_in="2.0.0", instead="Use p")
    late = Deprecation(OPTION, since="2.0.0", removed_in="2.0.0", instead="Use p")
    early = Deprecation(OPTION, since="1.0.0", removed_in="3.0.0", instead="Use p")
    assert found(without(OPTION), "2.0.0", announced) == []
    for wrong in ((), (late,), (early,), (Deprecation("module m option other", "1.0.0", "2.0.0", "Use p"),)):
        assert len(found(without(OPTION), "2.0.0", *wrong)) == 1


def test_deprecation_of_a_module_covers_its_options_and_not_those_of_others():
    announced = Deprecation("module m", since="1.0.0", removed_in="2.0.0", instead="Use n")
    facts = {name: promise for name, promise in OLD.items() if not name.startswith("module m")}
    assert found(facts, "2.0.0", announced) == []
    assert len(found(without("finding node.late"), "2.0.0", announced)) == 1


def test_record_of_a_released_version_is_not_written_again(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "FOLDER", tmp_path)
    monkeypatch.setattr(records, "released_versions", lambda: ["1.0.0"])
    (tmp_path / "1.0.0.json").write_text(record_text(OLD), encoding="utf-8")
    write_record(Release("1.0.0", OLD))
    with pytest.raises(ChecksError, match=r"it is released\. Set a new version in galaxy\.yml"):
        write_record(Release("1.0.0", without(OPTION)))
    write_record(Release("1.1.0", without(RETURN)))
    assert read_record("1.1.0").facts == without(RETURN)
    assert read_record("1.0.0").facts == OLD


# This repository


@pytest.fixture(scope="module")
def surface():
    return public_surface()


def test_surface_has_every_kind_of_fact(surface):
    for fact in (
        "module machineosconfig option pool",
        "module node_image_verify option host",
        "module node_image_verify return nodes.booted.digest",
        "module publish_result return ansible_stats.data.image_mode_result.verdict",
        "inventory nodes option kubeconfig",
        "inventory nodes host variable image_mode_expected",
        "lookup play_hosts option variable",
        "role build_image option build_image_pool",
        "role build_image registers build_image_result",
        "playbook apply variable image_mode_pool",
        "entry of image_mode_secrets key registry",
        "finding build.failed",
        "report evidence-1 property nodes[].booted.digest",
        "action group image_mode member machineosconfig",
    ):
        assert fact in surface
    assert surface["playbook apply variable image_mode_pool"]["required"]
    assert surface["report evidence-1 property nodes[].verdict"]["values"] == ["match", "mismatch", "unknown"]


def test_surface_has_no_options_of_ansible_itself(surface):
    assert "inventory nodes option compose" not in surface


def test_surface_and_architecture_list_the_same_annotations(surface):
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    described = set(re.findall(r"`(imagemode\.openshift/[a-z-]+)`", page))
    prefix = "annotation or label "
    assert {fact.removeprefix(prefix) for fact in surface if fact.startswith(prefix)} == described


def test_record_of_the_present_version_is_up_to_date(surface):
    assert record_file(present_version()).read_text(encoding="utf-8") == record_text(surface), "Run `make surface`"


def test_present_surface_is_compatible_with_the_last_release(surface):
    earlier = [version for version in released_versions() if version != present_version()]
    for last in earlier[-1:]:
        present = Release(present_version(), surface)
        assert problems(read_record(last), present, read_deprecations()) == []


def test_every_released_version_has_a_record():
    for version in released_versions():
        assert read_record(version).facts


def test_deprecated_facts_exist_in_the_release_that_announces_them():
    recorded = {*released_versions(), present_version()}
    for entry in read_deprecations():
        assert entry.since in recorded
        assert entry.fact in read_record(entry.since).facts
        assert version_key(entry.removed_in)[0] > version_key(entry.since)[0]


def test_documentation_names_the_release_that_added_a_plugin_or_an_option():
    earlier = [version for version in released_versions() if version != present_version()]
    before = read_record(earlier[-1]).facts if earlier else {}
    wrong = {
        fact: version
        for fact, version in versions_added().items()
        if version not in (earlier if fact in before else [present_version()])
    }
    assert wrong == {}
