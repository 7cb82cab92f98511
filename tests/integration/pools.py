# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests ask the lab for: pools, Containerfiles and the waits behind them, through the collection itself."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_run import Ansible, TaskResult
from lab.facts import Facts

BUILD_TIMEOUT = 240
ROLLOUT_TIMEOUT = 240


def containerfile(line: str) -> str:
    """Return a Containerfile that changes the image by one line."""
    return f"FROM configs AS final\nRUN {line}\n"


def push_spec(lab: Facts, name: str) -> str:
    """Return where the lab's registry takes an image of that name."""
    return f"{lab.registry_host}/lab/{name}:latest"


def config_options(lab: Facts, pool: str, **options: t.Any) -> dict[str, t.Any]:
    """Return the options of a MachineOSConfig that builds."""
    return {
        "pool": pool,
        "containerfile": containerfile(f"echo {pool} > /etc/pool"),
        "rendered_image_push_spec": push_spec(lab, pool),
        "rendered_image_push_secret": "push",
        **options,
    }


@dataclass(frozen=True)
class BuiltPool:
    """A custom pool without nodes whose image is built."""

    name: str
    build: TaskResult

    @property
    def image(self) -> str:
        """The image's pull spec, with its digest."""
        return str(self.build["build"]["digested_image_push_spec"])

    @property
    def digest(self) -> str:
        """The image's digest."""
        return self.image.partition("@")[2]


# The pools that more than one test stands on, and the line that changes the image of each.
SHARED_POOLS: t.Mapping[str, str] = {
    "rolled-out": "echo rolled-out > /etc/pool",
    "edited": "echo edited > /etc/pool",
    "failing": "echo no such luck >&2; exit 7",
    "held": "echo held > /etc/pool",
    "paused": "echo paused > /etc/pool",
    "without-nodes": "echo without-nodes > /etc/pool",
}
_PAUSED = ("held", "paused")


def start_builds(ansible: Ansible, lab: Facts, pools: t.Collection[str]) -> None:
    """Create some of the SHARED_POOLS and have their images built, without waiting for any.

    A build takes most of a minute, and what is built side by side shares it.
    """
    tasks: list[dict[str, t.Any]] = []
    for pool in pools:
        paused = {"paused": True} if pool in _PAUSED else {}
        config = config_options(lab, pool, containerfile=containerfile(SHARED_POOLS[pool]))
        tasks.append({"name": f"Pool {pool}", "imagemode.openshift.machineconfigpool": {"pool": pool, **paused}})
        tasks.append({"name": f"Config {pool}", "imagemode.openshift.machineosconfig": config})
    run = ansible.run_tasks(tasks)
    if run.rc:
        raise RuntimeError(run.output)


def build_pools(ansible: Ansible, lab: Facts, *pools: str) -> dict[str, BuiltPool]:
    """Create custom pools without nodes and have their images built, side by side."""
    tasks: list[dict[str, t.Any]] = []
    for pool in pools:
        tasks.append({"name": f"Pool {pool}", "imagemode.openshift.machineconfigpool": {"pool": pool}})
        tasks.append({"name": f"Config {pool}", "imagemode.openshift.machineosconfig": config_options(lab, pool)})
    run = ansible.run_tasks(tasks)
    if run.rc:
        raise RuntimeError(run.output)
    return {pool: wait_for_build(ansible, pool) for pool in pools}


def wait_for_build(ansible: Ansible, pool: str) -> BuiltPool:
    """Wait until the image of a pool is built."""
    run = ansible.run_tasks([build_wait_task(pool)])
    if run.rc:
        raise RuntimeError(run.output)
    return BuiltPool(pool, run.of("Build"))


def build_wait_task(pool: str) -> dict[str, t.Any]:
    """Return the task ``Build``, which waits for the image of a pool."""
    return {"name": "Build", "imagemode.openshift.machineosbuild_wait": {"pool": pool, "timeout": BUILD_TIMEOUT}}
