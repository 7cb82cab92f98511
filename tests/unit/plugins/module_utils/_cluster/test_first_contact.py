# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
import ssl
import threading
import typing as t

import pytest
import urllib3
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster import name_resolution
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster import session as sessions
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.api_error import Unreachable, reaching
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.connection import connect
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.session import Session, open_session
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import (
    REPORT_FIRST_CONTACT,
    NotReached,
    OperationError,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import NODE
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import ApiServer
from ansible_collections.imagemode.openshift.tests.unit.plugins.raw_server import RawServer, answer, says

REFUSING = "https://127.0.0.1:1"


def session_to(host: str, lines: list[str], **options: t.Any) -> Session:
    """Return a session that does not sleep, and gives up after one more attempt."""
    times = iter([0.0, 1.0, 100.0])
    session = Session(connect({"host": host, "api_key": "k", **options}, {}), sleep=lambda seconds: None)
    session.clock = lambda: next(times)
    session.on_first_failure = lines.append
    return session


def failure_of(session: Session) -> str:
    with pytest.raises(OperationError) as error:
        session.find(NODE, "worker-0")
    return str(error.value)


@pytest.mark.parametrize(
    ("host", "reason"),
    [(REFUSING, "Connection refused"), ("https://no-such-host.invalid", "Name or service not known")],
)
def test_unreachable_host_is_reported_once_before_the_retry(host: str, reason: str, monkeypatch) -> None:
    def unknown(*dummy: t.Any, **dummies: t.Any) -> t.NoReturn:
        raise name_resolution.socket.gaierror(-2, "Name or service not known")

    if host != REFUSING:
        monkeypatch.setattr(name_resolution.socket, "getaddrinfo", unknown)
    lines: list[str] = []
    message = failure_of(session_to(host, lines))
    assert lines == [f"Could not reach {host}: {reason}; retrying for 60 s"]
    assert f"no connection to {host} ({reason})" in message


def test_resolver_that_does_not_respond_is_abandoned(monkeypatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(name_resolution.socket, "getaddrinfo", lambda *names, **more: released.wait(60) and [])
    monkeypatch.setattr(sessions, "FIRST_CONTACT", 0.05)
    monkeypatch.setattr(sessions, "REQUEST_TIMEOUT", 0.05)
    lines: list[str] = []
    session = session_to("https://api.example.com", lines)
    try:
        with pytest.raises(Exception, match="could not be resolved in time"):
            session.request_once("GET", NODE.path("worker-0"))
    finally:
        released.set()
    assert lines == [
        "Could not reach https://api.example.com: the name could not be resolved in time; retrying for 60 s"
    ]


def test_load_balancer_without_an_api_server_is_reported() -> None:
    server = RawServer(says(answer(b"", "503 Service Unavailable")))
    lines: list[str] = []
    url = server.url
    try:
        failure_of(session_to(url, lines))
    finally:
        server.stop()
    assert lines == [f"Could not reach {url}: it returns HTTP 503; retrying for 60 s"]


def test_outage_after_the_first_contact_is_not_reported(api: ApiServer) -> None:
    lines: list[str] = []
    session = session_to(api.url, lines)
    session.clock = lambda: 0.0
    session.find(NODE, "worker-0")
    api.stop()
    session.patience = 0
    failure_of(session)
    assert lines == []


def test_https_to_a_server_without_tls_fails_at_once(api: ApiServer) -> None:
    lines: list[str] = []
    url = api.url.replace("http://", "https://")
    message = failure_of(session_to(url, lines))
    assert f"{url} does not speak TLS. Check the port" in message
    assert lines == []


def test_http_to_a_server_with_tls_fails_at_once() -> None:
    server = RawServer(says(answer(b"Client sent an HTTP request to an HTTPS server.\n", "400 Bad Request")))
    lines: list[str] = []
    url = server.url
    try:
        message = failure_of(session_to(url, lines))
    finally:
        server.stop()
    assert message == f"Could not get Node worker-0: {url} needs https://. Begin host with https://."
    assert lines == []


def test_untrusted_certificate_fails_at_once(certificate: str) -> None:
    def speak(connection: t.Any) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        context.wrap_socket(connection, server_side=True)

    server = RawServer(speak, is_first=True)
    lines: list[str] = []
    url = server.url.replace("http://127.0.0.1", "https://localhost")
    try:
        message = failure_of(session_to(url, lines))
    finally:
        server.stop()
    assert f"no trusted connection to {url} (" in message
    assert lines == []


@pytest.mark.parametrize(
    ("cause", "remedy"),
    [
        ("Missing Authority Key Identifier", "Renew it with this extension, or run the task with an older Python"),
        ("CA cert does not include key usage extension", "Python 3.13 and later reject such a certificate"),
        ("unable to get local issuer certificate", r"Set ca_cert \(K8S_AUTH_SSL_CA_CERT\)"),
    ],
)
def test_certificate_that_only_newer_python_rejects_is_to_be_renewed_and_not_trusted(cause: str, remedy: str) -> None:
    failure = ssl.SSLCertVerificationError(1, f"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {cause}")
    failure.verify_message = cause
    reason = rf"^no trusted connection to https://api \({cause}\)"
    with pytest.raises(Unreachable, match=reason) as error, reaching("https://api"):
        raise urllib3.exceptions.SSLError(failure) from failure
    assert error.value.final
    assert re.search(remedy, error.value.remedy)


def test_session_of_a_module_ends_it_only_if_the_action_plugin_requests_that() -> None:
    options = {"host": REFUSING, "api_key": "k"}
    with pytest.raises(NotReached, match=f"^Could not reach {REFUSING}: Connection refused; retrying for 60 s$"):
        open_session({**options, REPORT_FIRST_CONTACT: True}).find(NODE, "worker-0")
    assert open_session(options).on_first_failure is None
