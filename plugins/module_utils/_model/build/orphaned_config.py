# SPDX-License-Identifier: GPL-3.0-or-later
"""Find MachineOSConfigs whose pool does not exist.

The operator cannot synchronize such a MachineOSConfig. Its error ends the synchronization of the others too, so builds
of other pools are late, and their MachineOSConfigs can be returned to older builds. See docs/operator-behavior.md
("Build identity").
"""

from __future__ import annotations

import typing as t

from ..findings import Finding, FindingId
from ..objects.machineconfigpool import Pool
from ..objects.machineosconfig import MachineOSConfig
from ..objects.resources import MACHINE_OS_CONFIG, Object, ObjectRef


def orphaned_configs(configs: t.Iterable[MachineOSConfig], pools: t.Iterable[Pool]) -> tuple[Finding, ...]:
    """Return a finding for each MachineOSConfig without its pool.

    :param pools: all pools of the cluster
    """
    names = {pool.name for pool in pools}
    return tuple(_finding(config) for config in configs if config.pool not in names)


def orphan_warnings(configs: t.Iterable[Object], pools: t.Iterable[Pool]) -> list[str]:
    """Return the findings as warnings, for results that have no findings.

    :param configs: all MachineOSConfigs of the cluster
    """
    found = orphaned_configs(map(MachineOSConfig.from_api, configs), pools)
    return [f"{finding.message} ({finding.id.value}). {finding.remedy}." for finding in found]


def _finding(config: MachineOSConfig) -> Finding:
    message = (
        f"MachineConfigPool {config.pool} of MachineOSConfig {config.name} does not exist, which can delay builds of "
        "other pools and return their MachineOSConfigs to older builds"
    )
    return Finding(FindingId.CLUSTER_ORPHANED_CONFIG, ObjectRef(MACHINE_OS_CONFIG.name, config.name), message)
