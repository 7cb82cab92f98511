#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: machineconfigpool_wait
short_description: Wait until the nodes of a pool have reached its image
version_added: 1.0.0
description:
  - Waits until every node of a MachineConfigPool has the rendered configuration of the pool and, if the pool has a
    MachineOSConfig, the image of its current build.
  - Each node is evaluated by the annotations of the operator. The conditions of the pool are not used, because they
    report an updated pool before the rollout starts. A node is done when the operator has assigned the image, the
    daemon has applied it, and the node is Ready and schedulable. If all nodes are done already, the wait ends at once.
  - RV(findings) name what blocks a node or the pool. A fatal finding cannot clear by itself and ends the wait as a
    failure. One of them is C(pool.older_build_selected), with which some releases block a rollout without a message.
  - The pods of a node that has been draining for 15 seconds are watched together with the PodDisruptionBudgets, so that
    a pod that cannot be evicted is reported with its budget and its node. Pods are not read at any other time. If the
    account cannot read them, the wait continues with the finding C(cluster.drains_not_readable).
  - On OpenShift 4.16 and 4.17 the pod of a build that has not ended is read as well, and the log of the
    machine-config-daemon on a node whose update failed. Only there is the cause of such a failure.
  - The pod of a virtual machine is not evicted but migrated by KubeVirt, so its PodDisruptionBudget ends no wait. The
    finding is C(node.vm_migrating), or C(node.vm_not_migratable) if the account may read VirtualMachineInstances and
    the virtual machine cannot migrate.
  - The module watches the API and does not poll. All state is in the cluster, so a wait that was interrupted can be
    started again. The wait continues while the API server is not reachable, within O(timeout).
  - Nothing is changed, and no command is run on the nodes. The annotations are the state that the daemons report. Use
    M(imagemode.openshift.node_image_verify) to verify the booted images.
options:
  pool:
    description:
      - Name of the MachineConfigPool. A pool without nodes is an error, unless O(nodes) is set.
    type: str
    required: true
    aliases: [machine_config_pool]
  nodes:
    description:
      - Names of the nodes to wait for. A node outside the pool ends the wait with the finding C(node.not_in_pool). A
        node that does not exist is an error.
      - The default is all nodes of the pool, including nodes that join during the wait.
      - A node that leaves the pool during the wait, because it is deleted or its labels change, is the finding
        C(node.left_pool) and stays in the result. It ends the wait as a failure if O(nodes) is set. Otherwise the wait
        continues with the other nodes and ends with a warning.
    type: list
    elements: str
  timeout:
    description:
      - Maximum number of seconds to wait. V(0) sets no limit.
    type: int
    default: 0
  stall_timeout:
    description:
      - Maximum number of seconds without progress. Progress is a node that reaches the next step of its update, a node
        that joins or leaves, and a build that reaches the next state. V(0) sets no limit.
      - Time in which the API server is not reachable does not count.
    type: int
    default: 3600
  build:
    description:
      - Result of M(imagemode.openshift.machineosbuild_wait) of this run. It binds the task to the spec and the image of
        this run. A result for another pool binds to nothing.
      - If another client has changed the spec since, the task fails and names the client.
      - If the MachineOSConfig has another image, no node is done. After 120 seconds the wait fails with
        C(build.identity_unverified).
    type: dict
attributes:
  async:
    support: none
    details:
      - The wait prints its progress instead.
  check_mode:
    support: full
    details:
      - Does not wait. Returns the present state, also if the pool does not exist yet, and does not fail because of a
        finding. The pods of draining nodes are read once.
  diff_mode:
    support: N/A
  idempotent:
    support: full
    details:
      - Changes nothing.
seealso:
  - module: imagemode.openshift.machineosbuild_wait
  - module: imagemode.openshift.machineconfigpool_nodes
  - module: imagemode.openshift.node_image_verify
notes:
  - The duration of a rollout depends on the number of nodes that may be unavailable at the same time and on the
    duration of their drains, so there is no limit unless O(timeout) sets one.
extends_documentation_fragment:
  - imagemode.openshift.auth
  - imagemode.openshift.attributes
  - imagemode.openshift.wait
author: Contributors to the imagemode.openshift collection (@imagemode)
"""

EXAMPLES = r"""
- name: Wait until every node of the pool has the image
  imagemode.openshift.machineconfigpool_wait:
    pool: layered

- name: Wait for two nodes, for two hours at most
  imagemode.openshift.machineconfigpool_wait:
    pool: layered
    nodes: [worker-0, worker-1]
    timeout: 7200

