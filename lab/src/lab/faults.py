# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of the API: those of the fault proxy, and an API server that is compacted, killed or stopped."""

from __future__ import annotations

import base64
import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import urllib3

from lab.cluster import NOT_YET, Cluster
from lab.components import Component, components
from lab.credentials import Secrets
from lab.errors import LabError
from lab.facts import Facts
from lab.supervision import Supervisor

API_SERVER = "kube-apiserver"
_READY_WITHIN = 90.0


@dataclass(frozen=True)
class Fault:
    """A fault of the proxy, for the requests that it selects and until it ends.

    :ivar action: ``answer`` (with an error ``status``), ``cut`` (open streams at once, answers after ``after_bytes``),
        ``slow``, ``silence`` (nothing is sent) or ``refuse`` (connections are refused)
    :ivar path: a regular expression, found anywhere in path and query
    :ivar verbs: as the API server names them: get, list, watch, create, patch, delete, ...; none means all
    :ivar requests: number of requests after which the fault ends; 0 means no limit
    :ivar seconds: seconds after which the fault ends; 0 means no limit
    """

    action: str
    status: int = 0
    retry_after: int = 0
    after_bytes: int = 0
    bytes_per_second: int = 0
    path: str = ""
    verbs: tuple[str, ...] = ()
    requests: int = 0
    seconds: float = 0.0


class FaultProxy:
    """The fault proxy of a lab, which serves its API at ``facts.through_faults_url``."""

    def __init__(self, facts: Facts) -> None:
        self._url = f"https://127.0.0.1:{facts.ports.fault_control}/faults"
        self._headers = {"Authorization": f"Bearer {facts.admin_token_file.read_text(encoding='utf-8')}"}
        # The token of the administrator is sent only to a server with a certificate of the lab.
        self._pool = urllib3.PoolManager(retries=False, timeout=10, ca_certs=str(facts.ca_cert))

    def add(self, fault: Fault) -> None:
        """Add a fault. Raises LabError for an invalid fault."""
        self._ask("POST", asdict(fault))

    def clear(self) -> None:
        """Remove all faults."""
        self._ask("DELETE")

    def faults(self) -> list[dict[str, Any]]:
        """Return the faults, each with ``hits``: the number of requests that it has affected."""
        found: list[dict[str, Any]] = self._ask("GET")
        return found

    @contextlib.contextmanager
    def having(self, *faults: Fault) -> Iterator[None]:
        """Apply faults for as long as the context lasts."""
        for fault in faults:
            self.add(fault)
        try:
            yield
        finally:
            self.clear()

    def _ask(self, method: str, body: dict[str, Any] | None = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        try:
            answer = self._pool.request(method, self._url, body=content, headers=self._headers)
        except urllib3.exceptions.HTTPError as error:
            raise LabError(f"Could not reach the fault proxy: {error}. See 'lab logs fault-proxy'.") from None
        if answer.status != 200:
            reason = answer.data.decode(errors="replace").strip()
            raise LabError(f"Could not set the fault: {reason}. See 'lab fault --help'.")
        return json.loads(answer.data)


def forget(facts: Facts) -> int:
    """Compact etcd and return its revision. Lists that began before end with 410.

    Watches are served from the memory of the API server, which only a restart clears.
    """
    anything = {"key": base64.b64encode(b"/").decode(), "count_only": True}
    revision = int(_etcd(facts, "range", anything)["header"]["revision"])
    _etcd(facts, "compaction", {"revision": revision, "physical": True})
    return revision


def _etcd(facts: Facts, action: str, body: dict[str, Any]) -> dict[str, Any]:
    shown = Secrets.of(facts.folder).etcd_client
    pool = urllib3.PoolManager(
        retries=False,
        timeout=10,
        ca_certs=str(shown.authority),
        cert_file=str(shown.certificate),
        key_file=str(shown.key),
    )
    address = f"https://127.0.0.1:{facts.ports.etcd_client}/v3/kv/{action}"
    answer = pool.request("POST", address, body=json.dumps(body).encode())
    if answer.status != 200:
        raise LabError(f"Could not ask etcd: {answer.data.decode(errors='replace').strip()}. See 'lab logs etcd'.")
    found: dict[str, Any] = json.loads(answer.data)
    return found


def kill_api_server(facts: Facts) -> None:
    """Kill the API server, and return when its restart is ready."""
    cluster = Cluster(facts)
    before = _incarnation(facts)
    Supervisor.of(facts).kill(_qualified(_component(facts, API_SERVER)))
    _await_ready(cluster, lambda: _incarnation(facts) != before)


def take_api_server_away(facts: Facts, seconds: float) -> None:
    """Stop the API server for some seconds, and return when it is ready again."""
    supervisor = Supervisor.of(facts)
    component = _component(facts, API_SERVER)
    supervisor.stop(_qualified(component))
    try:
        time.sleep(seconds)
    finally:
        supervisor.start(component)
    _await_ready(Cluster(facts))


@contextlib.contextmanager
def without(facts: Facts, *names: str) -> Iterator[None]:
    """Stop components, named as in ``lab status``, and start them again afterwards."""
    supervisor = Supervisor.of(facts)
    stopped = [_component(facts, name) for name in names]
    for component in stopped:
        supervisor.stop(_qualified(component))
    try:
        yield
    finally:
        for component in stopped:
            supervisor.start(component)


@contextlib.contextmanager
def standing_still(facts: Facts, name: str) -> Iterator[None]:
    """Freeze a component, named as in ``lab status``, for less than its lease of 137 s.

    A restart would have side effects: at its start, the machine-config-controller creates the kubelet configs of newer
    pools, which change the names of their builds.
    """
    supervisor = Supervisor.of(facts)
    qualified = _qualified(_component(facts, name))
    supervisor.freeze(qualified)
    try:
        yield
    finally:
        supervisor.thaw(qualified)


def _component(facts: Facts, name: str) -> Component:
    # The folder of manifests is for other components' command lines.
    return next(item for item in components(facts, facts.folder) if item.name == name)


def _qualified(component: Component) -> str:
    return f"{component.tier}:{component.name}"


def _incarnation(facts: Facts) -> int:
    return Supervisor.of(facts).states()[API_SERVER].starts


def _await_ready(cluster: Cluster, also: Callable[[], bool] = lambda: True) -> None:
    deadline = time.monotonic() + _READY_WITHIN
    while time.monotonic() < deadline:
        with contextlib.suppress(*NOT_YET):
            if also() and cluster.is_ready():
                return
        time.sleep(0.2)
    raise LabError(
        f"Could not start the API server again: not ready within {_READY_WITHIN:.0f} s. See 'lab logs {API_SERVER}'."
    )
