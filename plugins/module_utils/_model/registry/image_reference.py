# SPDX-License-Identifier: GPL-3.0-or-later
"""Parser of image references, as registries and rpm-ostree write them.

A name is split as registries do it: first the digest, then the tag. The part after the last ``:`` is a tag only if it
comes after the last ``/``; otherwise it is a port. rpm-ostree adds a prefix that states how the image was verified and
fetched. One image has several spellings, and nodes of one pool can use different ones (docs/operator-behavior.md,
"rpm-ostree status").
"""

from __future__ import annotations

import enum
import re
import typing as t
from dataclasses import dataclass

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_IMAGE_ID = re.compile(r"@?(sha256:)?[0-9a-f]{64}")
"""Id of an image in the container storage. It is the digest of the configuration, not of the manifest."""
_MAX_NAME = 1024
"""Maximum characters of a name. Registries allow fewer."""
_STORE = re.compile(r"^\[[^]]*\]")
"""Location of the container storage, before the name."""


@dataclass(frozen=True)
class ImageReference:
    """Name of a container image: repository, tag and digest."""

    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def host(self) -> str:
        """Registry with its port, or empty."""
        return _host_of(self.repository)

    @property
    def path(self) -> list[str]:
        """Path segments after the registry. The last one is the name of the image."""
        return _path_of(self.repository)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.repository}{tag}{digest}"


class Transport(enum.Enum):
    """Source of an image, as written before its name."""

    REGISTRY = "docker://"
    CONTAINERS_STORAGE = "containers-storage:"
    OCI = "oci:"
    OCI_ARCHIVE = "oci-archive:"
    DOCKER_ARCHIVE = "docker-archive:"
    DIR = "dir:"
    DOCKER_DAEMON = "docker-daemon:"


class Verification(enum.Enum):
    """Signature verification of an image."""

    NONE = "ostree-unverified-image"
    POLICY = "ostree-image-signed"
    REMOTE = "ostree-remote-image"


@dataclass(frozen=True)
class DeployedReference:
    """``container-image-reference`` of a deployment."""

    verification: Verification
    transport: Transport
    name: str
    """Name of an image, path, or id in the container storage, depending on the transport."""
    remote: str = ""
    """ostree remote whose keys verify the image."""

    @property
    def image(self) -> ImageReference | None:
        """Name of the image, or None for a path or an id."""
        return _image_of(self.transport, self.name)

    def __str__(self) -> str:
        if self.verification is Verification.NONE and self.transport is Transport.REGISTRY:
            return f"ostree-unverified-registry:{self.name}"
        remote = f"{self.remote}:" if self.remote else ""
        return f"{self.verification.value}:{remote}{self.transport.value}{self.name}"


def _host_of(repository: str) -> str:
    first, slash, dummy = repository.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else ""


def _path_of(repository: str) -> list[str]:
    segments = repository.split("/")
    return segments[1:] if _host_of(repository) else segments


def _image_of(transport: Transport, name: str) -> ImageReference | None:
    if transport is Transport.REGISTRY:
        return parse_image(name)
    if transport is not Transport.CONTAINERS_STORAGE:
        return None
    inside = _STORE.sub("", name)
    return None if _IMAGE_ID.fullmatch(inside) else parse_image(inside)


def is_digest(text: str) -> bool:
    """Whether the text is a complete digest with an algorithm that registries use."""
    return _DIGEST.fullmatch(text) is not None


def parse_image(text: str) -> ImageReference:
    """Parse ``[host[:port]/]path[:tag][@digest]``.

    :raises ValueError: the text is not the name of an image
    """
    name, at, digest = text.partition("@")
    if at and not is_digest(digest):
        raise ValueError(f"{digest!r} is not a digest (sha256: and 64 hexadecimal digits)")
    repository, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        repository, tag = name, ""
    elif not _TAG.fullmatch(tag):
        raise ValueError(f"{text!r} is not the name of an image: its tag is not valid")
    if not all(repository.split("/")) or not _is_one_word(repository):
        raise ValueError(f"{text!r} is not the name of an image")
    return ImageReference(repository, tag, digest)


def parse_deployed(text: str) -> DeployedReference:
    """Parse the ``container-image-reference`` of a deployment in any spelling.

    :raises ValueError: the text is not a reference
    """
    scheme, dummy, rest = text.partition(":")
    if scheme == "ostree-unverified-registry":
        return _checked(DeployedReference(Verification.NONE, Transport.REGISTRY, rest), text)
    remote = ""
    if scheme in ("ostree-remote-registry", "ostree-remote-image"):
        remote, dummy, rest = rest.partition(":")
        if not remote:
            raise ValueError(f"{text!r} does not name the remote that verifies it")
    if scheme == "ostree-remote-registry":
        return _checked(DeployedReference(Verification.REMOTE, Transport.REGISTRY, rest, remote), text)
    verification = next((v for v in Verification if v.value == scheme), None)
    if verification is None:
        raise ValueError(f"{text!r} does not name a container image")
    transport, name = _cut_transport(rest)
    return _checked(DeployedReference(verification, transport, name, remote), text)


def _cut_transport(text: str) -> tuple[Transport, str]:
    if text.startswith("registry:"):
        return Transport.REGISTRY, text[len("registry:") :]
    for transport in Transport:
        if text.startswith(transport.value):
            return transport, text[len(transport.value) :]
    raise ValueError(f"{text!r} does not name a way to fetch an image")


def _checked(reference: DeployedReference, text: str) -> DeployedReference:
    """Return the reference if its name is valid."""
    if not 0 < len(reference.name) <= _MAX_NAME or not reference.name.isprintable():
        raise ValueError(f"{text!r} names no image")
    dummy = reference.image  # raises if the name is not valid
    return reference


def _is_one_word(text: str) -> bool:
    return text.isprintable() and not any(c.isspace() for c in text)


def comparable(digests: t.Iterable[str], digest: str) -> list[str]:
    """Return the digests with the algorithm of *digest*, sorted.

    Digests of different algorithms cannot be compared, even if they identify the same content.
    """
    return sorted(d for d in digests if len(d) == len(digest))
