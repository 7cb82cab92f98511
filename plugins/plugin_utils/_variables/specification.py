# SPDX-License-Identifier: GPL-3.0-or-later
"""The specification of all playbook variables and role options, read from specification.yml."""

from __future__ import annotations

import functools
import typing as t
from dataclasses import dataclass
from pathlib import Path

import yaml

PREFIX = "image_mode_"
"""How the name of every playbook variable begins."""


@dataclass(frozen=True)
class Variable:
    """A playbook variable, and the role options that take its value."""

    name: str
    type: str
    """``str``, ``bool``, ``int``, ``path``, ``list`` (of texts), ``dict`` or ``secrets``."""
    description: tuple[str, ...]
    playbooks: tuple[str, ...]
    required: tuple[str, ...]
    """Playbooks that need it."""
    roles: t.Mapping[str, str]
    """Role -> name of its option, without the prefix of the role."""
    default: t.Any = None
    shown: str = ""
    """The default in words."""
    choices: tuple[str, ...] = ()
    check: str = ""
    """Name of a check in values.py, beyond the type."""
    secret: bool = False
    example: t.Any = None

    @property
    def is_required_by_role(self) -> bool:
        """Whether its roles need it: nothing can be set in its place."""
        return self.default is None

    def option(self, role: str) -> str:
        """Return the full name of its option in a role."""
        return f"{role}_{self.roles[role]}"


@dataclass(frozen=True)
class Playbook:
    """A playbook and the texts of its header."""

    name: str
    title: str
    run: str
    description: tuple[str, ...]


@dataclass(frozen=True)
class Role:
    """A role and the texts of its argument specification."""

    name: str
    short_description: str
    description: tuple[str, ...]


@dataclass(frozen=True)
class RoleInput:
    """A role option that takes the result of another task, so that no playbook variable belongs to it."""

    name: str
    role: str
    type: str
    description: tuple[str, ...]
    default: str


@dataclass(frozen=True)
class SecretKey:
    """A key of an entry of image_mode_secrets."""

    name: str
    description: str
    required: bool


@dataclass(frozen=True)
class Specification:
    """All of specification.yml."""

    playbooks: t.Mapping[str, Playbook]
    roles: t.Mapping[str, Role]
    variables: tuple[Variable, ...]
    role_inputs: tuple[RoleInput, ...]
    secret_keys: tuple[SecretKey, ...]
    node_variables: tuple[str, ...]
    """Variables of a host that the inventory imagemode.openshift.nodes sets."""

    def of_playbook(self, playbook: str) -> tuple[Variable, ...]:
        """Return the variables that a playbook reads."""
        return tuple(v for v in self.variables if playbook in v.playbooks)

    def of_role(self, role: str) -> tuple[Variable, ...]:
        """Return the variables that a role has an option for."""
        return tuple(v for v in self.variables if role in v.roles)


@functools.lru_cache(maxsize=1)
def specification() -> Specification:
    """Return the specification of this collection."""
    text = Path(__file__).with_name("specification.yml").read_text(encoding="utf-8")
    return read_specification(yaml.safe_load(text))


def read_specification(content: t.Mapping[str, t.Any]) -> Specification:
    """Return the specification that the content of specification.yml describes.

    :raises TypeError: an entry has an unknown key
    """
    return Specification(
        playbooks={
            name: Playbook(name, **_with_tuples(entry, "description")) for name, entry in content["playbooks"].items()
        },
        roles={name: Role(name, **_with_tuples(entry, "description")) for name, entry in content["roles"].items()},
        variables=tuple(
            Variable(name, **_with_tuples(entry, "description", "playbooks", "required", "choices"))
            for name, entry in content["variables"].items()
        ),
        role_inputs=tuple(
            RoleInput(name, **_with_tuples(entry, "description")) for name, entry in content["role_inputs"].items()
        ),
        secret_keys=tuple(
            SecretKey(name, entry["description"], bool(entry.get("required")))
            for name, entry in content["secret_keys"].items()
        ),
        node_variables=tuple(content["node_variables"]),
    )


def _with_tuples(entry: t.Mapping[str, t.Any], *names: str) -> dict[str, t.Any]:
    return {**entry, **{name: tuple(entry.get(name, ())) for name in names}}
