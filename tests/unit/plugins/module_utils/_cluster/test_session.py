# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import typing as t
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster import session as sessions
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.api_error import (
    ApiError,
    Unreachable,
    explain,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.connection import connect
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.session import Session, open_session
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    MACHINE_CONFIG_POOL,
    MACHINE_OS_CONFIG,
    NODE,
    POD,
    SECRET,
    Kind,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.timestamp import timestamp_now
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    machine_config_pool,
    node,
    secret,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import (
    HANG_UP,
    LOSE_ANSWER,
    ApiServer,
    Reply,
    refusal,
    status_object,
)

NAMESPACE = "openshift-machine-config-operator"
PATH = NODE.path("worker-0")
TOKEN = {"api_key": "sha256~token"}


# Once, and again while the API server is away ------------------------------------------------------------------------


@pytest.mark.parametrize("reply", [*(Reply(code, "busy") for code in (429, 500, 502, 503, 504)), HANG_UP], ids=str)
def test_a_request_is_repeated_while_the_api_server_is_away(reply, api, session):
    api.keep(NODE, node("worker-0"))
    api.fail(PATH, reply, reply)
    assert session.request("GET", PATH)["metadata"]["name"] == "worker-0"
    assert api.said == [f"GET {PATH}"] * 3


def test_idle_connection_has_keepalive_probes(api, session):
    api.keep(NODE, node("worker-0"))
    with contextlib.closing(session.open("GET", PATH)) as response:
        options = response.response.connection.sock
        assert options.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert options.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        unanswered = socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT
        idle, between, times = (options.getsockopt(socket.IPPROTO_TCP, option) for option in unanswered)
    assert idle + between * times == 60


def test_truncated_response_is_requested_again(api, session):
    api.keep(NODE, node("worker-0"))
    api.fail(PATH, Reply(200, '{"metadata": {"name": "worker-0"}}', cut=True))
    assert session.get(NODE, "worker-0")["kind"] == "Node"
    assert len(api.requests) == 2


def test_refused_connection_is_retried_until_the_api_server_is_back(api):
    api.keep(NODE, node("worker-0"))
    api.stop()
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            api.start()

    back = Session(connect({"host": api.url, **TOKEN}), sleep=sleep)
    assert back.get(NODE, "worker-0")["kind"] == "Node"
    assert len(slept) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 410, 422])
def test_definite_result_is_not_requested_again(status, api, session):
    api.always_fail(PATH, Reply(status, "no"))
    with pytest.raises(ApiError, match="no") as error:
        session.request("GET", PATH)
    assert error.value.status == status
    assert len(api.requests) == 1


@pytest.mark.parametrize("reply", [Reply(503, "busy"), HANG_UP], ids=["503", "hang up"])
def test_retries_end_after_the_patience(reply, api):
    api.always_fail(PATH, reply)
    now = [0.0]

    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    session = Session(connect({"host": api.url, **TOKEN}), sleep=sleep, clock=lambda: now[0])
    with pytest.raises((ApiError, Unreachable)):
        session.request("GET", PATH)
    assert sessions.PATIENCE <= sum(slept) < sessions.PATIENCE + 8
    assert max(slept) <= 8
    assert len(slept) < 25


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [("3", 3, 3), ("3600", 30, 30), ("soon", 0.25, 0.5), ("", 0.25, 0.5), ("0", 0.25, 0.5)],
    ids=["some seconds", "an hour", "no number", "empty", "none"],
)
def test_retry_after_header_is_respected(asked, least, most, api):
    api.keep(NODE, node("worker-0"))
    api.fail(PATH, Reply(429, "busy", headers={"Retry-After": asked}))
    slept: list[float] = []
    session = Session(connect({"host": api.url, **TOKEN}), sleep=slept.append)
    session.request("GET", PATH)
    assert len(slept) == 1
    assert least <= slept[0] <= most


def test_no_patience_means_one_attempt(api):
    api.always_fail(PATH, Reply(503, "busy"))
    with pytest.raises(ApiError):
        Session(connect({"host": api.url, **TOKEN}), patience=0).request("GET", PATH)
    assert len(api.requests) == 1


# What is sent --------------------------------------------------------------------------------------------------------

