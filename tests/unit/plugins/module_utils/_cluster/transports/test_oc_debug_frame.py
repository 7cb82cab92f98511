# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import subprocess

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.transports.oc_debug_frame import (
    FrameContent,
    framing_script,
    new_mark,
    read_frame,
)
from hypothesis import given
from hypothesis import strategies as st

MARK = "imagemode-0123"


def run(*command: str) -> str:
    """Return what a shell writes, both streams into one as `oc` has them."""
    script = framing_script(command, MARK)
    ended = subprocess.run(
        ["/bin/sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
    )
    return ended.stdout


@pytest.mark.parametrize("code", [0, 1, 3, 127, 255])
def test_frame_separates_streams_and_exit_status(code):
    said = run("sh", "-c", f"echo out 1; echo err 1 >&2; echo out 2; echo err 2 >&2; exit {code}")
    assert read_frame(said, MARK) == FrameContent("out 1\nout 2\n", "err 1\nerr 2", code)


def test_command_without_output_has_a_frame():
    assert read_frame(run("true"), MARK) == FrameContent("", "", 0)


def test_missing_program_is_an_exit_status():
    framed = read_frame(run("no-such-program-anywhere"), MARK)
    assert framed is not None
    assert framed.exit_status == 127
    assert "not found" in framed.stderr


def test_arguments_with_spaces_and_quotes_are_unchanged():
    framed = read_frame(run("printf", "%s|", "a b", "it's", "$HOME", "*"), MARK)
    assert framed is not None
    assert framed.stdout == "a b|it's|$HOME|*|"


def test_text_around_the_frame_is_ignored():
    said = "Starting pod/x-debug ...\n" + run("echo", "{}") + "\nRemoving debug pod ...\n"
    assert read_frame(said, MARK) == FrameContent("{}\n", "", 0)


def test_truncated_frame_is_rejected():
    whole = run("sh", "-c", "echo '{}'; echo oops >&2; exit 12").rstrip("\n")
    assert read_frame(whole, MARK) is not None
    for length in range(len(whole)):
        framed = read_frame(whole[:length], MARK)
        assert framed is None, whole[:length]


@given(st.text())
def test_text_without_the_mark_is_rejected(text):
    assert read_frame(text, MARK) is None
    assert read_frame(f"{MARK} stdout\n{text}", MARK) is None


@pytest.mark.parametrize("status", ["256", "1000", "9" * 5000, "-1", "", "²", "0 ", " 0"])
def test_invalid_exit_status_is_rejected(status):
    assert read_frame(f"{MARK} stdout\n{{}}\n{MARK} stderr\n\n{MARK} exit {status} .", MARK) is None


@pytest.mark.parametrize("line", ["stdout", "stderr", "exit", "exit 0 .", "exit 0 .\n"])
def test_text_full_of_marks_is_read_in_one_pass(line):
    said = f"{MARK} {line}\n" * 50_000
    framed = read_frame(f"{MARK} stdout\n{said}\n{MARK} stderr\n\n{MARK} exit 3 .\n", MARK)
    assert framed == FrameContent(said, "", 3)


def test_marks_are_unique():
    assert new_mark() != new_mark()
