# SPDX-License-Identifier: GPL-3.0-or-later
"""Generate what AWX needs of each playbook: a playbook file of the project, a job template, and its survey.

The variables have the names of the collection infra.aap_configuration. The rules of a survey question are in
checks/survey.schema.json.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

from .variable_texts import NOTICE, dump, plain

Specification = t.Any
Variable = t.Any
"""Classes of plugins/plugin_utils/_variables/specification.py."""

FOLDER = Path("extensions/aap")
TEMPLATES = FOLDER / "configuration/job_templates.yml"
PROJECT = FOLDER / "project"

_HOSTS = "image_mode_hosts"
_SERIAL = "image_mode_serial"
_PREFIX = "image_mode_"
_KUBECONFIG = "Image mode kubeconfig"
_REGISTRY = "Image mode registry"
_MAIL = "Image mode mail"
_POOLS = "Image mode pools"
_NODES = "Image mode nodes"
_FORMS: t.Mapping[str, str] = {
    "list": "Give one entry per line.",
    "dict": "Give KEY=VALUE pairs, separated by commas.",
    "secrets": "Give a list in YAML.",
}
"""How a text gives a value of a type that AWX has no question for."""


def job_template_files(spec: Specification) -> dict[Path, str]:
    """Return the generated texts by their files, which are relative to the repository."""
    files = {PROJECT / f"{name}.yml": _playbook(name, own.title) for name, own in spec.playbooks.items()}
    content = {"controller_templates": [template for playbook in spec.playbooks for template in _of(spec, playbook)]}
    files[TEMPLATES] = f"---\n{NOTICE}{dump(content)}"
    return files


def survey(spec: Specification, playbook: str) -> dict[str, t.Any]:
    """Return a survey with a question for each variable of a playbook."""
    questions = [question(variable, playbook) for variable in spec.of_playbook(playbook)]
    # A required question first: AWX shows the questions in this order.
    return _survey(sorted(questions, key=lambda asked: not asked["required"]))


def question(variable: Variable, playbook: str) -> dict[str, t.Any]:
    """Return the question for a variable.

    A default that is empty is left out, because AWX would pass it on as an empty text for each question.
    """
    kind = _type(variable)
    form = [_FORMS[variable.type]] if kind == "textarea" and variable.type in _FORMS else []
    content: dict[str, t.Any] = {
        "question_name": variable.name[len(_PREFIX) :].replace("_", " ").capitalize(),
        "question_description": plain(" ".join([*variable.description, *form]), _PREFIX),
        "variable": variable.name,
        "type": kind,
        "required": playbook in variable.required,
    }
    choices = ["true", "false"] if variable.type == "bool" else list(variable.choices)
    if choices:
        content["choices"] = choices
    if variable.type == "int":
        content["min"] = 0
    default = _default(variable)
    if default != "" and not content["required"]:
        content["default"] = default
    return content


def _type(variable: Variable) -> str:
    if variable.secret:
        return "password"
    if variable.type == "bool":
        return "multiplechoice"
    if variable.choices:
        return "multiselect" if variable.type == "list" else "multiplechoice"
    if variable.type == "int":
        return "integer"
    return "textarea" if variable.type in _FORMS or variable.check == "containerfile" else "text"


def _default(variable: Variable) -> t.Any:
    """Return the default as AWX takes it: a list as lines, a truth value as a text."""
    value = variable.default
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "\n".join(value)
    return "" if value in (None, {}) else value


def _of(spec: Specification, playbook: str) -> list[dict[str, t.Any]]:
    """Return the job templates of a playbook.

    An answer of a survey takes precedence over the variables of all hosts. A playbook whose hosts are pools therefore
    has two templates: one whose survey describes a single pool, and one for pools that the inventory describes.
    """
    title = spec.playbooks[playbook].title
    if _has_hosts_that_are_nodes(spec, playbook):
        nodes = _template(spec, playbook, f"{title}.", survey(spec, playbook))
        return [{**nodes, "inventory": _NODES, "ask_credential_on_launch": True}]
    pool = _template(spec, playbook, f"{title}. The survey describes the pool.", survey(spec, playbook))
    variables = {variable.name: variable for variable in spec.of_playbook(playbook)}
    which = {**question(variables[_HOSTS], playbook), "required": True, "default": "pools"}
    questions = [which, question(variables[_SERIAL], playbook)]
    pools = _template(spec, playbook, f"{title}, for pools that the inventory describes.", _survey(questions))
    return [pool, {**pools, "name": f"{pools['name']} (inventory)", "ask_job_slice_count_on_launch": True}]


def _has_hosts_that_are_nodes(spec: Specification, playbook: str) -> bool:
    """Return whether a host is a node: then the pattern of hosts has no default."""
    return any(v.name == _HOSTS and playbook in v.required for v in spec.of_playbook(playbook))


def _template(spec: Specification, playbook: str, description: str, questions: dict[str, t.Any]) -> dict[str, t.Any]:
    has_secrets = any(variable.type == "secrets" for variable in spec.of_playbook(playbook))
    return {
        "name": f"Image mode {playbook}",
        "description": description,
        "organization": "Default",
        "job_type": "run",
        "inventory": _POOLS,
        "project": "Image mode",
        "playbook": f"{playbook}.yml",
        "execution_environment": "Image mode",
        "credentials": [_KUBECONFIG, _REGISTRY] if has_secrets else [_KUBECONFIG],
        "allow_simultaneous": True,
        "ask_job_type_on_launch": True,
        "ask_limit_on_launch": True,
        "ask_diff_mode_on_launch": True,
        "ask_verbosity_on_launch": True,
        "notification_templates_error": [_MAIL],
        "survey_enabled": True,
        "survey_spec": questions,
    }


def _survey(questions: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    return {"name": "", "description": "", "spec": questions}


def _playbook(name: str, title: str) -> str:
    # AWX finds a playbook by a line that begins with one of a few words; import_playbook is one without a namespace.
    return f"---\n{NOTICE}{dump([{'name': title, 'import_playbook': f'imagemode.openshift.{name}'}])}"
