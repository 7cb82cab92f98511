# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from lab.base_image import BASH, BUSYBOX, VERSION, StaticProgram, write_context
from lab.errors import LabError


@pytest.fixture(scope="module")
def rootfs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    context = tmp_path_factory.mktemp("context")
    write_context(context, BASH.find(), BUSYBOX.find())
    return context / "rootfs"


def test_the_image_has_what_the_generated_containerfile_calls(rootfs: Path) -> None:
    for program in ("cat", "base64", "gunzip", "test", "rm", "mkdir", "jq", "ostree", "rpm-ostree", "update-ca-trust"):
        assert (rootfs / "usr/bin" / program).exists(), program
    ignition = rootfs / "usr/lib/dracut/modules.d/30ignition/ignition"
    assert ignition.stat().st_mode & 0o111
    assert (rootfs / "etc/pki/ca-trust/source/anchors").is_dir()


def test_the_generated_containerfiles_shell_is_bash(rootfs: Path) -> None:
    # It uses process substitution and exec -a.
    assert (rootfs / "bin/sh").resolve().name == "bash"


def test_the_image_says_its_version_to_people_and_to_programs(rootfs: Path) -> None:
    assert f'OSTREE_VERSION="{VERSION}"' in (rootfs / "etc/os-release").read_text()
    assert f'org.opencontainers.image.version="{VERSION}"' in (rootfs.parent / "Containerfile").read_text()


def test_no_link_of_the_image_leaves_it(rootfs: Path) -> None:
    leaving = [link for link in rootfs.rglob("*") if link.is_symlink() and not link.resolve().is_relative_to(rootfs)]
    assert leaving == []


def test_a_missing_program_is_named_with_the_command_that_installs_it(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="Run 'apt-get install some-static'"):
        StaticProgram("some-static", (str(tmp_path / "some"),)).find()


def test_a_program_that_needs_libraries_is_not_taken(tmp_path: Path) -> None:
    program = tmp_path / "some"
    program.write_bytes(b"\x7fELF" + b"\0" * 100 + b"/lib64/ld-linux-x86-64.so.2\0")
    with pytest.raises(LabError, match="no static program"):
        StaticProgram("some-static", (str(program),)).find()
