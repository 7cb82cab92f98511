#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: machineconfigpool
short_description: Make a custom pool of nodes, hold it, and release it
version_added: 0.1.0
description:
  - Creates, changes or removes a custom MachineConfigPool, and pauses or releases any pool.
  - A new pool takes the MachineConfigs of the role C(worker) and those of its own role, so that its nodes stay
    configured as workers. Nodes that its selector matches already are in it from the start, and others come by
    M(imagemode.openshift.machineconfigpool_nodes).
  - A paused pool is a hold. Images are built for it, but none of its nodes is drained, rebooted or otherwise changed,
    also not by an upgrade of the cluster. Releasing it lets everything that has waited go on at once, which drains and
    reboots its nodes. Whoever sets O(paused=false) consents to that.
  - The module marks what it does with annotations and undoes only what is marked. It removes only a pool that it
    created, and releases only a pool that it paused and that nobody else pauses.
  - The module refuses what would move nodes or leave them without a pool, which is a change of the selector that moves
    any node in or out, and the removal of a pool that has nodes or is served by a MachineOSConfig. It also refuses a
    new pool that would take nodes of another custom pool, and one whose name is longer than 21 characters, because no
    image could ever be built for it.
options:
  state:
    description:
      - Whether the pool is to exist. The pools C(master) and C(worker) always do.
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
      - Labels that a node carries to be in the pool, all of them.
      - Without it, an existing pool keeps its selector, and a new one selects by the label
        C(node-role.kubernetes.io/POOL) with an empty value, where C(POOL) is the name of the pool.
      - It can only be changed while the pool has no nodes.
    type: dict
  paused:
    description:
      - Whether the pool is on hold.
      - Without it, an existing pool stays as it is, and a new one is not paused.
      - V(true) leaves a pool alone that somebody else has paused already. V(false) refuses to release such a pool.
      - V(false) also refuses while another manager owns C(spec.paused), for example a GitOps controller that states
        V(true) by server-side apply. The error names the manager. It refuses as well when C(metadata.managedFields) of
        the pool were removed, because they are the proof that this collection paused it.
    type: bool
  max_unavailable:
    description:
      - How many nodes of the pool may be out of service at the same time, as a number or as a percentage such as
        V(10%).
      - Without it, an existing pool keeps what it has. The operator takes one node at a time when nothing is said, and
        one at least.
    type: str
attributes:
  async:
    support: full
  check_mode:
    support: full
    details:
      - The API server judges the change in a dry run.
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: imagemode.openshift.machineconfigpool_nodes
  - module: imagemode.openshift.machineconfigpool_wait
  - module: imagemode.openshift.machineosconfig
notes:
  - The marks are the annotations C(imagemode.openshift/created-by) and C(imagemode.openshift/paused-by).
  - A node is in one custom pool at most. The custom pool goes before C(worker), and C(master) goes before every pool.
extends_documentation_fragment:
  - imagemode.openshift.auth
  - imagemode.openshift.attributes
author: Contributors to the imagemode.openshift collection (@imagemode)
"""

EXAMPLES = r"""
- name: Make a pool for the custom image
  imagemode.openshift.machineconfigpool:
    pool: layered

- name: Make a pool that selects by a label of its own and changes two nodes at a time
  imagemode.openshift.machineconfigpool:
    pool: layered
    node_selector:
      example.com/os: layered
    max_unavailable: "2"

- name: Hold the pool, so that a new image can be built before the maintenance window
  imagemode.openshift.machineconfigpool:
    pool: layered
    paused: true

- name: Release the pool in the maintenance window; its nodes drain and reboot
  imagemode.openshift.machineconfigpool:
    pool: layered
    paused: false

- name: Remove the pool, once it has neither nodes nor a MachineOSConfig
  imagemode.openshift.machineconfigpool:
    pool: layered
    state: absent
"""

RETURN = r"""
schema_version:
  description: Version of the shape of this result.
  returned: success
  type: str
  sample: '1.0'
cluster:
  description: The cluster that this result is about.
  returned: success
  type: dict
  contains:
    api_url:
      description: Address of the API server.
      returned: always
      type: str
      sample: https://api.cluster.example.com:6443
    id:
      description: Id of the cluster. Null when nothing was written, or the account may not read it.
      returned: always
      type: str
      sample: 0f7a4e1c-6b0e-4d0a-9a51-3c8f5c7c9b21
    name:
      description: Name of the infrastructure. Null when nothing was written, or the account may not read it.
      returned: always
      type: str
      sample: cluster-7xk2p
    version:
      description: Release that the cluster wants. Null when nothing was written, or the account may not read it.
      returned: always
      type: str
      sample: 4.20.4
pool:
  description: The pool. Null when there is none.
  returned: success
  type: dict
  contains:
    name:
      description: Name of the pool.
      returned: always
      type: str
      sample: layered
    paused:
      description: Whether it is on hold.
      returned: always
      type: bool
      sample: false
    paused_by_us:
      description: Whether this collection paused it and nobody else pauses it.
      returned: always
      type: bool
      sample: false
    created_by_us:
      description: Whether it was this collection that created it.
      returned: always
      type: bool
      sample: true
    max_unavailable:
      description: How many nodes may be out of service at the same time. Null when the pool does not say.
      returned: always
      type: str
      sample: '2'
    rendered_config:
      description: Name of the rendered MachineConfig that its nodes are to have. Null until the operator has made one.
      returned: always
      type: str
      sample: rendered-layered-bf01c9a1d2e3f4a5b6c7d8e9f0a1b2c3
resource:
  description:
    - The MachineConfigPool as the API server returned it, without C(metadata.managedFields). Null when there is none.
  returned: success
  type: dict
  sample:
    apiVersion: machineconfiguration.openshift.io/v1
    kind: MachineConfigPool
    metadata: {name: layered, generation: 3}
    spec: {paused: false, maxUnavailable: 2}
diff:
  description: What was changed, or would be in check mode.
  returned: success
  type: dict
  contains:
    before:
      description: What was there. Empty when there was nothing.
      returned: always
      type: dict
      sample: {metadata: {name: layered}, spec: {paused: true}}
    after:
      description: What is there now. Empty when there is nothing.
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
    asked = module.params
    ask = PoolRequest(
        present=asked["state"] == "present",
        wanted=WantedPool(asked["pool"], asked["node_selector"], asked["paused"], asked["max_unavailable"]),
        check_mode=module.check_mode,
    )
    finish(module, lambda: apply_pool(open_session(asked), ask))


if __name__ == "__main__":
    main()
