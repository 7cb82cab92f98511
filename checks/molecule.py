# SPDX-License-Identifier: GPL-3.0-or-later
"""Run all molecule scenarios on one lab: ``python -m checks.molecule``."""

from __future__ import annotations

import os

from .cluster import running_lab
from .commands import Setting, main
from .tree import NEWEST_TREE


def molecule() -> bool:
    """Run the scenarios and return whether all succeeded."""
    setting = Setting(NEWEST_TREE)
    with running_lab(setting, f"molecule-{os.getpid()}") as facts:
        variables = {
            "LAB_NAME": facts.name,
            "MOLECULE_EPHEMERAL_DIRECTORY": str(facts.folder / "molecule"),
        }
        return setting.run("molecule", "test", "--all", variables=variables)


if __name__ == "__main__":
    main(molecule)
