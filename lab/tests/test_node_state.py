# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab import node_state
from lab.errors import LabError
from lab.node_state import Deployment, Host, NodeFolder, UnknownNode
from lab.oci_registry import FetchedImage, ImageName

OLD = "sha256:" + "0" * 64
NEW = "sha256:" + "1" * 64
OTHER = "sha256:" + "2" * 64


@dataclass(frozen=True)
class _Lab:
    nodes_dir: Path


def _image(digest: str, version: str = "9.6.1", created: str = "2025-07-24T00:00:00.123456789Z") -> FetchedImage:
    config = {"created": created, "config": {"Labels": {"org.opencontainers.image.version": version}}}
    return FetchedImage(
        ImageName("127.0.0.1:5000", "lab/os", digest=digest), digest, '{"layers": []}', json.dumps(config)
    )


def _host(digest: str = OLD) -> Host:
    return Host("uid", Deployment.of("worker-0", _image(digest)), boot_id="boot-1", config="rendered-a")


def _staging(digest: str = NEW) -> Host:
    return _host().staging(Deployment.of("worker-0", _image(digest)))


def _listed(status: dict[str, Any]) -> list[tuple[str, bool, bool]]:
    return [
        (item["container-image-reference-digest"], item["booted"], item["staged"]) for item in status["deployments"]
    ]


def test_a_deployment_has_what_rpm_ostree_prints_of_a_container() -> None:
    (booted,) = _host().status()["deployments"]
    assert booted["container-image-reference"] == f"ostree-unverified-registry:127.0.0.1:5000/lab/os@{OLD}"
    assert booted["id"] == f"rhcos-{booted['checksum']}.0"
    assert (booted["version"], booted["unlocked"], booted["timestamp"]) == ("9.6.1", "none", 1753315200)
    assert booted["base-commit-meta"]["ostree.manifest-digest"] == OLD
    assert json.loads(booted["base-commit-meta"]["ostree.manifest"]) == {"layers": []}
    assert booted["requested-packages"] == []


def test_a_version_the_image_has_not_is_not_listed() -> None:
    host = Host("uid", Deployment.of("worker-0", _image(OLD, version="")), boot_id="boot-1", config="rendered-a")
    assert "version" not in host.status()["deployments"][0]


def test_two_nodes_have_two_checksums_for_one_image() -> None:
    assert Deployment.of("worker-0", _image(OLD)).checksum != Deployment.of("worker-1", _image(OLD)).checksum


def test_what_is_staged_is_listed_first_and_is_not_booted() -> None:
    assert _listed(_staging().status()) == [(NEW, False, True), (OLD, True, False)]


def test_a_reboot_boots_what_was_staged_and_keeps_the_old_to_roll_back_to() -> None:
    host = _staging().configured("rendered-b").rebooted("boot-2")
    assert _listed(host.status()) == [(NEW, True, False), (OLD, False, False)]
    assert (host.boot_id, host.config) == ("boot-2", "rendered-b")
    assert _listed(host.cleaned().status()) == [(NEW, True, False)]


def test_a_reboot_with_nothing_staged_boots_the_same_again() -> None:
    host = _host().configured("rendered-b").rebooted("boot-2")
    assert _listed(host.status()) == [(OLD, True, False)]
    assert (host.boot_id, host.config, host.next_config) == ("boot-2", "rendered-b", None)


def test_the_same_commit_staged_again_gets_another_serial() -> None:
    staged, booted = _staging(OLD).status()["deployments"]
    assert staged["checksum"] == booted["checksum"]
    assert (staged["serial"], booted["serial"]) == (1, 0)


def test_a_transaction_is_shown_while_rpm_ostree_works() -> None:
    assert _host().status()["transaction"] is None
    assert _host().during("rebase").status()["transaction"][0] == "rebase"
    assert _host().during("rebase").idle().status()["transaction"] is None


def test_a_host_is_read_back_as_it_was_written() -> None:
    host = _staging().configured("rendered-b")
    assert Host.of(json.loads(json.dumps(host.document()))) == host


