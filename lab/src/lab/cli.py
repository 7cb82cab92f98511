# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click

from lab.cache import lab_folder, locked
from lab.errors import LabError
from lab.fault_command import fault
from lab.release import EVERY_RELEASE, V1, V1ALPHA1, release_for

_DEFAULT_NAME = "lab"


class _Commands(click.Group):
    """Print expected errors as one message, with exit status 1."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except LabError as error:
            click.echo(f"lab: {error}", err=True)
            ctx.exit(1)
        except PermissionError as error:
            reason = f"Could not open {error.filename}: {error.strerror}"
            click.echo(f"lab: {reason}. Run this as the user who started the lab.", err=True)
            ctx.exit(1)


def _name_option(function: Callable[..., None]) -> Callable[..., None]:
    return click.option("--name", default=_DEFAULT_NAME, show_default=True, help="Name of the lab.")(function)


def _release_option(function: Callable[..., None]) -> Callable[..., None]:
    trains = sorted(EVERY_RELEASE, reverse=True)
    by_release = click.option(
        "--release", type=click.Choice(trains), help="Release of OpenShift.  [default: the newest of the API]"
    )
    by_api = click.option(
        "--api", type=click.Choice([V1, V1ALPHA1]), help="Version of MachineOSConfig that is served.  [default: v1]"
    )
    return by_release(by_api(function))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Run a real OpenShift image-mode control plane on this machine, for tests."""


@main.command()
@_release_option
@click.option("--oc", "with_oc", is_flag=True, help="Build the client oc instead, and print its path. No lab needs it.")
def build(release: str | None, api: str | None, with_oc: bool) -> None:
    """Build the control plane from the pinned Go modules, unless it is built."""
    from lab.build import build as build_all
    from lab.build import build_oc

    say = _Progress()
    if with_oc:
        click.echo(build_oc(say))
        return
    built = build_all(say, release_for(release, api))
    say(f"the binaries are in {built.binaries}")


@main.command()
@_name_option
@_release_option
@click.option("--nodes", default=3, show_default=True, type=click.IntRange(1, 2000), help="Number of worker nodes.")
@click.option("--with-pid", type=int, help="End the lab when this process ends.")
def up(name: str, release: str | None, api: str | None, nodes: int, with_pid: int | None) -> None:
    """Start a lab and wait until it is ready. Build it first if necessary."""
    from lab.labs import keeper_pid
    from lab.preflight import require_programs, require_root

    require_root()
    require_programs()
    folder = lab_folder(name)
    chosen = release_for(release, api)

    say = _Progress()
    with locked(folder / "up.lock", f"another 'lab up --name {name}' is running; waiting for it", say):
        if keeper_pid(folder) is not None:
            say(f"lab {name} is up already: export KUBECONFIG={folder / 'kubeconfig'}")
            return
        from lab.bring_up import bring_up
        from lab.build import build as build_all

        built = build_all(say, chosen)
        bring_up(folder, built, chosen, nodes, with_pid, say)
        say(f"lab {name} is up: export KUBECONFIG={folder / 'kubeconfig'}")


@main.command()
@_name_option
@click.option("--all", "every", is_flag=True, help="Stop every lab of this cache folder.")
def down(name: str, every: bool) -> None:
    """Stop a lab. Its folder with logs and audit log remains until the next start."""
    from lab.labs import known_labs, stop
    from lab.preflight import require_root

    require_root()
    for each in known_labs() if every else [name]:
        stopped = stop(lab_folder(each))
        click.echo(f"lab {each} is stopped" if stopped else f"lab {each} was not running")


@main.command()
@_name_option
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
def status(name: str, as_json: bool) -> None:
    """Show the state of a lab and its components. The exit status is 0 if it is ready, else 3."""
    from lab.labs import read_status

    found = read_status(lab_folder(name))
    if as_json:
        click.echo(json.dumps(found.document(), indent=2))
    else:
        word = "ready" if found.ready else "running, not ready" if found.running else "down"
        facts, memory = found.facts, f"{found.memory / 2**20:.0f} MiB"
        click.echo(f"lab {name}: {word}, {facts.release}, API {facts.api}, {memory}, {facts.api_url}, {facts.folder}")
        for item in found.components:
            click.echo(f"  {item.name:<27} {item.state.value:<12} restarts {item.restarts:<3} {item.log}")
    if not found.ready:
        sys.exit(3)


