# SPDX-License-Identifier: GPL-3.0-or-later
"""What is proven against a lab: the lab itself, the modules, and the roles."""

from __future__ import annotations

import os
import typing as t
from contextlib import contextmanager
from pathlib import Path

from lab.cache import lab_folder
from lab.facts import Facts
from lab.release import RELEASES

from .commands import Setting
from .environment import ROOT, NotPossible
from .machine import provide_a_browser, provide_an_ssh_server, provide_for_a_lab
from .outcome import Count


def lab_test(setting: Setting) -> Count:
    """The lab's own tests, of both its releases."""
    _build_lab(setting)
    _build_lab(setting, "--release", "4.19")
    return setting.pytest("lab/tests", *_SIDE_BY_SIDE, folder=ROOT)


def integration(setting: Setting, ansible: Path | None = None) -> Count:
    """Modules, roles and playbooks as users run them. The tests start two labs of their own, side by side.

    :param ansible: the folder of another ansible-playbook than the setting's, for the version matrix
    """
    provide_a_browser()
    provide_an_ssh_server()
    _build_lab(setting)
    if not setting.run("lab", "build", "--oc", folder=ROOT).ok:
        raise NotPossible("Could not build oc: `lab build --oc` failed. Its own words stand above.")
    options = ("--timeout=1800", f"--ignore={_OF_RELEASES}", f"--ansible={ansible or setting.programs}")
    return setting.pytest("tests/integration", *_SIDE_BY_SIDE, *options)


# Most of a test in a lab is waiting for the operator's own pauses.
_SIDE_BY_SIDE = ("--numprocesses=2", "--dist=loadfile", "--no-loadscope-reorder")
_OF_RELEASES = "tests/integration/releases"


def releases(setting: Setting) -> bool:
    """What the operator does, and the waits make of it, on each release of the lab, side by side."""
    for release in RELEASES:
        _build_lab(setting, "--release", release)
    side_by_side = (f"--numprocesses={len(RELEASES)}", "--dist=loadgroup")
    return setting.pytest(_OF_RELEASES, *side_by_side, "--timeout=1800", f"--ansible={setting.programs}").ok


def molecule(setting: Setting) -> Count:
    """The roles as a user of molecule would test them, one scenario after the other on one lab."""
    _build_lab(setting)
    scenarios = sorted(file.parent.name for file in setting.tree.collection.glob("extensions/molecule/*/molecule.yml"))
    if not scenarios:
        return Count()
    with running_lab(setting, f"molecule-{os.getpid()}") as facts:
        variables = {
            "LAB_NAME": facts.name,
            "MOLECULE_EPHEMERAL_DIRECTORY": str(facts.folder / "molecule"),
        }
        return setting.run("molecule", "test", "--all", variables=variables)


def _build_lab(setting: Setting, *options: str) -> None:
    """Build what a lab runs before the tests begin, for pytest would keep its progress to itself."""
    provide_for_a_lab()
    if not setting.run("lab", "build", *options, folder=ROOT).ok:
        raise NotPossible("Could not build the lab: `lab build` failed. Its own words stand above.")


@contextmanager
def running_lab(setting: Setting, name: str, nodes: int = 3) -> t.Iterator[Facts]:
    """Start a lab for as long as the context lasts; it ends with this process, however that ends."""
    up = ("lab", "up", "--name", name, "--nodes", str(nodes), "--with-pid", str(os.getpid()))
    if not setting.run(*up, folder=ROOT).ok:
        raise NotPossible(f"Could not start lab {name}: `lab up` failed. Its own words stand above.")
    try:
        yield Facts.load(lab_folder(name))
    finally:
        setting.run("lab", "down", "--name", name, folder=ROOT)
