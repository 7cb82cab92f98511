# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.secret_options import (
    HIDDEN,
    secret_values,
    shown_kubeconfig,
    shown_url,
    why_unusable,
)
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    "path", ["/home/me/.kube/config", "~/a:~/b", "config.yaml", "C:/x", "", "/" + "/".join(["d" * 200] * 19)]
)
def test_a_path_is_a_path_and_shown(path):
    assert why_unusable(path) == ""
    assert shown_kubeconfig(path) == path


@pytest.mark.parametrize(
    "text",
    ["apiVersion: v1", "a\nb", "{}", "a\rb", "a\0", "x" * 256, "a/" * 2049, "eyJhbGc", "LS0tCmFw", "sha256~a", " eyJ"],
)
def test_the_content_of_a_kubeconfig_is_no_path_and_hidden(text):
    assert why_unusable(text)
    assert text not in why_unusable(text)
    assert shown_kubeconfig(text) == HIDDEN


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (None, None),
        ("http://proxy:3128", "http://proxy:3128"),
        ("http://me:hunter2@proxy:3128", "http://********@proxy:3128"),
        ("http://me:a/b@c:d@proxy", "http://********@proxy"),
        ("me:hunter2@proxy", "********@proxy"),
        (["hunter2"], HIDDEN),
    ],
)
def test_a_url_is_shown_without_user_and_password(url, shown):
    assert shown_url(url) == shown


@given(st.text(min_size=1).filter(lambda text: "@" not in text))
def test_no_password_of_a_url_is_shown(password):
    assert shown_url(f"http://me:{password}@proxy") == "http://********@proxy"


FIELD = st.one_of(st.sampled_from(["user", "exec", "args", "env", "token", "config", "users", "name"]), st.text())


@given(FIELD, st.sampled_from(["token", "password", "client-key-data", "args", "env", "config", "anything"]))
def test_a_field_that_is_not_known_to_be_harmless_is_hidden_at_any_place(outer, inner):
    for value in ("hidden-value", ["hidden-value"], {"name": "hidden-value"}):
        assert "hidden-value" not in json.dumps(shown_kubeconfig({outer: [{inner: value}]}))


@pytest.mark.parametrize(
    ("given_", "secrets"),
    [
        ({"kubeconfig": {"users": [{"user": {"token": "secret-1"}}]}}, {"secret-1"}),
        ({"kubeconfig": {"users": [{"user": {"token": "short"}}]}}, set()),
        ({"kubeconfig": {"users": [{"user": {"exec": {"args": ["us-east-1"]}}}]}}, set()),
        ({"kubeconfig": "apiVersion: v1"}, {"apiVersion: v1"}),
        ({"kubeconfig": "/path"}, set()),
        ({"proxy": "http://me:hunter2@proxy"}, {"hunter2"}),
        ({"proxy": "http://long-name@proxy"}, set()),
        ({"kubeconfig": {"clusters": [{"cluster": {"proxy-url": "http://me:hunter2@proxy"}}]}}, {"hunter2"}),
    ],
)
def test_credentials_of_some_length_are_secret_wherever_they_are_quoted(given_: dict[str, t.Any], secrets: set[str]):
    assert secret_values(given_) == secrets


@pytest.mark.parametrize("field", ["clusters", "contexts", "exec", "users"])
@pytest.mark.parametrize("value", ["hunter2hunter2", ["hunter2hunter2"]])
def test_a_text_in_the_place_of_a_structure_is_hidden(field, value):
    assert "hunter2" not in str(shown_kubeconfig({field: value}))
