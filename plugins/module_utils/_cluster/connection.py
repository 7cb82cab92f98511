# SPDX-License-Identifier: GPL-3.0-or-later
"""From a module's options, or the environment, to a connection of the kubernetes client.

The mapping is that of kubernetes.core, held equal by a test: an option, else ``K8S_AUTH_<OPTION>``, else the cluster
that the process runs in, else the kubeconfig.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, field

from .._errors import Refused

try:
    import kubernetes
    import urllib3

    MISSING_LIBRARY = ""
except ImportError as error:
    MISSING_LIBRARY = str(error)

# The client's name for a setting -> the option's.
_SETTINGS = {
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
    "proxy": "proxy",
    "no_proxy": "no_proxy",
    "proxy_headers": "proxy_headers",
    "persist_config": "persist_config",
}
_PROXY_HEADERS = ("proxy_basic_auth", "basic_auth", "user_agent")
_FALSE = ("0", "false", "no")
_CREDENTIALS = ("api_key", "username", "password")
_ENOUGH = (("username", "password", "host"), ("api_key", "host"), ("cert_file", "key_file", "host"))
"""Settings that authenticate by themselves, so that neither a kubeconfig nor the surrounding cluster is looked for."""

_LOG_IN = "Give kubeconfig, or host and api_key, or set K8S_AUTH_KUBECONFIG"


@dataclass(frozen=True)
class Connection:
    """How to reach an API server and as whom."""

    configuration: t.Any
    """A ``kubernetes.client.Configuration``."""
    impersonate_user: str = ""
    impersonate_groups: t.Sequence[str] = field(default_factory=tuple)

    @property
    def api_url(self) -> str:
        """The API server's address."""
        return str(self.configuration.host).rstrip("/")

    def headers(self) -> list[tuple[str, str]]:
        """Return the headers that say who asks; a group a header. A token that has expired is renewed here."""
        setting = self.configuration.auth_settings().get("BearerToken")
        said = [("Authorization", str(setting["value"]))] if setting and setting.get("value") else []
        if not said and self.configuration.username and self.configuration.password:
            basic = urllib3.util.make_headers(basic_auth=f"{self.configuration.username}:{self.configuration.password}")
            said = [("Authorization", basic["authorization"])]
        if self.impersonate_user:
            said.append(("Impersonate-User", self.impersonate_user))
        return said + [("Impersonate-Group", group) for group in self.impersonate_groups]


def connect(options: t.Mapping[str, t.Any], environment: t.Mapping[str, str] | None = None) -> Connection:
    """Return the connection that the options and the environment describe; nothing is sent.

    :param environment: what is read instead of that of the process
    :raises Refused: they describe none
    """
    if environment is None:
        environment = os.environ
    if MISSING_LIBRARY:
        raise Refused(
            "reach the cluster",
            f"a Python library is missing ({MISSING_LIBRARY})",
            "Install it: pip install kubernetes",
        )
    settings = read_settings(options, environment)
    _refuse_unusable(settings)
    return Connection(
        configuration=_configuration(settings),
        impersonate_user=_impersonated_user(options, environment),
        impersonate_groups=_impersonated_groups(options, environment),
    )


def read_settings(options: t.Mapping[str, t.Any], environment: t.Mapping[str, str]) -> dict[str, t.Any]:
    """Return the client's settings by name: each from its option, else from its variable of the environment."""
    settings: dict[str, t.Any] = {}
    for setting, option in _SETTINGS.items():
        value = options.get(option)
        if value is None and option == "proxy_headers":
            value = _proxy_headers(environment)
        if value is None:
            value = environment.get(f"K8S_AUTH_{option.upper()}") or environment.get(f"K8S_AUTH_{setting.upper()}")
            if option in ("validate_certs", "persist_config") and value is not None:
                value = value.lower() not in _FALSE
        if value is not None:
            settings[setting] = str(value).strip() if setting in _CREDENTIALS else value
    if settings.get("host"):
        settings["host"] = settings["host"].rstrip("/")
    return settings


def _refuse_unusable(settings: t.Mapping[str, t.Any]) -> None:
    """Refuse what the client would choke on, without quoting what is secret."""
    for setting in _CREDENTIALS:
        if not str(settings.get(setting, "")).isprintable():
            reason = f"{_SETTINGS[setting]} holds line ends or other control characters"
            raise Refused("reach the cluster", reason, "Give the credential alone, in one line")


def _proxy_headers(environment: t.Mapping[str, str]) -> dict[str, str] | None:
    names = {name: environment.get(f"K8S_AUTH_PROXY_HEADERS_{name.upper()}") for name in _PROXY_HEADERS}
    return {name: value for name, value in names.items() if value is not None} or None


def _impersonated_user(options: t.Mapping[str, t.Any], environment: t.Mapping[str, str]) -> str:
    user = options.get("impersonate_user")
    return str(environment.get("K8S_AUTH_IMPERSONATE_USER", "") if user is None else user)


def _impersonated_groups(options: t.Mapping[str, t.Any], environment: t.Mapping[str, str]) -> tuple[str, ...]:
    groups = options.get("impersonate_groups")
    if groups is None:
        groups = [g for g in environment.get("K8S_AUTH_IMPERSONATE_GROUPS", "").split(",") if g]
    return tuple(groups)


def _configuration(settings: dict[str, t.Any]) -> t.Any:
    # One of its own: the client's default is the process's, and would carry one cluster's certificates to the next.
    configuration = kubernetes.client.Configuration()
    if not any(all(settings.get(name) for name in names) for names in _ENOUGH):
        _load(settings, configuration)
    for setting, value in settings.items():
        if setting == "api_key":
            configuration.api_key = {"authorization": f"Bearer {value}"}
        elif setting == "proxy_headers":
            configuration.proxy_headers = urllib3.util.make_headers(**value)
        else:
            setattr(configuration, setting, value)
    if not configuration.verify_ssl:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    return configuration


def _load(settings: t.Mapping[str, t.Any], configuration: t.Any) -> None:
    asked = bool(settings.get("kubeconfig") or settings.get("context"))
    if not asked:
        try:
            kubernetes.config.load_incluster_config(client_configuration=configuration)
            return
        except kubernetes.config.ConfigException:
            pass
    _load_kubeconfig(settings, asked, configuration)


def _load_kubeconfig(settings: t.Mapping[str, t.Any], asked: bool, configuration: t.Any) -> None:
    kubeconfig = settings.get("kubeconfig")
    into = {"context": settings.get("context"), "client_configuration": configuration}
    reason = ""
    try:
        if isinstance(kubeconfig, dict):
            kubernetes.config.load_kube_config_from_dict(kubeconfig, **into)
        else:
            kubernetes.config.load_kube_config(kubeconfig, persist_config=_persists(settings), **into)
    except kubernetes.config.ConfigException as error:
        reason = str(error)
    except OSError as error:
        reason = error.strerror or "it cannot be read"
    except Exception as error:  # noqa: BLE001 - the client hands on whatever its YAML, base64 and exec plugins raise
        reason = f"it cannot be used ({type(error).__name__})"
    if reason:
        name = "a kubeconfig" if isinstance(kubeconfig, dict) else f"kubeconfig {kubeconfig or 'in its usual place'}"
        raise Refused("reach the cluster", f"{name}: {reason}" if asked else f"no cluster is named ({reason})", _LOG_IN)


def _persists(settings: t.Mapping[str, t.Any]) -> bool:
    return bool(settings.get("persist_config"))
