# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the account for a proxy: in the option ``proxy_headers``, else in the address of the proxy."""

from __future__ import annotations

import base64
import typing as t
from urllib.parse import unquote, urlsplit


def proxy_authorization(proxy_headers: t.Mapping[str, t.Any] | None, proxy: str) -> str:
    """Return the value of the Proxy-Authorization header, or an empty text.

    :param proxy_headers: the headers for the proxy, with names in any case
    :param proxy: the URL of the proxy
    """
    headers = {name.lower(): str(value) for name, value in (proxy_headers or {}).items()}
    if headers.get("proxy-authorization"):
        return headers["proxy-authorization"]
    parts = urlsplit(proxy)
    if not parts.username:
        return ""
    account = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {base64.b64encode(account.encode('utf-8')).decode('ascii')}"


def basic_account(header: str) -> tuple[str, str] | None:
    """Return the user and the password of a header of the scheme Basic, or None for any other header."""
    scheme, dummy, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, dummy, password = base64.b64decode(encoded).decode("utf-8").partition(":")
    except ValueError:
        return None
    return user, password
