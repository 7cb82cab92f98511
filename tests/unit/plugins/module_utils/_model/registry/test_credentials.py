# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json
import string

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.registry import credentials as model
from ansible_collections.imagemode.openshift.plugins.module_utils._model.registry.credentials import (
    DOCKERCFG,
    DOCKERCONFIGJSON,
    Credential,
    new_secret,
    of_secret,
    read_dockerconfigjson,
    write_dockerconfigjson,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import auth, secret, token_expiring
from hypothesis import given
from hypothesis import strategies as st

BUILDER = {"registry.example.com": Credential("builder", "hunter2")}
ENTRY = {"registry.example.com": {"auth": auth("builder", "hunter2")}}


@pytest.mark.parametrize(
    "content",
    [
        {"auths": ENTRY},
        ENTRY,
        {"auths": {"registry.example.com": {"username": "builder", "password": "hunter2"}}},
        {"auths": {"registry.example.com": {"auth": auth("builder", "hunter2"), "email": "b@example.com"}}},
    ],
)
def test_both_layouts_of_a_pull_secret_say_the_same(content):
    assert read_dockerconfigjson(json.dumps(content)) == BUILDER


def test_a_password_may_hold_colons():
    assert read_dockerconfigjson(json.dumps({"auths": {"r": {"auth": auth("u", "a:b:c")}}})) == {
        "r": Credential("u", "a:b:c")
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hunter2",
        "[]",
        '"hunter2"',
        '{"auths": "hunter2"}',
        '{"auths": {"r": "hunter2"}}',
        '{"r": "hunter2"}',
        '{"auths": {"r": {"auth": "hunter2!"}}}',
        '{"auths": {"r": {"auth": "hünter2"}}}',
        '{"auths": {"r": {"auth": 2}}}',
        json.dumps({"auths": {"r": {"auth": base64.b64encode(b"u:hunter2\xff").decode()}}}),
    ],
)
def test_what_is_no_pull_secret_is_refused_without_being_quoted(text):
    with pytest.raises(
        ValueError, match=r"it is not (?:JSON|a JSON object)|no \"auths\" object|the auth of r cannot be decoded"
    ) as refused:
        read_dockerconfigjson(text)
    assert "nter2" not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def dockerconfigjson_with(auth: str) -> str:
    return json.dumps({"auths": {"registry.example.com": {"auth": auth}}})


def wrapped(auth: str, end: str, width: int = 76) -> str:
    return end.join(auth[start : start + width] for start in range(0, len(auth), width))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_auth_with_line_ends_is_valid_as_for_clients_on_the_cluster(end):
    auth = base64.b64encode(b"robot:" + b"hunter2" * 30).decode()
    text = dockerconfigjson_with(wrapped(auth, end) + end)
    (credential,) = read_dockerconfigjson(text).values()
    assert (credential.username, credential.password) == ("robot", "hunter2" * 30)
    secret = {"type": DOCKERCONFIGJSON, "data": {".dockerconfigjson": base64.b64encode(text.encode()).decode()}}
    assert of_secret(secret)["registry.example.com"].password == "hunter2" * 30


@pytest.mark.parametrize("auth", ["cm9ib3Q6 aHVudGVyMg==", "cm9ib3Q6\taHVudGVyMg==", "cm9ib3Q6-HVudGVyMg=="])
def test_auth_with_other_characters_is_not_valid(auth):
    with pytest.raises(ValueError, match=r"the auth of registry\.example\.com cannot be decoded"):
        read_dockerconfigjson(dockerconfigjson_with(auth))


_TEXT = st.text(string.printable, max_size=20)
_CREDENTIALS = st.dictionaries(
    st.sampled_from(["registry.example.com", "quay.io:443", "https://index.docker.io/v1/"]),
    st.builds(Credential, _TEXT.filter(lambda text: ":" not in text), _TEXT),
)


@given(_CREDENTIALS)
def test_what_is_written_reads_as_it_was(credentials):
    assert read_dockerconfigjson(write_dockerconfigjson(credentials)) == credentials
    assert of_secret(new_secret("push", "ns", credentials)) == credentials


