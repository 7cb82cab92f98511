# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a text that somebody else wrote may be a credential? It is replaced before the text is shown.

A log shows what a command printed, and commands print their own arguments.
"""

from __future__ import annotations

import re
import typing as t

MASK = "***"

_NAMES = r"(?:password|passwd|secret|token|api[_-]?key|access[_-]?key|activation[_-]?key|credentials?|creds)"

_MASKS: t.Sequence[tuple[t.Pattern[str], str]] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), shown)
    for pattern, shown in (
        # https://user:password@host, and a token in place of both
        (r"(\b[a-z][a-z0-9+.-]*://)[^\s\"'/@]+@", rf"\1{MASK}@"),
        # Authorization: Bearer ..., also without the header's name
        (r"\b(bearer|basic)(\s+)(?=\S*[0-9=])[a-z0-9._~+/=-]{8,}", rf"\1\2{MASK}"),
        (r"\b((?:proxy-)?authorization\s*[:=]\s*[\"']?)(?!bearer|basic)\S+", rf"\1{MASK}"),
        # "auth": "..." of a dockerconfigjson, and other JSON; the quotes may be escaped
        (
            rf"(\\?[\"'](?:auth|identitytoken|registrytoken|[\w.-]*{_NAMES})\\?[\"']\s*:\s*\\?[\"'])[^\"'\\]*",
            rf"\1{MASK}",
        ),
        # --password x, --password=x
        (rf"(\s--?[\w-]*{_NAMES}(?:\s+|=)[\"']?)[^\s\"']+", rf"\1{MASK}"),
        # -u user:password, --user user:password
        (r"(\s(?:-u|--user|--proxy-user)(?:\s+|=)?[\"']?[^\s:\"']+:)[^\s\"']+", rf"\1{MASK}"),
        # SOME_TOKEN=x
        (rf"\b([\w.-]*{_NAMES}\s*=\s*[\"']?)[^\s\"'&,;]+", rf"\1{MASK}"),
        # a JSON web token, wherever it stands
        (r"\beyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)?", MASK),
        (r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", MASK),
    )
)


def masked(text: str) -> str:
    """Return the text with everything that looks like a credential replaced."""
    for pattern, shown in _MASKS:
        text = pattern.sub(shown, text)
    return text
