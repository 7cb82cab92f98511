# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the cost of tasks and compare it with kubectl and oc: ``python -m checks.bench [SCRIPT ...]``."""

from __future__ import annotations

import hashlib
import os
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

from lab.facts import FACTS_FILE
from lab.go_toolchain import find_go

from .cluster import running_lab
from .commands import Setting, main
from .environment import CACHE, ROOT, ChecksError
from .machine import provide_for_a_lab
from .tree import NEWEST_TREE


@dataclass(frozen=True)
class Bench:
    """A script of tests/benchmarks and its arguments after the lab: names of programs, or seconds."""

    script: str
    arguments: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of the script without its ending."""
        return self.script.removesuffix(".py")


# One lab for each entry: the number of its nodes, and the scripts that run one after the other.
BENCHES: t.Final[tuple[tuple[int, tuple[Bench, ...]], ...]] = (
    (2000, (Bench("verify_nodes.py", ("oc",)), Bench("rolling.py", ("600",)))),
    (500, (Bench("node_tasks.py", ("kubectl",)), Bench("rolling.py", ("600",)))),
    (4, (Bench("outages.py"),)),
    (2, (Bench("apply_end.py"), Bench("unreachable_host.py"), Bench("diagnoses.py"))),
    (50, (Bench("quiet_wait.py", ("600",)),)),
    (4, (Bench("build_failure.py"), Bench("attempt_failure.py"), Bench("blocked_drain.py"))),
    (4, (Bench("wait_cases.py", ("oc",)),)),
)

# The committed go.sum pins all modules. The checksum database is not always reachable.
_GO_SETTINGS = {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GONOSUMDB": "*", "GOTOOLCHAIN": "local"}


def bench(setting: Setting, scripts: t.Collection[str] = ()) -> bool:
    """Measure, print the results, and return whether everything succeeded.

    :param scripts: names of scripts without their ending; all of them if empty
    :raises ChecksError: a name is unknown, or a program could not be built
    """
    known = {one.name for dummy, benches in BENCHES for one in benches}
    unknown = sorted(set(scripts) - known)
    if unknown:
        raise ChecksError(
            f"Could not measure {', '.join(unknown)}: unknown script. Choose from {', '.join(sorted(known))}."
        )
    provide_for_a_lab()
    wanted = {one for dummy, benches in BENCHES for one in benches if not scripts or one.name in scripts}
    builders = {"oc": _build_oc, "kubectl": _build_kubectl}
    needed = {argument for one in wanted for argument in one.arguments} & builders.keys()
    programs = {name: str(builders[name](setting)) for name in sorted(needed)}
    succeeded = []
    results = CACHE / f"bench-{os.getpid()}.jsonl"
    results.write_text("", encoding="utf-8")
    for nodes, benches in BENCHES:
        chosen = [one for one in benches if one in wanted]
        if not chosen:
            continue
        with running_lab(setting, f"bench-{nodes}-{os.getpid()}", nodes=nodes) as facts:
            for one in chosen:
                arguments = [programs.get(argument, argument) for argument in one.arguments]
                script = f"tests/benchmarks/{one.script}"
                command: tuple[str | Path, ...] = ("python", script, facts.folder / FACTS_FILE, *arguments)
                succeeded.append(setting.run(*command, variables={"BENCH_RESULTS": str(results)}))
    succeeded.append(setting.run("python", "tests/benchmarks/results.py", results))
    return all(succeeded)


def _build_oc(setting: Setting) -> Path:
    built = setting.output("lab", "build", "--oc", folder=ROOT)
    program = Path(built.stdout.strip().rpartition("\n")[2])
    if built.returncode or not program.is_file():
        raise ChecksError(f"Could not build oc: {built.stdout.strip()[-1000:]}. Run `lab build --oc`.")
    return program


def _build_kubectl(setting: Setting) -> Path:
    source = setting.tree.collection / "tests/benchmarks/kubectl"
    digest = hashlib.sha256(b"\n".join(file.read_bytes() for file in sorted(source.iterdir())))
    program = CACHE / f"kubectl/{digest.hexdigest()[:16]}/kubectl"
    if not program.exists():
        print("Building kubectl from its pinned module; takes some minutes without caches", flush=True)
        go = (find_go(), "build", "-ldflags", "-s -w", "-o", program, ".")
        if not setting.run(*go, folder=source, variables=_GO_SETTINGS):
            raise ChecksError("Could not build kubectl: `go build` failed. See its output above.")
    return program


if __name__ == "__main__":
    main(lambda: bench(Setting(NEWEST_TREE), sys.argv[1:]))
