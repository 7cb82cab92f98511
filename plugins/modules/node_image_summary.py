#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is only the documentation. What it documents runs where Ansible runs: plugins/action/node_image_summary.py

from __future__ import annotations

DOCUMENTATION = r"""
module: node_image_summary
short_description: Put together which images the hosts of a play have booted
version_added: 0.1.0
description:
  - Takes what M(imagemode.openshift.node_image_verify) has returned on the hosts of a play, each of which is a node,
    and makes one result of it, in the shape that the module itself returns of a pool. It only reads variables.
  - No host is left out. One of which there is no verdict, because it failed before or was lost, is V(unknown) and
    named.
  - The verdict does not fail the task, so that a report can be written first. The role
    C(imagemode.openshift.verify_nodes) does all of it, in the right order.
options:
  registered:
    description:
      - Name of the variable in which every host has registered what M(imagemode.openshift.node_image_verify) returned.
    type: str
    required: true
  hosts:
    description:
      - The hosts to put together. Without it, all hosts that the play began with, those that have failed too.
    type: list
    elements: str
attributes:
  action:
    description:
      - Runs where Ansible runs.
    support: full
  async:
    description:
      - Can run in the background with C(async).
    support: none
  check_mode:
    description:
      - Can say what it would do without doing it.
    support: full
    details:
      - Runs in full, because nothing is changed.
  diff_mode:
    description:
      - Shows what is changed, or would be, with C(--diff).
    support: N/A
  idempotent:
    description:
      - Changes nothing when what is asked for is there already.
    support: full
    details:
      - Changes nothing, ever.
seealso:
  - module: imagemode.openshift.node_image_verify
  - plugin: imagemode.openshift.nodes
    plugin_type: inventory
author: Contributors to the imagemode.openshift collection (@imagemode)
"""

EXAMPLES = r"""
- name: Ask each node what it has booted, without failing yet
  imagemode.openshift.node_image_verify:
    transport: connection
    fail_on: []
  register: answer

- name: Put the answers together
  imagemode.openshift.node_image_summary:
    registered: answer
  run_once: true
  register: verified

- name: Put together the answers of one pool only
  imagemode.openshift.node_image_summary:
    registered: answer
    hosts: "{{ groups['pool_layered'] }}"
  run_once: true
  register: verified_layered
"""

