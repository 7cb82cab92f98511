# SPDX-License-Identifier: GPL-3.0-or-later
"""What do the tasks cost, beside what people use instead, and what do they survive?"""

from __future__ import annotations

import hashlib
import os
import typing as t
from dataclasses import dataclass
from pathlib import Path

from lab.facts import FACTS_FILE
from lab.go_toolchain import find_go

from .cluster import running_lab
from .commands import Setting
from .environment import CACHE, ROOT, NotPossible
from .machine import provide_for_a_lab


@dataclass(frozen=True)
class Bench:
    """A script of tests/benchmarks, and what it takes after the lab: a program, or seconds."""

    script: str
    takes: tuple[str, ...] = ()


# One lab each, by the number of its nodes; what runs in it, one after the other.
BENCHES: t.Final[tuple[tuple[int, tuple[Bench, ...]], ...]] = (
    (1000, (Bench("ask_nodes.py", ("oc",)), Bench("node_tasks.py", ("kubectl",)))),
    (4, (Bench("outages.py"),)),
    (500, (Bench("rolling.py", ("600",)),)),
    (50, (Bench("quiet_wait.py", ("600",)),)),
    (4, (Bench("build_failure.py"), Bench("blocked_drain.py"), Bench("wait_cases.py", ("oc",)))),
)

# All of it is fixed by the committed go.sum; the checksum database adds nothing and cannot always be reached.
_GO_SETTINGS = {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GONOSUMDB": "*", "GOTOOLCHAIN": "local"}


def bench(setting: Setting, scripts: t.Collection[str] = ()) -> bool:
    """Measure, print it, and return whether everything measured also did its job.

    :param scripts: which, by their names without the ending; all of them unless some are named
    """
    known = {_name(one) for dummy, benches in BENCHES for one in benches}
    unknown = sorted(set(scripts) - known)
    if unknown:
        raise NotPossible(f"Could not measure {', '.join(unknown)}: no such bench. Take {', '.join(sorted(known))}.")
    provide_for_a_lab()
    wanted = {one for dummy, benches in BENCHES for one in benches if not scripts or _name(one) in scripts}
    providers = {"oc": _provide_oc, "kubectl": _provide_kubectl}
    needed = {word for one in wanted for word in one.takes} & providers.keys()
    programs = {word: str(providers[word](setting)) for word in sorted(needed)}
    outcomes = []
    for nodes, benches in BENCHES:
        chosen = [one for one in benches if one in wanted]
        if not chosen:
            continue
        with running_lab(setting, f"bench-{nodes}-{os.getpid()}", nodes=nodes) as facts:
            for one in chosen:
                more = [programs.get(word, word) for word in one.takes]
                ended = setting.run("python", f"tests/benchmarks/{one.script}", facts.folder / FACTS_FILE, *more)
                outcomes.append(ended.ok)
    return all(outcomes)


def _name(one: Bench) -> str:
    return one.script.removesuffix(".py")


def _provide_oc(setting: Setting) -> Path:
    """Build the client of OpenShift, once."""
    built = setting.output("lab", "build", "--oc", folder=ROOT)
    program = Path(built.stdout.strip().rpartition("\n")[2])
    if built.returncode or not program.is_file():
        raise NotPossible(f"Could not build oc: {built.stdout.strip()[-1000:]}")
    return program


def _provide_kubectl(setting: Setting) -> Path:
    """Build kubectl from its pinned module, once."""
    source = setting.tree.collection / "tests/benchmarks/kubectl"
    digest = hashlib.sha256(b"\n".join(file.read_bytes() for file in sorted(source.iterdir())))
    program = CACHE / f"kubectl/{digest.hexdigest()[:16]}/kubectl"
    if not program.exists():
        print("Building kubectl from its pinned module; once, some minutes when nothing is cached", flush=True)
        go = (find_go(), "build", "-ldflags", "-s -w", "-o", program, ".")
        if not setting.run(*go, folder=source, variables=_GO_SETTINGS).ok:
            raise NotPossible("Could not build kubectl: `go build` failed. Its own words stand above.")
    return program
