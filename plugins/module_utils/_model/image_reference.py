# SPDX-License-Identifier: GPL-3.0-or-later
"""What does an image reference say?

Names are cut as registries cut them: the digest first, then a tag, which is the part behind the last ``:`` only when
it comes behind the last ``/`` (else it is a port). The transports in front are those rpm-ostree prints (node.md 1.5).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$")
_OF_REGISTRY = ("ostree-unverified-registry", "ostree-remote-registry")
_OF_TRANSPORT = ("ostree-unverified-image", "ostree-image-signed", "ostree-remote-image")
_OF_REMOTE = ("ostree-remote-registry", "ostree-remote-image")
_TRANSPORTS = ("docker://", "registry:", "containers-storage:")


@dataclass(frozen=True)
class ImageReference:
    """A container image as it is named: where it lies and, if pinned, which one it is."""

    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def host(self) -> str:
        """The registry, with its port, or empty when the name has none."""
        first, slash, dummy = self.repository.partition("/")
        return first if slash and ("." in first or ":" in first or first == "localhost") else ""

    @property
    def path(self) -> list[str]:
        """The segments behind the registry; the last one is the image's name."""
        rest = self.repository[len(self.host) + 1 :] if self.host else self.repository
        return rest.split("/")

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.repository}{tag}{digest}"


def parse_image(text: str) -> ImageReference:
    """Read ``[host[:port]/]path[:tag][@sha256:hex]``.

    :raises ValueError: the text is not an image's name
    """
    name, at, digest = text.partition("@")
    if at and not _DIGEST.match(digest):
        raise ValueError(f"{digest!r} is not a sha256 digest")
    repository, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        repository, tag = name, ""
    elif not tag:
        raise ValueError(f"{text!r} is not the name of an image: its tag is empty")
    if not repository or repository.endswith("/") or any(c.isspace() for c in text):
        raise ValueError(f"{text!r} is not the name of an image")
    return ImageReference(repository, tag, digest)


def parse_deployed(text: str) -> ImageReference:
    """Read the ``container-image-reference`` of a deployment: an image behind a verification and, mostly, a transport.

    :raises ValueError: the text names no image of a registry or of the node's container storage
    """
    wrapper, dummy, rest = text.partition(":")
    if wrapper in _OF_REMOTE:
        rest = rest.partition(":")[2]
    if wrapper in _OF_REGISTRY:
        return parse_image(rest)
    transport = next((tr for tr in _TRANSPORTS if rest.startswith(tr)), None)
    if wrapper not in _OF_TRANSPORT or transport is None:
        raise ValueError(f"{text!r} does not name an image of a registry")
    name = rest[len(transport) :]
    if name.startswith("[") and "]" in name:  # where the container storage lies
        name = name.partition("]")[2]
    return parse_image(name)
