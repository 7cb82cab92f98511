# SPDX-License-Identifier: GPL-3.0-or-later
"""Build and start labs for tests and measurements against a cluster."""

from __future__ import annotations

import os
import typing as t
from contextlib import contextmanager

from lab.cache import lab_folder
from lab.facts import Facts

from .commands import Setting
from .environment import ROOT, ChecksError
from .machine import provide_for_a_lab


def build_lab(setting: Setting, release: str) -> None:
    """Build one release of the lab before its tests start: pytest would hide the progress.

    :raises ChecksError: the build failed
    """
    provide_for_a_lab()
    if not setting.run("lab", "build", "--release", release, folder=ROOT):
        raise ChecksError(f"Could not build lab {release}: `lab build` failed. See its output above.")


@contextmanager
def running_lab(setting: Setting, name: str, nodes: int = 3, api: str = "v1") -> t.Iterator[Facts]:
    """Start a lab and stop it at the end of the context. The lab also ends with this process.

    :param api: version of MachineOSConfig that it serves: ``v1`` or ``v1alpha1``
    :raises ChecksError: the lab did not start
    """
    up = ("lab", "up", "--name", name, "--api", api, "--nodes", str(nodes), "--with-pid", str(os.getpid()))
    if not setting.run(*up, folder=ROOT):
        raise ChecksError(f"Could not start lab {name}: `lab up` failed. See its output above.")
    try:
        yield Facts.load(lab_folder(name))
    finally:
        setting.run("lab", "down", "--name", name, folder=ROOT)
