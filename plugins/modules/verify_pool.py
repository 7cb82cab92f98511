#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is only the documentation. What it documents runs where Ansible runs: plugins/action/verify_pool.py

from __future__ import annotations

DOCUMENTATION = r"""
module: verify_pool
short_description: Verify that every node of a pool booted its image, as a step of a playbook
version_added: 1.0.0
description:
  - Calls M(imagemode.openshift.node_image_verify) for all nodes of a pool. An empty option is not set, as in a survey.
  - In check mode it verifies nothing if the variables C(build_image_result) and C(roll_out_result) state that the image
    or the nodes would change, because a verdict on the present image would read like a verdict on the new one.
  - This is what the role C(imagemode.openshift.verify_nodes) does, except over hosts.
options:
  pool:
    description:
      - The MachineConfigPool.
      - With the transport C(connection) it may be empty.
    type: str
    required: true
  expected_image:
    description:
      - The image that nodes should have booted, with its digest, or the digest alone.
      - Without it, it is the image that the cluster expects.
    type: str
    default: ''
  transport:
    description:
      - How nodes are read, as in M(imagemode.openshift.node_image_verify). C(api) reads no node
        and verifies nothing.
    type: str
    choices:
      - auto
      - pod_exec
      - oc_debug
      - connection
      - api
    default: auto
  allowed_deviations:
    description:
      - Local changes of a node that do not fail its verification, as patterns of package names
        (C(kernel-rt*)) and ids of findings.
    type: list
    elements: str
    default: []
  fail_on:
    description:
      - Verdicts that fail the run. An empty list only shows them.
    type: list
    elements: str
    choices:
      - mismatch
      - unknown
    default:
      - mismatch
      - unknown
  node_timeout:
    description:
      - Seconds for one node, all attempts included.
    type: int
    default: 60
  allow_empty_pool:
    description:
      - Whether a pool without nodes passes the verification. Nothing is verified then, and the
        verdict is C(none).
    type: bool
    default: false
  host_root:
    description:
      - With the transport C(connection), the folder in which the file system of the node is mounted
        at the end of the connection. It is C(/rootfs) in a pod of the machine-config-daemon.
      - Without it, it is the root of the host.
    type: str
    default: ''
  build:
    description:
      - Result of M(imagemode.openshift.build_image) of this run, to whose image the verification
        is bound.
      - A result for another pool binds to nothing.
    type: dict
attributes:
  async:
    support: none
  check_mode:
    support: full
  diff_mode:
    support: N/A
  idempotent:
    support: full
    details:
      - Never changes anything.
seealso:
  - module: imagemode.openshift.node_image_verify
extends_documentation_fragment:
  - imagemode.openshift.auth
  - imagemode.openshift.attributes
author: Contributors to the imagemode.openshift collection (@imagemode)
"""

EXAMPLES = r"""
- name: Verify the nodes of a pool
  imagemode.openshift.verify_pool:
    pool: layered

- name: Verify a pool that may have no nodes
  imagemode.openshift.verify_pool:
    pool: layered
    allow_empty_pool: true
"""

RETURN = r"""
verdict:
  description:
    - The verdict on the pool, as M(imagemode.openshift.node_image_verify) returns it, together with everything else
      that it returns.
  returned: when the nodes were verified
  type: str
  sample: match
changes:
  description: Always empty.
  returned: always
  type: list
  elements: str
  sample: []
"""
