# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import re
from pathlib import Path

from lab.container_log import ContainerLog

_LINE = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z (stdout|stderr) ([FP]) (.*)\n")


def _lines(folder: Path) -> list[tuple[bytes, bytes, bytes]]:
    content = (folder / "0.log").read_bytes()
    found = [match.groups() for match in _LINE.finditer(content)]
    assert len(found) == content.count(b"\n")
    return [(stream, part, text) for stream, part, text in found]


def test_lines_are_written_as_a_container_runtime_writes_them(tmp_path: Path) -> None:
    log = ContainerLog(tmp_path)
    log.copy(io.BytesIO(b"one\n\nno end"), "stdout")
    log.copy(io.BytesIO(b"two\n"), "stderr")
    assert _lines(tmp_path) == [
        (b"stdout", b"F", b"one"),
        (b"stdout", b"F", b""),
        (b"stdout", b"F", b"no end"),
        (b"stderr", b"F", b"two"),
    ]


def test_a_line_that_is_too_long_is_written_in_parts(tmp_path: Path) -> None:
    log = ContainerLog(tmp_path)
    log.copy(io.BytesIO(b"x" * 20000 + b"\n"), "stdout")
    first, second = _lines(tmp_path)
    assert (first[1], second[1]) == (b"P", b"F")
    assert len(first[2] + second[2]) == 20000


def test_the_last_words_are_the_end_of_the_log(tmp_path: Path) -> None:
    log = ContainerLog(tmp_path)
    for number in range(200):
        log.write(b"line %d\n" % number, "stdout")
    assert log.last_words.endswith("line 198\nline 199\n")
    assert log.last_words.startswith("line 120\n")
    log.write(b"y" * 3000 + b"\n", "stderr")
    assert log.last_words == "y" * 2047 + "\n"


def test_the_end_is_marked_and_a_new_run_takes_the_mark_away(tmp_path: Path) -> None:
    ContainerLog(tmp_path).end()
    assert (tmp_path / "exited").exists()
    ContainerLog(tmp_path)
    assert not (tmp_path / "exited").exists()
