#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Documentation only. The code is the action plugin: plugins/action/node_image_summary.py

from __future__ import annotations

DOCUMENTATION = r"""
module: node_image_summary
short_description: Combine the verification results of the hosts of a play
version_added: 1.0.0
description:
  - Combines the results of M(imagemode.openshift.node_image_verify) on the hosts of a play into one result with the
    same structure as the result for a pool. Each host is a node. The module only reads variables.
  - Every host is included. A host without a verdict, for example because it failed earlier or was unreachable, counts
    as V(unknown).
  - The verdict is about the pools of the hosts. The inventory P(imagemode.openshift.nodes#inventory) states in
    C(image_mode_pool_size) how many nodes a pool has. A node of the pool that is not among the hosts, for example
    because of C(--limit), counts as V(unknown) too.
  - The verdict does not fail the task, so that a report can be written first. The role
    C(imagemode.openshift.verify_nodes) runs all steps in the correct order.
options:
  registered:
    description:
      - Name of the variable in which each host registered the result of M(imagemode.openshift.node_image_verify).
    type: str
    required: true
  hosts:
    description:
      - Hosts to include. By default all hosts of the play, including failed ones.
    type: list
    elements: str
attributes:
  action:
    description:
      - Runs on the controller.
    support: full
  async:
    description:
      - Supports C(async).
    support: none
  check_mode:
    description:
      - Supports check mode.
    support: full
    details:
      - Runs completely, because it changes nothing.
  diff_mode:
    description:
      - Supports C(--diff).
    support: N/A
  idempotent:
    description:
      - Changes nothing if the desired state exists already.
    support: full
    details:
      - Never changes anything.
seealso:
  - module: imagemode.openshift.node_image_verify
  - plugin: imagemode.openshift.nodes
    plugin_type: inventory
author: Contributors to the imagemode.openshift collection (@imagemode)
"""

EXAMPLES = r"""
- name: Verify each node without failing
  imagemode.openshift.node_image_verify:
    transport: connection
    fail_on: []
  register: verification

- name: Combine the results
  imagemode.openshift.node_image_summary:
    registered: verification
  run_once: true
  register: verified

- name: Combine the results of one pool
  imagemode.openshift.node_image_summary:
    registered: verification
    hosts: "{{ groups['pool_layered'] }}"
  run_once: true
  register: verified_layered
"""

