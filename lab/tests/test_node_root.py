# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest

from lab.node_root import NodeRoot

LONG = '{"deployments": [' + ", ".join(["{}"] * 100) + "]}"


@pytest.fixture
def root(tmp_path: Path) -> NodeRoot:
    made = NodeRoot(tmp_path / "nodes" / "worker-0")
    made.make()
    made.tell('{"deployments": []}', "boot-1")
    return made


def run(root: NodeRoot, script: str) -> subprocess.CompletedProcess[str]:
    command = ["chroot", str(root.path), "/bin/sh", "-c", script]
    return subprocess.run(command, env=root.environment({}), capture_output=True, text=True, check=False, timeout=30)


@pytest.mark.parametrize("mounted", ["/rootfs", "/host"])
def test_below_its_mount_the_node_answers(root: NodeRoot, mounted: str) -> None:
    assert run(root, f"chroot {mounted} rpm-ostree status --json").stdout == '{"deployments": []}'


def test_in_the_container_there_is_no_rpm_ostree(root: NodeRoot) -> None:
    assert run(root, "rpm-ostree status --json").returncode == 127


def test_the_node_knows_no_other_command_of_rpm_ostree(root: NodeRoot) -> None:
    refused = run(root, "chroot /rootfs rpm-ostree rebase x")
    assert (refused.returncode, refused.stdout) == (127, "")


def test_the_boot_is_the_same_in_the_container_and_below_it(root: NodeRoot) -> None:
    root.tell("{}", "boot-2")
    read = "cat /proc/sys/kernel/random/boot_id"
    assert run(root, f"{read}; chroot /rootfs {read}").stdout == "boot-2\nboot-2\n"


def test_a_node_that_a_test_has_fail_fails_as_rpm_ostree_does(root: NodeRoot, tmp_path: Path) -> None:
    (tmp_path / "nodes/worker-0/exec-mode").write_text("fail\n", encoding="utf-8")
    failed = run(root, "chroot /rootfs rpm-ostree status --json")
    assert failed.returncode == 1
    assert "rpm-ostreed.service" in failed.stdout
    assert "timed out" in failed.stderr


def test_a_node_that_a_test_has_hang_is_ended_by_timeout(root: NodeRoot, tmp_path: Path) -> None:
    (tmp_path / "nodes/worker-0/exec-mode").write_text("hang\n", encoding="utf-8")
    ended = run(root, "timeout 1 chroot /rootfs rpm-ostree status --json; code=$?; exit $code")
    assert ended.returncode == 143  # busybox says by which signal; coreutils would say 124


@pytest.mark.parametrize(
    ("mode", "stdout", "stderr", "code"),
    [
        ("noise", LONG, "warning: ", 0),
        ("cut", LONG[:150], "", 0),
        ("lost", LONG, "", 137),
    ],
)
def test_a_node_answers_as_a_test_has_it(
    root: NodeRoot, tmp_path: Path, mode: str, stdout: str, stderr: str, code: int
) -> None:
    root.tell(LONG, "boot-1")
    (tmp_path / "nodes/worker-0/exec-mode").write_text(mode, encoding="utf-8")
    said = run(root, "chroot /rootfs rpm-ostree status --json; code=$?; exit $code")
    assert (said.stdout, said.stderr[: len(stderr)]) == (stdout, stderr)
    assert said.returncode == code


def test_many_nodes_are_made_at_once_and_share_their_programs(tmp_path: Path) -> None:
    roots = [NodeRoot(tmp_path / "nodes" / f"worker-{number}") for number in range(12)]
    threads = [threading.Thread(target=root.make) for root in roots]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({os.stat(root.path / "bin/busybox").st_ino for root in roots}) == 1


def test_a_node_that_was_not_made_takes_no_files(tmp_path: Path) -> None:
    NodeRoot(tmp_path / "nodes" / "worker-0").tell("{}", "boot-1")
    assert list(tmp_path.iterdir()) == []
