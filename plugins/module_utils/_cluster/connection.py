# SPDX-License-Identifier: GPL-3.0-or-later
"""From a module's options, or the environment, to a connection: to the cluster that was named, as the account given.

What an option says is what every transport uses, on every version of the client: REST, watch, logs, exec and ``oc``.
Credentials of a kubeconfig, or of the pod that Ansible runs in, go to the API server that they belong to and to no
other. The settings are fixed when the connection is made; only a token is renewed later.
"""

from __future__ import annotations

import os
import threading
import typing as t
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import urlsplit

from .._errors import OperationError
from .connection_settings import (
    Settings,
    are_of_named_kubeconfig,
    has_own_credentials,
    is_address,
    read_settings,
    refuse_empty_names,
    refuse_unusable,
    same_server,
)
from .credential_source import CredentialSource, find_source

try:
    import kubernetes
    import urllib3

    MISSING_LIBRARY = ""
except ImportError as error:
    MISSING_LIBRARY = str(error)

_WHAT = "reach the cluster"
_OF_THE_CLUSTER = ("host", "verify_ssl", "ssl_ca_cert", "tls_server_name", "proxy", "no_proxy")
"""What a source says of the API server and of the way to it."""
_OF_THE_ACCOUNT = ("cert_file", "key_file")
"""What a source says of the account besides its token."""
_BYPASS = threading.Lock()
"""Held while the client decides about no_proxy: its older releases change the environment for a moment."""
_NOT_OF_THE_CLIENT = frozenset(("kubeconfig", "context", "api_key", "proxy_headers", "persist_config"))


@dataclass(frozen=True)
class Connection:
    """How to reach an API server and as whom.

    :ivar configuration: a ``kubernetes.client.Configuration``; nothing changes it once the connection is made
    :ivar authorization: returns the value of the header Authorization at this moment, empty if there is none
    """

    configuration: t.Any
    authorization: t.Callable[[], str] = field(default=str, repr=False)
    impersonate_user: str = ""
    impersonate_groups: t.Sequence[str] = field(default_factory=tuple)

    @property
    def api_url(self) -> str:
        """The API server's address."""
        return str(self.configuration.host).rstrip("/")

    @property
    def proxy(self) -> str:
        """The URL of the proxy through which the API server is reached, empty if there is none."""
        proxy = str(self.configuration.proxy or "")
        return "" if not proxy or _is_bypassed(self.api_url, self.configuration.no_proxy or "") else proxy

    def headers(self) -> list[tuple[str, str]]:
        """Return the headers that say who asks; a group a header.

        :raises OperationError: the token has expired and cannot be renewed, or a value cannot be sent
        """
        authorization = self.authorization().strip()  # files of tokens mostly end with a line end
        headers = [("Authorization", authorization)] if authorization else []
        if self.impersonate_user:
            headers.append(("Impersonate-User", self.impersonate_user))
        headers += [("Impersonate-Group", group) for group in self.impersonate_groups]
        for name, value in headers:
            if not (value.isascii() and value.isprintable()):
                reason = f"what is to be sent as {name} holds line ends, or characters that are not ASCII"
                raise OperationError(_WHAT, reason, "Check the token, impersonate_user and impersonate_groups")
        return headers


