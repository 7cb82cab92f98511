# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of a report: all of them or none, and one line when there are none."""

from __future__ import annotations

import errno
import os
import stat
import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.plugin_utils._evidence import files
from ansible_collections.imagemode.openshift.plugins.plugin_utils._evidence.files import (
    ForeignFile,
    ReportNotWritten,
    absolute,
    check_replaceable,
    write_files,
)

if t.TYPE_CHECKING:
    from pathlib import Path

TWO = {"report.html": b"<html>", "report.json": b"{}"}


def refuse_the_second(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Let the second file fail when it goes to disk, as it does where the disk is full."""
    calls: list[int] = []

    def fsync(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 2:
            raise OSError(code, os.strerror(code))

    monkeypatch.setattr(files.os, "fsync", fsync)


def test_files_are_written_into_a_folder_that_is_made(tmp_path: Path) -> None:
    paths = write_files(tmp_path / "new/folder", TWO)

    assert paths == [tmp_path / "new/folder/report.html", tmp_path / "new/folder/report.json"]
    assert [path.read_bytes() for path in paths] == list(TWO.values())
    assert sorted(os.listdir(tmp_path / "new/folder")) == sorted(TWO)


def test_a_report_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    write_files(tmp_path, {"report.html": b"before"})
    write_files(tmp_path, {"report.html": b"after"})

    assert (tmp_path / "report.html").read_bytes() == b"after"


def test_the_users_umask_says_who_may_read(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        (path,) = write_files(tmp_path, {"report.html": b""})
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_full_disk_leaves_all_that_was_there_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tmp_path, {"report.html": b"before"})
    refuse_the_second(monkeypatch, errno.ENOSPC)

    with pytest.raises(ReportNotWritten) as caught:
        write_files(tmp_path, TWO)

    assert str(caught.value) == (
        f"Could not write report {tmp_path}/report.json: No space left on device. "
        "Free disk space, or use another directory (dir; image_mode_report_dir in the playbooks)."
    )
    assert os.listdir(tmp_path) == ["report.html"]
    assert (tmp_path / "report.html").read_bytes() == b"before"


def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_the_second(monkeypatch, errno.EACCES)

    with pytest.raises(ReportNotWritten, match="Give the account that runs Ansible write permission"):
        write_files(tmp_path, TWO)


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ReportNotWritten) as caught:
        write_files(tmp_path / "file", TWO)

    assert str(caught.value).startswith(f"Could not write report {tmp_path}/file: ")
    assert "\n" not in str(caught.value)


def test_a_link_in_the_way_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"untouched")
    (tmp_path / "report.html").symlink_to(tmp_path / "elsewhere")

    write_files(tmp_path, {"report.html": b"new"})

    assert (tmp_path / "elsewhere").read_bytes() == b"untouched"
    assert (tmp_path / "report.html").read_bytes() == b"new"


def refusal_for(path: Path, is_own: bool = False) -> str:
    with pytest.raises(ForeignFile) as caught:
        check_replaceable(path, lambda content: is_own)
    return str(caught.value)


def test_a_report_of_another_cluster_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_bytes(b"{}")

    assert refusal_for(tmp_path / "report.json") == (
        f"Could not write report {tmp_path}/report.json: a file of this name is not a report of the same cluster. "
        "Move that file away, or use another directory (dir; image_mode_report_dir in the playbooks)."
    )
    check_replaceable(tmp_path / "report.json", lambda content: content == b"{}")


def test_nothing_is_in_the_way_of_a_first_report(tmp_path: Path) -> None:
    check_replaceable(tmp_path / "report.json", lambda content: False)
    check_replaceable(tmp_path / "no/folder/report.json", lambda content: False)


def test_what_lies_behind_a_planted_link_or_pipe_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe.json")

    check_replaceable(tmp_path / "link.json", lambda content: False)  # a link is replaced, see above
    assert "not a report" in refusal_for(tmp_path / "pipe.json", is_own=True)


def test_a_file_larger_than_any_report_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_MAX_SIZE", 3)
    (tmp_path / "report.json").write_bytes(b"{  }")

    assert "not a report" in refusal_for(tmp_path / "report.json", is_own=True)


def test_a_file_that_cannot_be_read_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def open_(*_dummy: t.Any) -> int:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(files.os, "open", open_)

    assert "cannot be read" in refusal_for(tmp_path / "report.json")


def test_a_relative_folder_starts_where_the_user_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/auditor")

    assert absolute("reports/../today") == tmp_path / "today"
    assert str(absolute("~/reports")) == "/home/auditor/reports"
