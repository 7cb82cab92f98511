# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lab.oci_registry import Credentials, ImageName, Refusal, Registry, RegistryRefused

DIGEST = "sha256:" + "a" * 64
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"


@pytest.mark.parametrize(
    ("text", "host", "repository", "tag", "digest"),
    [
        ("127.0.0.1:5000/lab/os:latest", "127.0.0.1:5000", "lab/os", "latest", ""),
        ("127.0.0.1:5000/os", "127.0.0.1:5000", "os", "", ""),
        (f"quay.io/a/b@{DIGEST}", "quay.io", "a/b", "", DIGEST),
        (f"localhost/a:v1@{DIGEST}", "localhost", "a", "v1", DIGEST),
    ],
)
def test_an_image_name_is_taken_apart(text: str, host: str, repository: str, tag: str, digest: str) -> None:
    assert ImageName.parse(text) == ImageName(host, repository, tag, digest)
    assert str(ImageName.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "fedora", "library/fedora:40", "quay.io/", "quay.io/a@sha256:abc", "quay.io/a@md5:0"]
)
def test_a_name_without_registry_repository_or_valid_digest_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"names no registry|holds no digest"):
        ImageName.parse(text)


def test_a_digest_decides_over_a_tag() -> None:
    assert ImageName.parse(f"quay.io/a:v1@{DIGEST}").version == DIGEST
    assert ImageName.parse("quay.io/a:v1").version == "v1"
    assert ImageName.parse("quay.io/a").version == "latest"


def _auths(**logins: str) -> str:
    entries = {key: {"auth": base64.b64encode(login.encode()).decode()} for key, login in logins.items()}
    return json.dumps({"auths": entries})


def test_the_login_of_the_longest_prefix_is_taken() -> None:
    credentials = Credentials.parse(
        _auths(**{"quay.io": "host:1", "quay.io/team": "team:2", "quay.io/team/os": "os:3"})
    )
    assert credentials.login_for(ImageName.parse("quay.io/team/os:v1")) == "os:3"
    assert credentials.login_for(ImageName.parse("quay.io/team/other")) == "team:2"
    assert credentials.login_for(ImageName.parse("quay.io/teams/other")) == "host:1"
    assert credentials.login_for(ImageName.parse("ghcr.io/team/os")) is None


def test_a_login_may_stand_under_a_url_or_as_user_and_password() -> None:
    document = {"auths": {"https://quay.io/v1/": {"username": "me", "password": "secret"}}}
    assert Credentials.parse(json.dumps(document)).login_for(ImageName.parse("quay.io/a")) == "me:secret"


@pytest.mark.parametrize("document", ["", "[]", "{}", '{"auths": null}', '{"auths": {"quay.io": {"auth": "%%%"}}}'])
def test_an_unreadable_login_is_no_login(document: str) -> None:
    assert Credentials.parse(document).login_for(ImageName.parse("quay.io/a")) is None


