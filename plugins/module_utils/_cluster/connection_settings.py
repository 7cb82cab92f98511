# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the connection settings from the options and the environment. Nothing is loaded, and nothing is sent.

As in kubernetes.core, a setting is an option, else the variable ``K8S_AUTH_<OPTION>``. One rule differs: if an option
names a cluster, the settings of the environment for another cluster are ignored. A test lists the differences.
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
"""The kinds of credentials, each with its settings."""
CREDENTIALS = frozenset(setting for kind in KINDS_OF_CREDENTIALS for setting in kind)

_CLUSTER_SETTINGS = ("kubeconfig", "context", "host")
"""The settings that name a cluster."""
_ONE_LINE = ("api_key", "username", "password")
_PROXY_HEADERS = ("proxy_basic_auth", "basic_auth", "user_agent")
_FALSE = ("0", "false", "no")
_PORTS = {"https": 443, "http": 80}
_NETLOC = re.compile(r"[A-Za-z0-9._~%:\[\]-]+")
"""Name and port. Different libraries encode a name with other characters differently, so it could name two servers."""
_WHAT = "reach the cluster"

Settings = t.Mapping[str, t.Any]
"""The client's name for a setting -> its value. An unset setting is missing or empty."""


def read_settings(options: t.Mapping[str, t.Any], environment: t.Mapping[str, str]) -> dict[str, t.Any]:
    """Return the settings: each from its option, else from its environment variable."""
    given = {setting: options.get(option) for setting, option in SETTINGS.items()}
    around = {setting: _of_environment(setting, option, environment) for setting, option in SETTINGS.items()}
    left_out = _of_another_cluster(given, around) | _of_another_account(given)
    found = {
        setting: around[setting] if value is None and setting not in left_out else value
        for setting, value in given.items()
    }
    return {setting: _cleaned(setting, value) for setting, value in found.items() if value is not None}


def _of_another_cluster(given: Settings, around: Settings) -> t.AbstractSet[str]:
    """Return the settings of the environment that belong to another cluster than the options name.

    A kubeconfig or a context names a cluster and an account, so no setting of the environment belongs to them. With a
    host in the options, the credentials of the environment belong to the host of the environment, if it has one.
    """
    if given.get("kubeconfig") or given.get("context"):
        return CREDENTIALS | {"host"}
    host = given.get("host")
    is_other = _owner(around) == "host" and host and not same_server(str(host), str(around["host"]))
    return CREDENTIALS if is_other else frozenset()


def _owner(around: Settings) -> str:
    """Return the setting that names the cluster of the environment's credentials: host, kubeconfig, context or none."""
    return next((name for name in ("host", "kubeconfig", "context") if around.get(name)), "")


def _of_another_account(given: Settings) -> set[str]:
    """Return the settings of the other kinds of credentials, if the options use one kind."""
    used = [kind for kind in KINDS_OF_CREDENTIALS if any(given.get(setting) for setting in kind)]
    return {setting for kind in KINDS_OF_CREDENTIALS if used and kind not in used for setting in kind}


def are_of_named_kubeconfig(options: t.Mapping[str, t.Any], environment: t.Mapping[str, str]) -> bool:
    """Whether the credentials are from the environment, and belong to the cluster of its kubeconfig or context.

    The server in that kubeconfig then has to be the host of the options.
    """
    around = {name: _of_environment(name, SETTINGS[name], environment) for name in _CLUSTER_SETTINGS}
    has_own = any(options.get(SETTINGS[setting]) for setting in CREDENTIALS)
    return _owner(around) in ("kubeconfig", "context") and bool(options.get("host")) and not has_own


def check_cluster_names(options: t.Mapping[str, t.Any]) -> None:
    """Reject empty options that name a cluster, because another cluster would be used silently.

    :raises OperationError: one of them is empty
    """
    for name in _CLUSTER_SETTINGS:
        if options.get(name) is not None and not options[name]:
            raise OperationError(_WHAT, f"{name} is empty", f"Set {name}, or leave it out")


def check_usable(settings: Settings) -> None:
    """Reject settings that are incomplete, or that the client cannot send. No secret is quoted.

    :raises OperationError: one of them cannot be used
    """
    unusable = why_unusable(settings.get("kubeconfig"))
    if unusable:
        raise OperationError(_WHAT, unusable, USE_PATH_OR_DICT)
    for setting in _ONE_LINE:
        if not str(settings.get(setting, "")).isprintable():
            reason = f"{SETTINGS[setting]} has line ends or other control characters"
            raise OperationError(_WHAT, reason, "Set it to the credential alone, in one line")
    for one, other in (("username", "password"), ("password", "username"), ("key_file", "cert_file")):
        if settings.get(one) and not settings.get(other):
            reason = f"{SETTINGS[one]} is given without {SETTINGS[other]}"
            raise OperationError(_WHAT, reason, f"Set {SETTINGS[other]} as well, or leave {SETTINGS[one]} out")
    if settings.get("host") and not is_address(str(settings["host"])):
        reason = "host is not an address such as https://api.cluster.example.com:6443"
        raise OperationError(_WHAT, reason, "Set scheme, name and port only, without a user name or a query")


def is_address(host: str) -> bool:
    """Whether a text is the address of an API server that all libraries read alike."""
    if not (host.isascii() and host.isprintable()) or " " in host:
        return False
    try:
        parts = urlsplit(host)
        is_named = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
        return is_named and not parts.query and not parts.fragment and bool(_NETLOC.fullmatch(parts.netloc))
    except ValueError:
        return False


def has_own_credentials(settings: Settings) -> bool:
    """Whether the settings have credentials, so that no other source is needed."""
    return any(all(settings.get(setting) for setting in kind) for kind in KINDS_OF_CREDENTIALS) or bool(
        settings.get("cert_file")  # the file can contain the key as well
    )


def same_server(one: str, other: str) -> bool:
    """Whether two addresses are of the same API server."""
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
