# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node reads of an image before it boots it: the manifest and the config, with the credentials the node has.

Only that much of the registry protocol is here. A refusal keeps the registry's own words, because they are what the
node will say about itself.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import urllib3

_MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_VERSION_LABELS = ("org.opencontainers.image.version", "version")


@dataclass(frozen=True)
class ImageName:
    """An image name taken apart: ``HOST/REPOSITORY[:TAG][@DIGEST]``."""

    host: str
    repository: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> ImageName:
        """Take ``text`` apart; raises ValueError where it names no registry host, repository or valid digest."""
        rest, _, digest = text.partition("@")
        if digest:
            _check_digest(digest, text)
        host, slash, path = rest.partition("/")
        if not slash or not path or not ("." in host or ":" in host or host == "localhost"):
            raise ValueError(f"{text!r} names no registry host and repository")
        # What follows the last colon is a tag only behind the last slash; before it, it would be a port.
        repository, colon, tag = path.rpartition(":")
        if not colon or "/" in tag:
            repository, tag = path, ""
        return cls(host, repository, tag, digest)

    @property
    def name(self) -> str:
        """Host and repository, without tag and digest."""
        return f"{self.host}/{self.repository}"

    @property
    def version(self) -> str:
        """What to ask the registry for; the digest decides where both are given."""
        return self.digest or self.tag or "latest"

    def with_digest(self, digest: str) -> ImageName:
        """The image of that digest in the same repository."""
        _check_digest(digest, digest)
        return ImageName(self.host, self.repository, digest=digest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"


def _check_digest(digest: str, where: str) -> None:
    algorithm, _, value = digest.partition(":")
    if algorithm != "sha256" or len(value) != 64 or any(letter not in "0123456789abcdef" for letter in value):
        raise ValueError(f"{where!r} holds no digest of the form sha256:<64 hexadecimal digits>")


@dataclass(frozen=True)
class Credentials:
    """The logins of one dockerconfigjson, found by registry host or by a longer prefix of the image's name."""

    logins: Mapping[str, str]

    @classmethod
    def parse(cls, document: str | bytes) -> Credentials:
        """Read a dockerconfigjson; anything unreadable in it is no login, as it is for the node."""
        try:
            auths = json.loads(document)["auths"]
        except (ValueError, KeyError, TypeError):
            return cls({})
        logins = {}
        for key, entry in auths.items() if isinstance(auths, dict) else ():
            login = _login(entry)
            if login:
                logins[_bare_host(key)] = login
        return cls(logins)

    def login_for(self, image: ImageName) -> str | None:
        """``user:password`` for the longest prefix of the image's name that has one."""
        prefix = image.name
        while prefix:
            if prefix in self.logins:
                return self.logins[prefix]
            prefix = prefix.rpartition("/")[0]
        return None


def _login(entry: Any) -> str:
    if not isinstance(entry, dict):
        return ""
    if entry.get("auth"):
        try:
            return base64.b64decode(entry["auth"], validate=True).decode("utf-8").rstrip("\x00")
        except ValueError:
            return ""
    if entry.get("username"):
        return f"{entry['username']}:{entry.get('password', '')}"
    return ""


def _bare_host(key: str) -> str:
    for scheme in ("https://", "http://"):
        if key.startswith(scheme):
            return key[len(scheme) :].partition("/")[0]
    return key


class Refusal(Enum):
    """Why a registry did not answer with what was asked for."""

    UNAUTHORIZED = "unauthorized"
    UNKNOWN = "unknown"
    UNREACHABLE = "unreachable"
    OTHER = "other"


class RegistryRefused(Exception):
    """The registry did not give the image; ``str()`` is worded as the container tools word it."""

    def __init__(self, refusal: Refusal, text: str) -> None:
        super().__init__(text)
        self.refusal = refusal


@dataclass(frozen=True)
class FetchedImage:
    """One single-platform image as the registry has it. ``digest`` is of ``manifest``, also where a list was asked."""

    name: ImageName
    digest: str
    manifest: str
    config: str

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels of the image's config."""
        config = json.loads(self.config).get("config")
        labels = config.get("Labels") if isinstance(config, dict) else None
        return labels if isinstance(labels, dict) else {}

    @property
    def version(self) -> str | None:
        """The operating system's version, as the image's labels give it."""
        return next((self.labels[label] for label in _VERSION_LABELS if self.labels.get(label)), None)

    @property
    def created(self) -> str | None:
        """When the image was made, RFC 3339."""
        created: str | None = json.loads(self.config).get("created")
        return created


class Registry:
    """Reads images of registries.

    ``authority`` is a file with the certificate that theirs are signed with; those of ``plain_http`` (host and port)
    are spoken to without TLS.
    """

    def __init__(
        self,
        authority: Path | None = None,
        plain_http: frozenset[str] = frozenset(),
        architecture: str = "amd64",
        timeout: float = 10.0,
    ) -> None:
        self._plain_http = plain_http
        self._architecture = architecture
        self._pool = urllib3.PoolManager(
            retries=False,
            timeout=urllib3.Timeout(connect=timeout, read=timeout),
            maxsize=8,
            ca_certs=str(authority) if authority else None,
        )

    def fetch(self, image: ImageName, credentials: Credentials) -> FetchedImage:
        """Return manifest and config of ``image``.

        Raises RegistryRefused, also where the bytes are not those of the digest that was asked for.
        """
        media_type, manifest = self._manifest(image, image.version, credentials)
        digest = _digest(manifest)
        if media_type in _INDEX_TYPES:
            digest = self._platform_digest(image, manifest)
            media_type, manifest = self._manifest(image, digest, credentials)
        config_digest = json.loads(manifest)["config"]["digest"]
        config = self._get(image, f"blobs/{config_digest}", credentials, f"reading blob {config_digest}").data
        return FetchedImage(image, digest, manifest.decode("utf-8"), config.decode("utf-8"))

    def _manifest(self, image: ImageName, version: str, credentials: Credentials) -> tuple[str, bytes]:
        doing = f"reading manifest {version} in {image.name}"
        answer = self._get(image, f"manifests/{version}", credentials, doing)
        if version.startswith("sha256:") and _digest(answer.data) != version:
            raise RegistryRefused(Refusal.OTHER, f"{doing}: the manifest does not match the digest")
        media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip()
        return media_type, answer.data

    def _platform_digest(self, image: ImageName, index: bytes) -> str:
        for entry in json.loads(index).get("manifests", []):
            platform = entry.get("platform", {})
            if platform.get("architecture") == self._architecture and platform.get("os", "linux") == "linux":
                return str(entry["digest"])
        raise RegistryRefused(
            Refusal.UNKNOWN,
            f"choosing image instance: no image found in manifest list of {image} for architecture "
            f'"{self._architecture}", OS "linux"',
        )

    def _get(self, image: ImageName, what: str, credentials: Credentials, doing: str) -> urllib3.BaseHTTPResponse:
        scheme = "http" if image.host in self._plain_http else "https"
        headers = {"Accept": ", ".join(_MANIFEST_TYPES + _INDEX_TYPES)}
        login = credentials.login_for(image)
        if login is not None:
            headers["Authorization"] = "Basic " + base64.b64encode(login.encode("utf-8")).decode("ascii")
        url = f"{scheme}://{image.host}/v2/{image.repository}/{what}"
        try:
            answer = self._pool.request("GET", url, headers=headers)
        except urllib3.exceptions.HTTPError as error:
            raise RegistryRefused(
                Refusal.UNREACHABLE,
                f'pinging container registry {image.host}: Get "{scheme}://{image.host}/v2/": {_cause(error)}',
            ) from error
        if answer.status != 200:
            raise _refused(answer, doing)
        return answer


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _cause(error: urllib3.exceptions.HTTPError) -> str:
    if isinstance(error, urllib3.exceptions.NewConnectionError):
        return "dial tcp: connect: connection refused"
    if isinstance(error, urllib3.exceptions.TimeoutError):
        return "net/http: request canceled (Client.Timeout exceeded while awaiting headers)"
    return " ".join(str(error).split())


_DEFAULT_WORDS = {
    401: (Refusal.UNAUTHORIZED, "unauthorized: authentication required"),
    403: (Refusal.UNAUTHORIZED, "denied: requested access to the resource is denied"),
    404: (Refusal.UNKNOWN, "manifest unknown"),
}


def _refused(answer: urllib3.BaseHTTPResponse, doing: str) -> RegistryRefused:
    refusal, words = _DEFAULT_WORDS.get(
        answer.status, (Refusal.OTHER, f"received unexpected HTTP status {answer.status}")
    )
    try:
        first = json.loads(answer.data)["errors"][0]
        code = str(first["code"]).lower().replace("_", " ")
        message = str(first.get("message", "")).strip()
    except (ValueError, KeyError, IndexError, TypeError):
        return RegistryRefused(refusal, f"{doing}: {words}")
    # The container tools leave out a message that only repeats the code.
    words = code if not message or message == code else f"{code}: {message}"
    return RegistryRefused(refusal, f"{doing}: {words}")
