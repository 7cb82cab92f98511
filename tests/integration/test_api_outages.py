# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits and writes while the API is in trouble: the lab's fault proxy stands in front of the API server.

Outages of minutes are in tests/benchmarks/outages.py; what decides about them is tested in units.
"""

from __future__ import annotations

import re
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest
from lab.faults import Fault, FaultProxy, kill_api_server
from pools import build_wait_task, config_options, containerfile

if t.TYPE_CHECKING:
    from ansible_run import Ansible, Run
    from audit_log import AuditLog
    from lab.facts import Facts
    from lab.kube_rest import Api

NEVER = {"pool": "worker", "nodes": ["master-0"], "fail_on_findings": []}
"""What a wait never sees: master-0 is not in that pool, and nothing ends the wait for it but its time."""
AT_ONCE = {"pool": "worker", "timeout": 60}
"""What is there already: nobody has an image to roll out there."""


@pytest.fixture
def proxy(lab: Facts) -> t.Iterator[FaultProxy]:
    proxy = FaultProxy(lab)
    yield proxy
    proxy.clear()


@pytest.fixture
def through(ansible: Ansible, lab: Facts, proxy: FaultProxy) -> Ansible:
    """Ansible whose requests meet the faults."""
    return ansible.with_environment(K8S_AUTH_KUBECONFIG=str(lab.kubeconfig_through_faults))


def lines(run: Run) -> list[str]:
    """What the wait has told, line by line, without the time."""
    return re.findall(r"^  \[localhost\] \S+  (.*)$", run.stdout, re.MULTILINE)


def await_watches(proxy: FaultProxy, count: int) -> None:
    """Return when so many watches have begun: a fault that does no harm counts them."""
    proxy.add(Fault("slow", bytes_per_second=10**9, verbs=("watch",)))
    deadline = time.monotonic() + 60
    while proxy.faults()[-1]["hits"] < count:
        assert time.monotonic() < deadline, proxy.faults()
        time.sleep(0.05)
    proxy.clear()


@pytest.mark.parametrize(
    ("status", "reason"),
    [(401, "does not accept the credentials. Log in again"), (403, "nodes is forbidden")],
)
def test_a_wait_that_may_not_read_ends_before_it_begins(
    status: int, reason: str, through: Ansible, proxy: FaultProxy
) -> None:
    proxy.add(Fault("answer", status=status, path="/nodes"))
    refused, run = through.run_module("machineconfigpool_wait", NEVER)
    assert refused.failed
    assert refused.msg.startswith("Could not list Nodes: ")
    assert reason in refused.msg
    assert lines(run) == []


def test_an_api_that_is_away_all_the_time_is_told_once_and_named_at_the_end(
    through: Ansible, proxy: FaultProxy
) -> None:
    proxy.add(Fault("refuse"))
    late, run = through.run_module("machineconfigpool_wait", {**NEVER, "timeout": 12})
    assert late.failed
    assert "not done after 12 s (no connection to https://127.0.0.1:" in late.msg
    assert "Connection refused" in late.msg
    assert len(lines(run)) == 1
    assert lines(run)[0].startswith("API server away: no connection to")


def test_an_outage_is_told_once_when_it_begins_and_once_when_it_ends(through: Ansible, proxy: FaultProxy) -> None:
    trouble = [Fault("answer", status=429, retry_after=1, requests=5), Fault("answer", status=503, requests=5)]
    for fault in [*trouble, Fault("refuse", seconds=3)]:
        proxy.add(fault)
    waited, run = through.run_module("machineconfigpool_wait", AT_ONCE)
    assert not waited.failed, waited.msg
    away, back = lines(run)
    assert away.startswith("API server away: ")
    assert back.startswith("API server back: pool worker")


def test_a_build_is_waited_for_through_all_of_it(
    through: Ansible, ansible: Ansible, lab: Facts, proxy: FaultProxy, audit: AuditLog
) -> None:
    """One build that outlasts all troubles, and one trouble after the other."""
    pool = {"pool": "surviving"}
    slow = containerfile("sleep 30; echo surviving > /etc/pool")
    prepared = ansible.run_tasks(
        [
            {"name": "Pool", "imagemode.openshift.machineconfigpool": pool},
            {
                "name": "Config",
                "imagemode.openshift.machineosconfig": config_options(lab, pool["pool"], containerfile=slow),
            },
        ]
    )
    assert prepared.rc == 0, prepared.output

    def make_trouble() -> list[str]:
        await_watches(proxy, 4)
        met = []
        for fault in (
            Fault("cut", verbs=("watch",), requests=3),
            Fault("answer", status=410, verbs=("watch",), requests=1),
            Fault("answer", status=401, requests=2),
            Fault("answer", status=429, retry_after=1, requests=2),
            Fault("answer", status=503, requests=2),
            Fault("refuse", seconds=2),
        ):
            proxy.add(Fault("cut", verbs=("watch",), seconds=0.1))
            proxy.add(fault)
            time.sleep(3)
            met += [
                str(each["status"]) if "status" in each else each["action"] for each in proxy.faults() if each["hits"]
            ]
            proxy.clear()
        return met

    with audit.recording() as recording, ThreadPoolExecutor(1) as pool_of_threads:
        troubled = pool_of_threads.submit(make_trouble)
        run = through.run_tasks([build_wait_task(pool["pool"])])
        met = troubled.result()
    assert run.rc == 0, run.output
    assert {"401", "429", "503"} <= set(met)
    assert run.of("Build")["build"]["state"] == "succeeded"
    told = lines(run)
    away = [number for number, line in enumerate(told) if line.startswith("API server away: ")]
    back = [number for number, line in enumerate(told) if line.startswith("API server back: ")]
    assert away
    assert len(back) == len(away), told
    assert not any(request.is_write for request in recording.ours)


def test_a_killed_api_server_is_one_outage_of_a_wait(lab: Facts, through: Ansible, proxy: FaultProxy) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(through.run_module, "machineconfigpool_wait", {**NEVER, "timeout": 40})
        await_watches(proxy, 4)  # all of the second window, which goes on; the first ends before it has any
        kill_api_server(lab)
        late, run = waiting.result()
    assert late.failed
    assert "master-0 is not in MachineConfigPool worker" in late.msg
    assert sum(line.startswith("API server away: ") for line in lines(run)) == 1, lines(run)
    assert sum(line.startswith("API server back: ") for line in lines(run)) == 1, lines(run)


def test_a_write_is_done_once_though_everything_goes_wrong(
    through: Ansible, proxy: FaultProxy, api: Api, audit: AuditLog
) -> None:
    for status in (429, 503):
        proxy.add(Fault("answer", status=status, retry_after=1, verbs=("create",), requests=1))
    proxy.add(Fault("cut", verbs=("create",), requests=1))  # it was done, but the answer is lost
    with audit.recording() as recording:
        created, dummy = through.run_module("machineconfigpool", {"pool": "written-once"})
        again, dummy = through.run_module("machineconfigpool", {"pool": "written-once"})
    assert not created.failed, created.msg
    assert created.changed
    assert not again.changed
    assert [request.code for request in recording.ours if request.verb == "create"] == [201, 409]
