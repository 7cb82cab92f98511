# SPDX-License-Identifier: GPL-3.0-or-later
"""Readers of the kinds that waits watch."""

from __future__ import annotations

import typing as t

from . import (
    budget,
    machineconfignode,
    machineconfigpool,
    machineosbuild,
    machineosconfig,
    node,
    pod,
    virtualmachine,
)
from .budget import PodDisruptionBudget
from .machineconfignode import MachineConfigNode
from .machineconfigpool import Pool
from .machineosbuild import MachineOSBuild
from .machineosconfig import MachineOSConfig
from .node import NodeState
from .pod import Pod
from .resources import (
    MACHINE_CONFIG_NODE,
    MACHINE_CONFIG_POOL,
    MACHINE_OS_BUILD,
    MACHINE_OS_CONFIG,
    NODE,
    POD,
    POD_DISRUPTION_BUDGET,
    VIRTUAL_MACHINE_INSTANCE,
)
from .subject import Reader
from .virtualmachine import VirtualMachine

CONFIGS = Reader(MACHINE_OS_CONFIG, machineosconfig.reduced, MachineOSConfig.from_api)
BUILDS = Reader(MACHINE_OS_BUILD, machineosbuild.reduced, MachineOSBuild.from_api)
POOLS = Reader(MACHINE_CONFIG_POOL, machineconfigpool.reduced, Pool.from_api)
NODES = Reader(NODE, node.reduced, NodeState.from_api)
MACHINE_CONFIG_NODES = Reader(MACHINE_CONFIG_NODE, machineconfignode.reduced, MachineConfigNode.from_api)
PODS = Reader(POD, pod.reduced, Pod.from_api)
BUDGETS = Reader(POD_DISRUPTION_BUDGET, budget.reduced, PodDisruptionBudget.from_api)
VIRTUAL_MACHINES = Reader(VIRTUAL_MACHINE_INSTANCE, virtualmachine.reduced, VirtualMachine.from_api)

READERS: t.Mapping[str, Reader[t.Any]] = {
    reader.kind.name: reader
    for reader in (CONFIGS, BUILDS, POOLS, NODES, MACHINE_CONFIG_NODES, PODS, BUDGETS, VIRTUAL_MACHINES)
}
"""Name of a kind -> its reader. The objects in a cursor are read by it."""
