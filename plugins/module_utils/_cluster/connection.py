# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn a module's options and the environment into a connection to the named cluster, as the given account.

An option applies to every kind of request and to every release of the client: REST, watch, logs, exec and ``oc``.
Credentials of a kubeconfig, or of the pod that Ansible runs in, are sent only to the API server that they belong to.
The settings are fixed when the connection is created; only a token is renewed later.
"""

from __future__ import annotations

import os
import threading
import typing as t
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import urlsplit

from .._errors import OperationError, hide_in_tracebacks
from .connection_settings import (
    Settings,
    are_of_named_kubeconfig,
    check_cluster_names,
    check_usable,
    has_own_credentials,
    is_address,
    read_settings,
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
"""The settings of a source that describe the API server and the route to it."""
_OF_THE_ACCOUNT = ("cert_file", "key_file")
"""The settings of a source that describe the account, besides its token."""
_BYPASS = threading.Lock()
"""Held while the client evaluates no_proxy, because its older releases change the environment meanwhile."""
_NOT_OF_THE_CLIENT = frozenset(("kubeconfig", "context", "api_key", "proxy_headers", "persist_config"))


@dataclass(frozen=True)
class Connection:
    """The address of an API server, the route to it, and the account.

    :ivar configuration: a ``kubernetes.client.Configuration``, which is not changed later
    :ivar authorization: returns the current value of the Authorization header, or an empty text
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
        """The URL of the proxy to the API server, empty without one."""
        proxy = str(self.configuration.proxy or "")
        return "" if not proxy or _is_bypassed(self.api_url, self.configuration.no_proxy or "") else proxy

    def headers(self) -> list[tuple[str, str]]:
        """Return the headers that identify the account, with one header per group.

        :raises OperationError: the token has expired and cannot be renewed, or a value cannot be sent
        """
        authorization = self.authorization().strip()  # most token files end with a line end
        hide_in_tracebacks(authorization, authorization.partition(" ")[2])
        headers = [("Authorization", authorization)] if authorization else []
        if self.impersonate_user:
            headers.append(("Impersonate-User", self.impersonate_user))
        headers += [("Impersonate-Group", group) for group in self.impersonate_groups]
        for name, value in headers:
            if not (value.isascii() and value.isprintable()):
                reason = f"the value of the {name} header has line ends, or characters that are not ASCII"
                raise OperationError(_WHAT, reason, "Check the token, impersonate_user and impersonate_groups")
        return headers


def connect(options: t.Mapping[str, t.Any], environment: t.Mapping[str, str] | None = None) -> Connection:
    """Return the connection that the options and the environment describe. Nothing is sent.

    :param environment: variables to read instead of those of the process
    :raises OperationError: they describe no usable connection
    """
    if environment is None:
        environment = os.environ
    if MISSING_LIBRARY:
        raise OperationError(
            _WHAT,
            f"a Python library is missing ({MISSING_LIBRARY})",
            "Install it: pip install kubernetes",
        )
    check_cluster_names(options)
    settings = read_settings(options, environment)
    check_usable(settings)
    hide_in_tracebacks(*_secrets_of(settings))
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
        reason = "the address of the proxy does not begin with http:// or https://"
        raise OperationError(_WHAT, reason, "Correct proxy (K8S_AUTH_PROXY), or the kubeconfig's proxy-url")
    return connection


def _for_host(source: CredentialSource, settings: Settings) -> CredentialSource:
    """Return the source.

    :raises OperationError: it belongs to another API server than the named one
    """
    if not is_address(source.host):
        reason = f"the server in {source.name} is not an address such as https://api.cluster.example.com:6443"
        raise OperationError(_WHAT, reason, "Correct it: scheme, name and port only, without a user name or a query")
    host = settings.get("host")
    if not host or same_server(str(host), source.host):
        return source
    raise OperationError(
        _WHAT,
        f"host is {host}, but the credentials of {source.name} are for {source.host}",
        f"Set api_key, or client_cert and client_key, for {host}, or leave host out",
    )


def _configuration(settings: Settings, source: CredentialSource | None) -> t.Any:
    # The client's default configuration is shared, and would carry the certificates of one cluster to the next.
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
    """Return the function that returns the Authorization header: from the settings, else from the source."""
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
    """An Authorization header that does not expire."""

    value: str = field(repr=False)

    def __call__(self) -> str:
        return self.value


def _secrets_of(settings: Settings) -> t.Iterator[str]:
    yield str(settings.get("api_key") or "")
    yield str(settings.get("password") or "")
    yield urlsplit(str(settings.get("proxy") or "")).password or ""
    for name, value in (settings.get("proxy_headers") or {}).items():
        yield "" if name == "user_agent" else str(value or "")


def _is_proxy(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _is_bypassed(host: str, no_proxy: str) -> bool:
    """Whether a host is reached without the proxy, by the rules of the client."""
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
