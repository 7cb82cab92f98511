# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: ``python -m checks run lint unit``, or ``run --all`` as ``make test`` does."""

from __future__ import annotations

import signal
import time
import traceback
import typing as t

import typer

from .bench import bench as measure
from .cluster import releases as compare_releases
from .commands import Setting
from .environment import CACHE, ROOT, NotPossible
from .findings_page import write_findings_page
from .glossary import glossary as find_words
from .mutation import mutation as mutate
from .outcome import Count, Outcome, table, total
from .steps import STEPS
from .steps import fuzz as run_fuzz
from .tree import NEWEST_TREE

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)


@app.command()
def copy() -> None:
    """Bring the copy of the collection up to date, with kubernetes.core beside it, and say where it is."""
    NEWEST_TREE.refresh()
    typer.echo(f"ANSIBLE_COLLECTIONS_PATH={NEWEST_TREE.root}")


@app.command()
def run(
    steps: t.Annotated[list[str] | None, typer.Argument(help=f"which of {', '.join(STEPS)}")] = None,
    everything: t.Annotated[bool, typer.Option("--all", help="all of them, cheap ones first")] = False,
) -> None:
    """Run steps, each of them to its end, and tell at the end what passed and failed. One failure fails the command."""
    chosen = list(STEPS) if everything else (steps or [])
    unknown = [step for step in chosen if step not in STEPS]
    if unknown or not chosen:
        raise NotPossible(f"Could not run {', '.join(unknown) or 'no step'}: no such step. Take {', '.join(STEPS)}.")
    outcomes = [_run_step(step) for step in chosen]
    typer.echo(f"\n{table(outcomes)}")
    raise typer.Exit(code=0 if total(outcomes).ok else 1)


@app.command()
def matrix(
    legs: t.Annotated[list[str] | None, typer.Argument(help="which, as `nox --list` names them; all of them")] = None,
) -> None:
    """Run the version matrix of noxfile.py."""
    NEWEST_TREE.refresh()
    chosen = ("--session", *legs) if legs else ()
    nox = ("python", "-m", "nox", "--envdir", str(CACHE / "nox"), *chosen)
    raise typer.Exit(code=0 if Setting(NEWEST_TREE).run(*nox, folder=ROOT).ok else 1)


@app.command()
def bench(
    scripts: t.Annotated[
        list[str] | None, typer.Argument(help="which scripts of tests/benchmarks; all of them")
    ] = None,
) -> None:
    """Measure what the tasks cost and survive, beside what people use instead, on labs of their own."""
    NEWEST_TREE.refresh()
    raise typer.Exit(code=0 if measure(Setting(NEWEST_TREE), scripts or ()) else 1)


@app.command()
def releases() -> None:
    """Run what the operator does, case by case, on each release of the lab."""
    NEWEST_TREE.refresh()
    raise typer.Exit(code=0 if compare_releases(Setting(NEWEST_TREE)) else 1)


@app.command()
def fuzz(examples: t.Annotated[int, typer.Option(help="examples of each test", min=1)] = 5000) -> None:
    """Give hostile input to what reads the answers of nodes and of the API server."""
    NEWEST_TREE.refresh()
    raise typer.Exit(code=0 if run_fuzz(Setting(NEWEST_TREE), examples).ok else 1)


@app.command()
def mutation() -> None:
    """Change the code of the verdict and see whether the tests notice."""
    NEWEST_TREE.refresh()
    raise typer.Exit(code=0 if mutate(Setting(NEWEST_TREE)) else 1)


@app.command()
def findings() -> None:
    """Write the page of findings in the documentation from the collection's own table."""
    typer.echo(f"written: {write_findings_page()}")


@app.command()
def glossary() -> None:
    """Print the words that the project does not use, by file."""
    raise typer.Exit(code=0 if find_words() else 1)


def _run_step(step: str) -> Outcome:
    """Run one step; whatever goes wrong in it is a failure of that step and not the end of the others."""
    typer.echo(f"\n=== {step}: {STEPS[step].asks}")
    began = time.monotonic()
    try:
        NEWEST_TREE.refresh()
        count = STEPS[step].run(Setting(NEWEST_TREE))
    except NotPossible as refusal:
        typer.echo(str(refusal))
        count = Count(failed=1)
    except Exception:  # noqa: BLE001  a fault of a check must not hide what the other checks have to say
        traceback.print_exc()
        count = Count(failed=1)
    return Outcome(step, count, time.monotonic() - began)


def main() -> None:
    """Run the command line; what is missing is said in one line."""
    _hear_interrupts()
    try:
        app()
    except NotPossible as refusal:
        raise SystemExit(str(refusal)) from None


def _hear_interrupts() -> None:
    """Undo what a shell does to what it runs in the background: the tests of interrupts inherit it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


if __name__ == "__main__":
    main()
