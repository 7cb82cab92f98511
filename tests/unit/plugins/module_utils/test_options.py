# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module takes, and what of it must never leave."""

from __future__ import annotations

import base64
import json
import typing as t

import pytest
from ansible.module_utils import basic
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.session import Session
from ansible_collections.imagemode.openshift.plugins.module_utils._options import POOL, new_module
from ansible_collections.imagemode.openshift.tests.unit.plugins.module_run import run_module

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


def shown(
    options: dict[str, t.Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    result: dict[str, t.Any] | None = None,
) -> str:
    """What a module prints that returns all its options, as ansible-core up to 2.20 makes every module do."""
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": options}).encode())
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    module = new_module(POOL)
    with pytest.raises(SystemExit):
        module.exit_json(**(result or {"options": module.params}))
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


# What is logged and shown at -vvv ------------------------------------------------------------------------------------

EXEC = {
    "apiVersion": "client.authentication.k8s.io/v1",
    "command": "/usr/bin/aws",
    "args": ["get-token", "secret-a"],
    "env": [{"name": "AWS_REGION", "value": "us-east-1"}, {"name": "AWS_SECRET", "value": "s"}],
}
WHOLE = {
    **KUBECONFIG,
    "clusters": [{"name": "one", "cluster": {"server": "https://a", "proxy-url": "http://me:secret-p@proxy:3128"}}],
    "users": [
        *KUBECONFIG["users"],
        {"name": "exec", "user": {"exec": EXEC}},
        {"name": "short", "user": {"token": "x", "unknown-field": "secret-u"}},
        {"name": "provider", "user": {"auth-provider": {"config": {"anything": "secret-c"}}}},
    ],
    "extensions": [{"name": "e", "extension": {"key": "secret-e"}}],
}
TEXT = "apiVersion: v1\nusers:\n- name: u\n  user: {token: secret-t}\n"


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a module writes to the system's log."""
    lines: list[str] = []
    monkeypatch.setattr(basic, "has_journal", False)
    monkeypatch.setattr(Session, "request", Session.request_once)  # an API server that is away stays away
    monkeypatch.setattr(basic.AnsibleModule, "_log_to_syslog", lambda self, line: lines.append(line))
    return lines


def logged_and_returned(options: dict[str, t.Any], log: list[str]) -> str:
    """What leaves a module that fails, with its invocation, as ansible-core up to 2.20 shows it at -vvv."""
    given = {"pool": "layered", **options, "_ansible_inject_invocation": True}
    done = run_module("machineconfigpool", given)
    assert done["failed"]
    assert done["invocation"]["module_args"]["pool"] == "layered"
    return "\n".join([*log, json.dumps(done, ensure_ascii=False)])


@pytest.mark.parametrize(
    "options",
    [
        {"kubeconfig": TEXT},
        {"kubeconfig": json.dumps(KUBECONFIG)},
        {"kubeconfig": base64.b64encode(TEXT.encode()).decode()},
        {"kubeconfig": [{"token": "secret-t"}]},
        {"kubeconfig": WHOLE},
        {"kubeconfig": WHOLE, "validate_certs": "perhaps"},
        {"proxy": "http://me:secret-p@127.0.0.1:1", "host": "http://127.0.0.1:1", "api_key": "secret-k"},
        {"proxy": "me:secret-p@127.0.0.1:1"},
        {"proxy_headers": "basic_auth=me:secret-h"},
        {"proxy_headers": "{secret-h"},
        {"api_kye": "secret-k"},
    ],
    ids=[
        "text",
        "JSON",
        "base64",
        "list",
        "dictionary",
        "bad option",
        "proxy",
        "bare proxy",
        "text",
        "bad",
        "misspelt",
    ],
)
def test_nothing_secret_of_the_connection_is_logged_or_shown(options: dict[str, t.Any], log: list[str]) -> None:
    left = logged_and_returned(options, log)

    assert "secret-" not in left.replace("secret-1", "")
    assert "AWS_SECRET" not in left
    assert base64.b64encode(b"apiVersion").decode()[:12] not in left


@pytest.mark.parametrize("kubeconfig", [TEXT, json.dumps(KUBECONFIG), "a\nb", ["/path"], "eyJhbGciOi", "x" * 5000])
def test_a_kubeconfig_that_is_no_path_is_refused_with_what_to_do(kubeconfig: t.Any, log: list[str]) -> None:
    done = run_module("machineconfigpool", {"pool": "layered", "kubeconfig": kubeconfig})

    assert done["msg"].startswith("Could not reach the cluster: kubeconfig is ")
    assert done["msg"].endswith("Set it to the path of the file, or to its content as a dictionary (filter from_yaml).")


def test_the_content_of_a_kubeconfig_in_the_environment_is_refused_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K8S_AUTH_KUBECONFIG", TEXT)
    done = run_module("machineconfigpool", {"pool": "layered"})

    assert "Set it to the path of the file" in done["msg"]
    assert "secret" not in json.dumps(done)


def test_short_secrets_and_arguments_destroy_no_result(monkeypatch: pytest.MonkeyPatch, capsys: t.Any) -> None:
    output = shown({"pool": "layered", "kubeconfig": WHOLE}, monkeypatch, capsys, {"node": "x-1.us-east-1.get-token"})

    assert "x-1.us-east-1.get-token" in output


def test_a_warning_is_one_printable_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[str] = []
    monkeypatch.setattr(basic.AnsibleModule, "warn", lambda self, text: seen.append(text))
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": {"pool": "layered"}}).encode())
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    new_module(POOL).warn("a\x1b[2J\n\u202eb." + "x" * 1_000_000)

    assert seen[0].isprintable()
    assert len(seen[0]) < 2200
