# SPDX-License-Identifier: GPL-3.0-or-later
"""Registry credentials in pull and push Secrets: reading, comparing and changing them.

A Secret can contain other content, and entries that are not to be changed. Their text is preserved. No result contains
a password: only hosts and, for tokens, the expiry.
"""

from __future__ import annotations

import base64
import json
import typing as t
from dataclasses import dataclass, field
from datetime import datetime, timezone

from ..json_text import read_json
from ..objects.resources import CREATED_BY, OURS, Object
from ..objects.timestamp import timestamp
from .image_reference import ImageReference
from .json_members import read_members, write_members

DOCKERCONFIGJSON = "kubernetes.io/dockerconfigjson"
DOCKERCFG = "kubernetes.io/dockercfg"
KEYS = {DOCKERCONFIGJSON: ".dockerconfigjson", DOCKERCFG: ".dockercfg"}
"""Type of Secret -> key of the credentials. The operator accepts both (docs/operator-behavior.md, "Secrets")."""
_AUTHS = "auths"
_LOGIN = frozenset(("auth", "username", "password", "identitytoken", "registrytoken"))
"""Members of an entry that are its credential."""


@dataclass(frozen=True)
class Credential:
    """Credential for one registry."""

    username: str
    password: str = field(repr=False)
    token: str = field(default="", repr=False)
    """Identity or registry token, which some registries use instead of a password."""
    entry: t.Mapping[str, t.Any] = field(default_factory=dict, repr=False, compare=False)
    """Original entry, so that other members are preserved."""

    @property
    def expires(self) -> str:
        """Expiry of the password (RFC 3339) if it is a token with an expiry time, else empty."""
        parts = self.password.split(".")
        if len(parts) != 3:
            return ""
        try:
            padded = parts[1] + "=" * (-len(parts[1]) % 4)
            payload = read_json(base64.urlsafe_b64decode(padded))
            return timestamp(datetime.fromtimestamp(payload["exp"], timezone.utc))
        except (ValueError, KeyError, TypeError, OverflowError, OSError):
            return ""

    @property
    def logs_in(self) -> bool:
        """Whether the credential is complete."""
        return bool(self.token or (self.username and self.password))


Credentials = t.Mapping[str, Credential]
"""Registry host -> credential."""


@dataclass(frozen=True)
class Content:
    """Content of a pull secret, as text."""

    members: t.Mapping[str, str] = field(repr=False)
    """Name -> text of the value, for all members besides the entries: ``credHelpers``, ``HttpHeaders``, ..."""
    entries: t.Mapping[str, str] = field(repr=False)
    """Registry host -> text of its entry."""

    @classmethod
    def read(cls, text: str) -> Content:
        """Parse the layout with ``auths``, or the older layout, which consists of entries only.

        :raises ValueError: the text has neither layout; the message never quotes the text
        """
        members = read_members(text)
        if _AUTHS in members:
            auths = members.pop(_AUTHS)
            content = cls(members, {} if auths == "null" else _entries(auths))
        elif any(_is_login(value) for value in members.values()):
            content = cls({}, members)
        else:
            content = cls(members, {})
        if not all(entry == "null" or entry.startswith("{") for entry in content.entries.values()):
            raise ValueError(_NO_ENTRIES)
        return content

    @property
    def credentials(self) -> dict[str, Credential]:
        """Credential of each registry. It is empty if its entry is empty or cannot be parsed."""
        return {host: _read_leniently(entry) for host, entry in self.entries.items()}

    def having(self, credentials: Credentials) -> Content:
        """Return the content with new credentials for some registries. All other text is preserved."""
        changed = {host: _changed_entry(self.entries.get(host, "{}"), c) for host, c in credentials.items()}
        return Content(self.members, {**self.entries, **changed})

    @property
    def text(self) -> str:
        """Content for a Secret of type kubernetes.io/dockerconfigjson."""
        return write_members({**self.members, _AUTHS: write_members(self.entries)})


_NO_ENTRIES = 'it has no "auths" object with one object for each registry'


def read_dockerconfigjson(text: str) -> dict[str, Credential]:
    """Parse the user's pull secret in the layout with ``auths`` or the older layout.

    :raises ValueError: the text has neither layout, or a credential cannot be parsed; the message never quotes the text
    """
    members = read_members(text)
    if _AUTHS not in members and {"credHelpers", "credsStore"} & members.keys():
        raise ValueError("it only names credential helpers, which the cluster does not have")
    content = read_json(text)
    try:
        json.dumps(content, allow_nan=False)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError:
        raise ValueError("it contains a number that is too large") from None
    auths = content.get(_AUTHS, content)
    if not isinstance(auths, dict) or not all(isinstance(entry, dict) for entry in auths.values()):
        raise ValueError(_NO_ENTRIES)
    return {host: _read_entry(host, entry) for host, entry in auths.items()}


def write_dockerconfigjson(credentials: Credentials) -> str:
    """Return the content for a Secret of type kubernetes.io/dockerconfigjson, the same for equal credentials."""
    auths = {host: _entry_of(c) for host, c in credentials.items()}
    return json.dumps({"auths": auths}, sort_keys=True, separators=(",", ":"))


