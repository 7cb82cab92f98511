# SPDX-License-Identifier: GPL-3.0-or-later
"""What were the last words of a failed build?

The operator's own object says only "Build Failed"; the builder's words stand in the message with which its container
ended (operator.md 2.4).
"""

from __future__ import annotations

import re
import typing as t

from .resources import Object, metadata_of

_URL_ACCOUNT = re.compile(r"//[^\s\"']*@")
_TELLING = re.compile(r"^\W*(error|fatal)\b", re.IGNORECASE)


def last_words(pods: t.Iterable[Object]) -> str:
    """Return the message of the newest container that failed, credentials in URLs masked; empty when there is none."""
    newest_first = sorted(pods, key=lambda pod: str(metadata_of(pod).get("creationTimestamp", "")), reverse=True)
    for pod in newest_first:
        for status in _container_statuses(pod):
            ended = (status.get("state") or {}).get("terminated") or {}
            if ended.get("exitCode") and ended.get("message"):
                return _URL_ACCOUNT.sub("//***@", str(ended["message"]).strip())
    return ""


def telling_line(words: str) -> str:
    """Return the line that says most: the last one that begins as an error, else the last one."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    errors = [line for line in lines if _TELLING.match(line)]
    return (errors or lines or [""])[-1]


def _container_statuses(pod: Object) -> list[Object]:
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
