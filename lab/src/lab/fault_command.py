# SPDX-License-Identifier: GPL-3.0-or-later
"""``lab fault``: trouble with the API, from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lab.cache import lab_folder
from lab.errors import LabError

if TYPE_CHECKING:
    from lab.facts import Facts
    from lab.faults import Fault

_IN_THE_PROXY = ("cut", "slow", "silence", "refuse")
_AT_THE_SERVER = ("compact", "api-killed", "api-away")


def _known_kind(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value in (None, *_IN_THE_PROXY, *_AT_THE_SERVER) or (value.isdigit() and 400 <= int(value) <= 599):
        return value
    there = ", ".join(_IN_THE_PROXY + _AT_THE_SERVER)
    raise click.BadParameter(f"{value} is no kind of fault. There are: a status of 400 to 599, {there}.", ctx, param)


@click.command()
@click.option("--name", default="lab", show_default=True, help="Which lab.")
@click.argument("kind", required=False, callback=_known_kind)
@click.option("--path", default="", metavar="REGEX", help="Only requests in whose path and query this is found.")
@click.option("--verb", "verbs", multiple=True, help="Only requests of this verb (get, list, watch, create, ...).")
@click.option("--requests", default=0, type=click.IntRange(0), help="Only so many requests.")
@click.option("--seconds", default=0.0, type=click.FloatRange(0), help="Only for so long.")
@click.option("--retry-after", default=0, type=click.IntRange(0), help="Seconds that a status asks to wait.")
@click.option("--after-bytes", default=0, type=click.IntRange(0), help="How much of a new answer is let through: cut.")
@click.option("--bytes-per-second", default=1000, show_default=True, type=click.IntRange(1), help="How slow.")
@click.option("--clear", is_flag=True, help="Lift every fault of the proxy.")
def fault(name: str, kind: str | None, clear: bool, **given: Any) -> None:
    """Make trouble with the API; without KIND, say what is in force.

    KIND is a status that the fault proxy answers with (429, 500, 503, 401, 403, 410, ...), or: cut, slow, silence,
    refuse (in the proxy); compact (etcd forgets the past); api-killed, api-away (for --seconds).
    """
    from lab.faults import FaultProxy
    from lab.labs import running_facts

    facts = running_facts(lab_folder(name))
    if clear:
        FaultProxy(facts).clear()
    elif kind is None:
        for each in FaultProxy(facts).faults():
            click.echo(_line(each))
    elif kind in _AT_THE_SERVER:
        _at_the_server(facts, kind, given["seconds"])
    else:
        FaultProxy(facts).add(_fault(kind, given))


def _fault(kind: str, given: dict[str, Any]) -> Fault:
    from lab.faults import Fault

    which = {name: given[name] for name in ("path", "verbs", "requests", "seconds")}
    if kind.isdigit():
        return Fault("answer", status=int(kind), retry_after=given["retry_after"], **which)
    if kind == "cut":
        return Fault(kind, after_bytes=given["after_bytes"], **which)
    if kind == "slow":
        return Fault(kind, bytes_per_second=given["bytes_per_second"], **which)
    return Fault(kind, **which)


def _at_the_server(facts: Facts, kind: str, seconds: float) -> None:
    from lab.faults import forget, kill_api_server, take_api_server_away

    if kind == "compact":
        click.echo(f"etcd has forgotten everything before revision {forget(facts)}")
    elif kind == "api-killed":
        kill_api_server(facts)
        click.echo("the API server was killed and is ready again")
    elif seconds:
        take_api_server_away(facts, seconds)
        click.echo(f"the API server was away for {seconds:g} s and is ready again")
    else:
        raise LabError("Could not take the API server away: for how long? Give --seconds.")


def _line(fault: dict[str, Any]) -> str:
    hidden = ("id", "action", "hits")
    said = [f"{name}={value}" for name, value in fault.items() if name not in hidden]
    return f"{fault['id']}: {' '.join([fault['action'], *said])}, met {fault['hits']}"
