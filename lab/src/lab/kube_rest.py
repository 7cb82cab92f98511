# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of the API server for the parts of the lab: plain JSON, one request for each call, and watched lists.

The official client would make a typed object of every one of a thousand nodes for each change of it; here an object
is what the server sent. It still reads the kubeconfig.
"""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
from kubernetes import client, config

log = logging.getLogger(__name__)

MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"

_CONNECT_TIMEOUT = 5
_READ_TIMEOUT = 30
_WATCH_SECONDS = 300
_TRIES = 6


class ApiError(Exception):
    """A request failed; ``status`` is the HTTP status, or 0 without a response."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Change(Enum):
    """What happened to a watched object."""

    SET = "set"
    GONE = "gone"


@dataclass(frozen=True)
class Event:
    """One object: its current state, or its last state before its deletion."""

    change: Change
    object: dict[str, Any]

    @property
    def name(self) -> str:
        """The object's name."""
        return str(self.object["metadata"]["name"])


class Api:
    """A connection to the API server with the identity of one kubeconfig. Safe for many threads."""

    def __init__(self, kubeconfig: Path | str) -> None:
        settings = client.Configuration()
        config.load_kube_config(config_file=str(kubeconfig), client_configuration=settings)
        self._host = settings.host
        self._headers = {"Accept": "application/json", "User-Agent": "imagemode-lab"}
        for setting in settings.auth_settings().values():
            self._headers[str(setting["key"])] = str(setting["value"])
        self._pool = urllib3.PoolManager(
            maxsize=32,
            retries=False,
            ca_certs=settings.ssl_ca_cert,
            cert_file=settings.cert_file,
            key_file=settings.key_file,
            cert_reqs="CERT_REQUIRED",
        )

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """Read one object or list; raises ApiError."""
        return self._ask("GET", path, query=query)

    def find(self, path: str, name: str) -> dict[str, Any] | None:
        """Read one object of the collection at ``path``, or return None if it does not exist; raises ApiError."""
        try:
            return self.get(f"{path}/{name}")
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def insist(self, path: str) -> dict[str, Any]:
        """Read one object or list, however long it takes until the API server gives it."""
        while True:
            try:
                return self.get(path)
            except ApiError as error:
                log.warning("waiting for the API server: %s", error)
                time.sleep(1.0)

    def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object in the collection at ``path``; raises ApiError."""
        return self._ask("POST", path, body=body)

    def patch(self, path: str, body: Mapping[str, Any], kind: str = MERGE_PATCH) -> dict[str, Any]:
        """Patch the object at ``path``; raises ApiError."""
        return self._ask("PATCH", path, body=body, content_type=kind)

    def delete(self, path: str) -> None:
        """Delete an object. Raises ApiError."""
        self._ask("DELETE", path)

    def remove(self, path: str, name: str) -> bool:
        """Delete an object of the collection at ``path``. Return False if it did not exist; raises ApiError."""
        try:
            self.delete(f"{path}/{name}")
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return True

    def follow(self, path: str, **query: str) -> Iterator[Event]:
        """Every object of the collection at ``path``, and from then on every change of it, for ever.

        Lists once and watches from there. What went while no watch was open is told as GONE after the next list.
        """
        known: dict[str, dict[str, Any]] = {}
        delay = 0.0
        while True:
            try:
                listed = self._ask("GET", path, query=query)
                version = str(listed["metadata"]["resourceVersion"])
                present = {str(item["metadata"]["uid"]): item for item in listed["items"]}
                for uid in [uid for uid in known if uid not in present]:
                    yield Event(Change.GONE, known.pop(uid))
                for uid, item in present.items():
                    seen = known.get(uid)
                    known[uid] = item
                    if seen is None or seen["metadata"]["resourceVersion"] != item["metadata"]["resourceVersion"]:
                        yield Event(Change.SET, item)
                delay = 0.0
                yield from self._watch_until_expired(path, query, version, known)
            except ApiError as error:
                delay = min(max(0.5, delay * 2), 10.0)
                log.warning("following %s: %s; again in %.1f s", path, error, delay)
                time.sleep(delay * random.uniform(0.8, 1.2))

    def _watch_until_expired(
        self, path: str, query: Mapping[str, str], version: str, known: dict[str, dict[str, Any]]
    ) -> Iterator[Event]:
        while True:
            asked = {
                **query,
                "watch": "1",
                "allowWatchBookmarks": "true",
                "resourceVersion": version,
                "timeoutSeconds": str(_WATCH_SECONDS),
            }
            for kind, item in self._stream(path, asked):
                if kind == "ERROR":
                    return
                version = str(item["metadata"]["resourceVersion"])
                if kind == "BOOKMARK":
                    continue
                uid = str(item["metadata"]["uid"])
                if kind == "DELETED":
                    known.pop(uid, None)
                    yield Event(Change.GONE, item)
                else:
                    known[uid] = item
                    yield Event(Change.SET, item)

    def _stream(self, path: str, query: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
        answer = self._send("GET", path, query, None, None, stream=True)
        try:
            pending = b""
            for piece in answer.stream(65536, decode_content=True):
                *lines, pending = (pending + piece).split(b"\n")
                for line in lines:
                    if line.strip():
                        event = json.loads(line)
                        yield str(event["type"]), event["object"]
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ApiError(0, f"the watch of {path} broke: {error}") from error
        finally:
            answer.close()

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        for attempt in range(1, _TRIES + 1):
            try:
                answer = self._send(method, path, query, body, content_type)
                parsed: dict[str, Any] = json.loads(answer.data)
                return parsed
            except ApiError as error:
                # A create that got no answer may have been done: the caller has to look.
                again = error.status in (429, 500, 502, 503, 504) or (error.status == 0 and method != "POST")
                if not again or attempt == _TRIES:
                    raise
                time.sleep(min(0.2 * 2**attempt, 3.0))
        raise AssertionError("unreachable")

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, Any] | None,
        content_type: str | None,
        stream: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        headers = dict(self._headers)
        if body is not None:
            headers["Content-Type"] = content_type or "application/json"
        url = self._host + path + (f"?{urlencode(query)}" if query else "")
        read_timeout = _WATCH_SECONDS + 30 if stream else _READ_TIMEOUT
        try:
            answer = self._pool.request(
                method,
                url,
                body=None if body is None else json.dumps(body).encode("utf-8"),
                headers=headers,
                preload_content=not stream,
                timeout=urllib3.Timeout(connect=_CONNECT_TIMEOUT, read=read_timeout),
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ApiError(0, f"{method} {path}: {error}") from error
        if answer.status >= 300:
            raise ApiError(answer.status, f"{method} {path}: {answer.status} {_message(answer.data)}")
        return answer


def _message(content: bytes) -> str:
    try:
        return str(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError):
        return content[:300].decode("utf-8", "replace")
