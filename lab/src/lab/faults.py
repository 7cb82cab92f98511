# SPDX-License-Identifier: GPL-3.0-or-later
"""Trouble with the API on demand: what the fault proxy does wrong, and an API server that forgets, dies or is away."""

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
    """One kind of trouble, for the requests it describes and for as long as it lasts.

    :ivar action: ``answer`` (with an error ``status``), ``cut`` (open streams at once, answers after ``after_bytes``),
        ``slow``, ``silence`` (nothing is sent any more) or ``refuse`` (nobody listens)
    :ivar path: a regular expression, found anywhere in path and query
    :ivar verbs: as the API server names them: get, list, watch, create, patch, delete, ...; none means all
    :ivar requests: it ends after so many; 0 means that it does not end by counting
    :ivar seconds: it ends after so many; 0 means that it stays until it is cleared
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
        # The token is the administrator's: it is sent to who has a certificate of the lab only.
        self._pool = urllib3.PoolManager(retries=False, timeout=10, ca_certs=str(facts.ca_cert))

    def add(self, fault: Fault) -> None:
        """Put a fault in force. Raises LabError for one that makes no sense."""
        self._ask("POST", asdict(fault))

    def clear(self) -> None:
        """Lift every fault."""
        self._ask("DELETE")

    def faults(self) -> list[dict[str, Any]]:
        """The faults in force, each with ``hits``: how many requests it has met."""
        found: list[dict[str, Any]] = self._ask("GET")
        return found

    @contextlib.contextmanager
    def having(self, *faults: Fault) -> Iterator[None]:
        """These faults for as long as the context lasts."""
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
    """Have etcd forget everything but the present, and return the revision that it is: lists begun before end in 410.

    A watch is answered from the API server's own memory, which forgets when the API server starts again.
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
    """End the API server as a crash would, and return when the one that follows it is ready."""
    cluster = Cluster(facts)
    before = _incarnation(facts)
    Supervisor.of(facts).kill(_qualified(_component(facts, API_SERVER)))
    _await_ready(cluster, lambda: _incarnation(facts) != before)


def take_api_server_away(facts: Facts, seconds: float) -> None:
    """Stop the API server for some time, and return when it is ready again."""
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
    """Stop components, named as ``lab status`` names them, and start them again afterwards."""
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
    """Let a component, named as ``lab status`` names it, do nothing for a while, shorter than its lease of 137 s.

    Unlike one that is started again it afterwards does only what it would have done: the machine-config-controller
    gives pools that are younger than itself their kubelet configs at its start, and with them builds of another name.
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