def connect(options: t.Mapping[str, t.Any], environment: t.Mapping[str, str] | None = None) -> Connection:
    """Return the connection that the options and the environment describe; nothing is sent.

    :param environment: what is read instead of that of the process
    :raises OperationError: they describe none
    """
    if environment is None:
        environment = os.environ
    if MISSING_LIBRARY:
        raise OperationError(
            _WHAT,
            f"a Python library is missing ({MISSING_LIBRARY})",
            "Install it: pip install kubernetes",
        )
    refuse_empty_names(options)
    settings = read_settings(options, environment)
    refuse_unusable(settings)
    needs_no_source = settings.get("host") and has_own_credentials(settings)
    source = None
    if not needs_no_source or are_of_named_kubeconfig(options, environment):
        source = _for_host(find_source(settings), settings)
    configuration = _configuration(settings, source)
    connection = Connection(
        configuration=configuration,
        authorization=_authorization(settings, source),
        impersonate_user=_impersonated_user(options, environment),
        impersonate_groups=_impersonated_groups(options, environment),
    )
    if connection.proxy and not _is_proxy(connection.proxy):
        reason = "the proxy has no http:// or https:// address"
        raise OperationError(_WHAT, reason, "Correct proxy, K8S_AUTH_PROXY, or the kubeconfig's proxy-url")
    return connection


def _for_host(source: CredentialSource, settings: Settings) -> CredentialSource:
    """Return the source, unless it belongs to another API server than the one that was named."""
    if not is_address(source.host):
        reason = f"the server in {source.name} is not an address such as https://api.cluster.example.com:6443"
        raise OperationError(_WHAT, reason, "Correct it: scheme, name and port alone, without a user name or a query")
    host = settings.get("host")
    if not host or same_server(str(host), source.host):
        return source
    raise OperationError(
        _WHAT,
        f"host is {host}, but the credentials of {source.name} are for {source.host}",
        f"Give api_key, or client_cert and client_key, for {host}, or leave host out",
    )


def _configuration(settings: Settings, source: CredentialSource | None) -> t.Any:
    # One of its own: the client's default is the process's, and would carry one cluster's certificates to the next.
    configuration = kubernetes.client.Configuration()
    if source is not None:
        taken = _OF_THE_CLUSTER if has_own_credentials(settings) else (*_OF_THE_CLUSTER, *_OF_THE_ACCOUNT)
        for name in taken:
            if hasattr(source.loaded, name):
                setattr(configuration, name, getattr(source.loaded, name))
    for name, value in settings.items():
        if name not in _NOT_OF_THE_CLIENT and value != "":
            setattr(configuration, name, value)
    if settings.get("proxy_headers"):
        configuration.proxy_headers = urllib3.util.make_headers(**settings["proxy_headers"])
    if not configuration.verify_ssl:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    return configuration


def _authorization(settings: Settings, source: CredentialSource | None) -> t.Callable[[], str]:
    """Return who asks, by the settings if they say it, else by the source."""
    if settings.get("api_key"):
        return _Fixed(f"Bearer {settings['api_key']}")
    if settings.get("username"):
        account = f"{settings['username']}:{settings['password']}"
        return _Fixed(urllib3.util.make_headers(basic_auth=account)["authorization"])
    if source is None or has_own_credentials(settings):
        return _Fixed("")
    return source.authorization


@dataclass(frozen=True)
class _Fixed:
    """An authorization that never expires."""

    value: str = field(repr=False)

    def __call__(self) -> str:
        return self.value


def _is_proxy(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _is_bypassed(host: str, no_proxy: str) -> bool:
    """Whether a host is reached without the proxy, by the rules of the client's own requests."""
    with _BYPASS:
        return _is_bypassed_once(host, no_proxy)


@lru_cache(maxsize=8)
def _is_bypassed_once(host: str, no_proxy: str) -> bool:
    return bool(kubernetes.client.rest.should_bypass_proxies(host, no_proxy))


def _impersonated_user(options: t.Mapping[str, t.Any], environment: t.Mapping[str, str]) -> str:
    user = options.get("impersonate_user")
    return str(environment.get("K8S_AUTH_IMPERSONATE_USER", "") if user is None else user)


def _impersonated_groups(options: t.Mapping[str, t.Any], environment: t.Mapping[str, str]) -> tuple[str, ...]:
    groups = options.get("impersonate_groups")
    if groups is None:
        groups = [g for g in environment.get("K8S_AUTH_IMPERSONATE_GROUPS", "").split(",") if g]
    return tuple(groups)