class _FakeRegistry:
    """Serves what it is given by path, to whoever knows the login."""

    def __init__(self) -> None:
        self.content: dict[str, tuple[str, bytes]] = {}
        self.login: str | None = None
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                expected = None
                if registry.login is not None:
                    expected = "Basic " + base64.b64encode(registry.login.encode()).decode()
                if self.headers.get("Authorization") != expected:
                    self._answer(401, "application/json", _error("UNAUTHORIZED", "authentication required"))
                elif self.path in registry.content:
                    self._answer(200, *registry.content[self.path])
                else:
                    self._answer(404, "application/json", _error("MANIFEST_UNKNOWN", "manifest unknown"))

            def _answer(self, status: int, media_type: str, content: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", media_type)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class names it
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"

    def add(self, repository: str, reference: str, media_type: str, content: bytes) -> str:
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        kind = "blobs" if media_type == "" else "manifests"
        for name in (reference, digest):
            self.content[f"/v2/{repository}/{kind}/{name}"] = (media_type, content)
        return digest

    def add_image(self, repository: str, tag: str, labels: dict[str, str]) -> str:
        config = json.dumps({"created": "2025-07-24T00:00:00.123456789Z", "config": {"Labels": labels}}).encode()
        config_digest = self.add(repository, "config", "", config)
        manifest = json.dumps({"schemaVersion": 2, "config": {"digest": config_digest}, "layers": []}).encode()
        return self.add(repository, tag, MANIFEST_TYPE, manifest)

    def image(self, reference: str) -> ImageName:
        return ImageName.parse(f"{self.host}/lab/os{reference}")


def _error(code: str, message: str) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()


@pytest.fixture
def fake() -> Iterator[_FakeRegistry]:
    registry = _FakeRegistry()
    thread = threading.Thread(target=registry.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield registry
    registry.server.shutdown()
    thread.join()
    registry.server.server_close()


def _registry(fake: _FakeRegistry) -> Registry:
    return Registry(plain_http=frozenset({fake.host}))


def test_an_image_is_fetched_with_its_digest_and_version(fake: _FakeRegistry) -> None:
    digest = fake.add_image("lab/os", "v1", {"org.opencontainers.image.version": "9.6.1"})
    fetched = _registry(fake).fetch(fake.image(":v1"), Credentials({}))
    assert (fetched.digest, fetched.version) == (digest, "9.6.1")


def test_an_image_without_labels_has_no_version(fake: _FakeRegistry) -> None:
    fake.add_image("lab/os", "v1", {})
    assert _registry(fake).fetch(fake.image(":v1"), Credentials({})).version is None


def test_of_a_list_the_manifest_of_the_own_architecture_is_taken(fake: _FakeRegistry) -> None:
    digest = fake.add_image("lab/os", "v1", {})
    index = {
        "manifests": [
            {"digest": DIGEST, "platform": {"architecture": "arm64", "os": "linux"}},
            {"digest": digest, "platform": {"architecture": "amd64", "os": "linux"}},
        ]
    }
    listed = fake.add("lab/os", "list", INDEX_TYPE, json.dumps(index).encode())
    fetched = _registry(fake).fetch(fake.image(f"@{listed}"), Credentials({}))
    assert fetched.digest == digest
    assert str(fetched.name).endswith(listed)


def test_a_removed_image_is_refused_in_the_words_of_the_container_tools(fake: _FakeRegistry) -> None:
    with pytest.raises(RegistryRefused) as refused:
        _registry(fake).fetch(fake.image(f"@{DIGEST}"), Credentials({}))
    assert refused.value.refusal is Refusal.UNKNOWN
    assert str(refused.value) == f"reading manifest {DIGEST} in {fake.host}/lab/os: manifest unknown"


@pytest.mark.parametrize("login", [None, "puller:wrong"])
def test_a_missing_or_wrong_login_is_refused(fake: _FakeRegistry, login: str | None) -> None:
    fake.add_image("lab/os", "v1", {})
    fake.login = "puller:right"
    credentials = Credentials({} if login is None else {fake.host: login})
    with pytest.raises(RegistryRefused) as refused:
        _registry(fake).fetch(fake.image(":v1"), credentials)
    assert refused.value.refusal is Refusal.UNAUTHORIZED
    assert str(refused.value).endswith("unauthorized: authentication required")
    assert "wrong" not in str(refused.value)


def test_the_right_login_is_sent(fake: _FakeRegistry) -> None:
    fake.add_image("lab/os", "v1", {})
    fake.login = "puller:right"
    assert _registry(fake).fetch(fake.image(":v1"), Credentials({fake.host: "puller:right"})).digest


def test_bytes_that_are_not_those_of_the_digest_are_refused(fake: _FakeRegistry) -> None:
    fake.content[f"/v2/lab/os/manifests/{DIGEST}"] = (MANIFEST_TYPE, b"{}")
    with pytest.raises(RegistryRefused, match="does not match the digest"):
        _registry(fake).fetch(fake.image(f"@{DIGEST}"), Credentials({}))


def test_a_registry_that_is_not_there_is_unreachable() -> None:
    # Port 1 of loopback: nothing listens there.
    registry = Registry(plain_http=frozenset({"127.0.0.1:1"}))
    with pytest.raises(RegistryRefused) as refused:
        registry.fetch(ImageName.parse("127.0.0.1:1/lab/os:v1"), Credentials({}))
    assert refused.value.refusal is Refusal.UNREACHABLE
    assert "connection refused" in str(refused.value)
