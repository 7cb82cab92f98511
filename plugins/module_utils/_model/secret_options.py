# SPDX-License-Identifier: GPL-3.0-or-later
"""Secret parts of the connection options, and the parts that may be logged.

Ansible writes the options of a module to the system log and, up to ansible-core 2.20, into its result. Replacing secret
values in text does not work for short values, such as a password of one letter. So the options are filtered by
structure: of a kubeconfig, only fields that are known to be harmless are shown.
"""

from __future__ import annotations

import re
import typing as t

HIDDEN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
"""Replacement text of Ansible itself."""

SHORTEST = 6
"""Minimum characters of a secret that is replaced in other texts too. A shorter one would make them unreadable."""

_HARMLESS = frozenset(
    (
        "apiVersion", "as", "as-groups", "as-uid", "certificate-authority", "client-certificate", "client-key",
        "cluster", "clusters", "command", "context", "contexts", "current-context", "disable-compression", "exec",
        "insecure-skip-tls-verify", "interactiveMode", "kind", "name", "namespace", "provideClusterInfo", "server",
        "tls-server-name", "tokenFile", "user", "username", "users",
    )
)  # fmt: skip
"""Fields of a kubeconfig that are shown. All others are hidden: arguments, environment, extensions."""
_STRUCTURES = frozenset(("clusters", "contexts", "exec", "users"))
"""Fields that are objects or lists. Text in their place may be anything and is hidden."""
_URLS = frozenset(("proxy-url", "server"))
_SECRET = frozenset(
    ("token", "password", "client-key-data", "id-token", "access-token", "refresh-token", "client-secret")
)
"""Fields of a kubeconfig that contain a credential."""

_NO_PATH = ("\n", "\r", "{", "apiVersion", "\0")
_ENCODED = ("YXBpVmVyc2lvb", "LS0tC", "eyJ", "sha256~")
"""Prefixes of a kubeconfig in base64, a JSON web token and an OpenShift token."""
_MAX_PATH = 4096
_MAX_PATH_PART = 255
_USER_INFO = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)?.*@", re.DOTALL)


def is_path(kubeconfig: t.Any) -> bool:
    """Return whether *kubeconfig* can be a path or a list of paths, and not the content of a kubeconfig."""
    return (
        isinstance(kubeconfig, str)
        and len(kubeconfig) <= _MAX_PATH
        and not any(part in kubeconfig for part in _NO_PATH)
        and not kubeconfig.strip().startswith(_ENCODED)
        and all(len(part) <= _MAX_PATH_PART for part in re.split("[/:]", kubeconfig))
    )


def why_unusable(kubeconfig: t.Any) -> str:
    """Return why *kubeconfig* is neither a path nor a dictionary, without quoting it, or an empty string."""
    if kubeconfig is None or isinstance(kubeconfig, dict) or is_path(kubeconfig):
        return ""
    if isinstance(kubeconfig, str):
        return "kubeconfig is the content of a file, or other text that is not a path"
    return "kubeconfig is neither a path nor a dictionary"


USE_PATH_OR_DICT = "Set it to the path of the file, or to its content as a dictionary (filter from_yaml)"


def shown_kubeconfig(kubeconfig: t.Any) -> t.Any:
    """Return the parts of a kubeconfig that may be shown: a path, or the harmless fields of a dictionary."""
    if isinstance(kubeconfig, dict):
        return _shown_part(kubeconfig)
    return kubeconfig if kubeconfig is None or is_path(kubeconfig) else HIDDEN


def shown_url(url: t.Any) -> t.Any:
    """Return a URL without user and password. A value that is not text is hidden."""
    if url is None:
        return None
    return _USER_INFO.sub(r"\1********@", url) if isinstance(url, str) else HIDDEN


def shown_options(spec: t.Mapping[str, t.Mapping[str, t.Any]], given: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the options of a module without secrets.

    :param spec: argument spec of the module; an unknown option may be a misspelled credential and is hidden
    """
    names = {alias: name for name, option in spec.items() for alias in (name, *(option.get("aliases") or ()))}
    return {
        name: _shown_option(names[name], spec[names[name]], value) if name in names else HIDDEN
        for name, value in given.items()
    }


def secret_values(given: t.Mapping[str, t.Any]) -> set[str]:
    """Return the values of the connection options that are secret in any text.

    Arguments and environment of an exec plugin are not included. They are hidden where options are shown, and nothing
    else shows them. They contain words such as the name of a region, which can be part of a node's name.
    """
    kubeconfig = given.get("kubeconfig")
    found = {str(kubeconfig)} if isinstance(kubeconfig, str) and not is_path(kubeconfig) else set()
    found.update(_secrets_of(kubeconfig))
    found.update(_password_of(given.get("proxy")))
    return {value for value in found if len(value) >= SHORTEST}


def _shown_option(name: str, option: t.Mapping[str, t.Any], value: t.Any) -> t.Any:
    if value is None:
        return None
    if name == "kubeconfig":
        return shown_kubeconfig(value)
    if name in ("proxy", "host"):
        return shown_url(value)
    if option.get("no_log"):
        return HIDDEN
    if "options" in option:
        return shown_options(option["options"], value) if isinstance(value, dict) else HIDDEN
    return value


def _shown_part(part: t.Any) -> t.Any:
    if isinstance(part, list):
        return [_shown_part(entry) for entry in part]
    if not isinstance(part, dict):
        return part
    return {name: _shown_field(name, value) for name, value in part.items()}


def _shown_field(name: t.Any, value: t.Any) -> t.Any:
    if name in _URLS:
        return shown_url(value)
    entries = value if isinstance(value, list) else [value]
    if name in _STRUCTURES and not all(isinstance(entry, dict) for entry in entries):
        return HIDDEN
    return _shown_part(value) if name in _HARMLESS else HIDDEN


def _secrets_of(part: t.Any) -> t.Iterator[str]:
    if isinstance(part, list):
        for entry in part:
            yield from _secrets_of(entry)
    if isinstance(part, dict):
        for name, value in part.items():
            if name in _SECRET and isinstance(value, str):
                yield value
            elif name in _URLS:
                yield from _password_of(value)
            else:
                yield from _secrets_of(value)


def _password_of(url: t.Any) -> t.Iterator[str]:
    if isinstance(url, str) and "@" in url:
        user_info = url.rpartition("@")[0]
        yield user_info.rpartition("://")[2].partition(":")[2]
