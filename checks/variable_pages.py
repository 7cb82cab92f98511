# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the texts that are generated from the specification of the variables: ``python -m checks.variable_pages``.

They are the argument specification and the defaults of each role, the header of each playbook, the options in the
documentation of the modules that a role calls, the page of all variables, and the playbooks and job templates for AWX.
"""

from __future__ import annotations

import importlib.util
import re
import sys
import typing as t
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from .environment import ROOT
from .job_templates import job_template_files
from .variable_texts import MARKUP, NOTICE, dump, plain

Specification = t.Any
Variable = t.Any
SecretKey = t.Any
"""Classes of plugins/plugin_utils/_variables/specification.py, which is read from this repository."""

VERSION_ADDED = "1.0.0"
AUTHOR = "Contributors to the imagemode.openshift collection"
WIDTH = 120
PAGE = Path("docs/docsite/rst/variables.rst")
STEP_MODULES: t.Mapping[str, str] = {
    "registry_access": "registry_secrets",
    "build_image": "build_image",
    "roll_out": "roll_out",
    "verify_nodes": "verify_pool",
}
"""Role -> the module that takes its options."""
STEP_RESULTS: t.Mapping[str, t.Mapping[str, t.Any]] = {
    "roll_out": {
        "build": {
            "description": [
                "Result of M(imagemode.openshift.build_image) of this run, to whose spec the rollout is bound.",
                "A result for another pool binds to nothing.",
            ],
            "type": "dict",
        }
    },
    "verify_nodes": {
        "build": {
            "description": [
                "Result of M(imagemode.openshift.build_image) of this run, to whose image the verification is bound.",
                "A result for another pool binds to nothing.",
            ],
            "type": "dict",
        }
    },
}
"""Role -> options of its module that take the result of an earlier step. No variable sets them."""

_DOCUMENTATION = re.compile(r'(DOCUMENTATION = r"""\n)(.*?)(^""")', re.DOTALL | re.MULTILINE)
_HEADER = re.compile(r"\A---\n(?:#.*\n)*")
_ARGUMENT_TYPES: t.Mapping[str, str] = {"path": "str", "secrets": "list"}
_TEMPLATES = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)  # noqa: S701  writes reStructuredText
_PAGE_TEMPLATE = """\
.. SPDX-License-Identifier: GPL-3.0-or-later
.. Written by `make variables` from plugins/plugin_utils/_variables/specification.yml; change it there.

.. _ansible_collections.imagemode.openshift.docsite.variables:

Variables
=========

The playbooks read the variables below. Set them in a file (``-e @pool.yml``), in the inventory, or in a survey. An
empty value means that the variable is not set. All variables are validated before the first request to the cluster.

Each role has options of its own, which take the value of the playbook variable unless they are set.

{% for variable in variables %}
.. _ansible_collections.imagemode.openshift.docsite.{{ variable.name }}:

{{ variable.name }}
{{ '-' * variable.name|length }}

{% for sentence in variable.description %}{{ sentence }}{{ ' ' if not loop.last }}{% endfor %}


{% for row in variable.rows %}
:{{ row[0] }}: {{ row[1] }}
{% endfor %}

{% if variable.example %}
.. code-block:: yaml

{{ variable.example }}
{% endif %}
{% if variable.entry_keys %}
Each entry has these keys:

{% for key in variable.entry_keys %}
``{{ key.name }}``
  {{ key.description }}
{% endfor %}

{% endif %}
{% endfor %}
"""


def generated_files() -> dict[Path, str]:
    """Return all generated texts by their files, which are relative to the repository."""
    spec = specification()
    files: dict[Path, str] = {}
    for role in spec.roles:
        files[Path(f"roles/{role}/meta/argument_specs.yml")] = argument_specs(spec, role)
        files[Path(f"roles/{role}/defaults/main.yml")] = defaults(spec, role)
    for playbook in spec.playbooks:
        path = Path(f"playbooks/{playbook}.yml")
        files[path] = header(spec, playbook) + _HEADER.sub("", _text(path), count=1)
    for role, module in STEP_MODULES.items():
        path = Path(f"plugins/modules/{module}.py")
        files[path] = _with_options(_text(path), {**_options(spec, role, ""), **STEP_RESULTS.get(role, {})})
    files[PAGE] = page(spec)
    files.update(job_template_files(spec))
    return files


def write_generated_files() -> list[Path]:
    """Write the texts and return the files that changed."""
    changed = [path for path, text in generated_files().items() if not _same(path, text)]
    for path in changed:
        (ROOT / path).write_text(generated_files()[path], encoding="utf-8")
    return changed


def argument_specs(spec: Specification, role: str) -> str:
    """Return the argument specification of a role."""
    own = spec.roles[role]
    options = _options(spec, role, f"{role}_")
    for given in spec.role_inputs:
        if given.role == role:
            options[given.name] = {"description": list(given.description), "type": given.type, "default": {}}
    main = {
        "short_description": own.short_description,
        "description": list(own.description),
        "version_added": VERSION_ADDED,
        "author": [AUTHOR],
        "options": options,
    }
    return f"---\n{NOTICE}{dump({'argument_specs': {'main': main}})}"


def defaults(spec: Specification, role: str) -> str:
    """Return the defaults of a role: the playbook variable, or the default where that is not set or empty."""
    lines = [
        f'{variable.option(role)}: "{{{{ {_default(variable)} }}}}"'
        if len(_default(variable)) < WIDTH - 40
        else f"{variable.option(role)}: >-\n  {{{{ {_default(variable)} }}}}"
        for variable in spec.of_role(role)
    ]
    lines += [f'{given.name}: "{given.default}"' for given in spec.role_inputs if given.role == role]
    return f"---\n{NOTICE}" + "\n".join(lines) + "\n"


def header(spec: Specification, playbook: str) -> str:
    """Return the beginning of a playbook up to its first play."""
    own = spec.playbooks[playbook]
    lines = [own.title + ":", "", f"  {own.run}", ""]
    for sentence in own.description:
        lines += _wrapped(sentence, "")
    lines += ["", "Variables; an empty value means that the variable is not set:", ""]
    names = spec.of_playbook(playbook)
    width = max(len(variable.name) for variable in names) + 2
    for variable in names:
        text = f"{plain(' '.join(variable.description), 'image_mode_')} ({_default_in_words(variable, playbook)})"
        first, *rest = _wrapped(text, " " * (width + 2))
        lines += [f"  {variable.name:{width}}{first.strip()}", *rest]
    return "---\n" + NOTICE + "#\n" + "".join(f"# {line}".rstrip() + "\n" for line in lines)


def page(spec: Specification) -> str:
    """Return the documentation page of all variables."""
    entries = [_page_entry(spec, variable) for variable in spec.variables]
    text = _TEMPLATES.from_string(_PAGE_TEMPLATE).render(variables=entries)
    return re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"


def _page_entry(spec: Specification, variable: Variable) -> dict[str, t.Any]:
    rows = [("type", f"{variable.type}, secret" if variable.secret else variable.type)]
    if variable.choices:
        rows.append(("values", ", ".join(f"``{choice}``" for choice in variable.choices)))
    rows.append(("default", _default_in_words(variable, "")))
    rows.append(("playbooks", ", ".join(f"``{name}``" for name in variable.playbooks)))
    options = [f"``{variable.option(role)}``" for role in variable.roles]
    if options:
        rows.append(("role options", ", ".join(options)))
    shown = "" if variable.example is None else dump({variable.name: variable.example})
    return {
        "name": variable.name,
        "description": [_rst(sentence, "image_mode_") for sentence in variable.description],
        "rows": rows,
        "example": "".join(f"   {line}\n" for line in shown.splitlines()),
        "entry_keys": [
            {"name": key.name, "description": _rst(key.description, "")}
            for key in (spec.secret_keys if variable.type == "secrets" else ())
        ],
    }


def _options(spec: Specification, role: str, prefix: str) -> dict[str, t.Any]:
    return {
        f"{prefix}{variable.roles[role]}": _option(spec, variable, prefix, is_of_role=bool(prefix))
        for variable in spec.of_role(role)
    }


def _option(spec: Specification, variable: Variable, prefix: str, is_of_role: bool) -> dict[str, t.Any]:
    description = [sentence.replace("{prefix}", prefix) for sentence in variable.description]
    if variable.shown:
        is_sentence = " is " in variable.shown
        description.append(f"Without it, {'' if is_sentence else 'it is '}{variable.shown}.")
    if is_of_role:
        description.append(f"Taken from C({variable.name}) unless set.")
    option: dict[str, t.Any] = {
        "description": description,
        "type": _ARGUMENT_TYPES.get(variable.type, variable.type),
    }
    if variable.type == "list":
        option["elements"] = "str"
    if variable.type == "secrets":
        option["elements"] = "dict"
    if variable.choices:
        option["choices"] = list(variable.choices)
    if variable.is_required_by_role:
        option["required"] = True
    else:
        option["default"] = variable.default
    if variable.type == "secrets":
        option["options" if is_of_role else "suboptions"] = {key.name: _key(key) for key in spec.secret_keys}
    return option


def _key(key: SecretKey) -> dict[str, t.Any]:
    return {
        "description": [key.description],
        "type": "str",
        **({"required": True} if key.required else {}),
    }


def _default(variable: Variable) -> str:
    """Return the expression for the value of a role option."""
    name = variable.name
    if variable.is_required_by_role:
        return f"{name} | default('')"
    return f"{variable.default!r} if {name} | default('') in ['', none] else {name}"


def _default_in_words(variable: Variable, playbook: str) -> str:
    required = variable.required if not playbook else [name for name in variable.required if name == playbook]
    if playbook and required:
        return "required"
    if required and set(required) == set(variable.playbooks):
        return "required"
    words = variable.shown or _value_in_words(variable.default)
    return f"{words}; required by {', '.join(required)}" if required else words


def _value_in_words(value: t.Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if value in ("", [], {}, None):
        return "not set"
    return ", ".join(value) if isinstance(value, list) else str(value)


def _rst(text: str, prefix: str) -> str:
    return MARKUP.sub(r"``\1``", text.replace("{prefix}", prefix))


def _wrapped(text: str, indent: str) -> list[str]:
    lines, line = [], indent
    for word in text.split():
        if len(line) + len(word) + 1 > WIDTH - 4 and line.strip():
            lines.append(line.rstrip())
            line = indent
        line += word + " "
    return [*lines, line.rstrip()]


def _with_options(text: str, options: t.Mapping[str, t.Any]) -> str:
    """Return the text of a module with the options of its documentation replaced."""

    def replaced(match: re.Match[str]) -> str:
        before, dummy, after = match[2].partition("options:\n")
        rest = after[after.index("attributes:\n") :]
        return f"{match[1]}{before}{dump({'options': options})}{rest}{match[3]}"

    return _DOCUMENTATION.sub(replaced, text, count=1)


def _text(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def _same(path: Path, text: str) -> bool:
    return (ROOT / path).exists() and _text(path) == text


def specification() -> Specification:
    """Return the specification of this repository, whatever collection is installed."""
    name = "checks_of_variables"
    file = ROOT / "plugins/plugin_utils/_variables/specification.py"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module.specification()


if __name__ == "__main__":
    print("\n".join(f"Wrote {path}" for path in write_generated_files()) or "Everything is up to date.")
