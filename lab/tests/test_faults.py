# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients see of the API when it is in trouble, through the lab's fault proxy and past it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import kubernetes
import pytest
import urllib3
import websocket
from kubernetes import stream

from lab.cache import lab_folder
from lab.errors import LabError
from lab.facts import Facts
from lab.faults import Fault, FaultProxy, kill_api_server, take_api_server_away

pytestmark = pytest.mark.lab

NODES = "/api/v1/nodes"
NAMESPACES = "/api/v1/namespaces"


class Client:
    """The administrator, with a connection of its own for each request."""

    def __init__(self, facts: Facts) -> None:
        self.address = facts.through_faults_url
        self.headers = {"Authorization": f"Bearer {facts.admin_token_file.read_text()}"}
        self.pool = urllib3.PoolManager(retries=False, ca_certs=str(facts.ca_cert))

    def ask(self, path: str, method: str = "GET", timeout: float = 20, **query: str) -> Any:
        return self.pool.request(
            method, self.address + path, fields=query, headers=self.headers, preload_content=False, timeout=timeout
        )

    def status(self, path: str, **query: str) -> int:
        answer = self.ask(path, **query)
        answer.data  # noqa: B018 - the whole answer has to come
        return int(answer.status)

    def version(self, path: str) -> str:
        """Where a watch of the collection has to begin in order to miss nothing."""
        return str(json.loads(self.ask(path).data)["metadata"]["resourceVersion"])

    def create_namespace(self, name: str) -> None:
        body = json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}).encode()
        answer = self.pool.request("POST", self.address + NAMESPACES, body=body, headers=self.headers, timeout=20)
        assert answer.status == 201, answer.data

    def watch(self, path: str) -> Any:
        """A watch whose first events, one for each object there is, have not been read yet."""
        return self.ask(path, watch="true")


@pytest.fixture(scope="module")
def facts() -> Iterator[Facts]:
    name = f"test-{os.getpid()}-faults"
    lab = (sys.executable, "-m", "lab")
    start = (*lab, "up", "--name", name, "--nodes", "1", "--with-pid", str(os.getpid()))
    subprocess.run(start, check=True, capture_output=True)
    yield Facts.load(lab_folder(name))
    subprocess.run((*lab, "down", "--name", name), check=True, capture_output=True)
    shutil.rmtree(lab_folder(name), ignore_errors=True)


@pytest.fixture
def proxy(facts: Facts) -> Iterator[FaultProxy]:
    proxy = FaultProxy(facts)
    yield proxy
    proxy.clear()


@pytest.fixture
def client(facts: Facts) -> Client:
    return Client(facts)


def command(facts: Facts, *arguments: str) -> subprocess.CompletedProcess[str]:
    lab = (sys.executable, "-m", "lab", "fault", "--name", facts.name)
    return subprocess.run((*lab, *arguments), capture_output=True, text=True, check=False)


def test_without_faults_the_api_is_the_api(client: Client) -> None:
    assert [n["metadata"]["name"] for n in json.loads(client.ask(NODES).data)["items"]] == ["master-0", "worker-0"]
    assert client.status("/readyz") == 200


def test_a_status_is_answered_as_the_api_server_would_for_so_many_requests(client: Client, facts: Facts) -> None:
    options = ("429", "--retry-after", "3", "--path", "/nodes", "--verb", "list", "--requests", "1")
    assert command(facts, *options).returncode == 0
    assert client.status(NODES + "/worker-0") == 200
    assert client.status(NAMESPACES) == 200

    refused = client.ask(NODES)

    answer = json.loads(refused.data)
    assert (refused.status, refused.headers["Retry-After"]) == (429, "3")
    assert (answer["kind"], answer["code"], answer["details"]["retryAfterSeconds"]) == ("Status", 429, 3)
    assert client.status(NODES) == 200
    assert "status=429" in command(facts).stdout
    assert "met 1" in command(facts).stdout
    assert command(facts, "--clear").returncode == 0
    assert command(facts).stdout == ""


def test_a_fault_is_over_when_its_time_is(client: Client, proxy: FaultProxy) -> None:
    proxy.add(Fault("answer", status=503, seconds=1))
    assert client.status(NODES) == 503
    deadline = time.monotonic() + 30
    while client.status(NODES) != 200:
        assert time.monotonic() < deadline
    assert proxy.faults() == []


def test_faults_are_met_in_the_order_in_which_they_were_set(client: Client, proxy: FaultProxy) -> None:
    for status in (500, 401, 403):
        proxy.add(Fault("answer", status=status, requests=1))
    assert [client.status(NODES) for _ in range(4)] == [500, 401, 403, 200]


def test_a_cut_breaks_the_streams_that_are_open_and_only_those_it_is_for(client: Client, proxy: FaultProxy) -> None:
    nodes, namespaces = client.watch(NODES), client.watch(NAMESPACES)
    proxy.add(Fault("cut", path="/nodes", requests=1))
    with pytest.raises(urllib3.exceptions.ProtocolError):
        nodes.read()
    assert b'"ADDED"' in namespaces.read1(1000)
    assert client.status(NODES) == 200
    namespaces.close()


