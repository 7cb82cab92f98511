#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: machineconfigpool_nodes
short_description: Bring nodes into a custom pool, or take them out of it
version_added: 0.1.0
description:
  - Puts the labels on nodes that the node selector of a custom MachineConfigPool wants, or takes them away. Which
    labels these are is read from the pool.
  - The operator then moves the nodes by itself. B(It drains and reboots every node that was moved), as many at a time
    as the pool allows, unless that pool is paused. Taking a node out of the pool brings it back to the pool C(worker)
    and to the image of the cluster, which reboots it as well. Naming the nodes is the consent to that.
  - Every node is checked before the first one is written. The module refuses a node that does not exist, and one of the
    control plane or of another custom pool, because the operator would ignore the label or stop at the node. It also
    refuses a selector that matches no node, a built-in pool, and a pool that does not select by plain labels. Nodes are
    never created.
  - The nodes are labelled side by side. One that cannot be written does not stop the others, and fails the task at the
    end.
  - The module returns as soon as the labels are written. Use M(imagemode.openshift.machineconfigpool_wait) to wait for
    the nodes.
options:
  state:
    description:
      - Whether the nodes are to be in the pool. V(absent) takes the labels away, except those by which a built-in pool
        holds the node, to which it goes back.
    type: str
    choices: [present, absent]
    default: present
  pool:
    description:
      - Name of the custom MachineConfigPool, which has to exist.
    type: str
    required: true
    aliases: [machine_config_pool]
  nodes:
    description:
      - Names of the nodes. Nodes that are in the pool and are not named stay in it.
      - Either this or O(label_selector) is needed, and only one of them can be given.
    type: list
    elements: str
  label_selector:
    description:
      - Selects the nodes by their labels, as in C(oc get nodes -l), for example
        V(topology.kubernetes.io/zone=a,!example.com/spare). It is read once, when the task runs.
      - Either this or O(nodes) is needed, and only one of them can be given.
    type: str
attributes:
  async:
    support: full
  check_mode:
    support: full
    details:
      - The API server judges every label in a dry run.
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
- name: Bring two nodes into the pool; they drain and reboot
  imagemode.openshift.machineconfigpool_nodes:
    pool: layered
    nodes:
      - worker-0
      - worker-1

- name: Bring all nodes of a zone into the pool, except the spare ones
  imagemode.openshift.machineconfigpool_nodes:
    pool: layered
    label_selector: topology.kubernetes.io/zone=a,!example.com/spare

- name: Take a node out of the pool; it goes back to the image of the cluster
  imagemode.openshift.machineconfigpool_nodes:
    pool: layered
    nodes: [worker-1]
    state: absent
"""

RETURN = r"""
schema_version:
  description: Version of the shape of this result.
  returned: success, and when some nodes could not be written
  type: str
  sample: '1.0'
cluster:
  description: The cluster that this result is about.
  returned: success, and when some nodes could not be written
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
nodes:
  description: The nodes that were asked for, sorted by name.
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
    - The labels that were changed, or would be in check mode, by node. Null stands for a label that is not there.
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
    asked = module.params
    ask = LabelNodesRequest(
        present=asked["state"] == "present",
        pool=asked["pool"],
        selection=Selection(asked["nodes"] or [], asked["label_selector"] or ""),
        check_mode=module.check_mode,
    )
    finish(module, lambda: label_nodes(open_session(asked), ask))


if __name__ == "__main__":
    main()
