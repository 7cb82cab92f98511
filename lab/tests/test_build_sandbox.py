# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from lab.build_sandbox import Container, Mount, Pod, parse_oc, place_in


def test_a_pod_passes_the_pipe_unchanged_and_in_one_line() -> None:
    container = Container("image-build", ["/bin/bash", "-c", "one\ntwo"], {"TAG": "x"}, [Mount("v", "/v")], "/logs")
    pod = Pod("/scratch", {"v": {"key": "aGVsbG8="}, "empty": {}}, [container])
    assert pod.to_line().count("\n") == 1
    assert Pod.from_line(pod.to_line()) == pod


def test_oc_creates_a_config_map_from_a_file_of_the_container(tmp_path: Path) -> None:
    (tmp_path / "tmp" / "done").mkdir(parents=True)
    (tmp_path / "tmp" / "done" / "digestfile").write_text("sha256:1")
    argv = ["create", "configmap", "digest-x", "--namespace", "ns", "--from-file=digest=/tmp/done/digestfile"]
    assert parse_oc(argv, tmp_path) == {
        "verb": "create",
        "name": "digest-x",
        "namespace": "ns",
        "data": {"digest": "sha256:1"},
    }


def test_oc_labels_a_config_map_also_with_empty_values(tmp_path: Path) -> None:
    argv = ["label", "configmap", "digest-x", "--namespace", "ns", "--overwrite=true", "a/b=", "c=d=e"]
    assert parse_oc(argv, tmp_path)["data"] == {"a/b": "", "c": "d=e"}


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["get", "pods"], "does not know: get pods"),
        ([], "does not know"),
        (["create", "configmap", "x", "--from-file=digest=/tmp/missing"], "error reading /tmp/missing"),
        (["create", "secret", "x"], "does not know"),
    ],
)
def test_oc_refuses_everything_else(argv: list[str], reason: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_oc(argv, tmp_path)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/etc/containers/policy.json", "etc/containers/policy.json"),
        ("/var/run/secrets/x", "run/secrets/x"),
        ("/out/x", "run/x"),
        ("/../../etc/x", "etc/x"),
        ("/beside/x", "run/x"),
    ],
)
def test_a_volume_is_mounted_in_the_container_though_a_link_leads_elsewhere(
    path: str, place: str, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    (root / "var").mkdir(parents=True)
    (root / "var/run").symlink_to("/run")
    (root / "out").symlink_to("../../run")
    (root / "beside").symlink_to("var/run")
    assert place_in(root, path) == root / place


def test_a_link_to_itself_is_no_place_for_a_volume(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="Too many levels"):
        place_in(tmp_path, "/loop/x")
