# SPDX-License-Identifier: GPL-3.0-or-later
"""Start a lab for the tests of a module."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.build import build
from lab.cache import lab_folder
from lab.release import Release

_LAB = (sys.executable, "-m", "lab")


@contextmanager
def started_lab(suffix: str, release: Release, nodes: int) -> Iterator[Path]:
    """Start a lab, yield its folder, and remove the lab at the end. It also ends with this process."""
    build(print, release)
    name = f"test-{os.getpid()}-{suffix}"
    with subprocess.Popen(["sleep", "infinity"]) as companion:
        try:
            command = [*_LAB, "up", "--name", name, "--release", release.train, "--nodes", str(nodes)]
            subprocess.run([*command, "--with-pid", str(companion.pid)], check=True, stderr=subprocess.PIPE)
            yield lab_folder(name)
        finally:
            companion.kill()
            subprocess.run([*_LAB, "down", "--name", name], check=False, capture_output=True)
            shutil.rmtree(lab_folder(name), ignore_errors=True)
