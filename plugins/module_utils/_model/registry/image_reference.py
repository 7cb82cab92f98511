# SPDX-License-Identifier: GPL-3.0-or-later
"""What does an image reference say?

Names are cut as registries cut them: the digest first, then a tag, which is the part behind the last ``:`` only when
it comes behind the last ``/`` (else it is a port). In front of the name, rpm-ostree says how the image was verified and
which way it came; one image has several spellings, and two of them in one pool are normal (node.md 1.5).
"""

from __future__ import annotations

import enum
import re
import typing as t
from dataclasses import dataclass

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_IMAGE_ID = re.compile(r"@?(sha256:)?[0-9a-f]{64}")
"""An image as the container storage numbers it: the digest of its configuration, which is not that of its manifest."""
_LONGEST = 1024
"""Characters of the longest name that is taken for one; registries allow fewer."""
_STORE = re.compile(r"^\[[^]]*\]")
"""Where the container storage lies, in front of the name."""


@dataclass(frozen=True)
class ImageReference:
    """A container image as it is named: where it lies and, if pinned, which one it is."""

    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def host(self) -> str:
        """The registry, with its port, or empty when the name has none."""
        return _host_of(self.repository)

    @property
    def path(self) -> list[str]:
        """The segments behind the registry; the last one is the image's name."""
        return _path_of(self.repository)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.repository}{tag}{digest}"


class Transport(enum.Enum):
    """Which way an image came, as it is printed in front of the name."""

    REGISTRY = "docker://"
    CONTAINERS_STORAGE = "containers-storage:"
    OCI = "oci:"
    OCI_ARCHIVE = "oci-archive:"
    DOCKER_ARCHIVE = "docker-archive:"
    DIR = "dir:"
    DOCKER_DAEMON = "docker-daemon:"


class Verification(enum.Enum):
    """Who vouches for an image."""

    NOBODY = "ostree-unverified-image"
    POLICY = "ostree-image-signed"
    REMOTE = "ostree-remote-image"


@dataclass(frozen=True)
class DeployedReference:
    """The ``container-image-reference`` of a deployment."""

    verification: Verification
    transport: Transport
    name: str
    """What the transport fetches: an image's name, or a path, or an id in the container storage."""
    remote: str = ""
    """The ostree remote whose keys verify it."""

    @property
    def image(self) -> ImageReference | None:
        """The image's name, or None where the transport names a file or a number."""
        return _image_of(self.transport, self.name)

    def __str__(self) -> str:
        if self.verification is Verification.NOBODY and self.transport is Transport.REGISTRY:
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
    """Whether the text is a digest of a kind that registries use, complete."""
    return _DIGEST.fullmatch(text) is not None


def parse_image(text: str) -> ImageReference:
    """Read ``[host[:port]/]path[:tag][@digest]``.

    :raises ValueError: the text is not an image's name
    """
    name, at, digest = text.partition("@")
    if at and not is_digest(digest):
        raise ValueError(f"{digest!r} is not a digest (sha256: and 64 hexadecimal digits)")
    repository, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        repository, tag = name, ""
    elif not _TAG.fullmatch(tag):
        raise ValueError(f"{text!r} is not the name of an image: its tag is not one")
    if not all(repository.split("/")) or not _is_one_word(repository):
        raise ValueError(f"{text!r} is not the name of an image")
    return ImageReference(repository, tag, digest)


def parse_deployed(text: str) -> DeployedReference:
    """Read the ``container-image-reference`` of a deployment, in any of its spellings.

    :raises ValueError: the text is none of them
    """
    scheme, dummy, rest = text.partition(":")
    if scheme == "ostree-unverified-registry":
        return _checked(DeployedReference(Verification.NOBODY, Transport.REGISTRY, rest), text)
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
    """Return the reference, once its name is seen to be one."""
    if not 0 < len(reference.name) <= _LONGEST or not reference.name.isprintable():
        raise ValueError(f"{text!r} names no image")
    dummy = reference.image  # raises where the name is none of an image
    return reference


def _is_one_word(text: str) -> bool:
    return text.isprintable() and not any(c.isspace() for c in text)


def comparable(digests: t.Iterable[str], digest: str) -> list[str]:
    """Return, sorted, the digests of the same algorithm, and so of the same length.

    Those of another one may name the same content, and nothing tells whether they do.
    """
    return sorted(d for d in digests if len(d) == len(digest))
