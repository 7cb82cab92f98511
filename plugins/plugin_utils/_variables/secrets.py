# SPDX-License-Identifier: GPL-3.0-or-later
"""Registry secrets as a user describes them: check the entries and read the credentials. No message quotes a value."""

from __future__ import annotations

import typing as t

import yaml

from ...module_utils._errors import hide_in_tracebacks
from ...module_utils._model.registry.credentials import read_dockerconfigjson
from .files import Reader, read_text
from .problem import Problem, nearest
from .values import check_object_name, is_empty

SOURCES = ("registry_password_file", "registry_password_env", "dockerconfigjson_file")
"""Keys that say where the credentials are; an entry has exactly one."""
KEYS = ("name", "registry", "registry_username", *SOURCES)

_WHOLE = "dockerconfigjson_file"
_RENAMED = {"username": "registry_username", "password_file": "registry_password_file"}
_LOGIN = ("auth", "password", "identitytoken", "registrytoken")
"""Keys of an entry of a .dockerconfigjson that are secret."""
_READABLE = "registry_password_file or registry_password_env"


def read_secrets(value: t.Any, name: str, read: Reader, environment: t.Mapping[str, str]) -> list[dict[str, str]]:
    """Return the options of module registry_secret for each secret, credentials included.

    :param name: the name of the variable, for problems
    :raises Problem: an entry is not complete, or its credentials cannot be read
    """
    if is_empty(value):
        return []
    entries = _entries(value)
    options = [_options(entry, f"{name}[{at}]", read, environment) for at, entry in enumerate(entries)]
    names = [entry["name"] for entry in options]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise Problem(f"two entries have the name {twice[0]}", "Give each Secret a name of its own")
    return options


def secret_names(value: t.Any) -> list[str]:
    """Return the names of the secrets. No credential is read.

    :raises Problem: the value is no list
    """
    entries = [] if is_empty(value) else _entries(value)
    return [str(entry["name"]) for entry in entries if isinstance(entry, t.Mapping) and not is_empty(entry.get("name"))]


def _entries(value: t.Any) -> t.Sequence[t.Any]:
    """Return the entries of a list, or of a text with a list in YAML, as a survey sends it."""
    if isinstance(value, str):
        try:
            value = yaml.safe_load(value)
        except (yaml.YAMLError, RecursionError, ValueError):
            value = None
    entries = [value] if isinstance(value, t.Mapping) else value
    if isinstance(entries, (str, bytes)) or not isinstance(entries, t.Sequence):
        raise Problem("it is not a list", "Give a list of entries with a name and credentials")
    return entries


def _options(entry: t.Any, where: str, read: Reader, environment: t.Mapping[str, str]) -> dict[str, str]:
    if not isinstance(entry, t.Mapping):
        raise Problem(f"{where} is not a dictionary", "Give it a name and credentials")
    given = {str(key): value for key, value in entry.items() if not is_empty(value)}
    _check_keys(given, where)
    label = f"{where} ({given['name']})"
    source = _source(given, label)
    credentials = _read_credentials(source, str(given[source]), label, read, environment)
    hide_in_tracebacks(credentials)
    if source == _WHOLE:
        hide_in_tracebacks(*_credentials_in(credentials))
        return {"name": str(given["name"]), "dockerconfigjson": credentials}
    return {
        "name": str(given["name"]),
        "registry": str(given["registry"]),
        "registry_username": str(given["registry_username"]),
        "registry_password": credentials,
    }


def _credentials_in(text: str) -> list[str]:
    """Return the credentials in the text of a .dockerconfigjson, without a message if it is none: the module has it."""
    try:
        found = read_dockerconfigjson(text).values()
    except (ValueError, RecursionError):
        return []
    entries = [str(value) for credential in found for key, value in credential.entry.items() if key in _LOGIN]
    return [*entries, *(secret for credential in found for secret in (credential.password, credential.token))]


def _check_keys(given: t.Mapping[str, t.Any], where: str) -> None:
    unknown = sorted(set(given) - set(KEYS))
    if unknown and unknown[0] in ("password", "registry_password"):
        raise Problem(f"{where} has the key {unknown[0]}, which would be printed", f"Use {_READABLE} instead")
    if unknown:
        like = _RENAMED.get(unknown[0]) or nearest(unknown[0], KEYS)
        remedy = f"Use {like} instead" if like else f"Use only {', '.join(KEYS)}"
        raise Problem(f"{where} has the unknown key {unknown[0]}", remedy)
    if "name" not in given:
        raise Problem(f"{where} has no name", "Set name to the name of the Secret")
    for key, value in given.items():
        if isinstance(value, (t.Mapping, list, tuple)):
            raise Problem(f"{key} of {where} is not a string", f"Set {key} to a text")
    check_object_name(str(given["name"]))


def _source(given: t.Mapping[str, t.Any], label: str) -> str:
    sources = [key for key in SOURCES if key in given]
    if len(sources) != 1:
        found = " and ".join(sources) or "none of them"
        raise Problem(f"{label} needs exactly one of {', '.join(SOURCES)} and has {found}", "Set one of them")
    source = sources[0]
    if source == _WHOLE and ("registry" in given or "registry_username" in given):
        raise Problem(
            f"{label} has registry or registry_username beside {_WHOLE}, which names them itself", "Remove both"
        )
    missing = [key for key in ("registry", "registry_username") if key not in given]
    if source != _WHOLE and missing:
        raise Problem(f"{label} has a password without {' and '.join(missing)}", "Set registry and registry_username")
    return source


def _read_credentials(source: str, given: str, label: str, read: Reader, environment: t.Mapping[str, str]) -> str:
    if source == "registry_password_env":
        password = environment.get(given, "")
        if not password:
            raise Problem(
                f"environment variable {given} of {label} is {'empty' if given in environment else 'not set'}",
                "Set it where Ansible runs",
            )
        return password
    try:
        # Only the line end goes: a blank can be part of a password.
        credentials = read_text(given, read).rstrip("\r\n")
    except Problem as problem:
        raise Problem(f"{source} of {label}: {problem.reason}", problem.remedy) from None
    if not credentials:
        raise Problem(f"{source} of {label}: the file is empty", "Write the credentials into it")
    return credentials
