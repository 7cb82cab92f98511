# SPDX-License-Identifier: GPL-3.0-or-later
"""Run sessions of ``noxfile.py`` and count their tests: ``python -m checks run lint unit``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

import click

from .environment import ROOT, ChecksError
from .reports import summarize
from .tree import NEWEST_TREE

_NOX = (sys.executable, "-m", "nox", "--noxfile", str(ROOT / "noxfile.py"))


@click.group(help=__doc__)
def commands() -> None:
    """Group the commands."""


@commands.command()
def copy() -> None:
    """Update the copy of the collection that the tests use, and print its path."""
    NEWEST_TREE.refresh()
    click.echo(f"ANSIBLE_COLLECTIONS_PATH={NEWEST_TREE.root}")


@commands.command()
@click.argument("sessions", nargs=-1)
def run(sessions: t.Sequence[str]) -> None:
    """Run SESSIONS, or those of `make test`, each to its end. Exit with 1 if one failed.

    A session is named as in `nox --list`, or by its tag, such as "lint". The last line is "N passed, N failed".
    """
    with tempfile.TemporaryDirectory() as scratch:
        nox_report, reports = Path(scratch) / "nox.json", Path(scratch) / "reports"
        chosen = ("--session", *session_names(sessions)) if sessions else ()
        variables = {**os.environ, "CHECKS_REPORTS": str(reports)}
        command = (*_NOX, "--report", str(nox_report), *chosen)
        ended = subprocess.run(command, env=variables, stdin=subprocess.DEVNULL, check=False)
        if nox_report.exists():
            click.echo("\n" + "\n".join(summarize(nox_report, reports)))
    sys.exit(1 if ended.returncode else 0)


def session_names(chosen: t.Sequence[str]) -> list[str]:
    """Return the sessions with the given names or tags, in the order of noxfile.py."""
    # nox lists selected sessions only. This expression selects all of them.
    every = ("--list", "--json", "--keywords", "not nonexistent")
    listed = subprocess.run((*_NOX, *every), stdout=subprocess.PIPE, text=True, check=True)
    names = {
        session["session"]: {session["session"], session["name"], *session["tags"]}
        for session in json.loads(listed.stdout)
    }
    unknown = sorted(set(chosen) - set().union(*names.values()))
    if unknown:
        raise ChecksError(f"Could not run {', '.join(unknown)}: unknown session. See `make list`.")
    return [session for session, known_as in names.items() if known_as & set(chosen)]


def main() -> None:
    """Run the command line."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell ignores interrupts in background jobs. Tests of interrupts would inherit that.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        commands(prog_name="checks")
    except ChecksError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