RETURN = r"""
schema_version:
  description: Version of the structure of this result.
  returned: success
  type: str
  sample: '1.0'
cluster:
  description: The cluster from the inventory. All values are null if the hosts belong to several clusters.
  returned: success
  type: dict
  contains:
    api_url:
      description: Address of the API server. Null if the inventory does not contain it.
      returned: always
      type: str
      sample: https://api.cluster.example.com:6443
    id:
      description: Id of the cluster. Null if the inventory does not contain it.
      returned: always
      type: str
      sample: 0f7a4e1c-6b0e-4d0a-9a51-3c8f5c7c9b21
    name:
      description: Name of the infrastructure. Null if the inventory does not contain it.
      returned: always
      type: str
      sample: cluster-7xk2p
    version:
      description: Desired release of the cluster. Null if the inventory does not contain it.
      returned: always
      type: str
      sample: 4.20.4
account:
  description:
    - Null, because the API server is not used.
  returned: success
  type: str
  sample: null
transport:
  description: How the nodes were queried.
  returned: success
  type: str
  sample: connection
containerfile:
  description: Always null, because no MachineOSConfig is read over hosts.
  returned: success
  type: dict
  sample: null
verdict:
  description:
    - Verdict on all nodes together. It is the least certain one, V(unknown) before V(mismatch) before V(match). It is
      never V(match) if nodes of a pool are not among the hosts.
  returned: success
  type: str
  sample: match
summary:
  description: Number of nodes for each verdict.
  returned: success
  type: dict
  contains:
    total:
      description: Number of hosts, each of which is a node, and of nodes that were left out.
      returned: always
      type: int
      sample: 3
    match:
      description: Number of nodes that booted the expected image.
      returned: always
      type: int
      sample: 3
    mismatch:
      description: Number of nodes that booted something else.
      returned: always
      type: int
      sample: 0
    unknown:
      description: Number of nodes without a proof, including nodes that were left out.
      returned: always
      type: int
      sample: 0
pool_total:
  description:
    - Number of nodes of all pools of the hosts together. Null if the inventory does not state it.
  returned: success
  type: int
  sample: 3
left_out:
  description:
    - Number of nodes of these pools that are not among the hosts. They count as V(unknown) in RV(summary). V(0) if the
      inventory does not state how many nodes the pools have.
  returned: success
  type: int
  sample: 0
unused_allowed_deviations:
  description:
    - Entries of C(allowed_deviations) that allowed no local change of any node. Null if no node reported its local
      changes.
  returned: success
  type: list
  elements: str
  sample: [ipsec]
findings:
  description: Findings about the pool, such as C(pool.no_nodes). Findings about a node are in RV(nodes).
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description:
        - Id of the finding. It does not change between releases, so a playbook can test for it.
      returned: always
      type: str
      sample: pool.nodes_left_out
    severity:
      description:
        - Severity. V(fatal) cannot clear by itself, V(error) blocks progress and may clear, V(warning) blocks nothing.
      returned: always
      type: str
      sample: error
    object:
      description: Object of the finding.
      returned: always
      type: dict
      contains:
        kind:
          description: Kind of the object.
          returned: always
          type: str
          sample: MachineConfigPool
        namespace:
          description: Namespace of the object. Empty if its kind is not namespaced.
          returned: always
          type: str
          sample: ''
        name:
          description: Name of the object.
          returned: always
          type: str
          sample: layered
    message:
      description: Description of the finding.
      returned: always
      type: str
      sample: 2 of 3 nodes of MachineConfigPool layered were not verified
    evidence:
      description: Evidence, 2048 bytes at most. May be empty.
      returned: always
      type: str
      sample: ''
    remedy:
      description: Recommended action.
      returned: always
      type: str
      sample: Verify all nodes of the pool
nodes:
  description: The nodes of all hosts, sorted by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the node. Name of the host, when the hosts are of several clusters.
      returned: always
      type: str
      sample: worker-0
    pool:
      description: Name of its pool. Empty if it is in no pool or in two custom pools.
      returned: always
      type: str
      sample: layered
    verdict:
      description: One of V(match), V(mismatch) and V(unknown).
      returned: always
      type: str
      sample: match
    expected:
      description: Expected image.
      returned: always
      type: dict
      contains:
        pull_spec:
          description: Pull spec of the image. Null if the MachineOSConfig has no image yet.
          returned: always
          type: str
          sample: quay.example.com/os/layered@sha256:8c1f6a4d52d54a3b0c7f1d2f0b6b1f3f9f0b0d5a1f7d3e5c9a2b4c6d8e0f1a2b
        digest:
          description: Digest of the image. Null if there is no image yet.
          returned: always
          type: str
          sample: sha256:8c1f6a4d52d54a3b0c7f1d2f0b6b1f3f9f0b0d5a1f7d3e5c9a2b4c6d8e0f1a2b
        source:
          description:
            - Source of the expected image, one of V(option), V(machineosconfig), V(machineconfig), V(forbidden) if the
              account cannot read the MachineConfig, and V(none) for a node in no pool.
          returned: always
          type: str
          sample: machineosconfig
        current:
          description: Whether the image belongs to the current spec of the pool. If not, no node matches.
          returned: always
          type: bool
          sample: true
        read_at:
          description: When the image was read from the cluster. Null for an image that an option named.
          returned: always
          type: str
          sample: '2026-11-24T09:30:00Z'
    booted:
      description: Booted image. Null if the output of the node cannot be parsed.
      returned: always
      type: dict
      contains:
        pull_spec:
          description: Image reference that the node reports. Null if it did not boot a container image.
          returned: always
          type: str
          sample: quay.example.com/os/layered@sha256:8c1f6a4d52d54a3b0c7f1d2f0b6b1f3f9f0b0d5a1f7d3e5c9a2b4c6d8e0f1a2b
        digest:
          description: Pulled digest. Null if the node reports none.
          returned: always
          type: str
          sample: sha256:8c1f6a4d52d54a3b0c7f1d2f0b6b1f3f9f0b0d5a1f7d3e5c9a2b4c6d8e0f1a2b
        version:
          description: Version of the image. Null if it has none.
          returned: always
          type: str
          sample: 9.6.20251015-0
        evidence_source:
          description: Program that reported the image.
          returned: always
          type: str
          sample: rpm-ostree
    boot_id:
      description: Boot id of the node during the verification. Empty if it was not verified.
      returned: always
      type: str
      sample: 8f3b0a61-6f0e-4a63-9d0a-0f7b1c7a4a51
    verified_at:
      description: Time of the verification, by the clock of the controller.
      returned: always
      type: str
      sample: '2026-11-24T09:30:00Z'
    findings:
      description: Findings about the node, the most severe first.
      returned: always
      type: list
      elements: dict
      contains:
        id:
          description:
            - Id of the finding. It does not change between releases, so a playbook can test for it.
          returned: always
          type: str
          sample: node.image_staged
        severity:
          description:
            - Severity. V(fatal) cannot clear by itself, V(error) blocks progress and may clear, V(warning) blocks
              nothing.
          returned: always
          type: str
          sample: error
        object:
          description: Object of the finding.
          returned: always
          type: dict
          contains:
            kind:
              description: Kind of the object.
              returned: always
              type: str
              sample: Node
            namespace:
              description: Namespace of the object. Empty if its kind is not namespaced.
              returned: always
              type: str
              sample: ''
            name:
              description: Name of the object.
              returned: always
              type: str
              sample: worker-0
        message:
          description: Description of the finding.
          returned: always
          type: str
          sample: 'booted sha256:1b2c3d4e...; expected sha256:8c1f6a4d... is staged'
        evidence:
          description: Evidence, 2048 bytes at most. May be empty.
          returned: always
          type: str
          sample: sha256:1b2c3d4e...
        remedy:
          description: Recommended action.
          returned: always
          type: str
          sample: Reboot the node
clusters:
  description: The same, cluster by cluster, so that a report can be written for each. Nodes have their own names there.
  returned: success
  type: list
  elements: dict
  contains:
    schema_version:
      description: As above.
      returned: always
      type: str
      sample: '1.0'
    cluster:
      description: The cluster, as above.
      returned: always
      type: dict
      sample: {api_url: 'https://api.cluster.example.com:6443', id: null, name: null, version: null}
    account:
      description: As above.
      returned: always
      type: str
      sample: null
    transport:
      description: As above.
      returned: always
      type: str
      sample: connection
    containerfile:
      description: As above.
      returned: always
      type: dict
      sample: null
    verdict:
      description: Verdict on all nodes of the cluster together.
      returned: always
      type: str
      sample: match
    summary:
      description: Number of nodes of the cluster for each verdict.
      returned: always
      type: dict
      sample: {total: 3, match: 3, mismatch: 0, unknown: 0}
    nodes:
      description: Nodes of the cluster, as above.
      returned: always
      type: list
      elements: dict
      sample: []
"""
