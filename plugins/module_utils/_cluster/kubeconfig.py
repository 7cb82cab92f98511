# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a connection as a kubeconfig for another program. It contains credentials, so it is never written to disk."""

from __future__ import annotations

import contextlib
import json
import os
import typing as t
from urllib.parse import quote, urlsplit, urlunsplit

from .connection import Connection
from .proxy_login import basic_account, proxy_authorization


@contextlib.contextmanager
def kubeconfig_in_memory(connection: Connection) -> t.Iterator[int]:
    """Yield the number of an open file in memory with the kubeconfig. A killed process leaves no credentials behind.

    Programs that inherit the file read it as ``/proc/self/fd/NUMBER``, each from its beginning.
    """
    with os.fdopen(os.memfd_create("kubeconfig"), "w", encoding="utf-8") as file:
        write_kubeconfig(connection, file)
        file.flush()
        yield file.fileno()


def write_kubeconfig(connection: Connection, file: t.TextIO) -> None:
    """Write a kubeconfig for the same API server and account. An expired token is renewed before."""
    json.dump(kubeconfig_of(connection), file)  # which is YAML as well


def kubeconfig_of(connection: Connection) -> dict[str, t.Any]:
    """Return the content of a kubeconfig for the same API server, route and account."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": _cluster(connection)}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": _user(connection)}],
    }


def _cluster(connection: Connection) -> dict[str, t.Any]:
    settings = connection.configuration
    cluster: dict[str, t.Any] = {"server": connection.api_url}
    if not settings.verify_ssl:
        cluster["insecure-skip-tls-verify"] = True
    elif settings.ssl_ca_cert:
        cluster["certificate-authority"] = os.path.abspath(settings.ssl_ca_cert)
    if getattr(settings, "tls_server_name", None):
        cluster["tls-server-name"] = settings.tls_server_name
    if connection.proxy:
        cluster["proxy-url"] = _proxy_url(connection)
    return cluster


def _proxy_url(connection: Connection) -> str:
    """Return the URL of the proxy with its account, because a kubeconfig has no headers for a proxy."""
    account = basic_account(proxy_authorization(connection.configuration.proxy_headers, connection.proxy))
    if account is None:
        return connection.proxy
    parts = urlsplit(connection.proxy)
    user, password = (quote(part, safe="") for part in account)
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{parts.netloc.rpartition('@')[2]}"))


def _user(connection: Connection) -> dict[str, t.Any]:
    settings = connection.configuration
    user: dict[str, t.Any] = {}
    authorization = dict(connection.headers()).get("Authorization", "")
    scheme, dummy, value = authorization.partition(" ")
    account = basic_account(authorization)
    if account is not None:
        user.update({"username": account[0], "password": account[1]})
    elif scheme.lower() == "bearer":  # the client spells it in two ways
        user["token"] = value.strip()
    if settings.cert_file:
        user["client-certificate"] = os.path.abspath(settings.cert_file)
    if settings.key_file:
        user["client-key"] = os.path.abspath(settings.key_file)
    if connection.impersonate_user:
        user["as"] = connection.impersonate_user
    if connection.impersonate_groups:
        user["as-groups"] = list(connection.impersonate_groups)
    return user