POOLS = "/apis/machineconfiguration.openshift.io/v1/machineconfigpools"
SECRETS = f"/api/v1/namespaces/{NAMESPACE}/secrets"
WRITTEN = {"fieldManager": "imagemode.openshift"}
NEW_SECRET = {**secret("new"), "metadata": {"name": "new", "namespace": NAMESPACE}}


@pytest.mark.parametrize(
    ("call", "said", "query"),
    [
        (lambda s: s.get(MACHINE_CONFIG_POOL, "layered"), f"GET {POOLS}/layered", {}),
        (lambda s: s.find(MACHINE_CONFIG_POOL, "gone"), f"GET {POOLS}/gone", {}),
        (lambda s: s.peek(MACHINE_CONFIG_POOL, "layered"), f"GET {POOLS}/layered", {}),
        (lambda s: s.list(MACHINE_CONFIG_POOL), f"GET {POOLS}", {"limit": "500"}),
        (
            lambda s: s.list(SECRET, NAMESPACE, "a=b", "metadata.name=push"),
            f"GET {SECRETS}",
            {"limit": "500", "labelSelector": "a=b", "fieldSelector": "metadata.name=push"},
        ),
        (lambda s: s.create(SECRET, NEW_SECRET), f"POST {SECRETS}", WRITTEN),
        (lambda s: s.create(SECRET, NEW_SECRET, dry_run=True), f"POST {SECRETS}", {**WRITTEN, "dryRun": "All"}),
        (lambda s: s.patch(MACHINE_CONFIG_POOL, "layered", {}), f"PATCH {POOLS}/layered", WRITTEN),
        (
            lambda s: s.patch(SECRET, "push", {}, NAMESPACE, dry_run=True),
            f"PATCH {SECRETS}/push",
            {**WRITTEN, "dryRun": "All"},
        ),
        (lambda s: s.delete(MACHINE_CONFIG_POOL, "layered"), f"DELETE {POOLS}/layered", {}),
        (lambda s: s.delete(SECRET, "push", NAMESPACE, dry_run=True), f"DELETE {SECRETS}/push", {"dryRun": "All"}),
    ],
)
def test_a_call_is_one_request(call, said, query, api, session):
    api.keep(MACHINE_CONFIG_POOL, machine_config_pool())
    api.keep(SECRET, secret("push"))
    call(session)
    assert (api.said, api.requests[0].query) == ([said], query)


def header(api: ApiServer, name: str) -> list[str]:
    return [value for found, value in api.requests[-1].headers if found.lower() == name.lower()]


def test_request_has_the_headers_of_account_and_impersonation(api):
    options = {"host": api.url, **TOKEN, "impersonate_user": "bob", "impersonate_groups": ["a", "b"]}
    open_session(options).list(NODE)
    assert header(api, "Authorization") == ["Bearer sha256~token"]
    assert header(api, "Impersonate-User") == ["bob"]
    assert header(api, "Impersonate-Group") == ["a", "b"]
    assert header(api, "User-Agent") == ["imagemode.openshift"]
    assert header(api, "Accept") == ["application/json"]


def test_a_change_is_a_merge_patch(api, session):
    api.keep(NODE, node("worker-0"))
    changed = session.patch(NODE, "worker-0", {"metadata": {"labels": {"zone": "a"}}})
    assert changed["metadata"]["labels"]["zone"] == "a"
    assert header(api, "Content-Type") == ["application/merge-patch+json"]
    session.create(SECRET, NEW_SECRET)
    assert header(api, "Content-Type") == ["application/json"]


def test_a_long_list_is_read_in_pages_to_its_end(api, session):
    api.keep(NODE, *(node(f"worker-{number:04}") for number in range(1001)))
    listing = session.list(NODE)
    assert [n["metadata"]["name"] for n in listing.items] == [f"worker-{number:04}" for number in range(1001)]
    assert listing.resource_version == "1101"
    assert [r.query.get("continue") for r in api.requests] == [None, "500", "1000"]


def test_missing_object_is_none(api, session):
    assert session.find(NODE, "gone") is None
    with pytest.raises(OperationError, match=r"^Could not get Node gone: it does not exist\. "):
        session.get(NODE, "gone")


