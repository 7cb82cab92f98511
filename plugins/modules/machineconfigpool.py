#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: machineconfigpool
short_description: Create, pause, unpause or delete a custom MachineConfigPool
version_added: 1.0.0
description:
  - Creates, updates or deletes a custom MachineConfigPool, and pauses or unpauses any pool.
  - A new pool uses the MachineConfigs of the role C(worker) and those of its own role, so that its nodes stay
    configured as workers. Nodes that match its selector are in the pool from the start. Use
    M(imagemode.openshift.machineconfigpool_nodes) to add others.
  - While a pool is paused, the operator builds images for it but does not drain, reboot or otherwise change its nodes,
    not even during an upgrade of the cluster. Unpausing the pool applies all pending changes, which drains and reboots
    its nodes. Setting O(paused=false) is the consent to that.
  - The module records its changes in annotations and undoes only recorded changes. It deletes only pools that it
    created, and unpauses only pools that it paused and that no other manager pauses.
  - The module fails instead of moving nodes between pools or leaving them without a pool. It does not change a selector
    if that moves a node, and does not delete a pool that has nodes or a MachineOSConfig. It also fails for a new pool
    that would select nodes of another custom pool, and for a name of more than 21 characters, because the operator
    cannot build images for such a pool.
options:
  state:
    description:
      - Whether the pool exists. The pools C(master) and C(worker) always exist.
    type: str
    choices: [present, absent]
    default: present
  pool:
    description:
      - Name of the MachineConfigPool.
    type: str
    required: true
    aliases: [machine_config_pool]
  node_selector:
    description:
      - Labels of the nodes in the pool. A node must have all of them.
      - If omitted, an existing pool keeps its selector. A new pool selects the label C(node-role.kubernetes.io/POOL)
        with an empty value, where C(POOL) is the name of the pool.
      - The selector can be changed only while the pool has no nodes.
    type: dict
  paused:
    description:
      - Whether the pool is paused.
      - If omitted, an existing pool is not changed, and a new pool is not paused.
      - V(true) does not change a pool that is already paused. V(false) fails if this module did not pause the pool.
      - V(false) also fails if another manager owns C(spec.paused), for example a GitOps controller that applies V(true)
        with server-side apply. The error names the manager. It fails as well if C(metadata.managedFields) of the pool
        were removed, because they are the proof that this collection paused it.
    type: bool
  max_unavailable:
    description:
      - Maximum number of nodes that are unavailable at the same time, as a number or as a percentage such as V(10%).
      - If omitted, an existing pool is not changed. By default, the operator updates one node at a time. It always
        updates at least one.
      - The module fails for V(0), negative numbers, more than V(100%), and texts that are no percentage. The API server
        accepts them.
    type: str
attributes:
  async:
    support: full
  check_mode:
    support: full
    details:
      - The API server validates the change in a dry run.
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: imagemode.openshift.machineconfigpool_nodes
  - module: imagemode.openshift.machineconfigpool_wait
  - module: imagemode.openshift.machineosconfig
notes:
  - The annotations are C(imagemode.openshift/created-by) and C(imagemode.openshift/paused-by).
  - A node can be in one custom pool. A custom pool takes precedence over C(worker), and C(master) over every other
    pool.
extends_documentation_fragment:
  - imagemode.openshift.auth
  - imagemode.openshift.attributes
author: Contributors to the imagemode.openshift collection (@imagemode)
"""

EXAMPLES = r"""
- name: Create a pool for the custom image
  imagemode.openshift.machineconfigpool:
    pool: layered

- name: Create a pool with its own label that updates two nodes at a time
  imagemode.openshift.machineconfigpool:
    pool: layered
    node_selector:
      example.com/os: layered
    max_unavailable: "2"

- name: Pause the pool, so that a new image can be built before the maintenance window
  imagemode.openshift.machineconfigpool:
    pool: layered
    paused: true

- name: Unpause the pool in the maintenance window; its nodes drain and reboot
  imagemode.openshift.machineconfigpool:
    pool: layered
    paused: false

- name: Delete the pool when it has neither nodes nor a MachineOSConfig
  imagemode.openshift.machineconfigpool:
    pool: layered
    state: absent
"""

RETURN = r"""
schema_version:
  description: Version of the structure of this result.
  returned: success
  type: str
  sample: '1.0'
cluster:
  description: The cluster.
  returned: success
  type: dict
  contains:
    api_url:
      description: Address of the API server.
      returned: always
      type: str
      sample: https://api.cluster.example.com:6443
    id:
      description: Id of the cluster. Null if nothing was written or the account cannot read it.
      returned: always
      type: str
      sample: 0f7a4e1c-6b0e-4d0a-9a51-3c8f5c7c9b21
    name:
      description: Name of the infrastructure. Null if nothing was written or the account cannot read it.
      returned: always
      type: str
      sample: cluster-7xk2p
    version:
      description: Desired release of the cluster. Null if nothing was written or the account cannot read it.
      returned: always
      type: str
      sample: 4.20.4
pool:
  description: The pool. Null if it does not exist.
  returned: success
  type: dict
  contains:
    name:
      description: Name of the pool.
      returned: always
      type: str
      sample: layered
    paused:
      description: Whether the pool is paused.
      returned: always
      type: bool
      sample: false
    paused_by_us:
      description: Whether this collection paused the pool and no other manager does.
      returned: always
      type: bool
      sample: false
    created_by_us:
      description: Whether this collection created the pool.
      returned: always
      type: bool
      sample: true
    max_unavailable:
      description: Maximum number of nodes that are unavailable at the same time. Null if the pool does not set it.
      returned: always
      type: str
      sample: '2'
    rendered_config:
      description: Name of the rendered MachineConfig for its nodes. Null until the operator has rendered it.
      returned: always
      type: str
      sample: rendered-layered-bf01c9a1d2e3f4a5b6c7d8e9f0a1b2c3
resource:
  description:
    - The MachineConfigPool as the API server returned it, without C(metadata.managedFields). Null if it does not exist.
  returned: success
  type: dict
  sample:
    apiVersion: machineconfiguration.openshift.io/v1
    kind: MachineConfigPool
    metadata: {name: layered, generation: 3}
    spec: {paused: false, maxUnavailable: 2}
diff:
  description: Changes, or planned changes in check mode.
  returned: success
  type: dict
  contains:
    before:
      description: Previous state. Empty if the object did not exist.
      returned: always
      type: dict
      sample: {metadata: {name: layered}, spec: {paused: true}}
    after:
      description: New state. Empty if the object does not exist.
      returned: always
      type: dict
      sample: {metadata: {name: layered}, spec: {paused: false}}
"""

from ..module_utils._cluster.session import open_session
from ..module_utils._errors import finish
from ..module_utils._model.objects.machineconfigpool import WantedPool
from ..module_utils._operation.apply_pool import PoolRequest, apply_pool
from ..module_utils._options import POOL, STATE, new_module


def main() -> None:
    module = new_module(
        POOL,
        STATE,
        {
            "node_selector": {"type": "dict"},
            "paused": {"type": "bool"},
            "max_unavailable": {"type": "str"},
        },
    )
    options = module.params
    request = PoolRequest(
        present=options["state"] == "present",
        wanted=WantedPool(options["pool"], options["node_selector"], options["paused"], options["max_unavailable"]),
        check_mode=module.check_mode,
    )
    finish(module, lambda: apply_pool(open_session(options), request))


if __name__ == "__main__":
    main()
