# SPDX-License-Identifier: GPL-3.0-or-later
"""Bind a run to the spec that it wrote and to the image that was built from it.

Between two tasks of a run, another client can change the MachineOSConfig. The run then fails, because a later image
would be the result of another spec.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..objects.machineosconfig import MachineOSConfig


@dataclass(frozen=True)
class RunSpec:
    """What earlier tasks of a run wrote and built. Empty fields bind to nothing."""

    spec_hash: str = ""
    """Hash of the spec that the run wrote."""
    image: str = ""
    """Image that was built from it, with its digest."""

    REMEDY = "Run again to write the spec of this run, or keep the other change"

    def changed_by_other(self, pool: str, config: MachineOSConfig | None) -> str:
        """Return why the spec is no longer the one of this run, or an empty text.

        :param config: the MachineOSConfig of the pool, or None if it has none
        """
        if not self.spec_hash:
            return ""
        if config is None:
            return f"the MachineOSConfig of MachineConfigPool {pool} was deleted after this run wrote it"
        if config.spec_hash == self.spec_hash:
            return ""
        manager = config.spec_changed_by or "another client"
        return f"MachineOSConfig {config.name} was changed by {manager} after this run wrote it"

    def other_image(self, image: str) -> str:
        """Return why an image is not the one of this run, or an empty text.

        :param image: the image in the status of the MachineOSConfig
        """
        if not self.image or _digest(image) == _digest(self.image):
            return ""
        return f"the build of this run has the image {self.image}, and the MachineOSConfig has {image or 'no image'}"


ANY_RUN = RunSpec()
"""For a run that wrote no spec."""


def run_spec_of(result: t.Any, pool: str) -> RunSpec:
    """Return the spec and the image of a run from the result of its wait for the build.

    :param result: result of ``machineosbuild_wait``, or None
    :param pool: name of the pool; a result for another pool binds to nothing
    """
    config, build = (_part(result, name) for name in ("machineosconfig", "build"))
    if config.get("pool") != pool:
        return ANY_RUN
    return RunSpec(str(config.get("spec_hash") or ""), str(build.get("digested_image_push_spec") or ""))


def _digest(image: str) -> str:
    return image.rpartition("@")[2]


def _part(result: t.Any, name: str) -> t.Mapping[str, t.Any]:
    part = result.get(name) if isinstance(result, t.Mapping) else None
    return part if isinstance(part, t.Mapping) else {}
