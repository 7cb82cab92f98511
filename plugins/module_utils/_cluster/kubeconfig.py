# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a connection down for a program that is not ours. It holds credentials, so it is written to no disk."""

from __future__ import annotations

import contextlib
import json
import os
import typing as t

from .connection import Connection

_BEARER = "Bearer "


@contextlib.contextmanager
def kubeconfig_in_memory(connection: Connection) -> t.Iterator[int]:
    """Yield the number of an open file in memory with the kubeconfig: a process that is killed leaves no credentials.

    Programs that inherit the file read it as ``/proc/self/fd/NUMBER``, each from its beginning.
    """
    with os.fdopen(os.memfd_create("kubeconfig"), "w", encoding="utf-8") as file:
        write_kubeconfig(connection, file)
        file.flush()
        yield file.fileno()


def write_kubeconfig(connection: Connection, file: t.TextIO) -> None:
    """Write a kubeconfig that reaches the same API server as the same account; a token that has expired is renewed."""
    entry = {"cluster": "c", "user": "u"}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": _cluster(connection)}],
        "contexts": [{"name": "c", "context": entry}],
        "users": [{"name": "u", "user": _user(connection)}],
    }
    json.dump(content, file)  # which is YAML as well


def _cluster(connection: Connection) -> dict[str, t.Any]:
    settings = connection.configuration
    cluster: dict[str, t.Any] = {"server": connection.api_url}
    if not settings.verify_ssl:
        cluster["insecure-skip-tls-verify"] = True
    elif settings.ssl_ca_cert:
        cluster["certificate-authority"] = os.path.abspath(settings.ssl_ca_cert)
    if getattr(settings, "tls_server_name", None):
        cluster["tls-server-name"] = settings.tls_server_name
    if settings.proxy:
        cluster["proxy-url"] = settings.proxy
    return cluster


def _user(connection: Connection) -> dict[str, t.Any]:
    settings = connection.configuration
    user: dict[str, t.Any] = {}
    authorization = dict(connection.headers()).get("Authorization", "")
    if authorization.startswith(_BEARER):
        user["token"] = authorization[len(_BEARER) :]
    elif settings.username and settings.password:
        user.update({"username": settings.username, "password": settings.password})
    if settings.cert_file:
        user["client-certificate"] = os.path.abspath(settings.cert_file)
    if settings.key_file:
        user["client-key"] = os.path.abspath(settings.key_file)
    if connection.impersonate_user:
        user["as"] = connection.impersonate_user
    if connection.impersonate_groups:
        user["as-groups"] = list(connection.impersonate_groups)
    return user
