# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing a lab up: one step after the other, each said with its time, and the log named when one does not succeed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from lab import credentials
from lab.build import Build
from lab.cluster import NOT_YET, Cluster, initial_objects
from lab.components import components, write_configuration
from lab.errors import LabError
from lab.facts import Facts
from lab.keeper import LIFELINE_READY, LOCK_FILE
from lab.nodes import node, node_names
from lab.ports import choose_ports
from lab.push_base_image import RESULT_FILE
from lab.release import JULY_2025, Release
from lab.supervision import State, Supervisor, write_supervisor_configuration

Say = Callable[[str], None]
_STEP_TIMEOUT = 90.0
_POLL = 0.1
_ATTEMPTS = 3
# A component that ended so often during one step does not come up by itself.
_HOPELESS_STARTS = 4
_LOG_LINES = 12
_PORT_TAKEN = "address already in use"


class _PortTaken(Exception):
    """A component found its port taken."""


def bring_up(folder: Path, build: Build, workers: int, companion: int | None, say: Say) -> Facts:
    """Start a lab in ``folder`` from nothing and return its facts once it is ready.

    ``companion`` is the pid of a process with which the lab ends. Raises LabError, with everything stopped, when a part
    does not come up.
    """
    for _ in range(_ATTEMPTS):
        facts = _prepare(folder, build, JULY_2025)
        start = _Start(facts, build, workers, say)
        try:
            return start.run(companion)
        except _PortTaken:
            say("a port was taken in the meantime; starting again with others")
        finally:
            start.close()
    raise LabError("Could not start the lab: its ports were taken three times in a row. Try again.")


def _prepare(folder: Path, build: Build, release: Release) -> Facts:
    _clear(folder)
    ports = choose_ports()
    registry_host = f"127.0.0.1:{ports.registry}"
    facts = Facts(
        name=folder.name,
        folder=folder,
        release=release.version,
        ready=False,
        api_url=f"https://127.0.0.1:{ports.api}",
        ca_cert=folder / "ca.crt",
        admin_token_file=folder / "admin-token",
        audit_log=folder / "audit.log",
        kubeconfigs=credentials.kubeconfig_paths(folder),
        registry_host=registry_host,
        registry_password_files=credentials.registry_password_paths(folder),
        registry_auth_files=credentials.registry_auth_paths(folder),
        base_image="",
        base_image_tag=f"{registry_host}/lab/rhel-coreos:{release.version}",
        nodes_dir=folder / "nodes",
        kubelet_cert=folder / "kubelet.crt",
        kubelet_key=folder / "kubelet.key",
        binaries=build.binaries,
        ports=ports,
    )
    for name in ("logs", "nodes", "tmp", "home", "registry"):
        (folder / name).mkdir()
    credentials.write_credentials(facts)
    write_configuration(facts, json.loads((build.manifests / "stages.json").read_text(encoding="utf-8")))
    write_supervisor_configuration(facts, components(facts, build.manifests))
    (folder / LOCK_FILE).touch()
    facts.save()
    return facts


