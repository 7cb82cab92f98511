# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests ask the lab for: pools, Containerfiles and the waits behind them, through the collection itself."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from lab.facts import Facts
from playing import Ansible, TaskResult

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


def build_pool(ansible: Ansible, lab: Facts, name: str) -> BuiltPool:
    """Create a pool and have its image built."""
    run = ansible.run_tasks(
        [
            {"name": "Pool", "imagemode.openshift.machineconfigpool": {"pool": name}},
            {"name": "Config", "imagemode.openshift.machineosconfig": config_options(lab, name)},
            {"name": "Build", "imagemode.openshift.machineosbuild_wait": {"pool": name, "timeout": BUILD_TIMEOUT}},
        ]
    )
    if run.rc:
        raise RuntimeError(run.output)
    return BuiltPool(name, run.of("Build"))
