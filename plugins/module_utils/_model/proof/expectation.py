# SPDX-License-Identifier: GPL-3.0-or-later
"""Image that the cluster expects the nodes of a pool to boot.

In a layered pool it is the image of the MachineOSConfig, in other pools the image of the rendered MachineConfig. No
other object names the latter: ConfigMap machine-config-osimageurl names the image of the release, which a MachineConfig
can override and which changes before the pool is rendered (docs/operator-behavior.md, "Rendered MachineConfigs").
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

NO_EXPECTATION = Expected("", "", "none", current=False)
"""Expectation for a node in no pool or in two custom pools."""
NOT_RENDERED = Expected("", "", "machineconfig", current=False)
"""Expectation for a pool whose configuration is not rendered yet."""
EXPECTATION_FORBIDDEN = Expected("", "", FORBIDDEN, current=False)
"""Expectation for a pool without a MachineOSConfig if the account cannot read MachineConfigs."""


def expected_of_config(config: Object, builds: t.Iterable[Object], pool: Pool) -> Expected:
    """Return the image of a pool's MachineOSConfig. It is current only if it was built from the current spec.

    :param builds: MachineOSBuilds, perhaps of other pools too
    """
    parsed = MachineOSConfig.from_api(config)
    if not parsed.current_image_pull_spec:
        return Expected("", "", "machineosconfig", current=False)
    own = [MachineOSBuild.from_api(b) for b in builds if labels_of(b).get(POOL_LABEL) == pool.name]
    current = build_progress(parsed, own, pool.rendered_config).outcome is Outcome.SUCCEEDED
    return Expected.of_pull_spec(parsed.current_image_pull_spec, "machineosconfig", current)


def image_of_rendered_config(rendered: Object) -> str:
    """Return the image of a rendered MachineConfig, or an empty string."""
    return str((rendered.get("spec") or {}).get("osImageURL", ""))
