# SPDX-License-Identifier: GPL-3.0-or-later
"""Older releases of the Kubernetes client, each in a folder that goes before the environment's own."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from .commands import Setting
from .environment import CACHE, ROOT, NotPossible
from .outcome import Count

# The environment's own is the newest; these come from the files beside each other, one a release.
_REQUIREMENTS = ROOT / "requirements/clients"
_CLUSTER = "tests/unit/plugins/module_utils/_cluster"
_TESTS = ("test_named_cluster.py", "test_connection.py", "test_session.py", "test_exec.py")


def clients(setting: Setting) -> Count:
    """Run what depends on the client with each older release; the unit tests have the newest."""
    count = Count()
    for requirements in sorted(_REQUIREMENTS.glob("*.txt")):
        folder = _provide(requirements)
        print(f"\nkubernetes {requirements.stem}", flush=True)
        tests = [f"{_CLUSTER}/{name}" for name in _TESTS]
        count += setting.pytest(*tests, variables={"PYTHONPATH": str(folder)})
    return count


def _provide(requirements: Path) -> Path:
    """Install the release and what it needs into a folder of its own, unless it is there already."""
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    folder = CACHE / "clients" / requirements.stem
    stamp = folder / "made-from"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == digest:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    options = ("--quiet", "--disable-pip-version-check", "--require-hashes", "--no-deps", "--only-binary=:all:")
    pip = (sys.executable, "-m", "pip", "install", *options, "--target", str(folder), "-r", str(requirements))
    if subprocess.run(pip, stdin=subprocess.DEVNULL, check=False).returncode:
        raise NotPossible(f"Could not install {requirements.name}: pip failed. Its own words stand above.")
    stamp.write_text(digest, encoding="utf-8")
    return folder
