# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
from typing import Any, cast

import pytest

from lab.build_runner import SERVICE_ACCOUNT, BuildPod, Volumes
from lab.kube_rest import Api, ApiError


class _Objects:
    """An API that has the objects it is given, by the end of their path."""

    def __init__(self, **objects: dict[str, Any]) -> None:
        self._objects = objects

    def get(self, path: str) -> dict[str, Any]:
        name = path.rpartition("/")[2]
        if name not in self._objects:
            raise ApiError(404, f"{name} not found")
        return self._objects[name]

    def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        assert path.endswith(f"/serviceaccounts/{SERVICE_ACCOUNT}/token")
        return {"status": {"token": f"token for {body['spec']['audiences']}"}}


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _read(volume: dict[str, Any], **objects: dict[str, Any]) -> dict[str, str]:
    pod = {"metadata": {"name": "p", "uid": "u", "namespace": "ns"}, "spec": {"volumes": [{"name": "v", **volume}]}}
    files = Volumes(cast("Api", _Objects(**objects)), BuildPod(pod)).read()["v"]
    return {path: base64.b64decode(content).decode() for path, content in files.items()}


def test_a_config_map_becomes_a_file_a_key_with_text_and_binary() -> None:
    config_map = {"data": {"Containerfile": "FROM x"}, "binaryData": {"blob": _encoded("bytes")}}
    assert _read({"configMap": {"name": "c"}}, c=config_map) == {"Containerfile": "FROM x", "blob": "bytes"}


def test_of_a_secret_only_the_wanted_keys_become_files_under_their_own_paths() -> None:
    secret = {"data": {".dockerconfigjson": _encoded("{}"), "other": _encoded("no")}}
    wanted = {"secretName": "s", "items": [{"key": ".dockerconfigjson", "path": "config.json"}]}
    assert _read({"secret": wanted}, s=secret) == {"config.json": "{}"}


def test_an_optional_object_that_is_missing_is_an_empty_volume() -> None:
    assert _read({"configMap": {"name": "c", "optional": True}}) == {}


def test_a_needed_object_that_is_missing_is_an_error() -> None:
    with pytest.raises(ApiError, match="c not found"):
        _read({"configMap": {"name": "c"}})


def test_an_empty_dir_starts_empty() -> None:
    assert _read({"emptyDir": {"medium": "Memory"}}) == {}


def test_the_pods_token_ca_and_namespace_come_together() -> None:
    sources = [
        {"serviceAccountToken": {"path": "token"}},
        {"configMap": {"name": "ca", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
    ]
    files = _read({"projected": {"sources": sources}}, ca={"data": {"ca.crt": "PEM"}})
    assert files == {"token": "token for []", "ca.crt": "PEM", "namespace": "ns"}


@pytest.mark.parametrize(
    ("change", "runs"),
    [
        ({}, True),
        ({"status": {"phase": "Pending"}}, False),
        ({"status": {"phase": "Succeeded"}}, False),
        ({"spec": {"serviceAccountName": "default"}}, False),
        ({"metadata": {"name": "p", "uid": "u", "deletionTimestamp": "now"}}, False),
    ],
)
def test_only_a_running_pod_of_the_builder_is_run(change: dict[str, Any], runs: bool) -> None:
    pod = {
        "metadata": {"name": "p", "uid": "u"},
        "spec": {"serviceAccountName": SERVICE_ACCOUNT},
        "status": {"phase": "Running"},
    }
    assert BuildPod({**pod, **change}).runs is runs