def test_a_cut_lets_the_beginning_of_an_answer_through(client: Client, proxy: FaultProxy) -> None:
    with proxy.having(Fault("cut", after_bytes=100)):
        answer = client.ask(NODES)
        assert len(answer.read(100)) == 100
        with pytest.raises(urllib3.exceptions.HTTPError):
            answer.read(100_000)


def test_silence_answers_nothing_and_keeps_back_what_open_streams_say(client: Client, proxy: FaultProxy) -> None:
    watch = client.ask(NAMESPACES, watch="true", resourceVersion=client.version(NAMESPACES), timeout=60)
    proxy.add(Fault("silence", path="/namespaces", verbs=("get", "watch")))
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        client.ask(NAMESPACES + "/default", timeout=1)
    client.create_namespace("said-in-silence")
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(watch.read1, 65536)
        with pytest.raises(TimeoutError):
            reading.result(timeout=1)
        proxy.clear()
        assert b"said-in-silence" in reading.result(timeout=30)
    watch.close()


def test_slow_answers_come_whole(client: Client, proxy: FaultProxy) -> None:
    whole = client.ask(NAMESPACES).data
    with proxy.having(Fault("slow", bytes_per_second=4 * len(whole))):
        assert len(client.ask(NAMESPACES).data) == len(whole)


def test_refused_connections_are_refused_and_open_ones_end(client: Client, proxy: FaultProxy) -> None:
    watch = client.watch(NODES)
    with proxy.having(Fault("refuse")):
        with pytest.raises(urllib3.exceptions.NewConnectionError):
            client.status(NODES)
        with pytest.raises(urllib3.exceptions.ProtocolError):
            watch.read()
    assert client.status(NODES) == 200


def test_a_fault_that_makes_no_sense_is_refused(proxy: FaultProxy, facts: Facts) -> None:
    with pytest.raises(LabError, match="before it is known"):
        proxy.add(Fault("refuse", path="/nodes"))
    with pytest.raises(LabError, match="missing closing"):
        proxy.add(Fault("silence", path="("))
    assert "There are: a status" in command(facts, "teapot").stderr
    assert "Give --seconds" in command(facts, "api-away").stderr


def test_only_the_administrator_sets_faults(facts: Facts) -> None:
    control = f"https://127.0.0.1:{facts.ports.fault_control}/faults"
    https = urllib3.PoolManager(ca_certs=str(facts.ca_cert), retries=False)
    assert https.request("POST", control, body=b'{"action": "refuse"}').status == 401
    assert FaultProxy(facts).faults() == []


def test_commands_in_pods_go_through_and_are_cut(facts: Facts, proxy: FaultProxy) -> None:
    core = kubernetes.client.CoreV1Api(kubernetes.config.new_client_from_config(str(facts.kubeconfig_through_faults)))
    namespace = "openshift-machine-config-operator"
    pods = core.list_namespaced_pod(namespace, field_selector="spec.nodeName=worker-0").items
    pod = next(p.metadata.name for p in pods if p.metadata.name.startswith("machine-config-daemon"))

    command = ["/bin/sh", "-c", "echo hello; read forever"]
    execute = core.connect_get_namespaced_pod_exec
    options = {"container": "machine-config-daemon", "stdin": True, "stdout": True, "_preload_content": False}
    answering = stream.stream(execute, pod, namespace, command=command, **options)
    assert answering.readline_stdout(timeout=20) == "hello"
    proxy.add(Fault("cut", path="/exec", requests=1))
    try:
        answering.run_forever(timeout=30)
        ended = not answering.is_open()
    except websocket.WebSocketConnectionClosedException:  # the cut is noticed while a frame is read, or between two
        ended = True
    assert ended


def test_a_compacted_etcd_has_forgotten_a_list_that_was_begun(client: Client, facts: Facts) -> None:
    begun = json.loads(client.ask(NAMESPACES, limit="1").data)["metadata"]["continue"]
    client.create_namespace("since-then")

    assert command(facts, "compact").stdout.startswith("etcd has forgotten everything before revision")

    assert client.status(NAMESPACES, limit="1", **{"continue": begun}) == 410


def test_a_killed_api_server_comes_back_without_memory_of_what_it_could_be_watched_from(
    client: Client, facts: Facts
) -> None:
    version = client.version(NAMESPACES)
    client.create_namespace("just-before")

    kill_api_server(facts)

    event = json.loads(client.ask(NAMESPACES, watch="true", resourceVersion=version).readline())
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)


def test_an_api_server_that_is_away_refuses_connections_and_comes_back(client: Client, facts: Facts) -> None:
    with ThreadPoolExecutor(1) as pool:
        away = pool.submit(take_api_server_away, facts, 3)
        refused = False
        while not away.done():
            try:
                client.status(NODES)
            except urllib3.exceptions.HTTPError:
                refused = True
        away.result()

    assert refused
    assert client.status(NODES) == 200
