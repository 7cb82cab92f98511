# SPDX-License-Identifier: GPL-3.0-or-later
"""Build and unpack the tarball of the collection."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .commands import Setting
from .environment import ROOT, ChecksError


def build(setting: Setting, folder: Path) -> Path:
    """Build the tarball of the repository, including uncommitted changes, into *folder*.

    :raises ChecksError: ansible-galaxy failed
    """
    built = setting.output("ansible-galaxy", "collection", "build", "--output-path", folder, folder=ROOT)
    found = list(folder.glob("imagemode-openshift-*.tar.gz"))
    if built.returncode or len(found) != 1:
        raise ChecksError(f"Could not build the tarball: {built.stdout.strip()}. Correct galaxy.yml.")
    return found[0]


def unpack(tarball: Path, folder: Path) -> None:
    """Unpack *tarball* into the new folder *folder*."""
    folder.mkdir(parents=True)
    subprocess.run(["tar", "--extract", "--gzip", "--file", tarball, "--directory", folder], check=True)
