# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of the surveys in extensions/aap, with the types in which AWX passes them on, are valid variables."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.imagemode.openshift.plugins.plugin_utils._variables.specification import specification
from ansible_collections.imagemode.openshift.plugins.plugin_utils._variables.validation import (
    Caller,
    Given,
    first_problem,
)

COLLECTION = Path(__file__).parents[5]
TEMPLATES = yaml.safe_load((COLLECTION / "extensions/aap/configuration/job_templates.yml").read_text(encoding="utf-8"))[
    "controller_templates"
]
SPEC = specification()
EXAMPLES = {variable.name: variable.example for variable in SPEC.variables}
ANSWERS: t.Mapping[str, t.Any] = {
    "image_mode_containerfile": "FROM configs AS final\nRUN dnf install -y tcpdump\n",
    "image_mode_containerfile_path": "",
    "image_mode_create_pool": "true",
    "image_mode_node_selector": "example.com/os=layered, example.com/tier=edge",
    "image_mode_nodes": "worker-0\nworker-1\n",
    "image_mode_allowed_deviations": "usbguard\nkernel-rt*",
    "image_mode_fail_on": ["mismatch"],
    "image_mode_expected_image": "sha256:" + "0" * 64,
    "image_mode_secrets": """
- name: os-push
  registry: registry.example.com
  registry_username: robot
  registry_password_env: IMAGE_MODE_REGISTRY_PASSWORD
""",
}
"""Answers that a person types, where the example of the variable is not one."""


def problem_of(template: t.Mapping[str, t.Any], values: t.Mapping[str, t.Any]) -> str:
    caller = Caller(playbook=template["playbook"].partition(".")[0])
    given = {**{q["variable"]: "layered" for q in template["survey_spec"]["spec"] if q["required"]}, **values}
    if "image_mode_rendered_image_push_spec" in given:
        given["image_mode_rendered_image_push_spec"] = "registry.example.com/os/layered:latest"
    environment = {"IMAGE_MODE_REGISTRY_PASSWORD": "correct-horse"}
    return first_problem(SPEC, caller, Given(given, list(given), lambda path: Path(path).read_bytes(), environment))


def unanswered(question: t.Mapping[str, t.Any]) -> t.Any:
    """Return what AWX passes on for a question without an answer."""
    default = question.get("default", "")
    return default.split("\n") if question["type"] == "multiselect" and default else default


each_template = pytest.mark.parametrize(
    "template", [pytest.param(template, id=template["name"]) for template in TEMPLATES if "(" not in template["name"]]
)


@each_template
def test_survey_with_only_the_required_answers_is_valid(template):
    values = {q["variable"]: unanswered(q) for q in template["survey_spec"]["spec"] if not q["required"]}
    if "image_mode_containerfile" in values:
        values["image_mode_containerfile"] = ANSWERS["image_mode_containerfile"]
    assert problem_of(template, values) == ""


@each_template
def test_survey_with_all_answers_is_valid(template):
    values = {}
    for question in template["survey_spec"]["spec"]:
        name = question["variable"]
        example = "" if "\n" in str(EXAMPLES[name]) or EXAMPLES[name] is None else EXAMPLES[name]
        values[name] = ANSWERS.get(name, example or unanswered(question))
    assert problem_of(template, values) == ""


@each_template
def test_wrong_answer_is_named(template):
    assert "image_mode_node_timeout: soon is not a number" in problem_of(template, {"image_mode_node_timeout": "soon"})