@given(st.permutations(["a", "b", "c"]))
def test_the_same_credentials_are_written_as_the_same_text(hosts):
    written = write_dockerconfigjson({host: Credential(host, "p") for host in hosts})
    assert written == write_dockerconfigjson({host: Credential(host, "p") for host in "abc"})


@pytest.mark.parametrize("kind", [DOCKERCONFIGJSON, DOCKERCFG])
def test_both_types_of_secret_are_read(kind):
    assert of_secret(secret(kind=kind)) == BUILDER


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (secret(kind="Opaque"), "its type is Opaque"),
        ({"metadata": {"name": "bare"}}, "its type is Opaque"),
        ({"type": DOCKERCONFIGJSON, "data": {}}, "missing or empty"),
        ({"type": DOCKERCONFIGJSON}, "missing or empty"),
        ({"type": DOCKERCONFIGJSON, "data": {".dockerconfigjson": "%%%"}}, "cannot be decoded"),
        ({"type": DOCKERCONFIGJSON, "data": {".dockerconfigjson": "_w=="}}, "cannot be decoded"),
        ({"type": DOCKERCONFIGJSON, "data": {".dockerconfigjson": "/w=="}}, "cannot be decoded"),
        ({"type": DOCKERCONFIGJSON, "data": {".dockerconfigjson": "aHVudGVyMg=="}}, "not JSON"),
    ],
)
def test_a_secret_that_holds_no_credentials_says_why(broken, reason):
    with pytest.raises(ValueError, match=reason):
        of_secret(broken)


def test_a_new_secret_is_of_the_type_the_operator_accepts_and_marked_ours():
    created = new_secret("push", "openshift-machine-config-operator", BUILDER)
    assert created["type"] == DOCKERCONFIGJSON
    assert created["metadata"]["annotations"] == {"imagemode.openshift/created-by": "imagemode.openshift"}


@pytest.mark.parametrize(
    ("password", "expires"),
    [
        (token_expiring(1772366400), "2026-03-01T12:00:00Z"),
        (token_expiring(1772366400.9), "2026-03-01T12:00:00Z"),
        (token_expiring(None), ""),
        (token_expiring("tomorrow"), ""),
        (token_expiring(10**20), ""),
        (token_expiring(float("nan")), ""),
        ("hunter2", ""),
        ("a.b.c", ""),
        ("a.ü.c", ""),
        ("..", ""),
        ("a." + base64.urlsafe_b64encode(b"[1]").decode() + ".c", ""),
        ("a." + base64.urlsafe_b64encode(b"{}").decode() + ".c", ""),
    ],
)
def test_only_a_token_tells_when_it_expires(password, expires):
    assert Credential("u", password).expires == expires


_BASE64 = st.text(string.ascii_letters + string.digits + "-_=")


@given(st.text() | st.lists(_BASE64, min_size=3, max_size=3).map(".".join))
def test_any_password_has_an_expiry_or_none(password):
    assert isinstance(Credential("u", password).expires, str)


_SECRETS = st.text("§¶†", min_size=8)


@given(_SECRETS, _SECRETS, st.text("abc"), st.booleans())
def test_what_is_shown_never_holds_a_password(password, other, username, as_token):
    held = token_expiring(1772366400) if as_token else password
    credentials = {"a": Credential(username, held), "b": Credential(username, other)}
    shown = [model.shown(credentials), model.shown(credentials, {"a": Credential(username, other)})]
    for text in [*map(str, shown), repr(credentials), repr(credentials["a"])]:
        assert held not in text
        assert other not in text


def test_what_is_shown_tells_hosts_expiry_and_what_differs():
    before = {"a": Credential("u", "old"), "b": Credential("u", token_expiring(1772366400))}
    now = {**before, "a": Credential("u", "new"), "c": Credential("u", "p")}
    assert model.shown(None) == {}
    assert model.shown(now, before) == {
        "a": {"expires": "unknown", "credential": "changed"},
        "b": {"expires": "2026-03-01T12:00:00Z"},
        "c": {"expires": "unknown"},
    }