@main.command(context_settings={"ignore_unknown_options": True})
@_name_option
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(name: str, command: tuple[str, ...]) -> None:
    """Run COMMAND with the KUBECONFIG of the lab, and return its exit status."""
    from lab.labs import running_facts

    facts = running_facts(lab_folder(name))
    environment = {**os.environ, "KUBECONFIG": str(facts.kubeconfigs.admin), "LAB_FOLDER": str(facts.folder)}
    try:
        os.execvpe(command[0], command, environment)  # noqa: S606
    except OSError as error:
        raise LabError(
            f"Could not run {command[0]} in lab {name}: {error.strerror}. Check the command's name."
        ) from None


@main.command()
@_name_option
@click.argument("node")
@click.option("--boots", metavar="DIGEST", help="Answer as if the node had booted this image.")
@click.option("--stages", metavar="DIGEST", help="Answer as if this image were staged for the next boot.")
@click.option(
    "--exec",
    "answer",
    type=click.Choice(["fail", "hang", "noise", "cut", "lost"]),
    help="Let commands fail, never end, print warnings, truncate their output, or lose their exit status.",
)
@click.option("--reset", "plain", is_flag=True, help="Answer with the booted image again.")
def node(name: str, node: str, boots: str | None, stages: str | None, answer: str | None, plain: bool) -> None:
    """Script the answers of the node NODE."""
    from lab import node_state
    from lab.labs import running_facts

    if plain == bool(boots or stages or answer):
        raise LabError(f"Could not script Node {node}: nothing to do. Give --reset, or --boots, --stages and --exec.")
    facts = running_facts(lab_folder(name))
    if plain:
        node_state.reset(facts, node)
    if boots:
        node_state.boots(facts, node, boots)
    if stages:
        node_state.stages(facts, node, stages)
    if answer:
        node_state.exec_mode(facts, node, answer)


@main.command()
@_name_option
@click.argument("scenario", required=False)
@click.option("--pool", default="layered", show_default=True, help="Pool of the scenario, with its MachineOSConfig.")
@click.option("--node", "chosen_node", default="", help="Node of the scenario.  [default: the first of the pool]")
@click.option("--undo", "backwards", is_flag=True, help="Undo the scenario.")
@click.option("--list", "listed", is_flag=True, help="List the scenarios.")
def scenario(name: str, scenario: str | None, pool: str, chosen_node: str, backwards: bool, listed: bool) -> None:
    """Create a known faulty state in a running lab."""
    from lab.scenarios.catalogue import listing, play, scenario_of, undo

    if listed:
        for line in listing():
            click.echo(line)
        return
    if scenario is None:
        raise LabError("Could not play a scenario: none was named. See 'lab scenario --list'.")
    chosen = scenario_of(scenario)

    from lab.kube_rest import Api, ApiError
    from lab.labs import running_facts
    from lab.scenarios.stage import Stage

    facts = running_facts(lab_folder(name))
    stage = Stage(facts, Api(facts.kubeconfigs.admin), pool, chosen_node)
    try:
        click.echo(undo(chosen, stage) if backwards else play(chosen, stage))
    except ApiError as error:
        raise LabError(f"Could not play scenario {scenario} in lab {name}: {error}.") from None


@main.command()
@_name_option
@click.argument("component")
def logs(name: str, component: str) -> None:
    """Print the log of a component."""
    log = lab_folder(name) / "logs" / f"{Path(component).name}.log"
    if not log.exists():
        there = ", ".join(sorted(path.stem for path in log.parent.glob("*.log"))) or "none"
        raise LabError(f"Could not read log of component {component}: no {log}. There are: {there}.")
    with log.open("rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer)


main.add_command(fault)


class _Progress:
    """Print lines with the seconds since the start of the command."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self, line: str) -> None:
        click.echo(f"[{time.monotonic() - self._began:6.1f} s] {line}", err=True)