RETURN = r"""
schema_version:
  description: Version of the shape of this result.
  returned: success
  type: str
  sample: '1.0'
cluster:
  description: The cluster, as the inventory names it. All of it is null when the hosts are of several.
  returned: success
  type: dict
  contains:
    api_url:
      description: Address of the API server. Null when the inventory does not say it.
      returned: always
      type: str
      sample: https://api.cluster.example.com:6443
    id:
      description: Id of the cluster. Null when the inventory does not say it.
      returned: always
      type: str
      sample: 0f7a4e1c-6b0e-4d0a-9a51-3c8f5c7c9b21
    name:
      description: Name of the infrastructure. Null when the inventory does not say it.
      returned: always
      type: str
      sample: cluster-7xk2p
    version:
      description: Release that the cluster wants. Null when the inventory does not say it.
      returned: always
      type: str
      sample: 4.20.4
asked_by:
  description:
    - Null, for nothing talks to the API.
  returned: success
  type: str
  sample: null
transport:
  description: How the nodes were asked.
  returned: success
  type: str
  sample: connection
verdict:
  description:
    - The verdict on all nodes together, which is the least certain one, V(unknown) before V(mismatch) before V(match).
  returned: success
  type: str
  sample: match
summary:
  description: How many nodes got which verdict.
  returned: success
  type: dict
  contains:
    total:
      description: Hosts, each of which is a node.
      returned: always
      type: int
      sample: 3
    match:
      description: Nodes that have booted the expected image.
      returned: always
      type: int
      sample: 3
    mismatch:
      description: Nodes that have booted something else.
      returned: always
      type: int
      sample: 0
    unknown:
      description: Nodes of which nothing is proven.
      returned: always
      type: int
      sample: 0
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
      description: Name of the pool that drives it. Empty when no pool does, or two custom pools claim it.
      returned: always
      type: str
      sample: layered
    verdict:
      description: One of V(match), V(mismatch) and V(unknown).
      returned: always
      type: str
      sample: match
    expected:
      description: What it should have booted.
      returned: always
      type: dict
      contains:
        pull_spec:
          description: The image as it was named. Null when the MachineOSConfig names none yet.
          returned: always
          type: str
          sample: quay.example.com/os/layered@sha256:8c1f6a4d52d54a3b0c7f1d2f0b6b1f3f9f0b0d5a1f7d3e5c9a2b4c6d8e0f1a2b
        digest:
          description: Its digest. Null when there is no image yet.
          returned: always
          type: str
          sample: sha256:8c1f6a4d52d54a3b0c7f1d2f0b6b1f3f9f0b0d5a1f7d3e5c9a2b4c6d8e0f1a2b
        source:
          description:
            - Who named it, one of V(option), V(machineosconfig), V(machineconfig), V(forbidden) where the account may
              not read the MachineConfig, and V(none) of a node that is in no pool.
          returned: always
          type: str
          sample: machineosconfig
        current:
          description: Whether it answers for what the pool wants now. Nothing matches when it does not.
          returned: always
          type: bool
          sample: true
    booted:
      description: What it has booted. Null when it gave no answer that can be read.
      returned: always
      type: dict
      contains:
        pull_spec:
          description: The image as the node names it. Null when it booted no container image.
          returned: always
          type: str
          sample: quay.example.com/os/layered@sha256:8c1f6a4d52d54a3b0c7f1d2f0b6b1f3f9f0b0d5a1f7d3e5c9a2b4c6d8e0f1a2b
        digest:
          description: The digest that was pulled. Null when the node names none.
          returned: always
          type: str
          sample: sha256:8c1f6a4d52d54a3b0c7f1d2f0b6b1f3f9f0b0d5a1f7d3e5c9a2b4c6d8e0f1a2b
        version:
          description: The version that the image says it has. Null when it says none.
          returned: always
          type: str
          sample: 9.6.20251015-0
        evidence_source:
          description: Whose word it is.
          returned: always
          type: str
          sample: rpm-ostree
    boot_id:
      description: Id of the boot that the node was in when it was asked. Empty when it was not.
      returned: always
      type: str
      sample: 8f3b0a61-6f0e-4a63-9d0a-0f7b1c7a4a51
    asked_at:
      description: When it was asked, by the clock of the host that runs Ansible.
      returned: always
      type: str
      sample: '2026-11-24T09:30:00Z'
    findings:
      description: What the verdict rests on, and what else is worth knowing of the node, sorted.
      returned: always
      type: list
      elements: dict
      contains:
        id:
          description:
            - Name of what was found. It stays the same from release to release, so that a playbook can test for it.
          returned: always
          type: str
          sample: node.image_staged
        severity:
          description:
            - How grave it is. V(fatal) cannot clear by itself, V(error) holds something up and may clear, V(warning)
              holds nothing up.
          returned: always
          type: str
          sample: error
        object:
          description: The object that it was found on.
          returned: always
          type: dict
          contains:
            kind:
              description: Kind of the object.
              returned: always
              type: str
              sample: Node
            namespace:
              description: Namespace of the object. Empty when its kind has none.
              returned: always
              type: str
              sample: ''
            name:
              description: Name of the object.
              returned: always
              type: str
              sample: worker-0
        message:
          description: What was found, in a sentence.
          returned: always
          type: str
          sample: 'the node booted sha256:1b2c3d4e...; sha256:8c1f6a4d... is staged'
        evidence:
          description: What shows it, 2048 bytes at most. Empty when the message says it all.
          returned: always
          type: str
          sample: sha256:1b2c3d4e...
        remedy:
          description: What can be done about it.
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
    asked_by:
      description: As above.
      returned: always
      type: str
      sample: null
    transport:
      description: As above.
      returned: always
      type: str
      sample: connection
    verdict:
      description: The verdict on the nodes of the cluster together.
      returned: always
      type: str
      sample: match
    summary:
      description: How many nodes of the cluster got which verdict.
      returned: always
      type: dict
      sample: {total: 3, match: 3, mismatch: 0, unknown: 0}
    nodes:
      description: The nodes of the cluster, as above.
      returned: always
      type: list
      elements: dict
      sample: []
"""
