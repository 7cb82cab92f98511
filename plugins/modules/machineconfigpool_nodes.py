#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: machineconfigpool_nodes
short_description: Add nodes to a custom MachineConfigPool or remove them from it
version_added: 1.0.0
description:
  - Adds the labels of the node selector of a custom MachineConfigPool to nodes, or removes them. The module reads these
    labels from the pool.
  - The operator then moves the nodes. B(It drains and reboots every moved node), as many at a time as the pool allows,
    unless the pool is paused. A node that is removed from the pool returns to the pool C(worker) and boots the image of
    the cluster, which reboots it as well. Naming the nodes is the consent to these reboots.
  - The module checks every node before it changes the first one. It fails for a node that does not exist, and for a
    node that is a control-plane node or in another custom pool, because the operator would not update it. It also fails
    if a selector matches no node, for a built-in pool, and for a pool whose selector is not plain labels. It never
    creates nodes.
  - With v1alpha1 (OpenShift 4.16 and 4.17), a node that runs an image cannot return to the image of the cluster, and
    becomes degraded. The module fails if such a node would be in a pool without a MachineOSConfig. Keep it in its pool,
    or create a MachineOSConfig for the other pool first, or replace the node.
  - The nodes are labeled in parallel. If a node cannot be labeled, the others are labeled all the same, and the task
    fails at the end.
  - The module returns when the labels are set. Use M(imagemode.openshift.machineconfigpool_wait) to wait for the
    rollout.
options:
  state:
    description:
      - Whether the nodes are in the pool. V(absent) removes the labels, except those of the built-in pool that the node
        returns to.
    type: str
    choices: [present, absent]
    default: present
  pool:
    description:
      - Name of the custom MachineConfigPool. It must exist.
    type: str
    required: true
    aliases: [machine_config_pool]
  nodes:
    description:
      - Names of the nodes. Other nodes in the pool stay in it.
      - Either O(nodes) or O(label_selector) is required. They are mutually exclusive.
    type: list
    elements: str
  label_selector:
    description:
      - Label selector of the nodes, as for C(oc get nodes -l), for example
        V(topology.kubernetes.io/zone=a,!example.com/spare). It is evaluated once, when the task runs.
      - Either O(nodes) or O(label_selector) is required. They are mutually exclusive.
    type: str
attributes:
  async:
    support: full
  check_mode:
    support: full
    details:
      - The API server validates every label in a dry run.
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: imagemode.openshift.machineconfigpool
  - module: imagemode.openshift.machineconfigpool_wait
extends_documentation_fragment:
  - imagemode.openshift.auth
  - imagemode.openshift.attributes
author: Contributors to the imagemode.openshift collection (@imagemode)
"""

EXAMPLES = r"""
- name: Add two nodes to the pool; they drain and reboot
  imagemode.openshift.machineconfigpool_nodes:
    pool: layered
    nodes:
      - worker-0
      - worker-1

- name: Add all nodes of a zone to the pool, except the spare ones
  imagemode.openshift.machineconfigpool_nodes:
    pool: layered
    label_selector: topology.kubernetes.io/zone=a,!example.com/spare

- name: Remove a node from the pool; it returns to the image of the cluster
  imagemode.openshift.machineconfigpool_nodes:
    pool: layered
    nodes: [worker-1]
    state: absent
"""

RETURN = r"""
schema_version:
  description: Version of the structure of this result.
  returned: success, and when some nodes could not be written
  type: str
  sample: '1.0'
cluster:
  description: The cluster.
  returned: success, and when some nodes could not be written
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
nodes:
  description: The selected nodes, sorted by name.
  returned: success, and when some nodes could not be written
  type: list
  elements: dict
  contains:
    name:
      description: Name of the node.
      returned: always
      type: str
      sample: worker-0
    changed:
      description: Whether its labels were changed, or would be in check mode.
      returned: always
      type: bool
      sample: true
diff:
  description:
    - Changed labels by node, or planned changes in check mode. Null means that the node does not have the label.
  returned: success, and when some nodes could not be written
  type: dict
  contains:
    before:
      description: The labels of the pool's selector as they were.
      returned: always
      type: dict
      sample: {worker-0: {node-role.kubernetes.io/layered: null}}
    after:
      description: The labels of the pool's selector as they are now.
      returned: always
      type: dict
      sample: {worker-0: {node-role.kubernetes.io/layered: ''}}
"""

from ..module_utils._cluster.session import open_session
from ..module_utils._errors import finish
from ..module_utils._operation.label_nodes import LabelNodesRequest, label_nodes
from ..module_utils._operation.select_nodes import Selection
from ..module_utils._options import POOL, STATE, new_module


def main() -> None:
    module = new_module(
        POOL,
        STATE,
        {"nodes": {"type": "list", "elements": "str"}, "label_selector": {"type": "str"}},
        mutually_exclusive=[("nodes", "label_selector")],
        required_one_of=[("nodes", "label_selector")],
    )
    options = module.params
    request = LabelNodesRequest(
        present=options["state"] == "present",
        pool=options["pool"],
        selection=Selection(options["nodes"] or [], options["label_selector"] or ""),
        check_mode=module.check_mode,
    )
    finish(module, lambda: label_nodes(open_session(options), request))


if __name__ == "__main__":
    main()
