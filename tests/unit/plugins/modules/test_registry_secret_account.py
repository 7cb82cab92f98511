# SPDX-License-Identifier: GPL-3.0-or-later
"""The login of the registry and the login of the API server are separate options."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible.module_utils import basic
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.connection import connect
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.plugins.modules import registry_secret

SERVER = {"host": "https://api.example.com", "client_cert": "/cert", "client_key": "/key"}
ACCOUNT = {"registry": "quay.example.com", "registry_username": "os-builder", "registry_password": "of-the-registry"}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> t.Callable[..., list[tuple[str, str]]]:
    """Run the module and return with which headers it would have asked the API server."""

    def run_with(**options: t.Any) -> list[tuple[str, str]]:
        asked: list[tuple[str, str]] = []

        def open_session(given: t.Mapping[str, t.Any]) -> t.NoReturn:
            asked.extend(connect(given).headers())
            raise OperationError("reach the cluster", "this is a test", "None is needed")

        arguments = {"name": "push", **SERVER, **options}
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode())
        monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        monkeypatch.setattr(registry_secret, "open_session", open_session)
        with pytest.raises(SystemExit):
            registry_secret.main()
        assert "this is a test" in capsys.readouterr().out
        return asked

    return run_with


def test_the_password_of_a_registry_never_reaches_the_api_server(run: t.Callable[..., list[tuple[str, str]]]) -> None:
    assert run(**ACCOUNT) == []


def test_the_account_for_the_api_server_comes_from_the_environment(
    run: t.Callable[..., list[tuple[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("K8S_AUTH_USERNAME", "me")
    monkeypatch.setenv("K8S_AUTH_PASSWORD", "mine")

    assert run(**ACCOUNT, client_cert=None, client_key=None) == [("Authorization", "Basic bWU6bWluZQ==")]


def test_a_dockerconfigjson_may_arrive_as_a_dictionary(run: t.Callable[..., list[tuple[str, str]]]) -> None:
    assert run(dockerconfigjson={"auths": {"quay.example.com": {"auth": "bWU6bWluZQ=="}}}) == []
