# SPDX-License-Identifier: GPL-3.0-or-later
"""Do the linters agree, and do the types?"""

from __future__ import annotations

import os
from pathlib import Path

from .commands import Setting
from .environment import CACHE, ROOT
from .outcome import Count
from .tree import files_of


def lint(setting: Setting) -> Count:
    """Python and shell in the whole repository; YAML, documentation and changelog in the collection alone."""
    # antsibull writes a log into the home of whoever runs it.
    home = CACHE / "antsibull"
    home.mkdir(exist_ok=True)
    return (
        setting.run("ruff", "check", folder=ROOT)
        + setting.run("ruff", "format", "--check", folder=ROOT)
        + setting.run("shellcheck", *_shell_scripts(), folder=ROOT)
        + setting.run("ansible-lint", "--nocolor", "--offline", "--strict", "--profile", "production")
        + setting.run(
            "antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs=all",
            "--check-extra-docs-refs", "--disallow-unknown-collection-refs", ".",
            variables={"HOME": str(home)},
        )
        + setting.run("antsibull-changelog", "lint", variables={"HOME": str(home)})
    )  # fmt: skip


def typing(setting: Setting) -> Count:
    """Check types strictly in the collection, the lab, the demonstration and these checks."""
    mypy = ("mypy", "--config-file", ROOT / "pyproject.toml", "--cache-dir", os.devnull)
    return setting.run(*mypy, "plugins", folder=ROOT) + setting.run(
        *mypy, "-p", "checks", "-p", "demo", "-p", "lab", folder=ROOT
    )


def _shell_scripts() -> list[Path]:
    return [file for file in files_of(ROOT) if _first_line(ROOT / file).rstrip().endswith(("bash", "/sh"))]


def _first_line(path: Path) -> str:
    with path.open("rb") as file:
        first = file.readline(80)
    return first.decode("utf-8", errors="replace") if first.startswith(b"#!") else ""
