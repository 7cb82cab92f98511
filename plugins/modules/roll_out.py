#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is only the documentation. What it documents runs where Ansible runs: plugins/action/roll_out.py

from __future__ import annotations

DOCUMENTATION = r"""
module: roll_out
short_description: Roll out the image of a pool and wait for its nodes
version_added: 1.0.0
description:
  - Checks whether the pool is paused, adds the named nodes to it, unpauses it if this collection paused it and reboots
    are allowed, and waits until every node has reached the image. It calls the modules of this collection one after the
    other, as one task.
  - A pool without nodes is left alone.
  - This is what the role C(imagemode.openshift.roll_out) does.
options:
  pool:
    description:
      - The MachineConfigPool.
      - With the transport C(connection) it may be empty.
    type: str
    required: true
  nodes:
    description:
      - Nodes to add to the pool, as a list, or as a text with one name per line. Naming a node
        is consent to its reboot.
    type: list
    elements: str
    default: []
  allow_node_reboots:
    description:
      - Whether nodes that are in the pool already may drain and reboot.
    type: bool
    default: false
  timeout:
    description:
      - Seconds to wait for the rollout. 0 waits without limit.
    type: int
    default: 0
  stall_timeout:
    description:
      - Seconds without progress before the wait for the rollout fails. 0 sets no limit.
    type: int
    default: 3600
  fail_on_findings:
    description:
      - Ids of findings that end a wait as a failure. C(fatal) means all findings that cannot clear
        by themselves.
    type: list
    elements: str
    default:
      - fatal
  progress:
    description:
      - Whether waits print progress lines.
    type: str
    choices:
      - lines
      - none
    default: lines
  build:
    description:
      - Result of M(imagemode.openshift.build_image) of this run, to whose spec the rollout is bound.
      - A result for another pool binds to nothing.
    type: dict
attributes:
  async:
    support: none
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: imagemode.openshift.machineconfigpool_nodes
  - module: imagemode.openshift.machineconfigpool_wait
  - module: imagemode.openshift.build_image
extends_documentation_fragment:
  - imagemode.openshift.auth
  - imagemode.openshift.attributes
author: Contributors to the imagemode.openshift collection (@imagemode)
"""

EXAMPLES = r"""
- name: Roll out the image to two nodes
  imagemode.openshift.roll_out:
    pool: layered
    nodes: [worker-0, worker-1]

- name: Unpause the pool and wait two hours at most
  imagemode.openshift.roll_out:
    pool: layered
    allow_node_reboots: true
    timeout: 7200
"""

RETURN = r"""
rollout:
  description:
    - Numbers of nodes, as M(imagemode.openshift.machineconfigpool_wait) returns them, together with everything else
      that it returns.
  returned: success, and when the rollout failed
  type: dict
  sample: {total: 2, done: 2, updating: 0, waiting: 0, left: 0, remaining_seconds: null}
timeline:
  description:
    - When nodes drained, rebooted and were done, as M(imagemode.openshift.machineconfigpool_wait) returns it.
  returned: success and when the rollout failed, if there are nodes to wait for
  type: dict
  sample: {nodes: [], left_out: 0}
awaited:
  description: Names of the nodes that were in the pool, or were added to it, before the wait began.
  returned: success, if there are such nodes
  type: list
  elements: str
  sample: [worker-0, worker-1]
changes:
  description: What was changed, or would be in check mode.
  returned: always
  type: list
  elements: str
  sample: [Node worker-0, Node worker-1]
"""
