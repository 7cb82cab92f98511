# SPDX-License-Identifier: GPL-3.0-or-later
"""The data for AWX in extensions/aap: surveys by the rules of AWX, and names that exist."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from checks.commands import Setting
from checks.environment import ROOT
from checks.job_templates import TEMPLATES, job_template_files, question
from checks.tree import NEWEST_TREE
from checks.variable_pages import specification

FOLDER = ROOT / "extensions/aap"
PROJECT = FOLDER / "project"
SPEC = specification()
SCHEMA = json.loads((ROOT / "checks/survey.schema.json").read_text(encoding="utf-8"))
RULEBOOKS = sorted((PROJECT / "rulebooks").glob("*.yml"))
CONTENT = yaml.safe_load(job_template_files(SPEC)[TEMPLATES])["controller_templates"]
SURVEYS = [pytest.param(template["survey_spec"], id=template["name"]) for template in CONTENT]
# How AWX finds the playbooks of a project: a line of the file begins with one of these keys.
PLAYBOOK_LINE = re.compile(r"\s*-?\s*(hosts|include|import_playbook):")
FILES_OF_CREDENTIALS = (
    "IMAGE_MODE_KUBECONFIG",
    "IMAGE_MODE_REGISTRY_USERNAME_FILE",
    "IMAGE_MODE_REGISTRY_PASSWORD_FILE",
    "IMAGE_MODE_AAP_TOKEN_FILE",
)
TEXT = {"question_name": "Name", "variable": "name", "type": "text", "required": False}
CHOICE = {**TEXT, "type": "multiselect", "choices": ["a", "b"]}


@pytest.fixture(scope="module")
def configuration(tmp_path_factory):
    """The configuration as Ansible reads it: with templates, and with the files of the credentials."""
    folder = tmp_path_factory.mktemp("configuration")
    environment = {}
    for name in FILES_OF_CREDENTIALS:
        environment[name] = str(folder / name)
        (folder / name).write_text(f"content of {name}\n", encoding="utf-8")
    names = sorted(
        {key for file in _files() for key in re.findall(r"^((?:controller|eda)_\w+):", _text(file), re.MULTILINE)}
    )
    shown = folder / "shown.json"
    content = "{{ {" + ", ".join(f"'{name}': {name}" for name in names) + "} | to_json }}"
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": [
            {"ansible.builtin.include_vars": {"dir": str(FOLDER / "configuration")}},
            {"ansible.builtin.copy": {"dest": str(shown), "mode": "0600", "content": content}},
        ],
    }
    (folder / "play.yml").write_text(json.dumps([play]), encoding="utf-8")
    command = ("ansible-playbook", "-i", "localhost,", "-c", "local", folder / "play.yml")
    ended = Setting(NEWEST_TREE).output(*command, folder=folder, variables=environment)
    assert ended.returncode == 0, ended.stdout
    return json.loads(shown.read_text(encoding="utf-8"))


def _files() -> list[Path]:
    return sorted((FOLDER / "configuration").glob("*.yml"))


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def _lines(value) -> list[str]:
    return value.split("\n") if isinstance(value, str) else list(value)


@pytest.mark.parametrize("survey", SURVEYS)
def test_survey_follows_the_rules_of_awx(survey):
    jsonschema.validate(survey, SCHEMA, cls=jsonschema.Draft202012Validator)
    variables = [asked["variable"] for asked in survey["spec"]]
    assert len(variables) == len(set(variables))
    for asked in survey["spec"]:
        if "choices" in asked:
            assert set(_lines(asked.get("default", []))) <= set(_lines(asked["choices"]))


@pytest.mark.parametrize(
    "wrong",
    [
        {**TEXT, "type": "list"},
        {**TEXT, "default": 5},
        {**TEXT, "choices": ["a"]},
        {**TEXT, "type": "integer", "default": "5"},
        {**TEXT, "type": "multiplechoice"},
        {**CHOICE, "default": ["a"]},
        {**CHOICE, "min": 1},
        {**TEXT, "variable": "not a name"},
        {name: value for name, value in TEXT.items() if name != "required"},
    ],
    ids=str,
)
def test_question_that_awx_rejects_is_found(wrong):
    survey = {"name": "", "description": "", "spec": [wrong]}
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(survey)
    assert jsonschema.Draft202012Validator(SCHEMA).is_valid({**survey, "spec": [TEXT, CHOICE]})


@pytest.mark.parametrize("playbook", sorted(file.stem for file in (ROOT / "playbooks").glob("*.yml")))
def test_every_playbook_has_a_template_that_asks_for_all_of_its_variables(playbook):
    templates = [template for template in CONTENT if template["playbook"] == f"{playbook}.yml"]
    asked = {q["variable"] for template in templates for q in template["survey_spec"]["spec"]}
    assert asked == {variable.name for variable in SPEC.of_playbook(playbook)}
    assert {q["variable"] for q in templates[0]["survey_spec"]["spec"] if q["required"]} == {
        variable.name for variable in SPEC.of_playbook(playbook) if playbook in variable.required
    }


def test_secret_variable_is_a_password():
    (first, *dummy) = SPEC.variables
    secret = type(first)(**{**vars(first), "secret": True})
    assert question(secret, "apply")["type"] == "password"


def test_awx_finds_every_playbook_of_the_project_and_only_rulebooks_beside_them():
    found = [f for f in PROJECT.rglob("*.yml") if any(PLAYBOOK_LINE.match(line) for line in _text(f).splitlines())]
    playbooks = {str(file.relative_to(PROJECT)) for file in found if file not in RULEBOOKS}
    assert playbooks == {template["playbook"] for template in CONTENT}


def test_names_that_the_configuration_uses_are_in_it(configuration):
    names = {kind: {entry["name"] for entry in entries} for kind, entries in configuration.items()}
    for template in configuration["controller_templates"]:
        assert template["project"] in names["controller_projects"]
        assert template["inventory"] in names["controller_inventories"]
        assert template["execution_environment"] in names["controller_execution_environments"]
        assert set(template["credentials"]) <= names["controller_credentials"]
        assert set(template["notification_templates_error"]) <= names["controller_notifications"]
    for credential in configuration["controller_credentials"]:
        assert credential["credential_type"] in names["controller_credential_types"]
    for source in configuration["controller_inventory_sources"]:
        assert source["inventory"] in names["controller_inventories"]
        assert source["source_project"] in names["controller_projects"]
        assert (PROJECT / source["source_path"]).is_file()
    for schedule in configuration["controller_schedules"]:
        assert schedule["unified_job_template"] in names["controller_templates"]


def test_names_that_an_activation_uses_are_in_the_configuration(configuration):
    names = {kind: {entry["name"] for entry in entries} for kind, entries in configuration.items()}
    (project,) = configuration["controller_projects"]
    assert [(p["url"], p["scm_branch"]) for p in configuration["eda_projects"]] == [
        (project["scm_url"], project["scm_branch"])
    ]
    for activation in configuration["eda_rulebook_activations"]:
        assert activation["project"] in names["eda_projects"]
        assert activation["decision_environment"] in names["eda_decision_environments"]
        assert set(activation["eda_credentials"]) <= names["eda_credentials"]
        assert PROJECT / "rulebooks" / activation["rulebook"] in RULEBOOKS
    (kubeconfig,) = configuration["eda_credential_types"]
    assert kubeconfig["injectors"]["env"] == {"K8S_AUTH_KUBECONFIG": "{{ eda.filename.kubeconfig }}"}


@pytest.mark.parametrize("file", RULEBOOKS, ids=lambda file: file.name)
def test_rulebook_launches_templates_with_answers_that_they_ask_for(file):
    templates = {template["name"]: template for template in CONTENT}
    rules = [rule for rulebook in yaml.safe_load(_text(file)) for rule in rulebook["rules"]]
    launched = [rule["action"]["run_job_template"] for rule in rules if "run_job_template" in rule["action"]]
    assert launched
    for launch in launched:
        asked = templates[launch["name"]]["survey_spec"]["spec"]
        given = set(launch["job_args"]["extra_vars"])
        assert {q["variable"] for q in asked if q["required"]} <= given <= {q["variable"] for q in asked}


@pytest.mark.parametrize("file", RULEBOOKS, ids=lambda file: file.name)
def test_rulebook_reacts_to_events_that_exist(file):
    schema = _text(ROOT / "docs/docsite/rst/guide_eda.rst")
    types = re.findall(r'event\.type == "(\w+)"', _text(file))
    assert types
    assert [name for name in types if f"   * - ``{name}``" not in schema] == []


def test_workflow_forecasts_waits_for_approval_applies_and_verifies(configuration):
    templates = {template["name"]: template for template in configuration["controller_templates"]}
    for workflow in configuration["controller_workflows"]:
        nodes = {node["identifier"]: node for node in workflow["simplified_workflow_nodes"]}
        order = ["forecast"]
        while following := nodes[order[-1]].get("success_nodes"):
            order += following
        assert order == ["forecast", "approval", "apply", "verify"] == list(nodes)
        assert "approval_node" in nodes["approval"]
        jobs = {name: templates[node["unified_job_template"]] for name, node in nodes.items() if name != "approval"}
        assert {name: (job["playbook"], nodes[name]["job_type"]) for name, job in jobs.items()} == {
            "forecast": ("apply.yml", "check"),
            "apply": ("apply.yml", "run"),
            "verify": ("verify.yml", "run"),
        }
        # AWX takes the kind of job, and an answer, from a workflow only if the template prompts for it.
        assert all(job["ask_job_type_on_launch"] and job["ask_diff_mode_on_launch"] for job in jobs.values())
        assert workflow["survey_spec"] == jobs["apply"]["survey_spec"]


def test_credential_type_passes_all_of_its_fields_to_the_job(configuration):
    for kind in configuration["controller_credential_types"]:
        fields = {field["id"]: f"value of {field['id']}" for field in kind["inputs"]["fields"]}
        files = {name.partition(".")[2]: text for name, text in kind["injectors"].get("file", {}).items()}
        context = {**fields, "tower": {"filename": {name: f"/file/{name}" for name in files}}}
        rendered = [_rendered(text, context) for text in [*files.values(), *kind["injectors"]["env"].values()]]
        assert set(fields.values()) <= set(rendered)
        assert {f"/file/{name}" for name in files} <= set(rendered)


def test_inventory_of_pools_uses_the_environment_of_the_credential(configuration):
    injected = {name for kind in configuration["controller_credential_types"] for name in kind["injectors"]["env"]}
    used = set(re.findall(r"\bIMAGE_MODE_\w+", _text(PROJECT / "inventory/hosts")))
    assert used == {name for name in injected if name.startswith("IMAGE_MODE_")}


@pytest.mark.parametrize(
    ("job", "text"),
    [
        ({"artifacts": {"image_mode_result": [{"message": "pool a: one"}, {"message": "pool b: two"}]}}, "two"),
        ({"artifacts": {}, "job_explanation": "The job was cancelled."}, "The job was cancelled."),
        ({}, ""),
    ],
    ids=["result", "job that AWX tests a message with", "workflow"],
)
def test_notification_shows_the_message_of_each_pool(configuration, job, text):
    context = {"job": {"name": "Image mode verify", "status": "failed", **job}, "url": "https://awx.example.com/7"}
    for notification in configuration["controller_notifications"]:
        for message in notification["messages"].values():
            assert _rendered(message["message"], context).startswith("Image mode verify: ")
            assert _rendered(message["body"], context).endswith("https://awx.example.com/7")
        assert text in _rendered(notification["messages"]["error"]["body"], context)


def _rendered(template: str, context: dict[str, object]) -> str:
    """Render a template as AWX does."""
    return ImmutableSandboxedEnvironment(undefined=StrictUndefined).from_string(template).render(context)
