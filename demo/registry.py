# SPDX-License-Identifier: GPL-3.0-or-later
"""Read an image from the registry, without the collection that is demonstrated."""

from __future__ import annotations

import base64
import io
import json
import ssl
import tarfile
import typing as t
import urllib.request
from dataclasses import dataclass
from pathlib import Path

_MANIFESTS = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"


@dataclass(frozen=True)
class Image:
    """One tag of a repository in the registry of the lab, and the account that reads it.

    ``authority`` is the file with the certificate of the authority that signed the certificate of the registry.
    """

    host: str
    authority: Path
    repository: str
    tag: str
    user: str
    password: str

    def __str__(self) -> str:
        return f"{self.host}/{self.repository}:{self.tag}"

    def digest(self) -> str:
        """Return the digest of the tag."""
        with self._request(f"manifests/{self.tag}", "HEAD") as response:
            return str(response.headers["Docker-Content-Digest"])

    def file(self, path: str) -> str:
        """Return the text of a file of the image, from the last layer that has it.

        :raises FileNotFoundError: no layer has it
        """
        with self._request(f"manifests/{self.tag}") as response:
            layers = json.load(response)["layers"]
        for layer in reversed(layers):
            with self._request(f"blobs/{layer['digest']}") as response:
                content = io.BytesIO(response.read())
            with tarfile.open(fileobj=content) as archive:
                found = [member for member in archive if member.isfile() and member.name.lstrip("./") == path]
                extracted = archive.extractfile(found[-1]) if found else None
                if extracted:
                    return extracted.read().decode("utf-8")
        raise FileNotFoundError(f"{self} has no file /{path}")

    def _request(self, path: str, method: str = "GET") -> t.Any:
        login = base64.b64encode(f"{self.user}:{self.password}".encode()).decode("ascii")
        request = urllib.request.Request(
            f"https://{self.host}/v2/{self.repository}/{path}",
            headers={"Accept": _MANIFESTS, "Authorization": f"Basic {login}"},
            method=method,
        )
        trust = ssl.create_default_context(cafile=str(self.authority))
        return urllib.request.urlopen(request, timeout=30, context=trust)  # noqa: S310  the address is https
