#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: machineconfigpool_wait
short_description: Wait until the nodes of a pool have reached its image
version_added: 0.1.0
description:
  - Waits until every node has reached what its MachineConfigPool wants, which is the image of the build that answers
    for the present spec of the MachineOSConfig, together with the rendered configuration. In a pool without a
    MachineOSConfig it is the rendered configuration alone.
  - It is judged node by node, by the annotations of the operator, and never by the conditions of the pool, which also
    say that it is updated before anything has begun. A node has arrived when the operator has told it the image, the
    node says that it is done with it, and it is Ready and schedulable. A rollout that is done already ends the wait at
    once, and one that has not begun is not done.
  - What holds a node or the pool up is named in RV(findings) while the wait goes on. A fatal finding, which cannot
    clear by itself, ends it as a failure. Among these is C(pool.older_build_selected), with which some releases hold a
    rollout for ever without a word.
  - When a node has been draining for 15 seconds, its pods and the PodDisruptionBudgets are watched as well, so that a
    pod that may not be evicted is named with its budget and its node. An account that may not read them waits all the
    same, and RV(findings) says C(cluster.drains_not_readable). They are not read at any other time.
  - The module watches and does not poll. A wait that died is started again and goes on, because all that it needs
    stands in the cluster. It goes on as well while the API server is away, for as long as O(timeout) allows.
  - Nothing is changed, and nothing is asked on the nodes. What the annotations say is a claim. Use
    M(imagemode.openshift.node_image_verify) for the proof.
options:
  pool:
    description:
      - Name of the MachineConfigPool. One without nodes is refused, unless O(nodes) is given.
    type: str
    required: true
    aliases: [machine_config_pool]
  nodes:
    description:
      - Names of the nodes to wait for. One that is not in the pool ends the wait with the finding C(node.not_in_pool),
        and one that does not exist is refused.
      - Without it, all nodes that are in the pool, also those that come or go meanwhile.
    type: list
    elements: str
  timeout:
    description:
      - For how many seconds to wait in all. V(0) waits without end.
    type: int
    default: 0
  stall_timeout:
    description:
      - For how many seconds nothing may move. A movement is a node that goes on to drain, to apply the image, to
        reboot, to return or to have arrived, a node that comes or goes, and a build that goes on. V(0) sets no such
        limit.
      - Time in which the API server is away does not count, since nobody sees then whether something moves.
    type: int
    default: 3600
  fail_on_findings:
    description:
      - The findings that end the wait as a failure, by their ids. V(fatal) stands for all that are fatal, which are
        those that cannot clear by themselves.
      - What is given takes the place of the default. So V([fatal, node.degraded]) ends it for one more, a list without
        V(fatal) ends it for nothing else than what it names, and an empty list lets O(timeout) and O(stall_timeout) end
        it alone, even after a build has failed, which somebody may correct meanwhile.
      - The others are named in RV(findings) all the same.
    type: list
    elements: str
    default: [fatal]
  progress:
    description:
      - Whether a line is printed whenever there is something new to say, and at the end of a O(window) without news.
        V(lines) prints it where the playbook runs, V(none) keeps silent. With C(-v) each finding is printed as well,
        with what to do about it, and each node that goes on.
    type: str
    choices: [lines, none]
    default: lines
  window:
    description:
      - For how many seconds a single call of the module lasts at most. The wait as a whole consists of as many calls as
        it needs. A call ends early when there is something to say.
      - Lower it only where something in between, such as a jump host, ends what is silent for that long.
    type: int
    default: 300
  cursor:
    description:
      - Where the call before ended, as RV(cursor) says. It is opaque. One that cannot be read, or is of another cluster
        or pool, means a warning, and that everything is read again.
      - Leave it out in a playbook. The action plugin of the same name, which calls the module again until
        RV(finished=true), sets it itself. It is for callers that run the module without that plugin.
    type: str
  waited:
    description:
      - For how many seconds the whole wait has lasted before this call, so that O(timeout) holds also where O(cursor)
        cannot be read. Where the cursor says more, that counts.
      - Leave it out in a playbook. The action plugin of the same name sets it.
    type: int
    default: 0
attributes:
  async:
    support: none
    details:
      - The wait shows how it goes on instead.
  check_mode:
    support: full
    details:
      - Does not wait. Returns what is there, also when the pool does not exist yet, and does not fail because of a
        finding. The pods of a node that drains are read once.
  diff_mode:
    support: N/A
  idempotent:
    support: full
    details:
      - Changes nothing, ever.
seealso:
  - module: imagemode.openshift.machineosbuild_wait
  - module: imagemode.openshift.machineconfigpool_nodes
  - module: imagemode.openshift.node_image_verify
notes:
  - How long a rollout takes depends on how many nodes may be out of service at the same time and on how long they need
    to drain, so there is no end unless O(timeout) sets one.
extends_documentation_fragment:
  - imagemode.openshift.auth
  - imagemode.openshift.attributes
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

- name: Look how far the rollout is, without waiting
  imagemode.openshift.machineconfigpool_wait:
    pool: layered
    progress: none
  check_mode: true
  register: rollout