def test_kind_that_is_not_served_is_not_a_missing_object(api, session):
    api.not_served.add("machineosconfigs")
    with pytest.raises(OperationError, match=r"does not serve machineosconfigs.*OpenShift 4\.16"):
        session.find(MACHINE_OS_CONFIG, "layered")
    with pytest.raises(OperationError, match="does not serve machineosconfigs"):
        session.delete(MACHINE_OS_CONFIG, "layered")


@pytest.mark.parametrize("reply", [Reply(404, "404 page not found"), refusal(403, "Forbidden", "no"), Reply(401, "")])
def test_optional_object_can_be_missing_or_forbidden(reply, api, session):
    api.always_fail("clusterversions", reply)
    assert session.peek(sessions.Kind("ClusterVersion", "clusterversions", "config.openshift.io/v1"), "version") is None


def test_only_the_object_with_the_uid_is_deleted(api, session):
    api.keep(MACHINE_CONFIG_POOL, machine_config_pool())
    with pytest.raises(OperationError, match="Could not delete MachineConfigPool layered"):
        session.delete(MACHINE_CONFIG_POOL, "layered", uid="of-the-one-before")
    assert session.delete(MACHINE_CONFIG_POOL, "layered", uid="uid-of-layered")
    assert session.find(MACHINE_CONFIG_POOL, "layered") is None


def test_deletion_of_a_missing_object_succeeds(api, session):
    assert not session.delete(MACHINE_CONFIG_POOL, "layered")
    assert len(api.requests) == 1


def test_deletion_whose_response_was_lost_has_deleted_the_object(api, session):
    api.keep(MACHINE_CONFIG_POOL, machine_config_pool())
    api.fail("layered", LOSE_ANSWER)
    assert session.delete(MACHINE_CONFIG_POOL, "layered")


# What the API server answers, as a sentence --------------------------------------------------------------------------


def api_error(status: int, body: t.Any) -> ApiError:
    return ApiError(status, (body if isinstance(body, str) else json.dumps(body)).encode())


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (
            api_error(401, status_object(401, "Unauthorized", "Unauthorized")),
            NODE,
            r"https://api does not accept the credentials\. Log in again",
        ),
        (
            api_error(403, status_object(403, "Forbidden", 'User "x" cannot list resource "nodes"')),
            NODE,
            r'User "x" cannot list resource "nodes"\. Grant the account that right',
        ),
        (
            api_error(404, "404 page not found"),
            MACHINE_OS_CONFIG,
            r"https://api does not serve machineosconfigs\.machineconfiguration\.openshift\.io, neither as v1 nor",
        ),
        (api_error(404, "404 page not found"), POD, r"https://api does not serve pods of v1\. Check that this"),
        (
            api_error(404, status_object(404, "NotFound", 'namespaces "x" not found', name="x")),
            POD,
            r'namespaces "x" not found \(HTTP 404\)\.',
        ),
        (
            api_error(
                422,
                status_object(
                    422,
                    "Invalid",
                    "a very long message",
                    causes=[
                        {"field": "spec.renderedImagePushSpec", "message": "Invalid value: no tag"},
                        {"message": "whole object"},
                        {"field": "spec.x"},
                    ],
                ),
            ),
            MACHINE_OS_CONFIG,
            r"spec\.renderedImagePushSpec: Invalid value: no tag; whole object\. Correct the value",
        ),
        (api_error(422, status_object(422, "Invalid", "the message")), NODE, r"the message\. Correct the value"),
        (
            api_error(409, status_object(409, "Conflict", "it has been modified")),
            NODE,
            r"been modified\. Run it",
        ),
        (api_error(500, "etcd is full\n"), NODE, r"etcd is full \(HTTP 500\)"),
        (api_error(500, ""), NODE, r"no reason given \(HTTP 500\)"),
        (api_error(502, "[1]"), NODE, r"\[1\] \(HTTP 502\)"),
        (api_error(500, b"\xff".decode("latin-1")), NODE, r"HTTP 500"),
    ],
    ids=range(12),
)
def test_error_of_the_api_has_its_reason_and_a_remedy(error, kind: Kind, said):
    refused = str(explain(error, "watch Nodes", kind, "https://api"))
    assert refused.startswith("Could not watch Nodes: ")
    with pytest.raises(OperationError, match=said):
        raise explain(error, "watch Nodes", kind, "https://api")


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda s: s.get(NODE, "worker-0"), "get Node worker-0"),
        (lambda s: s.find(SECRET, "push", NAMESPACE), f"get Secret {NAMESPACE}/push"),
        (lambda s: s.list(NODE), "list Nodes"),
        (lambda s: s.create(SECRET, NEW_SECRET), f"create Secret {NAMESPACE}/new"),
        (lambda s: s.patch(NODE, "worker-0", {}), "change Node worker-0"),
        (lambda s: s.delete(SECRET, "push", NAMESPACE), f"delete Secret {NAMESPACE}/push"),
    ],
)
def test_error_names_the_operation(call, what, api, session):
    api.always_fail("/", refusal(403, "Forbidden", "not you"))
    with pytest.raises(OperationError, match=f"^Could not {what}: not you. Grant"):
        call(session)