@pytest.mark.parametrize(
    ("created", "seconds"),
    [
        ("1970-01-01T00:00:10Z", 10),
        ("1970-01-01T00:00:10.999999999Z", 10),
        ("1970-01-01T01:00:10+01:00", 10),
        ("", 0),
    ],
)
def test_an_images_time_is_read_however_it_is_printed(created: str, seconds: int) -> None:
    assert Deployment.of("worker-0", _image(OLD, created=created)).timestamp == seconds


@pytest.fixture
def lab(tmp_path: Path) -> _Lab:
    NodeFolder(tmp_path, "worker-0").write_host(_host())
    return _Lab(tmp_path)


def _answer(lab: _Lab) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads((lab.nodes_dir / "worker-0" / "status.json").read_text())
    return answer


def test_a_node_answers_with_what_it_booted(lab: _Lab) -> None:
    assert _listed(_answer(lab)) == [(OLD, True, False)]


def test_a_node_claims_the_digest_it_is_told_to(lab: _Lab) -> None:
    node_state.boots(lab, "worker-0", OTHER)
    assert _listed(_answer(lab)) == [(OTHER, True, False)]
    assert _answer(lab)["deployments"][0]["container-image-reference"].endswith(f"lab/os@{OTHER}")


def test_a_node_claims_to_have_staged_what_it_is_told_to(lab: _Lab) -> None:
    node_state.stages(lab, "worker-0", NEW)
    assert _listed(_answer(lab)) == [(NEW, False, True), (OLD, True, False)]
    node_state.boots(lab, "worker-0", OTHER)
    assert _listed(_answer(lab)) == [(NEW, False, True), (OTHER, True, False)]
    node_state.reset(lab, "worker-0")
    assert _listed(_answer(lab)) == [(OLD, True, False)]


def test_a_claim_outlives_what_the_node_does_until_it_is_reset(lab: _Lab) -> None:
    node_state.boots(lab, "worker-0", OTHER)
    NodeFolder(lab.nodes_dir, "worker-0").write_host(_staging().rebooted("boot-2"))
    assert _listed(_answer(lab)) == [(OTHER, True, False), (OLD, False, False)]
    node_state.reset(lab, "worker-0")
    assert _listed(_answer(lab)) == [(NEW, True, False), (OLD, False, False)]


def test_a_node_fails_or_hangs_until_it_is_reset(lab: _Lab) -> None:
    mode = lab.nodes_dir / "worker-0" / "exec-mode"
    for name in ("fail", "hang", "noise", "cut", "lost"):
        node_state.exec_mode(lab, "worker-0", name)
        assert mode.read_text() == f"{name}\n"
    node_state.reset(lab, "worker-0")
    assert not mode.exists()


def test_an_unknown_node_is_refused_and_the_known_ones_named(lab: _Lab) -> None:
    scripts: list[Callable[[], None]] = [
        lambda: node_state.boots(lab, "worker-9", OTHER),
        lambda: node_state.exec_mode(lab, "worker-9", "fail"),
        lambda: node_state.reset(lab, "worker-9"),
    ]
    for script in scripts:
        with pytest.raises(UnknownNode, match=r"Could not script Node worker-9: .* worker-0"):
            script()
    assert not (lab.nodes_dir / "worker-9").exists()


def test_a_digest_that_is_none_changes_nothing(lab: _Lab) -> None:
    with pytest.raises(LabError, match="Could not script Node worker-0"):
        node_state.boots(lab, "worker-0", "latest")
    assert _listed(_answer(lab)) == [(OLD, True, False)]
    assert not (lab.nodes_dir / "worker-0" / "pretence.json").exists()


def test_another_mode_is_refused(lab: _Lab) -> None:
    with pytest.raises(LabError, match="Use one of: ok, fail, hang"):
        node_state.exec_mode(lab, "worker-0", "explode")


def test_a_node_that_left_is_known_no_more(lab: _Lab) -> None:
    assert node_state.node_names(lab) == ["worker-0"]
    NodeFolder(lab.nodes_dir, "worker-0").remove()
    assert node_state.node_names(lab) == []
