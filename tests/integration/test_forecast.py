# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``apply --check`` forecasts. A run after it does the same, and the forecast itself writes nothing.

A forecast shows nothing that reads like a result of an image which does not exist yet.
"""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

from lab.scenarios.stage import NODES, POOLS
from polling import wait_until
from pools import PoolPlan, containerfile, join_task, variables_of

if t.TYPE_CHECKING:
    from ansible_run import Ansible, Run
    from audit_log import AuditLog
    from conftest import During
    from lab.facts import Facts
    from lab.kube_rest import Api
    from pools import BuiltPool, Pools

APPLY = "imagemode.openshift.apply"
BUDGETS = "/apis/policy/v1/namespaces/lab-scenario/poddisruptionbudgets"
FREE = ("worker-3", "worker-4", "worker-5")
"""Nodes in no custom pool."""
FORESEEN = "foreseen"
ORDER = ("worker-17", "worker-15", "worker-16")
"""The nodes of the pool in the order of their zones, which is not that of their names."""


def forecast(run: Run) -> dict[str, t.Any]:
    """Return the forecast that a run published. It is no result: there is no verdict and no warning."""
    assert run.rc == 0, run.output
    (entry,) = run.published
    assert entry["verdict"] == "none"
    assert (entry["counts"], entry["rollout"], entry["unproven_nodes"]) == (None, None, [])
    assert (entry["failure"], entry["reports"]) == (None, [])
    assert (entry["build"] is None) is (entry["forecast"]["machineosconfig"] != "unchanged")
    assert entry["message"].startswith(f"pool {entry['pool']}: forecast: ")
    assert " match" not in run.output
    assert "Result:" not in run.output
    assert "check mode: no node is verified, because" in run.stdout
    assert run.stderr == ""
    return t.cast("dict[str, t.Any]", entry["forecast"])


def summary(run: Run) -> list[str]:
    """Return the last lines of the output, without the time."""
    lines = [line.strip() for line in run.stdout.splitlines()]
    start = lines.index(next(line for line in lines if "Show the summary" in line)) + 1
    end = next(place for place, line in enumerate(lines) if place > start and line.startswith("Time: "))
    return lines[start:end]


def added(run: Run) -> set[str]:
    """Return the lines that the diffs of a run add."""
    return {line[1:].strip().rstrip(",") for line in run.stdout.splitlines() if line.startswith("+")}


def by_age(api: Api, *names: str) -> list[str]:
    """Return nodes of one zone in the order in which the operator updates them."""
    nodes = [api.get(f"{NODES}/{name}")["metadata"] for name in names]
    return [node["name"] for node in sorted(nodes, key=lambda node: (node["creationTimestamp"], node["name"]))]


def test_new_pool_is_forecast_with_its_build_and_the_batches_of_its_nodes(
    ansible: Ansible, lab: Facts, api: Api, audit: AuditLog
) -> None:
    secret = {"name": "unborn", "registry": lab.registry_host, "registry_username": "pusher"}
    secret["registry_password_file"] = str(lab.registry_password_files.pusher)
    variables = variables_of(
        lab,
        "unborn",
        image_mode_create_pool=True,
        image_mode_max_unavailable=2,
        image_mode_nodes=list(FREE),
        image_mode_secrets=[secret],
        image_mode_rendered_image_push_secret="unborn",
        image_mode_report_dir="reports",
    )
    with audit.recording() as recording:
        run = ansible.run_playbook(APPLY, "--check", "--diff", "-i", "localhost,", variables=variables)
    first, second, third = by_age(api, *FREE)
    lines = [
        "the MachineOSConfig would be created, and a build would start",
        f"3 nodes would drain and reboot, at most 2 at once: {first}, {second}; then {third}",
    ]
    assert forecast(run) == {
        "complete": False,
        "changes": True,
        "pool": "created",
        "machineosconfig": "created",
        "build": {"expected": "start", "name": None},
        "reboots": 3,
        "max_unavailable": "2",
        "at_once": 2,
        "batches": 2,
        "first_nodes": [first, second, third],
        "findings": [],
        "lines": lines,
    }
    changes = ["Secret unborn", "MachineConfigPool unborn", "MachineOSConfig unborn", *(f"Node {n}" for n in FREE)]
    assert summary(run) == [*(f"Forecast: {line}" for line in lines), f"Would change: {', '.join(changes)}"]
    objects = {"Secret unborn", "MachineConfigPool unborn", "MachineOSConfig unborn", "labels of nodes"}
    assert added(run) >= {f"++ after: {name}" for name in objects}
    assert added(run) >= {
        '"maxUnavailable": 2',
        '"RUN echo unborn > /etc/pool"',
        '"node-role.kubernetes.io/unborn": ""',
    }
    assert not (ansible.scratch / "reports").exists()
    assert recording.stored == []
    assert "unborn" not in {pool["metadata"]["name"] for pool in api.get(POOLS)["items"]}


def test_edit_is_forecast_without_the_result_of_the_old_image(
    ansible: Ansible, lab: Facts, api: Api, audit: AuditLog, during: During, rolled_out: BuiltPool
) -> None:
    variables = variables_of(
        lab,
        rolled_out.name,
        image_mode_containerfile=containerfile("echo of another image"),
        image_mode_allow_node_reboots=True,
        image_mode_report_dir="reports",
    )
    with during("drain-blocked", rolled_out.name, "worker-1"):
        wait_until(lambda: api.get(f"{BUDGETS}/guarded-worker-1").get("status", {}).get("currentHealthy"))
        with audit.recording() as recording:
            run = ansible.run_playbook(APPLY, "--check", "--diff", variables=variables)
    first, second = by_age(api, "worker-0", "worker-1")
    found, guarded, build = forecast(run), "lab-scenario/guarded-worker-1", rolled_out.build["build"]["name"]
    doubt = (
        f"OpenShift {lab.release} may use the older MachineOSBuild {build} instead of the build of this spec, and then "
        "no node gets the image. Set image_mode_delete_superseded=true to delete them"
    )
    assert found["lines"] == [
        "the MachineOSConfig would be changed, and a build would start",
        f"2 nodes would drain and reboot, at most 1 at once: {first}; then {second}",
        doubt,
        f"Node worker-1 cannot be drained: PodDisruptionBudget {guarded} never allows the eviction of Pod {guarded}",
    ]
    assert found["findings"] == ["node.drain_impossible"]
    assert (found["pool"], found["machineosconfig"], found["batches"]) == ("unchanged", "changed", 2)
    assert rolled_out.digest not in run.output
    assert not (ansible.scratch / "reports").exists()
    assert added(run) == {"++ after: MachineOSConfig rolled-out", '"RUN echo of another image"'}
    assert recording.stored == []


def test_edit_is_forecast_only_with_the_consent_that_the_run_needs(
    ansible: Ansible, lab: Facts, rolled_out: BuiltPool
) -> None:
    variables = variables_of(lab, rolled_out.name, image_mode_containerfile=containerfile("echo of another image"))
    run = ansible.run_playbook(APPLY, "--check", variables=variables)
    assert run.rc == 2
    message = (
        f"Could not apply the image of MachineConfigPool {rolled_out.name}: it would drain and reboot the nodes of "
        f"MachineConfigPool {rolled_out.name}: worker-0, worker-1. Set image_mode_allow_node_reboots=true."
    )
    assert [entry["failure"] for entry in run.published] == [message]


def test_forecast_of_an_unchanged_pool_is_complete(
    ansible: Ansible, lab: Facts, audit: AuditLog, rolled_out: BuiltPool
) -> None:
    with audit.recording() as recording:
        run = ansible.run_playbook(APPLY, "--check", "--diff", variables=variables_of(lab, rolled_out.name))
    assert run.rc == 0, run.output
    (entry,) = run.published
    assert entry["forecast"]["complete"]
    # Nothing would change, so the image of the nodes is the wanted one, and check mode verifies it.
    assert (entry["verdict"], entry["counts"]["match"]) == ("match", 2)
    lines = summary(run)
    assert lines[:3] == [
        f"Forecast: no build would start: build {rolled_out.build['build']['name']} has succeeded",
        "Forecast: no node would reboot",
        f"Result: check mode: pool {rolled_out.name}: 2 of 2 nodes match",
    ]
    assert lines[-1] == "Would change: nothing"
    assert recording.stored == []


def test_run_updates_the_nodes_in_the_order_of_its_forecast(
    ansible: Ansible, lab: Facts, api: Api, audit: AuditLog, pools: Pools
) -> None:
    pool = pools.built(FORESEEN, PoolPlan(pool={"paused": True, "max_unavailable": "2"}))
    for zone, node in enumerate(ORDER):
        api.patch(f"{NODES}/{node}", {"metadata": {"labels": {"topology.kubernetes.io/zone": f"zone-{zone}"}}})
    assert ansible.run_tasks([join_task(pool.name, *ORDER)]).rc == 0
    variables = variables_of(lab, pool.name, image_mode_allow_node_reboots=True)
    with audit.recording() as recording:
        found = forecast(ansible.run_playbook(APPLY, "--check", variables=variables))
    assert found["lines"] == [
        f"no build would start: build {pool.build['build']['name']} has succeeded",
        f"3 nodes would drain and reboot, at most 2 at once: {ORDER[0]}, {ORDER[1]}; then {ORDER[2]}",
    ]
    assert (found["pool"], found["first_nodes"]) == ("changed", list(ORDER))
    assert recording.stored == []

    with ThreadPoolExecutor(1) as threads:
        started = threads.submit(_nodes_in_the_order_of_their_start, api, pool.image)
        run = ansible.run_playbook(APPLY, variables=variables)
        assert run.rc == 0, run.output
        assert started.result() == list(ORDER)
    assert [entry["verdict"] for entry in run.published] == ["match"]


def _nodes_in_the_order_of_their_start(api: Api, image: str) -> list[str]:
    """Return the nodes in the order in which the controller assigned an image to them, when it has for all."""
    started: list[str] = []
    for event in api.follow(NODES):
        notes = event.object["metadata"].get("annotations", {})
        if notes.get("machineconfiguration.openshift.io/desiredImage") == image and event.name not in started:
            started.append(event.name)
        if len(started) == len(ORDER):
            break
    return started
