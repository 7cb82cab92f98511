# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbook apply on OpenShift 4.16 while the build pod is evicted, and while MachineConfigs come and go."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

import pytest

if t.TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

    from ansible_run import Run
    from v1alpha1_lab import BuiltImage, V1alpha1Lab

EVICTED, OVERTAKEN, BACK = "evicted", "overtaken", "back"
SLOW = "sleep 15; echo {pool} > /etc/pool"


@dataclass(frozen=True)
class Disturbed:
    """A run whose build was disturbed, and the next run with the same request."""

    first: Run
    next: Run
    rendered: str
    """The rendered config of the pool at the end."""
    image: BuiltImage


def evict(lab: V1alpha1Lab) -> Disturbed:
    """Evict the build pod while apply waits for the build."""
    request = {"run": SLOW.format(pool=EVICTED), "image_mode_nodes": ["worker-5"]}
    with lab.started_apply(EVICTED, **request) as started:
        lab.build_becomes(EVICTED, "Building")
        lab.evict_build_pod(EVICTED)
        first = started.ended()
    return Disturbed(first, lab.apply(EVICTED, **request), lab.rendered(EVICTED), lab.built_image(EVICTED))


def overtake(lab: V1alpha1Lab) -> Disturbed:
    """Create a MachineConfig for the pool while apply waits for the build."""
    request = {"run": SLOW.format(pool=OVERTAKEN), "image_mode_nodes": ["worker-6"]}
    with lab.started_apply(OVERTAKEN, **request) as started:
        lab.build_becomes(OVERTAKEN, "Building")
        rendered = lab.add_machine_config(OVERTAKEN)
        first = started.ended()
    # The operator leaves the build of the earlier rendered config and its pod.
    again = lab.apply(OVERTAKEN, image_mode_delete_superseded=True, **request)
    return Disturbed(first, again, rendered, lab.built_image(OVERTAKEN))


def go_back(lab: V1alpha1Lab) -> Disturbed:
    """Create a MachineConfig after apply, and delete it when the image of its rendered config is built."""
    request = {"run": f"echo {BACK} > /etc/pool", "image_mode_nodes": ["worker-7"]}
    first = lab.apply(BACK, **request)
    rendered = lab.rendered(BACK)
    lab.add_machine_config(BACK)
    lab.build_becomes(BACK, "Succeeded")
    lab.remove_machine_config(BACK, back_to=rendered)
    again = lab.apply(BACK, image_mode_allow_node_reboots=True, **request)
    return Disturbed(first, again, rendered, lab.built_image(BACK))


@pytest.fixture(scope="module")
def made(old_lab: V1alpha1Lab, side_by_side: ThreadPoolExecutor) -> dict[str, Future[Disturbed]]:
    """The runs of this file by their pools, side by side."""
    runs = {BACK: go_back, OVERTAKEN: overtake, EVICTED: evict}
    return {pool: side_by_side.submit(run, old_lab) for pool, run in runs.items()}


def require_proof(lab: V1alpha1Lab, pool: str, node: str, done: Disturbed) -> None:
    """Check that the next run verified an image of the pool's rendered config, and that nothing is left."""
    assert done.next.rc == 0, done.next.output
    (published,) = done.next.published
    assert published["verdict"] == "match"
    assert published["build"]["name"] == f"{pool}-{done.rendered}-builder"
    assert done.image.rendered_config == done.rendered
    booted = lab.node(node)
    assert (booted.current.config, booted.current.image) == (done.rendered, lab.image(pool))
    assert lab.left(pool) == []
    assert lab.pause_of(pool) == (False, [])


def test_evicted_build_pod_is_reported_and_the_next_apply_builds_again(
    made: t.Mapping[str, Future[Disturbed]], old_lab: V1alpha1Lab
) -> None:
    done = made[EVICTED].result()
    (failed,) = [result for result in done.first.results if result.failed]
    assert [finding["id"] for finding in failed["findings"]] == ["build.pod_lost"]
    assert "the operator does not start another one" in failed.msg
    assert "with the wanted content (playbook apply)" in failed.msg
    require_proof(old_lab, EVICTED, "worker-5", done)


def test_new_machineconfig_during_a_build_ends_with_an_image_of_the_new_rendered_config(
    made: t.Mapping[str, Future[Disturbed]], old_lab: V1alpha1Lab
) -> None:
    done = made[OVERTAKEN].result()
    assert done.first.rc == 0, done.first.output
    assert [e["build"]["name"] for e in done.first.published] == [f"{OVERTAKEN}-{done.rendered}-builder"]
    assert [e["changed"] for e in done.next.published] == [["older MachineOSBuilds"]], done.next.output
    require_proof(old_lab, OVERTAKEN, "worker-6", done)


def test_pool_back_on_an_older_rendered_config_gets_an_image_of_that_config(
    made: t.Mapping[str, Future[Disturbed]], old_lab: V1alpha1Lab
) -> None:
    done = made[BACK].result()
    assert [entry["verdict"] for entry in done.first.published] == ["match"], done.first.output
    assert done.next.changed == 1, done.next.output
    require_proof(old_lab, BACK, "worker-7", done)