- name: Read the progress of the rollout without waiting
  imagemode.openshift.machineconfigpool_wait:
    pool: layered
    progress: none
  check_mode: true
  register: rollout

- name: Print the nodes that are not done
  ansible.builtin.debug:
    msg: "{{ rollout.nodes | rejectattr('phase', 'eq', 'done') | map(attribute='name') | list }}"
"""

RETURN = r"""
schema_version:
  description: Version of the structure of this result.
  returned: success, and when a fatal finding or the time ended the wait
  type: str
  sample: '1.0'
cluster:
  description: The cluster.
  returned: success, and when a fatal finding or the time ended the wait
  type: dict
  contains:
    api_url:
      description: Address of the API server.
      returned: always
      type: str
      sample: https://api.cluster.example.com:6443
    id:
      description: Id of the cluster. Null if the wait is not over or the account cannot read it.
      returned: always
      type: str
      sample: 0f7a4e1c-6b0e-4d0a-9a51-3c8f5c7c9b21
    name:
      description: Name of the infrastructure. Null if the wait is not over or the account cannot read it.
      returned: always
      type: str
      sample: cluster-7xk2p
    version:
      description: Desired release of the cluster. Null if the wait is not over or the account cannot read it.
      returned: always
      type: str
      sample: 4.20.4
finished:
  description:
    - Whether the wait is over. A single call of the module returns V(false) if its O(window) ends earlier. A task
      always returns V(true).
  returned: success, and when a fatal finding or the time ended the wait
  type: bool
  sample: true
pool:
  description: The pool. Null if it does not exist.
  returned: success, and when a fatal finding or the time ended the wait
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
rollout:
  description: Progress of the awaited nodes.
  returned: success, and when a fatal finding or the time ended the wait
  type: dict
  contains:
    total:
      description: Number of awaited nodes.
      returned: always
      type: int
      sample: 3
    done:
      description: Number of nodes that are done.
      returned: always
      type: int
      sample: 1
    updating:
      description: Number of nodes that the operator is updating.
      returned: always
      type: int
      sample: 1
    waiting:
      description: Number of nodes whose update has not started.
      returned: always
      type: int
      sample: 1
    left:
      description: Number of nodes that left the pool during the wait. Each is a finding C(node.left_pool).
      returned: always
      type: int
      sample: 0
    remaining_seconds:
      description:
        - Estimated number of seconds until the last node is done, from the nodes that were updated during the wait.
          Null before the first of them is done, while the rollout is blocked, and when it is done.
      returned: always
      type: int
      sample: 840
nodes:
  description: The awaited nodes of the pool, sorted by name.
  returned: success, and when a fatal finding or the time ended the wait
  type: list
  elements: dict
  contains:
    name:
      description: Name of the node.
      returned: always
      type: str
      sample: worker-0
    phase:
      description:
        - Phase of the node, one of V(done), V(updating), V(waiting) and V(left). Of a node that left the pool during
          the wait only the name is known.
      returned: always
      type: str
      sample: updating
    state:
      description:
        - State that the machine-config-daemon of the node reports, such as V(Done), V(Working) or V(Degraded). Null if
          it reports none.
      returned: always
      type: str
      sample: Working
    current_image:
      description: Image that the daemon reports as applied. Null for the image of the cluster.
      returned: always
      type: str
      sample: quay.example.com/os/layered@sha256:1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90a
    desired_image:
      description: Image that the operator has assigned to the node. Null for the image of the cluster.
      returned: always
      type: str
      sample: quay.example.com/os/layered@sha256:8c1f6a4d52d54a3b0c7f1d2f0b6b1f3f9f0b0d5a1f7d3e5c9a2b4c6d8e0f1a2b
    ready:
      description: Whether the node is Ready.
      returned: always
      type: bool
      sample: false
