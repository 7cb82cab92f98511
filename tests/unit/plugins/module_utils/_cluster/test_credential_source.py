# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.connection import connect
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.exec_plugin import plugin_command
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.kubeconfig_file import why_unreadable
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError

SERVER = "https://api.example.com:6443"


def plugin(script: str) -> dict[str, t.Any]:
    """Return a user of a kubeconfig with an exec plugin."""
    command = {"apiVersion": "client.authentication.k8s.io/v1", "command": "/bin/sh", "args": ["-c", script]}
    return {"exec": {**command, "interactiveMode": "Never"}}


def kubeconfig(user: dict[str, t.Any]) -> dict[str, t.Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [{"name": "cluster", "cluster": {"server": SERVER}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "c", "context": {"cluster": "cluster", "user": "u"}}],
    }


def saved(folder: Path, user: dict[str, t.Any]) -> str:
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(kubeconfig(user)), encoding="utf-8")
    return str(path)


def error_of(options: dict[str, t.Any]) -> str:
    with pytest.raises(OperationError) as error:
        connect(options, {}).headers()
    return str(error.value)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'Unable to locate credentials' >&2; exit 255", "process returned 255. Unable to locate credentials"),
        ("echo first; echo second", "failed to decode process output: "),
        ("echo '{}'", "malformed response"),
    ],
    ids=["non-zero exit status", "output is not JSON", "output is not an ExecCredential"],
)
def test_failed_exec_plugin_is_an_error_with_its_command(script: str, reason: str, tmp_path: Path) -> None:
    path = saved(tmp_path, plugin(script))
    for options in ({"kubeconfig": path}, {"kubeconfig": kubeconfig(plugin(script))}):
        message = error_of(options)
        assert message.startswith("Could not get credentials for ")
        assert f"the exec plugin /bin/sh failed ({reason}" in message
        assert "\n" not in message


def test_missing_exec_plugin_is_an_error_with_its_command(tmp_path: Path) -> None:
    user = plugin("")
    user["exec"]["command"] = "no-such-plugin"
    message = error_of({"kubeconfig": saved(tmp_path, user)})
    assert "the exec plugin no-such-plugin failed (" in message
    assert "No such file or directory" in message


def test_credential_in_the_output_of_a_failed_plugin_is_not_shown(tmp_path: Path) -> None:
    message = error_of({"kubeconfig": saved(tmp_path, plugin("echo 'password=hunter2' >&2; exit 1"))})
    assert "hunter2" not in message


def test_plugin_that_fails_on_renewal_is_an_error_with_its_command(tmp_path: Path) -> None:
    done = tmp_path / "done"
    credential = (
        '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",'
        ' "status": {"token": "t", "expirationTimestamp": "2020-01-01T00:00:00Z"}}'
    )
    script = f"[ -e {done} ] && exit 7; touch {done}; echo '{credential}'"
    connection = connect({"kubeconfig": saved(tmp_path, plugin(script))}, {})
    with pytest.raises(OperationError, match=r"the exec plugin /bin/sh failed \(process returned 7\)"):
        connection.headers()


def test_failed_exec_plugin_is_ignored_if_api_key_is_given(tmp_path: Path) -> None:
    connection = connect({"kubeconfig": saved(tmp_path, plugin("exit 1")), "api_key": "k"}, {})
    assert connection.headers() == [("Authorization", "Bearer k")]


def test_command_of_the_named_context_is_found_and_other_content_is_ignored() -> None:
    config = kubeconfig(plugin(""))
    assert plugin_command(config) == plugin_command(config, "c") == "/bin/sh"
    for other in (None, [], {}, {"contexts": "x"}, {"contexts": ["x"], "current-context": "c"}, {**config, "users": 1}):
        assert plugin_command(other) == ""
    assert plugin_command(config, "other") == ""


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("apiVersion: v1\nusers:\n- name: [hunter2\n", "line 4 is not valid YAML"),
        ("a: b: hunter2", "line 1 is not valid YAML"),
        ("", "the file is empty"),
        ("hunter2", "it is not a kubeconfig"),
        (b"\xff\xfe\x00hunter2", "it is not a string file"),
        ("apiVersion: v1", ""),
    ],
)
def test_unreadable_kubeconfig_is_explained_without_its_content(
    content: str | bytes, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "k"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert why_unreadable(str(path)) == reason


def test_of_several_kubeconfigs_the_unreadable_one_is_named(tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text("apiVersion: v1", encoding="utf-8")
    bad.write_text("a: [", encoding="utf-8")
    missing = str(tmp_path / "missing")
    assert why_unreadable(os.pathsep.join([missing, str(good)])) == ""
    assert why_unreadable(os.pathsep.join([str(good), str(bad)])) == f"{bad}: line 1 is not valid YAML"
    assert why_unreadable(os.pathsep.join([missing, missing])) == "none of the files exists"


def test_missing_kubeconfig_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "missing"
    assert error_of({"kubeconfig": str(path)}).startswith(f"Could not read kubeconfig {path}: the file does not exist.")