def _clear(folder: Path) -> None:
    """Empty the folder of a lab that does not run; the lock files stay, somebody may wait for them."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    for path in folder.iterdir():
        if path.suffix == ".lock":
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


class _Start:
    """One try to start a lab: the keeper it started, and the components it is waiting for."""

    def __init__(self, facts: Facts, build: Build, workers: int, say: Say) -> None:
        self._facts = facts
        self._build = build
        self._nodes = node_names(workers)
        self._say = say
        self._components = {item.name: item for item in components(facts, build.manifests)}
        self._supervisor = Supervisor.of(facts)
        self._cluster = Cluster(facts)
        self._keeper: subprocess.Popen[bytes] | None = None
        self._lifeline = -1
        self._up = False

    def run(self, companion: int | None) -> Facts:
        """Take every step. When this returns, the lab no longer depends on this process."""
        self._start_keeper(companion)
        self._start("etcd", "registry", "kube-apiserver")
        self._start("base-image")
        self._await("the API server is ready", self._cluster.is_ready, "etcd", "kube-apiserver")
        self._start("kube-controller-manager", "kube-scheduler", "kubelet-front")
        crds = json.loads((self._build.manifests / "crds.json").read_text(encoding="utf-8"))
        self._await(f"{len(crds)} CRDs exist", lambda: self._cluster.create_crds(crds), "kube-apiserver")
        self._await("they are established", lambda: self._cluster.established_crds() == len(crds), "kube-apiserver")
        self._await("the base image is in the registry", self._base_image_is_pushed, "registry", "base-image")
        self._facts = self._facts.with_base_image(
            (self._facts.folder / RESULT_FILE).read_text(encoding="utf-8").strip()
        )
        self._facts.save()
        objects = initial_objects(self._facts, self._build.manifests)
        self._await("the objects the controllers need exist", lambda: self._cluster.create(*objects), "kube-apiserver")
        self._start("machine-config-controller", "kwok", "machine-os-builder")
        self._await(
            "both pools have a rendered config",
            lambda: all(pool.rendered for pool in self._cluster.pools().values()),
            "machine-config-controller",
        )
        self._start("build-runner", "node-daemon")
        pools = self._cluster.pools()
        nodes = [node(self._facts, name, pool, pools[pool].rendered) for name, pool in self._nodes.items()]
        self._await(f"{len(nodes)} nodes exist", lambda: self._cluster.create(*nodes), "kube-apiserver")
        self._await(
            f"{len(self._nodes)} nodes are Ready",
            lambda: self._cluster.ready_nodes() >= set(self._nodes),
            "kwok",
        )
        self._await(
            "a machine-config-daemon runs on every node",
            lambda: self._cluster.running_daemons() == len(self._nodes),
            "kwok",
            "kube-controller-manager",
        )
        self._await("the pools count their nodes", self._pools_are_settled, "machine-config-controller")
        self._await("every component runs", self._everything_runs, *self._lasting())
        self._facts = self._facts.with_ready(True)
        self._facts.save()
        self._let_go()
        return self._facts

    def close(self) -> None:
        """Stop what was started, unless it came up. Does nothing a second time."""
        keeper, self._keeper = self._keeper, None
        if keeper is None or self._up:
            return
        # The end of this pipe tells the keeper that the start was given up.
        os.close(self._lifeline)
        keeper.wait()

    def _start_keeper(self, companion: int | None) -> None:
        command = [sys.executable, "-m", "lab.keeper", str(self._facts.folder)]
        if companion is not None:
            command.append(f"--with-pid={companion}")
        keepers_end, self._lifeline = os.pipe()
        with (self._facts.logs / "keeper.log").open("ab") as log:
            self._keeper = subprocess.Popen(
                command, stdin=keepers_end, stdout=log, stderr=log, start_new_session=True, cwd="/"
            )
        os.close(keepers_end)
        self._await("the supervisor answers", self._supervisor_answers)

    def _supervisor_answers(self) -> bool:
        return self._supervisor.identity() == f"lab-{self._facts.name}"

    def _base_image_is_pushed(self) -> bool:
        return (self._facts.folder / RESULT_FILE).exists()

    def _pools_are_settled(self) -> bool:
        members = list(self._nodes.values())
        pools = self._cluster.pools()
        return all(pools[name].machines == pools[name].updated == members.count(name) for name in ("master", "worker"))

    def _everything_runs(self) -> bool:
        states = self._supervisor.states()
        return all(states[name].state is State.RUNNING for name in self._lasting())

    def _lasting(self) -> list[str]:
        return [item.name for item in self._components.values() if not item.is_task]

    def _start(self, *names: str) -> None:
        for name in names:
            self._supervisor.start(self._components[name])

    def _await(self, what: str, condition: Callable[[], bool], *responsible: str) -> None:
        """Try until ``condition`` holds; the ``responsible`` components are looked at while it does not."""
        deadline = time.monotonic() + _STEP_TIMEOUT
        looked = time.monotonic()
        last_error: Exception | None = None
        while True:
            try:
                if condition():
                    self._say(what)
                    return
                last_error = None
            except NOT_YET as error:
                last_error = error
            self._check_keeper(what)
            now = time.monotonic()
            if responsible and now - looked > 0.5:
                self._check_components(what, responsible)
                looked = now
            if now > deadline:
                self._give_up(what, responsible, f"not within {_STEP_TIMEOUT:.0f} s", last_error)
            time.sleep(_POLL)

    def _check_keeper(self, what: str) -> None:
        if self._keeper is not None and self._keeper.poll() is not None:
            supervisor_log = self._facts.logs / "supervisord.log"
            if _PORT_TAKEN in _tail(supervisor_log).lower():
                raise _PortTaken
            log = self._facts.logs / "keeper.log"
            raise LabError(
                f"Could not start the lab: its supervisor ended before {what}. See {log} and {supervisor_log}:\n"
                f"{_tail(log)}"
            )

    def _check_components(self, what: str, responsible: Sequence[str]) -> None:
        states = self._supervisor.states()
        for name in responsible:
            state = states[name]
            log = self._facts.logs / f"{name}.log"
            if state.starts > 1 and _PORT_TAKEN in _tail(log).lower():
                raise _PortTaken
            if self._components[name].is_task:
                if state.state is State.EXITED and state.exit_status:
                    self._give_up(what, (name,), f"it ended with {state.exit_status}", None)
            elif state.starts >= _HOPELESS_STARTS and state.state is State.BACKING_OFF:
                self._give_up(what, (name,), f"it ended {state.starts} times", None)

    def _give_up(self, what: str, responsible: Sequence[str], reason: str, last_error: Exception | None) -> None:
        name = self._suspect(responsible)
        log = self._facts.logs / f"{name}.log"
        if last_error is not None:
            reason = f"{reason} ({type(last_error).__name__}: {' '.join(str(last_error).split())[:200]})"
        raise LabError(
            f"Could not start component {name}: waiting until {what}: {reason}. See {log}, which ends:\n{_tail(log)}"
        )

    def _suspect(self, responsible: Sequence[str]) -> str:
        """The component to name: the one that does not run, else the last of the responsible ones."""
        try:
            states = self._supervisor.states()
        except OSError:
            return "supervisord"
        for name in responsible:
            if states[name].state not in (State.RUNNING, State.STARTING):
                return name
        return responsible[-1] if responsible else "supervisord"

    def _let_go(self) -> None:
        os.write(self._lifeline, LIFELINE_READY)
        os.close(self._lifeline)
        self._up = True


def _tail(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 8192))
            lines = file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return "  (no log yet)"
    return "\n".join(f"  {line[:400]}" for line in lines[-_LOG_LINES:])
