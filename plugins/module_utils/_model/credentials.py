# SPDX-License-Identifier: GPL-3.0-or-later
"""Which registries does a pull secret open, and what is to be written so that it opens those that are wanted?

Nothing here ever shows a password: what leaves is a host and, where the credential tells it, when it expires.
"""

from __future__ import annotations

import base64
import json
import typing as t
from dataclasses import dataclass, field
from datetime import datetime, timezone

from .resources import CREATED_BY, OURS, Object

DOCKERCONFIGJSON = "kubernetes.io/dockerconfigjson"
DOCKERCFG = "kubernetes.io/dockercfg"
KEYS = {DOCKERCONFIGJSON: ".dockerconfigjson", DOCKERCFG: ".dockercfg"}
"""Type of Secret -> the key that holds the credentials; the operator accepts these two (operator.md 4.2)."""


@dataclass(frozen=True)
class Credential:
    """What one registry is told."""

    username: str
    password: str = field(repr=False)
    token: str = field(default="", repr=False)
    """An identity or registry token, which some registries use instead."""
    entry: t.Mapping[str, t.Any] = field(default_factory=dict, repr=False, compare=False)
    """The entry as it was given, so that nothing of it is lost when another one is changed."""

    @property
    def expires(self) -> str:
        """When the password expires, RFC 3339, if it is a token that says so; else empty."""
        parts = self.password.split(".")
        if len(parts) != 3:
            return ""
        try:
            padded = parts[1] + "=" * (-len(parts[1]) % 4)
            claims = json.loads(base64.urlsafe_b64decode(padded))
            return datetime.fromtimestamp(claims["exp"], timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        except (ValueError, KeyError, TypeError, OverflowError, OSError):
            return ""

    @property
    def logs_in(self) -> bool:
        """Whether there is something to log in with."""
        return bool(self.token or (self.username and self.password))


Credentials = t.Mapping[str, Credential]
"""Registry host -> credential."""


def read_dockerconfigjson(text: str) -> dict[str, Credential]:
    """Read the content of a pull secret, in the layout with ``auths`` or in the older one without.

    :raises ValueError: it is not such a content; the message never quotes it
    """
    try:
        content = json.loads(text)
    except ValueError:
        raise ValueError("it is not JSON") from None
    if isinstance(content, dict) and "auths" not in content and {"credHelpers", "credsStore"} & content.keys():
        raise ValueError("it only names helpers that hold the credentials, which the cluster does not have")
    auths = content.get("auths", content) if isinstance(content, dict) else None
    if not isinstance(auths, dict) or not all(isinstance(entry, dict) for entry in auths.values()):
        raise ValueError("it has no object auths with an object a registry")
    return {host: _read_entry(host, entry) for host, entry in auths.items()}


def write_dockerconfigjson(credentials: Credentials) -> str:
    """Return the content of a Secret of type kubernetes.io/dockerconfigjson, the same text for the same credentials."""
    auths = {host: dict(c.entry) or {"auth": _auth(c)} for host, c in credentials.items()}
    return json.dumps({"auths": auths}, sort_keys=True, separators=(",", ":"))


def of_secret(secret: Object) -> dict[str, Credential]:
    """Read a v1 Secret of either type.

    :raises ValueError: it is of another type, or its content cannot be read
    """
    key = KEYS.get(secret.get("type", ""))
    if key is None:
        raise ValueError(f"it is of type {secret.get('type') or 'Opaque'}")
    try:
        text = base64.b64decode((secret.get("data") or {}).get(key, ""), validate=True).decode()
    except (ValueError, TypeError):
        raise ValueError(f"its key {key} cannot be decoded") from None
    if not text:
        raise ValueError(f"its key {key} is missing or empty")
    return read_dockerconfigjson(text)


def new_secret(name: str, namespace: str, credentials: Credentials) -> dict[str, t.Any]:
    """Return the Secret to create."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": DOCKERCONFIGJSON,
        "metadata": {"name": name, "namespace": namespace, "annotations": {CREATED_BY: OURS}},
        "data": data_of(credentials),
    }


def data_of(credentials: Credentials) -> dict[str, str]:
    """Return the data of a Secret of type kubernetes.io/dockerconfigjson."""
    return {KEYS[DOCKERCONFIGJSON]: base64.b64encode(write_dockerconfigjson(credentials).encode()).decode()}


def shown(credentials: Credentials | None, other: Credentials | None = None) -> dict[str, t.Any]:
    """Return what a diff shows: hosts, expiry, and whether a host's credential differs from the *other* side."""
    if credentials is None:
        return {}
    return {host: _shown_entry(c, (other or {}).get(host)) for host, c in sorted(credentials.items())}


def _shown_entry(credential: Credential, other: Credential | None) -> dict[str, str]:
    entry = {"expires": credential.expires or "never, or it does not say"}
    if other is not None and other != credential:
        entry["credential"] = "differs from the other side"
    return entry


def _read_entry(host: str, entry: Object) -> Credential:
    token = str(entry.get("identitytoken") or entry.get("registrytoken") or "")
    if not entry.get("auth"):
        if not (entry.get("username") and entry.get("password")) and not token:
            return Credential("", "", "", entry)
        return Credential(str(entry.get("username", "")), str(entry.get("password", "")), token, entry)
    try:
        username, dummy, password = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
    except (ValueError, TypeError):
        raise ValueError(f"the auth of {host} cannot be decoded") from None
    return Credential(username, password, token, entry)


def _auth(credential: Credential) -> str:
    return base64.b64encode(f"{credential.username}:{credential.password}".encode()).decode()
