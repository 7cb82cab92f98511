# SPDX-License-Identifier: GPL-3.0-or-later
"""Which settings do the options and the environment give? Pure: nothing is loaded, nothing is sent.

The mapping is that of kubernetes.core, an option, else ``K8S_AUTH_<OPTION>``, with one difference: an option that names
a cluster keeps away what the environment has of another cluster. A test lists the differences.
"""

from __future__ import annotations

import re
import typing as t
from urllib.parse import urlsplit

from .._errors import OperationError
from .._model.secret_options import USE_PATH_OR_DICT, why_unusable

# The client's name for a setting -> the option's.
SETTINGS = {
    "kubeconfig": "kubeconfig",
    "context": "context",
    "host": "host",
    "api_key": "api_key",
    "username": "username",
    "password": "password",
    "verify_ssl": "validate_certs",
    "ssl_ca_cert": "ca_cert",
    "cert_file": "client_cert",
    "key_file": "client_key",
    "tls_server_name": "tls_server_name",
    "proxy": "proxy",
    "no_proxy": "no_proxy",
    "proxy_headers": "proxy_headers",
    "persist_config": "persist_config",
}
KINDS_OF_CREDENTIALS = (("api_key",), ("username", "password"), ("cert_file", "key_file"))
"""The ways to say who sends the requests, each with its settings."""
CREDENTIALS = frozenset(setting for kind in KINDS_OF_CREDENTIALS for setting in kind)

_NAMES_OF_CLUSTERS = ("kubeconfig", "context", "host")
"""The settings that say which cluster is meant."""
_ONE_LINE = ("api_key", "username", "password")
_PROXY_HEADERS = ("proxy_basic_auth", "basic_auth", "user_agent")
_FALSE = ("0", "false", "no")
_PORTS = {"https": 443, "http": 80}
_NETLOC = re.compile(r"[A-Za-z0-9._~%:\[\]-]+")
"""Name and port. A name in other letters than these is encoded in two ways, by different libraries, and then is the
name of two servers."""
_WHAT = "reach the cluster"

Settings = t.Mapping[str, t.Any]
"""The client's name for a setting -> its value. A setting that is not given is missing or empty."""


def read_settings(options: t.Mapping[str, t.Any], environment: t.Mapping[str, str]) -> dict[str, t.Any]:
    """Return the settings: each from its option, else from its variable of the environment."""
    given = {setting: options.get(option) for setting, option in SETTINGS.items()}
    around = {setting: _of_environment(setting, option, environment) for setting, option in SETTINGS.items()}
    left_out = _of_another_cluster(given, around) | _of_another_account(given)
    found = {
        setting: around[setting] if value is None and setting not in left_out else value
        for setting, value in given.items()
    }
    return {setting: _cleaned(setting, value) for setting, value in found.items() if value is not None}


def _of_another_cluster(given: Settings, around: Settings) -> t.AbstractSet[str]:
    """Return what the environment says of another cluster than the options do.

    A kubeconfig or a context names a cluster and an account, so nothing of the environment belongs to them. Where the
    options have a host, the credentials of the environment belong to the environment's host, if it has one.
    """
    host, elsewhere = given.get("host"), around.get("host") or ""
    if given.get("kubeconfig") or given.get("context"):
        return CREDENTIALS | {"host"}
    return CREDENTIALS if host and elsewhere and not same_server(str(host), str(elsewhere)) else frozenset()


def _of_another_account(given: Settings) -> set[str]:
    """Return the settings of the ways to log in that the options do not use, if they use one."""
    used = [kind for kind in KINDS_OF_CREDENTIALS if any(given.get(setting) for setting in kind)]
    return {setting for kind in KINDS_OF_CREDENTIALS if used and kind not in used for setting in kind}


