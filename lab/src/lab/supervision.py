# SPDX-License-Identifier: GPL-3.0-or-later
"""supervisord for one lab: its configuration, and asking it for what happens."""

from __future__ import annotations

import http.client
import os
import shlex
import socket
import xmlrpc.client
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from supervisor.states import ProcessStates

from lab.components import TIERS, Component
from lab.credentials import Secrets, write_private
from lab.errors import LabError
from lab.facts import Facts
from lab.rendering import render

CONFIGURATION_FILE = "supervisord.conf"
SOCKETS_FOLDER = "sockets"
_SOCKET = f"{SOCKETS_FOLDER}/supervisor.sock"
_TIMEOUT = 10.0


class State(str, Enum):
    """What a component is doing."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    BACKING_OFF = "backing-off"
    STOPPING = "stopping"
    EXITED = "exited"
    FAILED = "failed"


_STATES = {
    ProcessStates.STOPPED: State.STOPPED,
    ProcessStates.STARTING: State.STARTING,
    ProcessStates.RUNNING: State.RUNNING,
    ProcessStates.BACKOFF: State.BACKING_OFF,
    ProcessStates.STOPPING: State.STOPPING,
    ProcessStates.EXITED: State.EXITED,
    ProcessStates.FATAL: State.FAILED,
}


@dataclass(frozen=True)
class ComponentState:
    """A component as supervisord sees it. ``inner_pid`` counts inside the lab, and is 0 while it does not run."""

    name: str
    tier: str
    state: State
    inner_pid: int
    starts: int
    exit_status: int

    @property
    def restarts(self) -> int:
        """How often it was started again after the first time."""
        return max(0, self.starts - 1)


class Supervisor:
    """supervisord's XML-RPC interface. Every method raises OSError while supervisord does not answer."""

    def __init__(self, folder: Path, password: str, timeout: float = _TIMEOUT) -> None:
        self._proxy: Any = xmlrpc.client.ServerProxy(
            f"http://lab:{password}@localhost/RPC2", transport=_Transport(folder / _SOCKET, timeout)
        )

    @classmethod
    def of(cls, facts: Facts) -> Supervisor:
        """The supervisor of a lab."""
        return cls(facts.folder, Secrets.of(facts.folder).supervisor_password.read_text(encoding="utf-8"))

    def identity(self) -> str:
        """The name supervisord answers with: another lab's may listen where a dead one did."""
        return str(self._proxy.supervisor.getIdentification())

    def states(self) -> dict[str, ComponentState]:
        """All components by name."""
        starts: dict[str, int] = self._proxy.lab.starts()
        found: list[dict[str, Any]] = self._proxy.supervisor.getAllProcessInfo()
        return {
            item["name"]: ComponentState(
                item["name"],
                item["group"],
                _STATES[item["state"]],
                item["pid"],
                starts.get(item["name"], 0),
                item["exitstatus"],
            )
            for item in found
        }

    def start(self, component: Component) -> None:
        """Start a component, without waiting for it. Raises LabError when its program cannot be run at all."""
        try:
            self._proxy.supervisor.startProcess(f"{component.tier}:{component.name}", False)
        except xmlrpc.client.Fault as fault:
            raise LabError(
                f"Could not start component {component.name}: {fault.faultString} ({component.command[0]}). "
                "Run 'lab build' again."
            ) from None

    def stop(self, component: str) -> None:
        """Stop a running component, and return when it has ended. It stays so until it is started."""
        self._proxy.supervisor.stopProcess(component)

    def kill(self, component: str) -> None:
        """End a running component at once, as a crash would; it is started again as after one."""
        self._proxy.supervisor.signalProcess(component, "KILL")

    def freeze(self, component: str) -> None:
        """Let a running component stand still where it is."""
        self._proxy.supervisor.signalProcess(component, "STOP")

    def thaw(self, component: str) -> None:
        """Let a component go on that stands still."""
        self._proxy.supervisor.signalProcess(component, "CONT")

    def shut_down(self) -> None:
        """Stop every component, tier by tier, and end."""
        self._proxy.supervisor.shutdown()


class _Transport(xmlrpc.client.Transport):
    """XML-RPC over a socket in the lab's folder, which nobody else may enter."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__()
        self._path = path
        self._timeout = timeout

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        name, self._extra_headers, _ = self.get_host_info(host)
        return _SocketConnection(name, self._path, self._timeout)


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, host: str, path: Path, timeout: float) -> None:
        super().__init__(host, timeout=timeout)
        self._path = path

    def connect(self) -> None:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(self.timeout)
        # The path of a socket may have 107 characters only; one that goes by an open folder is short.
        folder = os.open(self._path.parent, os.O_PATH | os.O_DIRECTORY)
        try:
            connection.connect(f"/proc/self/fd/{folder}/{self._path.name}")
        except OSError:
            connection.close()
            raise
        finally:
            os.close(folder)
        self.sock = connection


def write_supervisor_configuration(facts: Facts, components: tuple[Component, ...]) -> Path:
    """Write supervisord's configuration file and return its path."""
    password = Secrets.of(facts.folder).supervisor_password.read_text(encoding="utf-8")
    text = render_configuration(facts.folder, facts.name, password, components)
    path = facts.folder / CONFIGURATION_FILE
    write_private(path, text)
    return path


def render_configuration(folder: Path, name: str, password: str, components: tuple[Component, ...]) -> str:
    """The text of supervisord's configuration file."""
    tiers = [
        {"name": tier, "components": [component for component in components if component.tier == tier]}
        for tier in TIERS
    ]
    programs = [
        {
            "name": component.name,
            "command": _escaped(shlex.join(component.command)),
            "environment": _escaped(",".join(f'{key}="{value}"' for key, value in component.environment.items())),
            "task": component.is_task,
        }
        for component in components
    ]
    return render(
        "supervisord.conf.j2",
        folder=_escaped(str(folder)),
        name=name,
        socket=_SOCKET,
        password=_escaped(password),
        tiers=[tier for tier in tiers if tier["components"]],
        components=programs,
    )


def _escaped(text: str) -> str:
    return text.replace("%", "%%")
