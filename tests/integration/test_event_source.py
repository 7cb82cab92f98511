# SPDX-License-Identifier: GPL-3.0-or-later
"""The event source imagemode.openshift.pools with the real API and a real queue of asyncio."""

from __future__ import annotations

import time
import typing as t

import pytest
import yaml
from accounts import EXPLAINS, Account, forbidden, granted, manifest, unused
from event_source import running_source
from lab.faults import Fault, kill_api_server
from polling import wait_for_watches, wait_until
from pools import PoolPlan, containerfile, create_tasks, edit_task, join_task, leave_task

if t.TYPE_CHECKING:
    from ansible_run import Ansible
    from audit_log import AuditLog
    from lab.facts import Facts
    from lab.faults import FaultProxy

NODE = "worker-20"
SUBJECTS = 4
"""Watches of a source. They start after its first observation."""


def address_of(lab: Facts) -> str:
    """Return the address of the fault proxy."""
    content = yaml.safe_load(lab.kubeconfig_through_faults.read_text(encoding="utf-8"))
    return str(content["clusters"][0]["cluster"]["server"])


def run(ansible: Ansible, *tasks: dict[str, t.Any]) -> None:
    """Run tasks as another client of the cluster."""
    ended = ansible.run_tasks(list(tasks))
    assert ended.rc == 0, ended.output


def test_each_transition_of_a_pool_is_one_event_and_the_account_needs_no_other_right(
    lab: Facts,
    ansible: Ansible,
    audit: AuditLog,
    proxy: FaultProxy,
    account: t.Callable[[str], Account],
) -> None:
    pool, events = "evented", account("events")
    through_proxy = {"host": address_of(lab), "api_key": events.token, "ca_cert": str(lab.ca_cert)}
    failing = PoolPlan(config={"containerfile": containerfile("echo no such thing; exit 7")})
    with audit.recording() as recording, running_source(pools=[pool], **through_proxy) as source:
        wait_for_watches(proxy, SUBJECTS)
        run(ansible, *create_tasks(lab, pool, failing))
        source.wait_for("build_failed")
        assert source.types == ["config_edited", "build_failed"]
        run(ansible, join_task(pool, NODE))
        source.wait_for("node_joined")
        run(ansible, edit_task(lab, pool, "echo fine > /etc/evented", allow_node_reboots=True))
        source.wait_for("build_succeeded", "rollout_done")
        run(ansible, leave_task(pool, NODE))
        source.wait_for("node_left")
    assert source.types == [
        "config_edited", "build_failed", "node_joined", "config_edited", "build_succeeded", "rollout_done", "node_left",
    ]  # fmt: skip
    edited, failed, joined, again, built, done, left = source.events
    assert [event["generation"] for event in source.events] == [1, 1, 1, 2, 2, 2, 2]
    assert {event["pool"] for event in source.events} == {pool}
    assert failed["finding"]["id"] == "build.run_failed"
    assert "exit 7" in failed["finding"]["message"]
    assert failed["finding"]["remedy"]
    assert (edited["object"]["kind"], built["object"]["kind"]) == ("MachineOSConfig", "MachineOSBuild")
    assert (joined["object"]["name"], left["object"]["name"]) == (NODE, NODE)
    assert left["finding"]["id"] == "node.left_pool"
    assert [event["finding"] for event in (edited, joined, again, built, done)] == [None] * 5
    assert failed["cluster"]["name"]
    assert not forbidden(recording, events)
    assert not any(request.is_write for request in recording.by(user=events.user))
    # MachineConfigNodes are only read of a rollout that lasts.
    of_long_rollouts = {right for right in granted(manifest("events")) if right.resource == "machineconfignodes"}
    assert unused(granted(manifest("events")), recording.by(user=events.user)) <= EXPLAINS | of_long_rollouts


def test_source_loses_nothing_in_outages_and_repeats_nothing_after_them(
    lab: Facts, ansible: Ansible, proxy: FaultProxy
) -> None:
    pool = "evented-outage"
    run(ansible, {"name": "Pool", "imagemode.openshift.machineconfigpool": {"pool": pool}})
    with running_source(pools=[pool], kubeconfig=str(lab.kubeconfig_through_faults)) as source:
        wait_for_watches(proxy, SUBJECTS)
        proxy.add(Fault("refuse"))
        run(ansible, join_task(pool, NODE))
        proxy.clear()
        source.wait_for("node_joined")
        for fault in (
            Fault("cut", verbs=("watch",), requests=4),
            Fault("answer", status=410, verbs=("watch",), requests=4),
            Fault("answer", status=401, requests=2),
            Fault("answer", status=429, retry_after=1, requests=2),
            Fault("slow", bytes_per_second=2000, seconds=2),
        ):
            proxy.add(Fault("cut", verbs=("watch",), seconds=0.1))
            proxy.add(fault)
            time.sleep(2)
            proxy.clear()
        kill_api_server(lab)
        proxy.add(Fault("refuse"))
        run(ansible, leave_task(pool, NODE))
        proxy.clear()
        source.wait_for("node_left")
    assert [name for name in source.types if name != "rollout_done"] == ["node_joined", "node_left"]


@pytest.mark.parametrize(
    ("status", "reason"),
    [(401, "does not accept the credentials. Log in again"), (403, "nodes is forbidden")],
)
def test_source_that_is_denied_its_first_list_ends_with_one_line(
    status: int, reason: str, lab: Facts, proxy: FaultProxy
) -> None:
    proxy.add(Fault("answer", status=status, path="/nodes"))
    with running_source(kubeconfig=str(lab.kubeconfig_through_faults)) as source:
        error = source.wait_for_end()
    assert error.startswith("Could not list Nodes: ")
    assert reason in error
    assert "\n" not in error
    assert source.events == []


def test_cancelled_source_stops_watching(lab: Facts, audit: AuditLog, proxy: FaultProxy) -> None:
    with running_source(kubeconfig=str(lab.kubeconfig_through_faults)) as source:
        wait_for_watches(proxy, SUBJECTS)
    assert source.error is None

    def is_quiet() -> bool:
        with audit.recording() as recording:
            proxy.add(Fault("cut", seconds=1))  # ends open watches; a source that runs opens them again
            time.sleep(2)
            proxy.clear()
        return not recording.ours

    wait_until(is_quiet)


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        ({"pool": "layered"}, "pool is unknown"),
        ({"pools": "layered"}, "pools does not fit the schema (type: array)"),
        ({"settle": -1}, "settle does not fit the schema (minimum: 0)"),
        ({"api_key": ["hunter2"]}, "api_key does not fit the schema (type: string)"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_argument_that_does_not_fit_the_schema_is_an_error_without_its_value(
    args: dict[str, t.Any], reason: str
) -> None:
    with running_source(**args) as source:
        error = source.wait_for_end()
    assert error.startswith(f"Could not read the arguments of imagemode.openshift.pools: {reason}. ")
    assert "hunter2" not in error
