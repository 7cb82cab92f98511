# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.orphaned_config import (
    orphan_warnings,
    orphaned_configs,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineconfigpool import Pool
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosconfig import MachineOSConfig
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import all_pools, machine_os_config

POOLS = [Pool.from_api(pool) for pool in all_pools()]


def test_config_without_its_pool_is_a_warning():
    configs = [MachineOSConfig.from_api(machine_os_config(name, pool=name)) for name in ("gone", "layered")]
    (finding,) = orphaned_configs(configs, POOLS)
    assert (finding.id, str(finding.object), finding.fatal) == (
        "cluster.orphaned_machineosconfig",
        "MachineOSConfig gone",
        False,
    )
    assert finding.message.startswith("MachineConfigPool gone of MachineOSConfig gone does not exist")


def test_configs_with_their_pools_are_no_finding():
    assert orphaned_configs([MachineOSConfig.from_api(machine_os_config())], POOLS) == ()


def test_warning_has_the_message_the_id_and_the_remedy():
    objects = [machine_os_config(name, pool=name) for name in ("gone", "layered")]
    (warning,) = orphan_warnings(objects, POOLS)
    assert warning.startswith(
        "MachineConfigPool gone of MachineOSConfig gone does not exist, which can delay builds of other pools and "
        "return their MachineOSConfigs to older builds (cluster.orphaned_machineosconfig). "
    )
    (finding,) = orphaned_configs([MachineOSConfig.from_api(objects[0])], POOLS)
    assert warning == f"{finding.message} (cluster.orphaned_machineosconfig). {finding.remedy}."
