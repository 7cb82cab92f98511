# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools of the lab whose images the tests build, created through the collection itself."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_run import Ansible, TaskResult
from lab.facts import Facts
from lab.release import V1ALPHA1

OPERATOR_NAMESPACE = "openshift-machine-config-operator"
"""Namespace of the images. In the lab of v1alpha1 the registry has the name of the internal one, which needs it."""
BUILD_TIMEOUT = 600
ROLLOUT_TIMEOUT = 600
"""Seconds. A build takes less than a minute, and many times that on a busy machine."""


def containerfile(line: str) -> str:
    """Return a Containerfile that changes the image by one line."""
    return f"FROM configs AS final\nRUN {line}\n"


def push_spec(lab: Facts, name: str) -> str:
    """Return the push spec of an image in the registry of the lab."""
    return f"{lab.registry_host}/{OPERATOR_NAMESPACE}/{name}:latest"


def variables_of(lab: Facts, pool: str, **variables: t.Any) -> dict[str, t.Any]:
    """Return the variables of playbook apply that build an image for a pool, pushed with the Secret of the lab."""
    return {
        "image_mode_pool": pool,
        "image_mode_containerfile": containerfile(f"echo {pool} > /etc/pool"),
        "image_mode_rendered_image_push_spec": push_spec(lab, pool),
        "image_mode_rendered_image_push_secret": "push",
        "image_mode_build_timeout": BUILD_TIMEOUT,
        "image_mode_rollout_timeout": ROLLOUT_TIMEOUT,
        **{f"image_mode_{option}": value for option, value in _node_pull_secret(lab).items()},
        **variables,
    }


def config_options(lab: Facts, pool: str, **options: t.Any) -> dict[str, t.Any]:
    """Return the options of a MachineOSConfig whose image can be built."""
    return {
        "pool": pool,
        "containerfile": containerfile(f"echo {pool} > /etc/pool"),
        "rendered_image_push_spec": push_spec(lab, pool),
        "rendered_image_push_secret": "push",
        **_node_pull_secret(lab),
        **options,
    }


def _node_pull_secret(lab: Facts) -> dict[str, str]:
    """Return the option without which v1alpha1 accepts no MachineOSConfig, and for which v1 has no field."""
    return {"current_image_pull_secret": "global-pull-secret-copy"} if lab.api == V1ALPHA1 else {}


@dataclass(frozen=True)
class BuiltPool:
    """A custom pool whose image is built."""

    name: str
    build: TaskResult

    @property
    def image(self) -> str:
        """The pull spec of the image, with its digest."""
        return str(self.build["build"]["digested_image_push_spec"])

    @property
    def digest(self) -> str:
        """The digest of the image."""
        return self.image.partition("@")[2]


@dataclass(frozen=True)
class PoolPlan:
    """The differences of a pool from the usual one: its MachineConfigPool and its MachineOSConfig."""

    pool: t.Mapping[str, t.Any] = field(default_factory=dict)
    config: t.Mapping[str, t.Any] = field(default_factory=dict)


class Pools:
    """The pools of one lab. Each is created once, and its image is built while other tests run.

    :param ansible: Ansible as the administrator of the lab
    """

    def __init__(self, ansible: Ansible, lab: Facts) -> None:
        self._ansible = ansible
        self._lab = lab
        self._started: set[str] = set()

    def start(self, *names: str, **plans: PoolPlan) -> None:
        """Create the pools that do not exist yet, and start their builds without waiting for them."""
        wanted = {**dict.fromkeys(names, PoolPlan()), **plans}
        missing = {name: plan for name, plan in wanted.items() if name not in self._started}
        if missing:
            _create(self._ansible, self._lab, missing)
            self._started.update(missing)

    def built(self, name: str, plan: PoolPlan = PoolPlan()) -> BuiltPool:
        """Return a pool whose image is built; create it first if it does not exist yet."""
        self.start(**{name: plan})
        return wait_for_build(self._ansible, name)


def build_pools(ansible: Ansible, lab: Facts, *names: str) -> dict[str, BuiltPool]:
    """Create custom pools without nodes and build their images side by side."""
    _create(ansible, lab, dict.fromkeys(names, PoolPlan()))
    return {name: wait_for_build(ansible, name) for name in names}


def _create(ansible: Ansible, lab: Facts, plans: t.Mapping[str, PoolPlan]) -> None:
    run = ansible.run_tasks([task for name, plan in plans.items() for task in create_tasks(lab, name, plan)])
    if run.rc:
        raise RuntimeError(run.output)


def create_tasks(lab: Facts, name: str, plan: PoolPlan = PoolPlan()) -> list[dict[str, t.Any]]:
    """Return the tasks that create a pool and start its build."""
    pool = {"pool": name, **plan.pool}
    return [
        {"name": f"Pool {name}", "imagemode.openshift.machineconfigpool": pool},
        {"name": f"Config {name}", "imagemode.openshift.machineosconfig": config_options(lab, name, **plan.config)},
    ]


def wait_for_build(ansible: Ansible, pool: str) -> BuiltPool:
    """Wait until the image of a pool is built."""
    run = ansible.run_tasks([build_wait_task(pool)])
    if run.rc:
        raise RuntimeError(run.output)
    return BuiltPool(pool, run.of("Build"))


def edit_task(lab: Facts, pool: str, line: str, **more: t.Any) -> dict[str, t.Any]:
    """Return the task ``Edit``, which changes the Containerfile of a pool to one line."""
    options = config_options(lab, pool, containerfile=containerfile(line), **more)
    return {"name": "Edit", "imagemode.openshift.machineosconfig": options}


def build_wait_task(pool: str, **options: t.Any) -> dict[str, t.Any]:
    """Return the task ``Build``, which waits for the image of a pool."""
    wait = {"pool": pool, "timeout": BUILD_TIMEOUT, **options}
    return {"name": "Build", "imagemode.openshift.machineosbuild_wait": wait}


def join_task(pool: str, *nodes: str) -> dict[str, t.Any]:
    """Return the task ``Join``, which adds nodes to a pool."""
    return {"name": "Join", "imagemode.openshift.machineconfigpool_nodes": {"pool": pool, "nodes": list(nodes)}}


def rollout_wait_task(pool: str, **options: t.Any) -> dict[str, t.Any]:
    """Return the task ``Roll``, which waits until the nodes of a pool have booted its image."""
    wait = {"pool": pool, "timeout": ROLLOUT_TIMEOUT, **options}
    return {"name": "Roll", "imagemode.openshift.machineconfigpool_wait": wait}


def leave_task(pool: str, *nodes: str) -> dict[str, t.Any]:
    """Return the task ``Leave``, which removes nodes from a pool."""
    options = {"pool": pool, "nodes": list(nodes), "state": "absent"}
    return {"name": "Leave", "imagemode.openshift.machineconfigpool_nodes": options}
