# SPDX-License-Identifier: GPL-3.0-or-later
"""The specification, the roles and the playbooks name the same variables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.imagemode.openshift.plugins.plugin_utils._variables.problem import Problem
from ansible_collections.imagemode.openshift.plugins.plugin_utils._variables.specification import (
    PREFIX,
    read_specification,
    specification,
)
from ansible_collections.imagemode.openshift.plugins.plugin_utils._variables.values import (
    as_list,
    check_value,
    is_empty,
)

COLLECTION = Path(__file__).parents[5]
SPEC = specification()
ROLES = sorted(path.name for path in (COLLECTION / "roles").iterdir())
PLAYBOOKS = sorted(path.stem for path in (COLLECTION / "playbooks").glob("*.yml"))


def test_all_roles_and_playbooks_are_in_the_specification():
    assert sorted(SPEC.roles) == ROLES
    assert sorted(SPEC.playbooks) == PLAYBOOKS


@pytest.mark.parametrize("role", ROLES)
def test_every_default_of_a_role_has_its_playbook_variable(role):
    defaults = yaml.safe_load((COLLECTION / "roles" / role / "defaults/main.yml").read_text(encoding="utf-8"))
    inputs = {given.name for given in SPEC.role_inputs if given.role == role}
    options = {variable.option(role): variable.name for variable in SPEC.of_role(role)}
    assert set(defaults) == set(options) | inputs
    assert all(name in str(defaults[option]) for option, name in options.items())


@pytest.mark.parametrize("role", ROLES)
def test_tasks_of_a_role_read_every_option(role):
    tasks = "".join(path.read_text(encoding="utf-8") for path in (COLLECTION / "roles" / role / "tasks").glob("*.yml"))
    unread = [v.option(role) for v in SPEC.of_role(role) if not re.search(rf"\b{v.option(role)}\b", tasks)]
    assert not unread


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_playbook_reads_only_variables_of_the_specification(playbook):
    text = (COLLECTION / "playbooks" / f"{playbook}.yml").read_text(encoding="utf-8")
    plays = text[text.index("\n- name:") :]
    read = set(re.findall(rf"(?<![\w.]){PREFIX}\w+", plays)) - {"image_mode_result"}
    assert read <= {variable.name for variable in SPEC.of_playbook(playbook)}


@pytest.mark.parametrize("variable", SPEC.variables, ids=lambda variable: variable.name)
def test_default_and_example_are_valid(variable):
    assert variable.name.startswith(PREFIX)
    assert set(variable.required) <= set(variable.playbooks) <= set(SPEC.playbooks)
    for value in (variable.default, variable.example):
        if not is_empty(value) and "..." not in str(value):
            check_value(variable, value)


def test_unknown_key_of_a_variable_is_an_error():
    content = {"playbooks": {}, "roles": {}, "role_inputs": {}, "secret_keys": {}, "node_variables": []}
    with pytest.raises(TypeError, match="defalt"):
        read_specification({**content, "variables": {"image_mode_a": {"type": "str", "roles": {}, "defalt": ""}}})


@pytest.mark.parametrize("value", [["a", "b"], "a,b", "a\nb", '["a", "b"]', ' ["a",\n"b"]'])
def test_list_is_read_from_each_form(value):
    assert as_list(value) == ["a", "b"]


@pytest.mark.parametrize("value", ['["a"', '[["a"]]', '["a", null]', '[{"a": 1}]'])
def test_text_that_begins_like_a_list_must_be_a_list_of_texts(value):
    with pytest.raises(Problem):
        as_list(value)
