# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits and writes while the API fails: the fault proxy of the lab is in front of the API server.

tests/benchmarks/outages.py measures outages of minutes; unit tests decide how a wait treats each error.
"""

from __future__ import annotations

import re
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest
from lab.faults import Fault, kill_api_server
from polling import wait_for_watches, wait_until
from pools import PoolPlan, build_wait_task, containerfile, create_tasks

if t.TYPE_CHECKING:
    from ansible_run import Ansible, Run
    from audit_log import AuditLog
    from lab.facts import Facts
    from lab.faults import FaultProxy

NEVER_DONE = {"pool": "worker", "nodes": ["master-0"], "fail_on_findings": []}
"""A wait that only its timeout ends: master-0 is not in that pool, and no finding fails the wait."""
DONE_AT_ONCE = {"pool": "worker", "timeout": 60}
"""A wait for a pool without an image to roll out."""


@pytest.fixture
def through_proxy(ansible: Ansible, lab: Facts, proxy: FaultProxy) -> Ansible:
    """Ansible whose requests pass through the fault proxy."""
    return ansible.with_environment(K8S_AUTH_KUBECONFIG=str(lab.kubeconfig_through_faults))


def progress(run: Run) -> list[str]:
    """Return the progress lines of a wait without their times."""
    return re.findall(r"^  \[localhost\] \S+  (.*)$", run.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("status", "reason"),
    [(401, "does not accept the credentials. Log in again"), (403, "nodes is forbidden")],
)
def test_wait_that_is_denied_its_first_list_fails_at_once(
    status: int, reason: str, through_proxy: Ansible, proxy: FaultProxy
) -> None:
    proxy.add(Fault("answer", status=status, path="/nodes"))
    failed, run = through_proxy.run_module("machineconfigpool_wait", NEVER_DONE)
    assert failed.failed
    assert failed.msg.startswith("Could not list Nodes: ")
    assert reason in failed.msg
    assert progress(run) == []


def test_outage_that_lasts_is_reported_once_and_in_the_error(through_proxy: Ansible, proxy: FaultProxy) -> None:
    proxy.add(Fault("refuse"))
    late, run = through_proxy.run_module("machineconfigpool_wait", {**NEVER_DONE, "timeout": 12})
    assert late.failed
    assert "not done after 12 s (no connection to https://127.0.0.1:" in late.msg
    assert "Connection refused" in late.msg
    assert len(progress(run)) == 1
    assert progress(run)[0].startswith("API server away: no connection to")


def test_outage_is_reported_when_it_begins_and_when_it_ends(through_proxy: Ansible, proxy: FaultProxy) -> None:
    errors = [Fault("answer", status=429, retry_after=1, requests=5), Fault("answer", status=503, requests=5)]
    for fault in [*errors, Fault("refuse", seconds=3)]:
        proxy.add(fault)
    waited, run = through_proxy.run_module("machineconfigpool_wait", DONE_AT_ONCE)
    assert not waited.failed, waited.msg
    away, back = progress(run)
    assert away.startswith("API server away: ")
    assert back.startswith("API server back: pool worker")


def test_wait_for_a_build_survives_one_fault_after_the_other(
    through_proxy: Ansible, ansible: Ansible, lab: Facts, proxy: FaultProxy, audit: AuditLog
) -> None:
    pool = "surviving"
    # Longer than all faults take on a busy machine: a wait that has ended meets none.
    slow = PoolPlan(config={"containerfile": containerfile("sleep 90; echo surviving > /etc/pool")})
    prepared = ansible.run_tasks(create_tasks(lab, pool, slow))
    assert prepared.rc == 0, prepared.output

    def inject_faults() -> list[str]:
        wait_for_watches(proxy, 4)
        hit = []
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
            if fault.action == "refuse":
                time.sleep(fault.seconds)
            else:
                wait_until(lambda: proxy.faults()[-1]["hits"])
                hit.append(str(fault.status or fault.action))
            proxy.clear()
            time.sleep(1)
        return hit

    with audit.recording() as recording, ThreadPoolExecutor(1) as threads:
        faults = threads.submit(inject_faults)
        run = through_proxy.run_tasks([build_wait_task(pool)])
        hit = faults.result()
    assert run.rc == 0, run.output
    assert hit == ["cut", "410", "401", "429", "503"]
    assert run.of("Build")["build"]["state"] == "succeeded"
    lines = progress(run)
    away = [number for number, line in enumerate(lines) if line.startswith("API server away: ")]
    back = [number for number, line in enumerate(lines) if line.startswith("API server back: ")]
    assert away
    assert len(back) == len(away), lines
    assert not any(request.is_write for request in recording.ours)


def test_killed_api_server_is_one_outage_of_a_wait(lab: Facts, through_proxy: Ansible, proxy: FaultProxy) -> None:
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(through_proxy.run_module, "machineconfigpool_wait", {**NEVER_DONE, "timeout": 40})
        wait_for_watches(proxy, 4)  # all watches of the second window; the first window ends before it has any
        kill_api_server(lab)
        late, run = waiting.result()
    assert late.failed
    assert "master-0 is not in MachineConfigPool worker" in late.msg
    assert sum(line.startswith("API server away: ") for line in progress(run)) == 1, progress(run)
    assert sum(line.startswith("API server back: ") for line in progress(run)) == 1, progress(run)


def test_object_is_created_once_although_requests_fail_and_a_response_is_lost(
    through_proxy: Ansible, proxy: FaultProxy, audit: AuditLog
) -> None:
    for status in (429, 503):
        proxy.add(Fault("answer", status=status, retry_after=1, verbs=("create",), requests=1))
    proxy.add(Fault("cut", verbs=("create",), requests=1))  # the API server creates the object, the response is lost
    with audit.recording() as recording:
        created, dummy = through_proxy.run_module("machineconfigpool", {"pool": "written-once"})
        again, dummy = through_proxy.run_module("machineconfigpool", {"pool": "written-once"})
    assert not created.failed, created.msg
    assert created.changed
    assert not again.changed
    assert [request.code for request in recording.ours if request.verb == "create"] == [201, 409]
