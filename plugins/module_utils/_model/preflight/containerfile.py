# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the text of a Containerfile.

What certainly fails is rejected. What only may fail is a warning, because :mod:`containerfile_faults` is no parser.
Source: docs/operator-behavior.md ("API versions", "Build logs").
"""

from __future__ import annotations

from ..build.containerfile_faults import containerfile_faults
from ..objects.machineosconfig import MAX_CHARACTERS
from .rejection import Rejection

_START = "FROM configs AS final"


def reject_containerfile(content: str) -> Rejection | None:
    """Return why a Containerfile cannot be built, or None.

    :param content: the text; bytes that are not UTF-8 are surrogates, as Python and Ansible decode them
    """
    if not content.strip():
        return Rejection("the Containerfile is empty", f"Write the instructions, starting with {_START}")
    if len(content) > MAX_CHARACTERS:
        return Rejection(
            f"the Containerfile has {len(content)} characters; the limit is {MAX_CHARACTERS}",
            "Shorten it, for example by moving files into a base image or a package",
        )
    foreign = next((index for index, letter in enumerate(content) if "\ud800" <= letter <= "\udfff"), None)
    if foreign is not None:
        return Rejection(
            f"the Containerfile is not UTF-8 text (line {_line(content, foreign)})", "Save it as UTF-8 text"
        )
    if "\0" in content:
        where = _line(content, content.index("\0"))
        return Rejection(
            f"the Containerfile contains a NUL byte (line {where})", "Save it as UTF-8 text without NUL bytes"
        )
    if any(fault.line == 0 for fault in containerfile_faults(content)):
        return Rejection("the Containerfile has no FROM instruction", f"Start it with {_START}")
    return None


def doubts_about(content: str) -> list[str]:
    """Return what may be wrong with a Containerfile, one line each."""
    faults = (fault for fault in containerfile_faults(content) if fault.line)
    return [f"Line {fault.line} of the Containerfile may be invalid: {fault.text}" for fault in faults]


def _line(content: str, index: int) -> int:
    return content.count("\n", 0, index) + 1