def are_of_named_kubeconfig(options: t.Mapping[str, t.Any], environment: t.Mapping[str, str]) -> bool:
    """Whether the credentials are those of the environment, which names their cluster by a kubeconfig or a context."""
    given = {setting: options.get(SETTINGS[setting]) for setting in CREDENTIALS}
    around = {setting: _of_environment(setting, SETTINGS[setting], environment) for setting in _NAMES_OF_CLUSTERS}
    is_named = bool(around["kubeconfig"] or around["context"]) and not around["host"]
    return is_named and bool(options.get("host")) and not any(given.values())


def refuse_empty_names(options: t.Mapping[str, t.Any]) -> None:
    """Refuse options that are to name a cluster and are empty: another cluster would be taken without a word.

    :raises OperationError: one of them is
    """
    for name in _NAMES_OF_CLUSTERS:
        if options.get(name) is not None and not options[name]:
            raise OperationError(_WHAT, f"{name} is empty", f"Give {name}, or leave it out")


def refuse_unusable(settings: Settings) -> None:
    """Refuse settings that say half of something, or that the client could not send; nothing secret is quoted.

    :raises OperationError: one of them cannot be used
    """
    unusable = why_unusable(settings.get("kubeconfig"))
    if unusable:
        raise OperationError(_WHAT, unusable, USE_PATH_OR_DICT)
    for setting in _ONE_LINE:
        if not str(settings.get(setting, "")).isprintable():
            reason = f"{SETTINGS[setting]} holds line ends or other control characters"
            raise OperationError(_WHAT, reason, "Give the credential alone, in one line")
    for one, other in (("username", "password"), ("password", "username"), ("key_file", "cert_file")):
        if settings.get(one) and not settings.get(other):
            reason = f"{SETTINGS[one]} is given without {SETTINGS[other]}"
            raise OperationError(_WHAT, reason, f"Give {SETTINGS[other]} as well, or leave {SETTINGS[one]} out")
    if settings.get("host") and not is_address(str(settings["host"])):
        reason = "host is not an address such as https://api.cluster.example.com:6443"
        raise OperationError(_WHAT, reason, "Give scheme, name and port alone, without a user name or a query")


def is_address(host: str) -> bool:
    """Whether a text is the address of an API server, and nothing that two libraries read differently."""
    if not (host.isascii() and host.isprintable()) or " " in host:
        return False
    try:
        parts = urlsplit(host)
        is_named = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
        return is_named and not parts.query and not parts.fragment and bool(_NETLOC.fullmatch(parts.netloc))
    except ValueError:
        return False


def has_own_credentials(settings: Settings) -> bool:
    """Whether the settings themselves say who sends the requests, so that no other source is asked for it."""
    return any(all(settings.get(setting) for setting in kind) for kind in KINDS_OF_CREDENTIALS) or bool(
        settings.get("cert_file")  # which may hold the key as well
    )


def same_server(one: str, other: str) -> bool:
    """Whether two addresses are those of one API server."""
    return _server(one) == _server(other)


def _server(address: str) -> tuple[str, str, int | None, str]:
    try:
        parts = urlsplit(address)
        port = parts.port or _PORTS.get(parts.scheme)
        return parts.scheme, (parts.hostname or "").rstrip("."), port, parts.path.rstrip("/")
    except ValueError:
        return "", address, None, ""


def _of_environment(setting: str, option: str, environment: t.Mapping[str, str]) -> t.Any:
    if option == "proxy_headers":
        names = {name: environment.get(f"K8S_AUTH_PROXY_HEADERS_{name.upper()}") for name in _PROXY_HEADERS}
        return {name: value for name, value in names.items() if value is not None} or None
    value = environment.get(f"K8S_AUTH_{option.upper()}") or environment.get(f"K8S_AUTH_{setting.upper()}")
    if value is not None and option in ("validate_certs", "persist_config"):
        return value.lower() not in _FALSE
    return value


def _cleaned(setting: str, value: t.Any) -> t.Any:
    if setting == "host":
        return str(value).rstrip("/")
    return str(value).strip() if setting in _ONE_LINE else value
