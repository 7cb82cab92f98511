# SPDX-License-Identifier: GPL-3.0-or-later
"""Rebuilds on OpenShift 4.16 that are killed after one of their writes, and the next run.

The fault proxy lets the response of one write trickle, so the run is killed when the API server has done exactly that
write. tests/unit/plugins/module_utils/_operation/test_rebuild_pod_build.py kills it after each request, in each
situation, against a simulated operator.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

import pytest
from ansible_run import write_playbook
from lab.faults import Fault, FaultProxy
from lab.v1alpha1.objects import (
    BUILDS,
    CONFIG_MAPS,
    CONFIGS,
    PODS,
    POOLS,
    build_name,
    machine_config_map,
    pod_name,
)
from polling import wait_until
from pools import build_wait_task, rollout_wait_task
from v1alpha1_lab import PATIENCE

if t.TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

    from ansible_run import Run
    from v1alpha1_lab import BuiltImage, V1alpha1Lab

CORRECT = "echo correct > /etc/pool"
TRICKLE = 1
"""Bytes per second of a response."""
NO_DRY_RUN = r"(\?(fieldManager=[^&]*)?)?$"
"""The rest of the URL of a write that is no dry run."""


@dataclass(frozen=True)
class Write:
    """A write of a rebuild.

    :param verb: the verb in the API
    :param path: the start of its URL. ``{pool}`` and ``{rendered}`` are replaced
    """

    verb: str
    path: str
    is_done: t.Callable[[V1alpha1Lab, str, str], bool]
    """Whether the API server has done it, for a pool and its rendered config."""


def is_gone(path: str, name: t.Callable[[str, str], str]) -> t.Callable[[V1alpha1Lab, str, str], bool]:
    """Return whether an object is deleted, or has to end."""

    def check(lab: V1alpha1Lab, pool: str, rendered: str) -> bool:
        found = lab.api.find(path, name(pool, rendered))
        return found is None or "deletionTimestamp" in found["metadata"]

    return check


def is_paused(lab: V1alpha1Lab, pool: str, dummy: str) -> bool:
    """Whether the pool is paused."""
    return lab.pause_of(pool)[0]


def is_written(lab: V1alpha1Lab, pool: str, dummy: str) -> bool:
    """Whether the MachineOSConfig has the correct Containerfile."""
    inputs = lab.api.get(f"{CONFIGS}/{pool}")["spec"]["buildInputs"]
    return CORRECT in inputs["containerFile"][0]["content"]


WRITES: t.Mapping[str, Write] = {
    "pause": Write("patch", POOLS + "/{pool}", is_paused),
    "mc": Write(
        "delete",
        f"{CONFIG_MAPS}/{machine_config_map('{rendered}')}",
        is_gone(CONFIG_MAPS, lambda dummy, rendered: machine_config_map(rendered)),
    ),
    "pod": Write(
        "delete",
        f"{PODS}/{pod_name('{rendered}')}",
        is_gone(PODS, lambda dummy, rendered: pod_name(rendered)),
    ),
    "build": Write("delete", f"{BUILDS}/{build_name('{pool}', '{rendered}')}", is_gone(BUILDS, build_name)),
    "spec": Write("patch", CONFIGS + "/{pool}", is_written),
}
"""The writes of a rebuild after a failed build, in their order."""
AFTER_THE_START = ("spec",)
"""Writes after which the operator starts the wanted build, so that the next run leaves it alone."""


@dataclass(frozen=True)
class Resumed:
    """The next run after one that was killed."""

    run: Run
    before: str
    """The UID of the build when the next run began. Empty if none existed."""
    build: str
    """The UID of the build afterwards."""
    image: BuiltImage


def pool_of(write: str) -> str:
    """Return the pool whose rebuild is killed at a write."""
    return f"killed-{write}"


def node_of(write: str) -> str:
    """Return the node of this pool."""
    return f"worker-{8 + list(WRITES).index(write)}"


def edit_task(lab: V1alpha1Lab, pool: str, run: str = CORRECT) -> dict[str, t.Any]:
    """Return the task ``Edit``, which gives a pool a Containerfile with one instruction RUN."""
    return {"name": "Edit", "imagemode.openshift.machineosconfig": lab.config_options(pool, run)}


def create_failed_builds(lab: V1alpha1Lab) -> None:
    """Create the pools with a node each, and wait until their builds have failed."""
    pools = [{"imagemode.openshift.machineconfigpool": {"pool": pool_of(write)}} for write in WRITES]
    run = lab.new_ansible().run_tasks([*pools, *(edit_task(lab, pool_of(write), "exit 7") for write in WRITES)])
    assert run.rc == 0, run.output
    for write in WRITES:
        lab.add_node(pool_of(write), node_of(write))
        lab.build_becomes(pool_of(write), "Failed")


def kill_at(lab: V1alpha1Lab, proxy: FaultProxy, name: str) -> Resumed:
    """Kill the edit of a failed build when the API server has done a write, and run it again."""
    write, pool = WRITES[name], pool_of(name)
    rendered = lab.rendered(pool)
    path = write.path.format(pool=pool, rendered=rendered) + NO_DRY_RUN
    proxy.add(Fault("slow", bytes_per_second=TRICKLE, path=path, verbs=(write.verb,), requests=1))
    ansible = lab.new_ansible(lab.facts.kubeconfig_through_faults)
    with ansible.started_playbook(write_playbook(ansible.scratch, [edit_task(lab, pool)])) as started:
        wait_until(lambda: was_sent(proxy, path) and write.is_done(lab, pool, rendered), PATIENCE)
        assert started.process.poll() is None, started.text()
        started.kill()
    if name in AFTER_THE_START:
        wait_until(lambda: uid_of_build(lab, pool), PATIENCE)
    return run_again(lab, pool, node_of(name))


def was_sent(proxy: FaultProxy, path: str) -> bool:
    """Whether the request was sent whose response trickles."""
    return all(fault["hits"] for fault in proxy.faults() if fault.get("path") == path)


def run_again(lab: V1alpha1Lab, pool: str, node: str) -> Resumed:
    """Edit, wait for the build and the rollout, and verify the node."""
    before = uid_of_build(lab, pool)
    verify = {"name": "Verify", "imagemode.openshift.node_image_verify": {"pool": pool}}
    quiet = {"progress": "none"}  # a report starts the module again
    waits = [build_wait_task(pool, **quiet), rollout_wait_task(pool, nodes=[node], **quiet)]
    run = lab.new_ansible().run_tasks([edit_task(lab, pool), *waits, verify])
    assert run.rc == 0, run.output
    return Resumed(run, before, uid_of_build(lab, pool), lab.built_image(pool))


def uid_of_build(lab: V1alpha1Lab, pool: str) -> str:
    """Return the UID of the build of a pool, or an empty string."""
    build = lab.build(pool)
    return str(build["metadata"]["uid"]) if build else ""


@pytest.fixture(scope="module")
def resumed(old_lab: V1alpha1Lab, side_by_side: ThreadPoolExecutor) -> t.Iterator[dict[str, Future[Resumed]]]:
    """The runs after those that were killed, by the write at which they were killed."""
    proxy = FaultProxy(old_lab.facts)
    create_failed_builds(old_lab)
    yield {write: side_by_side.submit(kill_at, old_lab, proxy, write) for write in WRITES}
    proxy.clear()


@pytest.mark.parametrize("write", WRITES)
def test_edit_that_was_killed_after_a_write_is_completed_by_the_next(
    write: str, resumed: t.Mapping[str, Future[Resumed]], old_lab: V1alpha1Lab
) -> None:
    done, pool = resumed[write].result(), pool_of(write)
    assert (done.build == done.before) is (write in AFTER_THE_START), done.run.output
    assert done.run.of("Verify")["verdict"] == "match"
    assert [node["name"] for node in done.run.of("Verify")["nodes"]] == [node_of(write)]
    assert CORRECT in done.image.last_instruction
    assert old_lab.left(pool) == []
    assert old_lab.pause_of(pool) == (False, [])
