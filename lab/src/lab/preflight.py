# SPDX-License-Identifier: GPL-3.0-or-later
"""The requirements of a lab, checked before anything is built or started."""

from __future__ import annotations

import os
import shutil
import sys

from lab.base_image import BASH, BUSYBOX
from lab.errors import LabError

# Program -> the package that contains it.
_PROGRAMS = {"buildah": "buildah", "setpriv": "util-linux", "unshare": "util-linux", "mount": "mount"}


def require_root() -> None:
    """Raise LabError unless this process is root."""
    if os.geteuid() != 0:
        raise LabError(
            "Could not start: the lab needs root, for mount namespaces and for buildah. "
            f"Run it with: sudo {' '.join([sys.executable, '-m', 'lab', *sys.argv[1:]])}"
        )


def require_programs() -> None:
    """Raise LabError, with the command that installs it, for a program that is missing."""
    for program, package in _PROGRAMS.items():
        if shutil.which(program) is None:
            installer = "dnf install" if shutil.which("dnf") else "apt-get install"
            raise LabError(f"Could not find program {program}. Install it with: {installer} -y {package}")
    BASH.find()
    BUSYBOX.find()
