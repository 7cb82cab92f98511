# SPDX-License-Identifier: GPL-3.0-or-later
"""The version matrix, once: which releases the collection is held to, and what each is asked. See ``make matrix``."""

from __future__ import annotations

from pathlib import Path

import nox

from checks.cluster import integration
from checks.commands import Setting
from checks.environment import CACHE, LOCKED, ROOT
from checks.outcome import Count
from checks.sanity import sanity
from checks.steps import unit
from checks.tree import Tree

nox.options.error_on_missing_interpreters = True
nox.options.stop_on_first_error = False

# What `make test` runs on, ansible-core 2.21 on Python 3.12 with everything newest, is not told again here.
# The versions of ansible-core and of the client are in requirements/matrix, in the file named as the leg is.
MATRIX = [
    nox.param("3.10", "oldest", "6.2.0", id="oldest"),
    nox.param("3.11", "core-2.18", "6.2.0", id="core-2.18"),
    nox.param("3.11", "core-2.19", "6.6.0", id="core-2.19"),
    nox.param("3.13", "newest", "6.6.0", id="newest"),
]


@nox.session
@nox.parametrize("python, leg, kubernetes_core", MATRIX)
def versions(session: nox.Session, leg: str, kubernetes_core: str) -> None:
    """Unit tests and sanity; against a lab too where everything is oldest, for there it differs most."""
    session.install(*LOCKED, "--requirement", str(ROOT / "requirements/matrix" / f"{leg}.txt"))
    tree = Tree(CACHE / f"collections-{kubernetes_core}")
    tree.refresh(kubernetes_core)
    setting = Setting(tree, Path(session.virtualenv.location))
    count = unit(setting) + sanity(setting)
    if leg == "oldest":
        count += integration(Setting(tree), ansible=setting.programs)
    _report(session, count)


def _report(session: nox.Session, count: Count) -> None:
    session.log(f"{count.passed} passed, {count.failed} failed")
    if not count.ok:
        session.error("not held to these versions")
