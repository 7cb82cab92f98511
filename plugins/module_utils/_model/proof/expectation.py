# SPDX-License-Identifier: GPL-3.0-or-later
"""Which image does the cluster expect the nodes of a pool to have booted, and does that answer for what it wants now?

In a layered pool it is the image of the MachineOSConfig, in any other that of the rendered MachineConfig. No other
object names the latter: the ConfigMap machine-config-osimageurl has the image of the release, which a MachineConfig may
override and which changes before the pool is rendered.
"""

from __future__ import annotations

import typing as t

from ..build.progress import build_progress
from ..objects.machineconfigpool import Pool
from ..objects.machineosbuild import POOL_LABEL, MachineOSBuild
from ..objects.machineosconfig import MachineOSConfig
from ..objects.resources import Object, labels_of
from ..observation import Outcome
from .verdict import FORBIDDEN, Expected

EXPECTED_OF_NOBODY = Expected("", "", "none", current=False)
"""Of a node that no pool drives, or that two custom pools select."""
NOT_RENDERED = Expected("", "", "machineconfig", current=False)
"""Of a pool whose configuration is not rendered yet."""
EXPECTATION_FORBIDDEN = Expected("", "", FORBIDDEN, current=False)
"""Of a pool without a MachineOSConfig, where the account may not read MachineConfigs."""


def expected_of_config(config: Object, builds: t.Iterable[Object], pool: Pool) -> Expected:
    """Return the image of a pool's MachineOSConfig; it is current only while it answers for the present spec.

    :param builds: MachineOSBuilds, those of other pools may be among them
    """
    wanted = MachineOSConfig.from_api(config)
    if not wanted.current_image_pull_spec:
        return Expected("", "", "machineosconfig", current=False)
    own = [MachineOSBuild.from_api(b) for b in builds if labels_of(b).get(POOL_LABEL) == pool.name]
    current = build_progress(wanted, own, pool.rendered_config).outcome is Outcome.SUCCEEDED
    return Expected.of_pull_spec(wanted.current_image_pull_spec, "machineosconfig", current)


def image_of_rendered_config(rendered: Object) -> str:
    """Return the image that a rendered MachineConfig names, empty when it names none."""
    return str((rendered.get("spec") or {}).get("osImageURL", ""))
