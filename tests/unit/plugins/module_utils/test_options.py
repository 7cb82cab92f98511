# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module takes, and what of it must never leave."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible.module_utils import basic
from ansible_collections.imagemode.openshift.plugins.module_utils._options import POOL, new_module

KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "one", "cluster": {"server": "https://api.example.com"}}],
    "users": [
        {"name": "bearer", "user": {"token": "secret-1"}},
        {"name": "basic", "user": {"username": "kubeadmin", "password": "secret-2"}},
        {"name": "certificate", "user": {"client-certificate-data": "public", "client-key-data": "secret-3"}},
        {
            "name": "oidc",
            "user": {
                "auth-provider": {
                    "name": "oidc",
                    "config": {"id-token": "secret-4", "refresh-token": "secret-5", "client-secret": "secret-6"},
                }
            },
        },
    ],
}


def shown(options: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """What a module prints that returns all its options, as ansible-core up to 2.20 makes every module do."""
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": options}).encode())
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    module = new_module(POOL)
    with pytest.raises(SystemExit):
        module.exit_json(options=module.params)
    return capsys.readouterr().out


def test_a_kubeconfig_given_as_a_dictionary_keeps_its_secrets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = shown({"pool": "layered", "kubeconfig": KUBECONFIG}, monkeypatch, capsys)

    assert "secret-" not in output
    assert "https://api.example.com" in output
    assert "kubeadmin" in output


def test_the_path_of_a_kubeconfig_is_no_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = shown({"pool": "layered", "kubeconfig": "/home/me/kubeconfig"}, monkeypatch, capsys)

    assert "/home/me/kubeconfig" in output


def test_the_credentials_of_the_connection_are_never_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {
        "pool": "layered",
        "api_key": "secret-1",
        "password": "secret-2",
        "proxy_headers": {"basic_auth": "me:secret-3", "proxy_basic_auth": "me:secret-4"},
    }

    assert "secret-" not in shown(options, monkeypatch, capsys)
