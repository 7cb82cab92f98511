# SPDX-License-Identifier: GPL-3.0-or-later
"""What do the tasks cost, beside what people use instead, and what do they survive?"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from lab.facts import FACTS_FILE
from lab.go_toolchain import find_go

from .cluster import running_lab
from .commands import Setting
from .environment import CACHE, ROOT, NotPossible
from .machine import provide_for_a_lab

NODES = 1000
ROLLING = 500
ROLLING_SECONDS = 600
QUIET = 50
QUIET_SECONDS = 600

# All of it is fixed by the committed go.sum; the checksum database adds nothing and cannot always be reached.
_GO_SETTINGS = {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GONOSUMDB": "*", "GOTOOLCHAIN": "local"}


def bench(setting: Setting) -> bool:
    """Measure on a lab of many nodes, print it, and return whether everything measured also did its job."""
    provide_for_a_lab()
    kubectl = _provide_kubectl(setting)
    oc = _provide_oc(setting)
    with running_lab(setting, f"bench-{os.getpid()}", nodes=NODES) as facts:
        lab = facts.folder / FACTS_FILE
        asked = setting.run("python", "tests/benchmarks/ask_nodes.py", lab, oc).ok
        labelled = setting.run("python", "tests/benchmarks/node_tasks.py", lab, kubectl).ok
    with running_lab(setting, f"outages-{os.getpid()}", nodes=4) as facts:
        survived = setting.run("python", "tests/benchmarks/outages.py", facts.folder / FACTS_FILE).ok
    with running_lab(setting, f"rolling-{os.getpid()}", nodes=ROLLING) as facts:
        lab = facts.folder / FACTS_FILE
        followed = setting.run("python", "tests/benchmarks/rolling.py", lab, str(ROLLING_SECONDS)).ok
    with running_lab(setting, f"quiet-{os.getpid()}", nodes=QUIET) as facts:
        lab = facts.folder / FACTS_FILE
        quiet = setting.run("python", "tests/benchmarks/quiet_wait.py", lab, str(QUIET_SECONDS)).ok
    with running_lab(setting, f"cases-{os.getpid()}", nodes=4) as facts:
        lab = facts.folder / FACTS_FILE
        failed = setting.run("python", "tests/benchmarks/build_failure.py", lab).ok
        compared = setting.run("python", "tests/benchmarks/wait_cases.py", lab, oc).ok
    return all((asked, labelled, survived, followed, quiet, failed, compared))


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