def test_unreachable_cluster_is_named(api):
    api.stop()
    with pytest.raises(OperationError, match=f"^Could not list Nodes: no connection to {api.url} .Connection refused"):
        Session(connect({"host": api.url, **TOKEN}), patience=0).list(NODE)


@pytest.mark.parametrize("body", ["<html>log in</html>", "", "[]", "null", '"ok"'])
def test_other_kind_of_server_fails_at_once(body, api, session):
    """The address of the console, or a proxy that answers itself."""
    api.always_fail("/", Reply(200, body))
    with pytest.raises(OperationError, match=f"^Could not list Nodes: {api.url} .*not.* Kubernetes API"):
        session.list(NODE)
    assert len(api.requests) == 1


# TLS -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def self_signed(certificate):
    """An HTTPS server with a certificate that nobody has signed; its address, and the certificate's file."""

    class Empty(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"items": [], "metadata": {}}')

        def log_message(self, *dummy: t.Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Empty)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"https://localhost:{server.server_address[1]}", certificate
    server.shutdown()
    server.server_close()


def test_certificate_that_is_not_trusted_fails_at_once(self_signed):
    address, dummy = self_signed
    slept: list[float] = []
    untrusting = Session(connect({"host": address, **TOKEN}), sleep=slept.append)
    with pytest.raises(OperationError, match=f"no trusted connection to {address} .self.signed certificate"):
        untrusting.list(NODE)
    assert slept == []


def test_certificate_is_trusted_by_its_authority_or_not_verified(self_signed):
    address, pem = self_signed
    for trust in ({"ca_cert": pem}, {"validate_certs": False}):
        assert open_session({"host": address, **TOKEN, **trust}).list(NODE).items == []


def test_dry_run_of_a_deletion_with_a_uid_deletes_nothing(api, session):
    api.keep(SECRET, secret("push"))
    uid = api.kept(SECRET, "push", NAMESPACE)["metadata"].get("uid", "")
    session.delete(SECRET, "push", NAMESPACE, uid=uid, dry_run=True)
    assert api.requests[-1].body["dryRun"] == ["All"]  # beside a body, the API server does not read the query
    assert api.kept(SECRET, "push", NAMESPACE)


# The clock of the API server ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("date", "moment"),
    [
        ("Sun, 01 Mar 2026 12:00:00 GMT", "2026-03-01T12:00:00Z"),
        ("Sun, 01 Mar 2026 14:00:00 +0200", "2026-03-01T12:00:00Z"),
        ("Sun, 01 Mar 2026 12:00:00 -0000", "2026-03-01T12:00:00Z"),
    ],
)
def test_time_of_the_api_server_is_that_of_its_last_response(api, session, date, moment):
    api.always_fail("/nodes", Reply(200, json.dumps({"items": [], "metadata": {}}), headers={"Date": date}))
    session.list(NODE)
    assert session.time_of_last_response == moment


@pytest.mark.parametrize("date", ["", "soon", "Sun, 01 Mar 99999 12:00:00 GMT"])
def test_time_of_this_machine_is_used_if_the_server_sends_none(api, session, date):
    api.always_fail("/nodes", Reply(200, json.dumps({"items": [], "metadata": {}}), headers={"Date": date}))
    before = timestamp_now()
    session.list(NODE)
    assert before <= session.time_of_last_response <= timestamp_now()
