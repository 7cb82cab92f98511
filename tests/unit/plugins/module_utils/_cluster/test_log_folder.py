# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import stat

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster import log_folder
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.lines import LINE_CUT
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.log_folder import (
    FULL,
    LogFolder,
    without_times,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.log_position import LogPosition

ONE = b"2026-03-01T12:00:00.100000000Z one\n"
TWO = b"2026-03-01T12:00:00.200000000Z two\n"
THREE = b"2026-03-01T12:00:01.000000000Z three\n"


def test_new_log_starts_at_its_beginning(tmp_path):
    assert LogFolder(str(tmp_path / "new" / "logs")).open("a").position == LogPosition()


def test_log_continues_after_the_lines_of_its_newest_second(tmp_path):
    folder = LogFolder(str(tmp_path))
    first = folder.open("a")
    first.write(ONE + TWO)
    first.close()
    again = folder.open("a")
    assert (again.position, again.position.since) == (LogPosition("2026-03-01T12:00:00", 2), "2026-03-01T12:00:00Z")
    again.write(THREE)
    again.close()
    assert folder.open("a").position == LogPosition("2026-03-01T12:00:01", 1)
    assert (tmp_path / "a.log").read_bytes() == ONE + TWO + THREE


def test_incomplete_last_line_is_written_again(tmp_path):
    (tmp_path / "a.log").write_bytes(ONE + TWO[:20])
    assert LogFolder(str(tmp_path)).open("a").position == LogPosition("2026-03-01T12:00:00", 1)
    assert (tmp_path / "a.log").read_bytes() == ONE


def test_only_the_owner_can_read_a_log(tmp_path):
    (tmp_path / "a.log").touch(0o644)
    folder = LogFolder(str(tmp_path))
    folder.open("a")
    folder.open("b")
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_link_is_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("precious")
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.log").symlink_to(outside)
    with pytest.raises(OSError, match="symbolic"):
        LogFolder(str(tmp_path / "logs")).open("a")
    assert outside.read_text() == "precious"


def test_file_that_is_not_regular_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.log")
    with pytest.raises(OSError, match="not a regular file"):
        LogFolder(str(tmp_path)).open("a")


@pytest.mark.parametrize("part", ["../../etc/passwd", "/etc/passwd", "..", ""])
def test_path_of_a_log_stays_in_the_folder(part, tmp_path):
    path = LogFolder(str(tmp_path)).path_of(part, "image-build")
    assert os.path.dirname(path) == str(tmp_path)


def test_parts_of_the_name_distinguish_logs(tmp_path):
    assert (
        LogFolder(str(tmp_path))
        .path_of("id", "layered-a", "uid", "1-x7k2p", "image-build")
        .endswith("/id_layered-a_uid_1-x7k2p_image-build.log")
    )


def test_times_are_removed():
    assert list(without_times([ONE, b"no time\n"])) == [b"one\n", b"no time\n"]


@pytest.fixture
def small_limit(monkeypatch):
    monkeypatch.setattr(log_folder, "LOG_LIMIT", 2 * len(ONE))


@pytest.mark.usefixtures("small_limit")
def test_log_that_reaches_the_limit_ends_with_a_notice(tmp_path):
    file = LogFolder(str(tmp_path)).open("a")
    file.write(ONE + TWO)
    for dummy in range(3):
        with pytest.raises(OSError, match=r"the log is larger than .* the rest is not saved"):
            file.write(THREE)
    assert (tmp_path / "a.log").read_bytes() == ONE + TWO + FULL


@pytest.mark.usefixtures("small_limit")
def test_full_log_stays_full_in_the_next_run(tmp_path):
    (tmp_path / "a.log").write_bytes(ONE + TWO + FULL)
    again = LogFolder(str(tmp_path)).open("a")
    assert again.is_full
    with pytest.raises(OSError, match="larger than"):
        again.write(ONE)
    assert (tmp_path / "a.log").read_bytes() == ONE + TWO + FULL


def test_cut_line_counts_as_one_line_of_its_second(tmp_path):
    folder = LogFolder(str(tmp_path))
    file = folder.open("a")
    file.write(ONE + TWO.rstrip() + LINE_CUT + b"\n")
    file.close()
    assert folder.open("a").position == LogPosition("2026-03-01T12:00:00", 2)
