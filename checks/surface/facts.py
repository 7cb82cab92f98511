# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the public surface of this repository as a flat table of facts.

A fact is one name on which a user can depend, such as ``module machineosconfig option pool``, with what is promised
about it. Descriptions are no part of it.
"""

from __future__ import annotations

import ast
import functools
import json
import re
import typing as t
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml
from ansible.plugins.doc_fragments import constructed, inventory_cache

from ..commands import Setting
from ..environment import ROOT, ChecksError
from ..findings_page import findings_table
from ..tree import NEWEST_TREE
from ..variable_pages import specification

Promise = dict[str, t.Any]
"""What is promised about a name: attribute -> value. An attribute that has no value is absent."""
Facts = dict[str, Promise]
Document = t.Mapping[str, t.Any]

_OF_OPTION = ("type", "elements", "default")
_OF_RETURN = ("type", "elements")
_REGISTERED = re.compile(r"^\s+register: ([a-z]\w*)$", re.MULTILINE)
_ANNOTATION = re.compile(r"OWN_PREFIX \+ \"([a-z-]+)\"")


@dataclass(frozen=True)
class Documented:
    """Something whose options and return values are documented, and its name as a fact."""

    fact: str
    content: Document
    returned: Document


def public_surface() -> Facts:
    """Return all facts, in the order of their names.

    :raises ChecksError: documentation could not be read
    """
    parts = (
        _documented_facts(), _registered(), _playbooks(), _findings(), _annotations(), _reports(), _action_groups()
    )  # fmt: skip
    return dict(sorted((fact for part in parts for fact in part), key=lambda fact: fact[0]))


def versions_added() -> dict[str, str]:
    """Return the release that added a plugin, a role or an option, by its fact, where the documentation states it.

    :raises ChecksError: documentation could not be read
    """
    found = {}
    for documented in _documented():
        found[documented.fact] = documented.content.get("version_added")
        for name, option in (documented.content.get("options") or {}).items():
            found[f"{documented.fact} option {name}"] = option.get("version_added")
    return {fact: str(version) for fact, version in found.items() if version}


@functools.lru_cache(maxsize=1)
def _documented() -> tuple[Documented, ...]:
    NEWEST_TREE.refresh()
    return (*_plugins("module", "modules"), *_plugins("inventory"), *_plugins("lookup"), *_roles(), *_event_sources())


def _plugins(kind: str, folder: str = "") -> Iterator[Documented]:
    names = [file.stem for file in ROOT.glob(f"plugins/{folder or kind}/*.py") if file.stem != "__init__"]
    for name, content in _documentation(kind, names).items():
        yield Documented(f"{kind} {name}", _without_options_of_ansible(content["doc"]), content.get("return") or {})


def _without_options_of_ansible(content: Document) -> Document:
    """Return documentation without the options of ansible-core, which differ between its releases."""
    fragments = (constructed.ModuleDocFragment, inventory_cache.ModuleDocFragment)
    foreign = {name for fragment in fragments for name in yaml.safe_load(fragment.DOCUMENTATION)["options"]}
    return {**content, "options": {n: o for n, o in (content.get("options") or {}).items() if n not in foreign}}


def _roles() -> Iterator[Documented]:
    names = [file.parents[1].name for file in ROOT.glob("roles/*/meta/argument_specs.yml")]
    for name, content in _documentation("role", names).items():
        yield Documented(f"role {name}", content["entry_points"]["main"], {})


def _event_sources() -> Iterator[Documented]:
    # ansible-doc does not read them.
    for file in sorted(ROOT.glob("extensions/eda/plugins/event_source/*.py")):
        yield Documented(f"event source {file.stem}", yaml.safe_load(_assigned_text(file, "DOCUMENTATION")), {})


def _documentation(kind: str, names: t.Iterable[str]) -> dict[str, Document]:
    """Return the documentation of plugins or roles as users read it, including fragments, by name."""
    full_names = {name: f"imagemode.openshift.{name}" for name in sorted(names)}
    ended = Setting(NEWEST_TREE).output("ansible-doc", "--json", "--type", kind, *full_names.values())
    # Warnings come before the JSON.
    read = json.loads(ended.stdout[ended.stdout.index("{\n") :]) if ended.returncode == 0 else {}
    missing = [name for name, full_name in full_names.items() if not read.get(full_name)]
    if missing:
        raise ChecksError(f"Could not read the documentation of {kind} {', '.join(missing)}. Run `make lint`.")
    return {name: read[full_name] for name, full_name in full_names.items()}


def _documented_facts() -> Iterator[tuple[str, Promise]]:
    for documented in _documented():
        yield documented.fact, {}
        yield from _options(documented.fact, documented.content.get("options") or {})
        yield from _returns(documented.fact, documented.returned)


def _registered() -> Iterator[tuple[str, Promise]]:
    for tasks in sorted(ROOT.glob("roles/*/tasks/*.yml")):
        for name in _REGISTERED.findall(tasks.read_text(encoding="utf-8")):
            yield f"role {tasks.parents[1].name} registers {name}", {}


def _playbooks() -> Iterator[tuple[str, Promise]]:
    spec = specification()
    for playbook in spec.playbooks:
        yield f"playbook {playbook}", {}
        for variable in spec.of_playbook(playbook):
            yield (
                f"playbook {playbook} variable {variable.name}",
                _without_empty(
                    type=variable.type,
                    default=variable.default,
                    choices=sorted(variable.choices),
                    required=playbook in variable.required,
                ),
            )
    yield "entry of image_mode_secrets", {}
    for key in spec.secret_keys:
        yield f"entry of image_mode_secrets key {key.name}", _without_empty(required=key.required)
    for name in spec.node_variables:
        yield f"inventory nodes host variable {name}", {}


def _findings() -> Iterator[tuple[str, Promise]]:
    for name, definition in findings_table().items():
        yield f"finding {name}", {"severity": definition.severity.value}


def _annotations() -> Iterator[tuple[str, Promise]]:
    for file in sorted((ROOT / "plugins").rglob("*.py")):
        for name in _ANNOTATION.findall(file.read_text(encoding="utf-8")):
            yield f"annotation or label imagemode.openshift/{name}", {}


def _reports() -> Iterator[tuple[str, Promise]]:
    for file in sorted((ROOT / "roles/evidence_report/files").glob("*.schema.json")):
        schema = json.loads(file.read_text(encoding="utf-8"))
        name = file.name.removesuffix(".schema.json")
        yield f"report {name}", _of_property(schema, schema, required=False)
        yield from _properties(f"report {name} property ", schema, schema)


def _action_groups() -> Iterator[tuple[str, Promise]]:
    runtime = yaml.safe_load((ROOT / "meta/runtime.yml").read_text(encoding="utf-8"))
    for group, members in runtime["action_groups"].items():
        for member in members:
            if isinstance(member, str):
                yield f"action group {group} member {member}", {}


def _options(owner: str, options: t.Mapping[str, Document], path: str = "") -> Iterator[tuple[str, Promise]]:
    for name, option in options.items():
        yield (
            f"{owner} option {path}{name}",
            _without_empty(
                **{attribute: option.get(attribute) for attribute in _OF_OPTION},
                # A mapping describes each choice.
                choices=sorted(option.get("choices") or (), key=str),
                required=bool(option.get("required")),
                aliases=sorted(option.get("aliases") or ()),
                env=sorted(source["name"] for source in option.get("env") or ()),
                vars=sorted(source["name"] for source in option.get("vars") or ()),
            ),
        )
        nested = option.get("suboptions") or option.get("options") or {}
        yield from _options(owner, nested, f"{path}{name}.")


def _returns(owner: str, values: t.Mapping[str, Document], path: str = "") -> Iterator[tuple[str, Promise]]:
    for name, value in values.items():
        yield f"{owner} return {path}{name}", _without_empty(**{key: value.get(key) for key in _OF_RETURN})
        yield from _returns(owner, value.get("contains") or {}, f"{path}{name}.")


def _properties(owner: str, node: Document, schema: Document, path: str = "") -> Iterator[tuple[str, Promise]]:
    node = _resolved(node, schema)
    for name, child in node.get("properties", {}).items():
        yield f"{owner}{path}{name}", _of_property(child, schema, required=name in node.get("required", ()))
        yield from _properties(owner, child, schema, f"{path}{name}.")
    if "items" in node:
        yield f"{owner}{path.removesuffix('.')}[]", _of_property(node["items"], schema, required=False)
        yield from _properties(owner, node["items"], schema, f"{path.removesuffix('.')}[].")


def _of_property(node: Document, schema: Document, required: bool) -> Promise:
    node = _resolved(node, schema)
    alternatives = [_resolved(one, schema) for one in node.get("oneOf", [node])]
    types: set[str] = set()
    for one in alternatives:
        named = one.get("type", [])
        types |= {named} if isinstance(named, str) else set(named)
    return _without_empty(
        types=sorted(types),
        values=node.get("enum") or ([node["const"]] if "const" in node else None),
        pattern=node.get("pattern"),
        required=required,
        closed=node.get("additionalProperties") is False,
    )


def _resolved(node: Document, schema: Document) -> Document:
    """Return the definition that *node* refers to, or *node*."""
    reference = node.get("$ref")
    if reference is None:
        return node
    definition: Document = schema["$defs"][reference.removeprefix("#/$defs/")]
    return definition


def _assigned_text(file: Path, name: str) -> str:
    """Return the text that a Python file assigns to *name*."""
    for statement in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign) and any(getattr(target, "id", "") == name for target in statement.targets):
            return str(ast.literal_eval(statement.value))
    raise ChecksError(f"Could not read {file.relative_to(ROOT)}: it has no {name}. Add it.")


def _without_empty(**promise: t.Any) -> Promise:
    """Return the attributes that have a value. A default may be false or empty."""
    return {name: value for name, value in promise.items() if value or (name == "default" and value is not None)}
