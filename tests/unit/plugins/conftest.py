# SPDX-License-Identifier: GPL-3.0-or-later
"""What several tests stand on: a cluster on loopback, and a search of properties without a clock."""

from __future__ import annotations

import threading
import time
import typing as t
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.connection import connect
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.session import Session
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import ApiServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, settings

settings.register_profile(
    "without-a-clock",
    deadline=None,
    derandomize=True,  # the same examples every time: what fails here fails everywhere
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("without-a-clock")


@pytest.fixture
def api() -> t.Iterator[ApiServer]:
    """An empty API server."""
    server = ApiServer()
    yield server
    server.stop()


class Nap:
    """The pause between two attempts: but a moment, and after some of them something can be made to happen."""

    def __init__(self) -> None:
        self._taken = 0
        self._then: dict[int, t.Callable[[], None]] = {}
        self._lock = threading.Lock()

    def after(self, count: int, happens: t.Callable[[], None]) -> None:
        """Let something happen after so many pauses more."""
        self._then[self._taken + count] = happens

    def __call__(self, seconds: float) -> None:
        time.sleep(seconds / 50)
        with self._lock:
            self._taken += 1
            happens = self._then.pop(self._taken, None)
        if happens:
            happens()


@pytest.fixture
def nap() -> Nap:
    """How the session sleeps."""
    return Nap()


@pytest.fixture
def session(api: ApiServer, nap: Nap) -> Session:
    """A session with the API server."""
    return Session(connect({"host": api.url, "api_key": "sha256~token"}), patience=5, sleep=nap)


@pytest.fixture
def certificate(tmp_path: Path) -> str:
    """The file of a key and of its certificate for ``localhost``, which nobody has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(timezone.utc)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "tls.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return str(pem)