- name: Name the nodes that have not arrived
  ansible.builtin.debug:
    msg: "{{ rollout.nodes | rejectattr('phase', 'eq', 'done') | map(attribute='name') | list }}"
"""

RETURN = r"""
schema_version:
  description: Version of the shape of this result.
  returned: success, and when a fatal finding or the time ended the wait
  type: str
  sample: '1.0'
cluster:
  description: The cluster that this result is about.
  returned: success, and when a fatal finding or the time ended the wait
  type: dict
  contains:
    api_url:
      description: Address of the API server.
      returned: always
      type: str
      sample: https://api.cluster.example.com:6443
    id:
      description: Id of the cluster. Null when the account may not read it.
      returned: always
      type: str
      sample: 0f7a4e1c-6b0e-4d0a-9a51-3c8f5c7c9b21
    name:
      description: Name of the infrastructure. Null when the account may not read it.
      returned: always
      type: str
      sample: cluster-7xk2p
    version:
      description: Release that the cluster wants. Null when the account may not read it.
      returned: always
      type: str
      sample: 4.20.4
finished:
  description:
    - Whether the wait is over. A single call of the module says V(false) when its O(window) ends before. A task does
      not end like that.
  returned: success, and when a fatal finding or the time ended the wait
  type: bool
  sample: true
pool:
  description: The pool. Null when there is none.
  returned: success, and when a fatal finding or the time ended the wait
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
rollout:
  description: How many nodes are how far.
  returned: success, and when a fatal finding or the time ended the wait
  type: dict
  contains:
    total:
      description: Nodes that are waited for.
      returned: always
      type: int
      sample: 3
    done:
      description: Nodes that have arrived.
      returned: always
      type: int
      sample: 1
    updating:
      description: Nodes that the operator has told what to reach, and that are on their way.
      returned: always
      type: int
      sample: 1
    waiting:
      description: Nodes that have not been told yet.
      returned: always
      type: int
      sample: 1
    remaining_seconds:
      description:
        - In about how many seconds the last node arrives, if all take as long as those that have arrived since the wait
          began. Null before the first one has, while something holds the rollout up, and when nothing is left.
      returned: always
      type: int
      sample: 840
nodes:
  description: The nodes that are waited for and are in the pool, sorted by name.
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
      description: How far it is, one of V(done), V(updating) and V(waiting).
      returned: always
      type: str
      sample: updating
    state:
      description:
        - What the machine-config-daemon of the node says, such as V(Done), V(Working) or V(Degraded). Null when it says
          nothing.
      returned: always
      type: str
      sample: Working
    current_image:
      description: The image that the node says it has. Null for the image of the cluster.
      returned: always
      type: str
      sample: quay.example.com/os/layered@sha256:1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90a
    desired_image:
      description: The image that the operator has told the node. Null for the image of the cluster.
      returned: always
      type: str
      sample: quay.example.com/os/layered@sha256:8c1f6a4d52d54a3b0c7f1d2f0b6b1f3f9f0b0d5a1f7d3e5c9a2b4c6d8e0f1a2b
    ready:
      description: Whether the node is Ready.
      returned: always
      type: bool
      sample: false
findings:
  description:
    - What holds nodes or the pool up, or ended the wait, sorted. Empty when every node has arrived.
  returned: success, and when a fatal finding or the time ended the wait
  type: list
  elements: dict
  contains:
    id:
      description:
        - Name of what was found. It stays the same from release to release, so that a playbook can test for it.
      returned: always
      type: str
      sample: node.degraded
    severity:
      description:
        - How grave it is. V(fatal) cannot clear by itself, V(error) holds something up and may clear, V(warning) holds
          nothing up.
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
          sample: worker-1
    message:
      description: What was found, in a sentence.
      returned: always
      type: str
      sample: 'Node worker-1: failed to drain node: worker-1 after 1 hour'
    evidence:
      description: What shows it, 2048 bytes at most. Empty when the message says it all.
      returned: always
      type: str
      sample: 'failed to drain node: worker-1 after 1 hour'
    remedy:
      description: What can be done about it.
      returned: always
      type: str
      sample: Remove the cause that the message names; the daemon tries again by itself
progress:
  description: Where it stands, in one line for people.
  returned: success, and when a fatal finding or the time ended the wait
  type: str
  sample: 'pool layered: 1/3 nodes updated, worker-1 rebooting'
elapsed:
  description: Seconds since the wait began.
  returned: success, and when a fatal finding or the time ended the wait
  type: int
  sample: 312
cursor:
  description: What the next call needs in O(cursor), if there is one. It is opaque.
  returned: when the module runs without its action plugin
  type: str
  sample: ⡸⣚⢫⠮⡊⠵⠲⠱
"""

from ..module_utils._cluster.session import open_session
from ..module_utils._errors import finish
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
        },
    )
    asked = module.params
    ask = RolloutWaitRequest(
        pool=asked["pool"],
        nodes=asked["nodes"] or [],
        limits=limits_of(asked),
        cursor=asked["cursor"] or "",
        check_mode=module.check_mode,
    )
    finish(module, lambda: wait_for_rollout(open_session(asked), ask, warn=module.warn))


if __name__ == "__main__":
    main()
