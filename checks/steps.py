# SPDX-License-Identifier: GPL-3.0-or-later
"""Which steps there are, in the order in which they cost: what fails soon is said soon."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from . import cluster, style
from .clients import clients
from .commands import Setting
from .environment import ROOT
from .outcome import Count
from .sanity import sanity
from .tarball import tarball


@dataclass(frozen=True)
class Step:
    """One step of the checks: the question it answers, and what answers it."""

    asks: str
    run: t.Callable[[Setting], Count]


def unit(setting: Setting) -> Count:
    """The unit tests, in the copied collection, so that they import it by its full name.

    A few examples of the fuzz tests run as well, the same ones every time.
    """
    return setting.pytest("tests/unit") + fuzz(setting)


def fuzz(setting: Setting, examples: int = 0) -> Count:
    """The fuzz tests, with so many new examples of each."""
    return setting.pytest("tests/fuzz", variables={"FUZZ_EXAMPLES": str(examples)})


def checks_test(setting: Setting) -> Count:
    """The tests of these checks."""
    return setting.pytest("checks/tests", folder=ROOT)


STEPS: t.Final[dict[str, Step]] = {
    "lint": Step("do the linters agree?", style.lint),
    "typing": Step("do the types agree?", style.typing),
    "unit": Step("does each part do what it says, without a cluster?", unit),
    "clients": Step("does a connection mean the same with older releases of the Kubernetes client?", clients),
    "checks-test": Step("do these checks count what they see?", checks_test),
    "tarball": Step("does what would be published hold the collection, install and explain itself?", tarball),
    "sanity": Step("does ansible-test find nothing, and would it?", sanity),
    "lab-test": Step("is the lab the cluster it says it is?", cluster.lab_test),
    "integration": Step("do modules, roles and playbooks do what they say, against a lab?", cluster.integration),
    "molecule": Step("do the roles, tested as their users would?", cluster.molecule),
}
