# SPDX-License-Identifier: GPL-3.0-or-later
"""Start a lab step by step. Each step is printed with its time; an error names the log of its component."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from lab.build import Build
from lab.cluster import NOT_YET, Cluster, initial_objects
from lab.components import components
from lab.errors import LabError
from lab.facts import Facts
from lab.keeper import LIFELINE_READY
from lab.nodes import node, node_names
from lab.preparation import prepare
from lab.push_base_image import RESULT_FILE
from lab.release import Release
from lab.supervision import ComponentState, State, Supervisor

Say = Callable[[str], None]
_STEP_TIMEOUT = 90.0
_POLL = 0.1
_ATTEMPTS = 3
# A component that ended so often during one step does not come up by itself.
_HOPELESS_STARTS = 4
# The controller asks for each node by itself, five times a second and twice a node: 500 took 220 s.
_MOST_COUNTED = 50
_LOG_LINES = 12
# The message of a component whose port is taken.
_PORT_TAKEN = "address already in use"


class _PortTaken(Exception):
    """The port of a component is taken."""


def bring_up(folder: Path, build: Build, release: Release, workers: int, companion: int | None, say: Say) -> Facts:
    """Start a new lab in ``folder`` and return its facts when it is ready.

    ``companion`` is the pid of a process with which the lab ends. When a component does not start, everything is
    stopped and LabError is raised.
    """
    for _ in range(_ATTEMPTS):
        facts = prepare(folder, build, release)
        start = _Start(facts, build, workers, say)
        try:
            return start.run(companion)
        except _PortTaken:
            say("a port was taken meanwhile; starting again with other ports")
        finally:
            start.close()
    raise LabError("Could not start the lab: its ports were taken three times in a row. Try again.")


class _Start:
    """One attempt to start a lab, with its keeper and its components."""

    def __init__(self, facts: Facts, build: Build, workers: int, say: Say) -> None:
        self._facts = facts
        self._build = build
        self._nodes = node_names(workers)
        self._timeout = _STEP_TIMEOUT + 0.5 * len(self._nodes)
        self._say = say
        self._components = {item.name: item for item in components(facts, build.manifests)}
        self._supervisor = Supervisor.of(facts)
        self._cluster = Cluster(facts)
        self._keeper: subprocess.Popen[bytes] | None = None
        self._lifeline = -1
        self._up = False

    def run(self, companion: int | None) -> Facts:
        """Run all steps. After them, the lab no longer depends on this process."""
        self._start_keeper(companion)
        self._start("etcd", "registry", "kube-apiserver")
        self._start("base-image")
        self._await("the API server is ready", self._cluster.is_ready, "etcd", "kube-apiserver")
        self._start("kube-controller-manager", "kube-scheduler", "kubelet-front", "fault-proxy")
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
        self._start("machine-config-controller", "kwok", *self._operator_parts())
        self._await(
            "both pools have a rendered config",
            lambda: all(pool.rendered for pool in self._cluster.pools().values()),
            "machine-config-controller",
        )
        self._start("build-runner", "node-daemon")
        pools = self._cluster.pools()
        nodes = [node(self._facts, name, pool, pools[pool].rendered) for name, pool in self._nodes.items()]
        self._await(f"{len(nodes)} nodes exist", lambda: self._cluster.create_nodes(nodes), "kube-apiserver")
        self._await(
            f"{len(self._nodes)} nodes are Ready",
            lambda: self._cluster.ready_nodes() >= set(self._nodes),
            "kwok",
        )
        self._await(
            "a machine-config-daemon runs on every node",
            self._every_node_has_a_daemon,
            "kwok",
            "kube-controller-manager",
        )
        if len(self._nodes) <= _MOST_COUNTED:
            self._await("the pools count their nodes", self._pools_are_settled, "machine-config-controller")
        else:
            self._say(f"not waiting until the pools count {len(self._nodes)} nodes; that takes minutes")
        self._await("every component runs", self._everything_runs, *self._lasting())
        self._facts = self._facts.with_ready(True)
        self._facts.save()
        self._let_go()
        return self._facts

    def close(self) -> None:
        """Stop the lab unless its start has succeeded."""
        keeper, self._keeper = self._keeper, None
        if keeper is None or self._up:
            return
        # The keeper ends the lab when this pipe closes.
        os.close(self._lifeline)
        keeper.wait()

    def _operator_parts(self) -> list[str]:
        known = ("machine-config-operator", "node-controller", "machine-os-builder")
        return [name for name in known if name in self._components]

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

    def _every_node_has_a_daemon(self) -> bool:
        self._cluster.delete_stuck_daemons()
        return self._cluster.running_daemons() == len(self._nodes)

    def _pools_are_settled(self) -> bool:
        members = list(self._nodes.values())
        pools = self._cluster.pools()
        return all(pools[name].machines == pools[name].updated == members.count(name) for name in ("master", "worker"))

    def _everything_runs(self) -> bool:
        states = self._supervisor.states()
        return all(states[name].state is State.RUNNING for name in self._lasting())

    def _lasting(self) -> list[str]:
        # The components of the operator can restart at any time; the state of the pools shows that they work.
        return [item.name for item in self._components.values() if not item.is_task and item.tier != "openshift"]

    def _start(self, *names: str) -> None:
        for name in names:
            try:
                self._supervisor.start(self._components[name])
            except OSError:
                self._give_up_without_supervisor(f"{name} starts")

    def _await(self, what: str, condition: Callable[[], bool], *responsible: str) -> None:
        """Wait until ``condition`` is true, and check the ``responsible`` components meanwhile."""
        deadline = time.monotonic() + self._timeout
        looked = time.monotonic()
        last_error: Exception | None = None
        while True:
            asked = time.monotonic()
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
                self._give_up(what, responsible, f"not within {self._timeout:.0f} s", last_error)
            # A slow condition is evaluated less often.
            time.sleep(max(_POLL, now - asked))

    def _check_keeper(self, what: str) -> None:
        if self._keeper is not None and self._keeper.poll() is not None:
            self._give_up_without_supervisor(what)

    def _states(self, what: str) -> dict[str, ComponentState]:
        try:
            return self._supervisor.states()
        except OSError:
            self._give_up_without_supervisor(what)

    def _give_up_without_supervisor(self, what: str) -> NoReturn:
        supervisor_log = self._facts.logs / "supervisord.log"
        log = self._facts.logs / "keeper.log"
        if _reports_a_taken_port(log) or _reports_a_taken_port(supervisor_log):
            raise _PortTaken
        raise LabError(
            f"Could not start the lab: its supervisor has ended, waiting until {what}. See {log} and {supervisor_log}, "
            f"which end:\n{_tail(log)}\n{_tail(supervisor_log)}"
        )

    def _check_components(self, what: str, responsible: Sequence[str]) -> None:
        for name in responsible:
            state = self._states(what)[name]
            log = self._facts.logs / f"{name}.log"
            if state.starts > 1 and _reports_a_taken_port(log):
                raise _PortTaken
            if self._components[name].is_task:
                if state.state is State.EXITED and state.exit_status:
                    self._give_up(what, (name,), f"it ended with {state.exit_status}", None)
            elif state.starts >= _HOPELESS_STARTS and state.state is State.BACKING_OFF:
                self._give_up(what, (name,), f"it ended {state.starts} times", None)

    def _give_up(self, what: str, responsible: Sequence[str], reason: str, last_error: Exception | None) -> NoReturn:
        name = self._suspect(what, responsible)
        log = self._facts.logs / f"{name}.log"
        if last_error is not None:
            reason = f"{reason} ({type(last_error).__name__}: {' '.join(str(last_error).split())[:200]})"
        raise LabError(
            f"Could not start component {name}: waiting until {what}: {reason}. See {log}, which ends:\n{_tail(log)}"
        )

    def _suspect(self, what: str, responsible: Sequence[str]) -> str:
        """Return a responsible component that does not run, else the last one."""
        if not responsible:
            self._give_up_without_supervisor(what)
        states = self._states(what)
        stopped = (name for name in responsible if states[name].state not in (State.RUNNING, State.STARTING))
        return next(stopped, responsible[-1])

    def _let_go(self) -> None:
        try:
            os.write(self._lifeline, LIFELINE_READY)
        except BrokenPipeError:
            self._give_up_without_supervisor("the keeper takes over")
        os.close(self._lifeline)
        self._up = True


def _reports_a_taken_port(log: Path) -> bool:
    return _PORT_TAKEN in _tail(log).lower()


def _tail(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 8192))
            lines = file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return "  (no log yet)"
    return "\n".join(f"  {line[:400]}" for line in lines[-_LOG_LINES:])