timeline:
  description:
    - When nodes drained, rebooted and were done. M(imagemode.openshift.evidence_report) draws it.
    - It contains what the wait observed of the latest update of each node. What happened before the wait, or while the
      API server was not reachable, is null, unless an object of the API states it.
  returned: when the wait is over
  type: dict
  contains:
    nodes:
      description: Nodes of which a time is known or that were being updated, sorted by name.
      returned: always
      type: list
      elements: dict
      contains:
        name:
          description: Name of the node.
          returned: always
          type: str
          sample: worker-0
        state:
          description:
            - State of the node at the end of the wait. It is its phase, or V(degraded) if its daemon reports an error.
          returned: always
          type: str
          sample: done
        started:
          description: Time at which the wait observed that the operator had assigned the target to the node.
          returned: always
          type: str
          sample: '2026-11-24T09:12:04Z'
        drain_started:
          description:
            - Start of the drain. The MachineConfigNode states it if the cluster has one and the drain takes longer than
              15 s. Otherwise it is when the wait observed it.
          returned: always
          type: str
          sample: '2026-11-24T09:12:09Z'
        drain_finished:
          description: Time at which the wait observed the end of the drain.
          returned: always
          type: str
          sample: '2026-11-24T09:13:20Z'
        not_ready:
          description: Time of the node's condition Ready when it stopped being true, which is when the node reboots.
          returned: always
          type: str
          sample: '2026-11-24T09:15:41Z'
        ready:
          description: Time of the node's condition Ready when it was true again.
          returned: always
          type: str
          sample: '2026-11-24T09:18:02Z'
        done:
          description: Time at which the wait observed that the node was done.
          returned: always
          type: str
          sample: '2026-11-24T09:18:15Z'
        observed:
          description:
            - Names of the times at which the wait observed the change, by the clock of the host where the module ran.
              An object of the API states the others, by the clock of the cluster.
          returned: always
          type: list
          elements: str
          sample: [started, drain_started, drain_finished, done]
    left_out:
      description: Number of nodes that are not listed, because the list has 2000 nodes at most.
      returned: always
      type: int
      sample: 0
findings:
  description:
    - What blocks nodes or the pool, or ended the wait, sorted by severity. Empty if every node is done.
  returned: success, and when a fatal finding or the time ended the wait
  type: list
  elements: dict
  contains:
    id:
      description:
        - Id of the finding. It is stable across releases, so that a playbook can test for it.
      returned: always
      type: str
      sample: node.degraded
    severity:
      description:
        - Severity of the finding. V(fatal) cannot clear by itself, V(error) blocks something and may clear, V(warning)
          blocks nothing.
      returned: always
      type: str
      sample: error
    object:
      description: The object of the finding.
      returned: always
      type: dict
      contains:
        kind:
          description: Kind of the object.
          returned: always
          type: str
          sample: Node
        namespace:
          description: Namespace of the object. Empty if its kind has none.
          returned: always
          type: str
          sample: ''
        name:
          description: Name of the object.
          returned: always
          type: str
          sample: worker-1
    message:
      description: The finding in one sentence.
      returned: always
      type: str
      sample: 'Node worker-1 is degraded: failed to drain node: worker-1 after 1 hour'
    evidence:
      description: Evidence, at most 2048 bytes. Empty if the message contains it.
      returned: always
      type: str
      sample: 'failed to drain node: worker-1 after 1 hour'
    remedy:
      description: What to do about the finding.
      returned: always
      type: str
      sample: Correct the cause that the message names; the daemon retries automatically
progress:
  description: The state of the rollout in one line.
  returned: success, and when a fatal finding or the time ended the wait
  type: str
  sample: 'pool layered: 1/3 nodes updated, worker-1 rebooting'
elapsed:
  description: Seconds since the wait started.
  returned: success, and when a fatal finding or the time ended the wait
  type: int
  sample: 312
cursor:
  description: Value of O(cursor) for the next call. It is opaque.
  returned: when the module runs without its action plugin
  type: str
  sample: ⡸⣚⢫⠮⡊⠵⠲⠱
"""

from ..module_utils._cluster.session import open_session
from ..module_utils._errors import finish
from ..module_utils._model.build.run_spec import run_spec_of
from ..module_utils._operation.wait_for_rollout import RolloutWaitRequest, wait_for_rollout
from ..module_utils._options import POOL, WAIT, new_module
from ..module_utils._wait.window import limits_of


def main() -> None:
    module = new_module(
        POOL,
        WAIT,
        {
            "nodes": {"type": "list", "elements": "str"},
            "timeout": {"type": "int", "default": 0},
            "stall_timeout": {"type": "int", "default": 3600},
            "build": {"type": "dict"},
        },
    )
    options = module.params
    request = RolloutWaitRequest(
        pool=options["pool"],
        nodes=options["nodes"] or [],
        limits=limits_of(options),
        cursor=options["cursor"] or "",
        check_mode=module.check_mode,
        run=run_spec_of(options["build"], options["pool"]),
    )
    finish(module, lambda: wait_for_rollout(open_session(options), request, warn=module.warn))


if __name__ == "__main__":
    main()