def of_secret(secret: Object) -> dict[str, Credential]:
    """Return the credentials in a v1 Secret of either type.

    :raises ValueError: the Secret has another type, or its content cannot be parsed
    """
    return content_of(secret).credentials


def credential_for(credentials: Credentials, image: ImageReference) -> Credential | None:
    """Return the credential that a client uses for an image: the entry of the longest part of its name, or None.

    An entry can name a registry, or a repository or namespace in it. The older layout has URLs.
    """
    parts = [image.host, *image.path]
    names = ["/".join(parts[:length]) for length in range(len(parts), 0, -1)]
    by_name = {_without_scheme(entry): credential for entry, credential in credentials.items()}
    return next((by_name[name] for name in names if name in by_name), None)


def _without_scheme(entry: str) -> str:
    scheme, separator, rest = entry.partition("://")
    return rest.partition("/")[0] if separator and scheme in ("http", "https") else entry


def content_of(secret: Object) -> Content:
    """Parse the content of a v1 Secret of either type.

    :raises ValueError: the Secret has another type, or its content cannot be parsed
    """
    return Content.read(_text_of(secret))


def has_auths(secret: Object) -> bool:
    """Whether the content of a v1 Secret has the layout with ``auths``. False if it cannot be parsed."""
    try:
        return _AUTHS in read_members(_text_of(secret))
    except ValueError:
        return False


def _text_of(secret: Object) -> str:
    key = KEYS.get(secret.get("type", ""))
    if key is None:
        raise ValueError(f"its type is {secret.get('type') or 'Opaque'}")
    try:
        text = base64.b64decode((secret.get("data") or {}).get(key, ""), validate=True).decode()
    except (ValueError, TypeError):
        raise ValueError(f"key {key} cannot be decoded") from None
    if not text:
        raise ValueError(f"key {key} is missing or empty")
    return text


def new_secret(name: str, namespace: str, credentials: Credentials) -> dict[str, t.Any]:
    """Return the Secret to create."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": DOCKERCONFIGJSON,
        "metadata": {"name": name, "namespace": namespace, "annotations": {CREATED_BY: OURS}},
        "data": data_of(write_dockerconfigjson(credentials)),
    }


def data_of(text: str) -> dict[str, str]:
    """Return the data of a Secret of type kubernetes.io/dockerconfigjson."""
    return {KEYS[DOCKERCONFIGJSON]: base64.b64encode(text.encode()).decode()}


def shown(credentials: Credentials | None, other: Credentials | None = None) -> dict[str, t.Any]:
    """Return one side of a diff: hosts, expiry, and whether the credential differs from the *other* side."""
    if credentials is None:
        return {}
    return {host: _shown_entry(c, (other or {}).get(host)) for host, c in sorted(credentials.items())}


def _shown_entry(credential: Credential, other: Credential | None) -> dict[str, str]:
    entry = {"expires": credential.expires or "unknown"}
    if other is not None and other != credential:
        entry["credential"] = "changed"
    return entry


def _entries(auths: str) -> dict[str, str]:
    try:
        return read_members(auths)
    except ValueError:
        raise ValueError(_NO_ENTRIES) from None


def _is_login(entry: str) -> bool:
    """Whether the text is an entry with a credential."""
    value = read_json(entry)
    return isinstance(value, dict) and bool(_LOGIN & value.keys())


def _read_leniently(entry: str) -> Credential:
    """Parse an entry of an existing Secret. An invalid entry gives an empty credential."""
    value = read_json(entry) or {}
    try:
        return _read_entry("", value)
    except ValueError:
        return Credential("", "", "", value)


def _changed_entry(entry: str, credential: Credential) -> str:
    """Return the text of an entry with a new credential. Other members are preserved."""
    members = {} if entry == "null" else read_members(entry)
    kept = {name: value for name, value in members.items() if name not in _LOGIN}
    given = {name: json.dumps(value) for name, value in _entry_of(credential).items()}
    return write_members({**kept, **given})


def _entry_of(credential: Credential) -> dict[str, t.Any]:
    return dict(credential.entry) or {"auth": _auth(credential)}


def _read_entry(host: str, entry: Object) -> Credential:
    token = str(entry.get("identitytoken") or entry.get("registrytoken") or "")
    if not entry.get("auth"):
        if not (entry.get("username") and entry.get("password")) and not token:
            return Credential("", "", "", entry)
        return Credential(str(entry.get("username", "")), str(entry.get("password", "")), token, entry)
    try:
        # Clients on the cluster ignore line ends, which base64 programs insert, and no other character.
        encoded = entry["auth"].replace("\r", "").replace("\n", "")
        username, dummy, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (ValueError, TypeError, AttributeError):
        raise ValueError(f"the auth of {host} cannot be decoded") from None
    return Credential(username, password, token, entry)


def _auth(credential: Credential) -> str:
    return base64.b64encode(f"{credential.username}:{credential.password}".encode()).decode()
