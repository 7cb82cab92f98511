#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_image_verify
short_description: Prove which operating-system image nodes have booted
version_added: 0.1.0
description:
  - Asks every node what it has booted, compares the digest with the one that is expected, and gives a verdict for each.
    Nothing is created or changed, neither on the nodes nor in the cluster.
  - The verdict V(match) means that the node itself says that it has booted an image with the expected digest.
    V(mismatch) means that it says that it has booted something else, also when the expected image is there and only
    waits for a reboot, and also when it has changed what the image brought in a way that O(allowed_deviations) does not
    allow. V(unknown) means that nothing is proven, because the node did not answer, its answer cannot be
    read, it rebooted while it was asked, or what is expected is not certain. Unknown is never counted as success.
  - What is expected is O(expected_image), else the image of the MachineOSConfig that serves the pool of the node, else,
    in a pool without one, the image that the rendered MachineConfig names. While the build of the present spec of the
    MachineOSConfig has not succeeded, its image is that of an older spec. Then nothing matches it and the verdict is
    unknown.
  - The answer is that of C(rpm-ostree status --json), and the digest counts, not the name, so an image that came
    through a mirror is the same image. That it has another name is a warning.
  - A node keeps the reference and the digest of its image whatever is changed on it. One with another kernel looks the
    same but for what C(rpm-ostree) lists as changed. Packages that are layered, replaced or removed, changes of the
    running system, an unlocked C(/usr), an initramfs of its own and anything else that was put together on the node are
    each a finding and a V(mismatch), unless O(allowed_deviations) allows them. Then they are a warning.
  - Annotations of the node and, where the cluster serves it, its MachineConfigNode are compared as a cross-check. They
    are warnings when they disagree with what is booted and change no verdict. So are other deployments that wait for a
    boot, and what C(rpm-ostree) was doing. A node that reboots while it is asked is asked once more.
  - Whatever goes wrong with one node makes the verdict on that node V(unknown), and no other. An answer of more than
    2 MiB is not read. O(node_timeout) holds for everything that is needed for the answer of a node. No redirect is
    followed.
  - B(It needs a right that is as good as root on the nodes.) The command runs in the pod of the machine-config-daemon
    of the node, which is privileged and sees the whole file system of the host. Whoever may start commands there can do
    anything on the node, although this module only ever starts this one. Give the right to an account that is meant for
    it.
options:
  pool:
    description:
      - Name of the MachineConfigPool whose nodes are asked, all of them unless O(nodes) or O(label_selector) names
        some. It has to have nodes, and nodes that are named have to be in it.
      - At least one of O(pool), O(nodes) and O(label_selector) is needed, but with O(transport=connection). Without it,
        every node is held to the image of the pool that it is in.
    type: str
    aliases: [machine_config_pool]
  nodes:
    description:
      - Names of the nodes that are asked. One that does not exist is refused. It cannot be given together with
        O(label_selector).
    type: list
    elements: str
  label_selector:
    description:
      - Selects the nodes that are asked by their labels, as in C(oc get nodes -l). One that matches no node is refused.
        It cannot be given together with O(nodes).
    type: str
  expected_image:
    description:
      - The image that the nodes should have booted, with its digest, as in V(quay.example.com/os/layered@sha256:...),
        or the digest alone. A tag proves nothing and is refused.
      - A node that has pulled an image by a manifest list names the digest of the list and that of the image for its
        architecture, and either matches. One that has pulled the image for its architecture names only that, so give
        its digest then, not that of the list.
      - Without it, it is what the cluster expects of the pool of each node. With O(transport=connection) that is what
        the inventory P(imagemode.openshift.nodes#inventory) has read, the variable C(image_mode_expected) of the host,
        and nothing matches it when it comes from a cache.
    type: str
  allowed_deviations:
    description:
      - What nodes may change of the image, for what an administrator or the operator itself layers on it. Outside of
        image mode the operator layers the packages of C(extensions) and of C(kernelType) in MachineConfigs. None of it
        is allowed unless it is named here.
      - An entry is a shell pattern of the names of packages, without version, as in V(usbguard) or V(kernel-rt*). It
        allows them to be layered, to replace others and to be removed. The packages that a real-time kernel replaces
        need an entry as well, as in V(kernel-core).
      - Or it is the id of a finding, which allows all of that kind, one of V(node.local_packages),
        V(node.package_overrides), V(node.package_removals), V(node.live_changes), V(node.unlocked),
        V(node.initramfs_regenerated) and V(node.assembled_on_node).
      - What is allowed is still reported, as the warning V(node.deviation_allowed).
    type: list
    elements: str
    default: []
  transport:
    description:
      - How the nodes are asked. RV(transport) says which way was taken.
      - V(pod_exec) runs the command in the pod of the machine-config-daemon, through the API server.
      - V(oc_debug) runs C(oc debug) for each node, which creates a privileged pod on it. It is for clusters whose nodes
        have no pod of the machine-config-daemon. It needs the program C(oc) where the module runs. The pods are in a
        namespace that is made for the run and removed at its end, also after an interrupt. What a run that was killed
        has left is removed by the next one, once the process that made it is gone from the same machine, or its time is
        over by the clock of the API server. Here O(node_timeout) includes the pull of the image of the pod, and
        O(host_root) is V(/host) by C(oc) itself.
      - V(connection) runs the command on the host that the task runs on, over its own connection, whichever it is, as
        in a play over hosts that are the nodes. The host needs no Python, nothing talks to the API, and
        O(expected_image) is required, unless the inventory P(imagemode.openshift.nodes#inventory) says it. O(pool) is
        only repeated in the result, and O(nodes) may only hold the name of the node. Without them they are what that
        inventory says, and else the name of the node is that of the host.
      - V(api) asks no node and needs no right on them. It reads what the operator says of each, the annotations and,
        outside of image mode, the rendered MachineConfig that the node says it has. That is a claim and no proof. It is
        stale while the machine-config-daemon is down, and whoever may change nodes can change it. So it can find a
        V(mismatch), and where it agrees with what is expected the verdict is V(unknown). For an audit by it, set
        O(fail_on) to V(mismatch).
      - V(auto) takes V(pod_exec) if the account may use it, else V(api), and warns that it did. A way that creates pods
        on the nodes is never chosen by itself.
    type: str
    choices: [auto, pod_exec, oc_debug, connection, api]
    default: auto
  concurrency:
    description:
      - How many nodes are asked at the same time.
    type: int
    default: 50
  node_timeout:
    description:
      - How many seconds a node has to answer, all attempts together. One that does not is V(unknown), and the others
        are still reported.
    type: int
    default: 60
  host_root:
    description:
      - Where the file system of the host is mounted, to which the command changes its root.
      - In the pod of the machine-config-daemon it is V(/rootfs), which is what V(pod_exec) takes without it. With
        O(transport=connection) there is no change of the root without it, so give V(/rootfs) where the connection leads
        into such a pod.
    type: path
  fail_on:
    description:
      - Which verdicts fail the task. All nodes are asked and reported before it does.
      - An empty list never fails because of a verdict. Use it to collect a report and decide later, by RV(verdict).
    type: list
    elements: str
    choices: [mismatch, unknown]
    default: [mismatch, unknown]
attributes:
  async:
    support: partial
    details:
      - Not with O(transport=connection).
  check_mode:
    support: full
    details:
      - Runs in full, because nothing is changed.
  diff_mode:
    support: N/A
  idempotent:
    support: full
    details:
      - Changes nothing, ever.
seealso:
  - module: imagemode.openshift.machineconfigpool_wait
  - module: imagemode.openshift.machineosconfig
  - module: imagemode.openshift.node_image_summary
  - plugin: imagemode.openshift.nodes
    plugin_type: inventory
notes:
  - The account needs C(create) and C(get) on C(pods/exec) and C(list) on C(pods) in the namespace
    C(openshift-machine-config-operator), and C(list) on nodes, MachineConfigPools, MachineOSConfigs and
    MachineOSBuilds. With C(list) on MachineConfigNodes these are compared as well. Without it, or where the cluster
    serves none, they are left out.
  - For a pool without a MachineOSConfig the account also needs C(get) on MachineConfigs, unless O(expected_image) is
    given. MachineConfigs contain the global pull secret, so grant this right with care. Without it the nodes of such a
    pool are unknown, with the finding C(cluster.expectation_forbidden).
  - With O(transport=oc_debug) the account needs C(get) on nodes, C(create), C(delete) and C(list) on namespaces, C(get)
    on service accounts, C(create), C(list), C(watch) and C(delete) on pods and C(get) on C(pods/log) in the
    namespace of the run, and on OpenShift C(use) of the SecurityContextConstraints V(privileged). The namespace carries
    the labels that let privileged pods in, and the pods ask for these constraints by their annotation. That part is
    not tested, for the cluster of the tests of this collection has no such constraints. It takes a cluster
    administrator, in practice.
  - The rights are those of the account that asks, or of O(impersonate_user) where that is set, also for the command.
extends_documentation_fragment:
  - imagemode.openshift.auth
  - imagemode.openshift.attributes
author: Contributors to the imagemode.openshift collection (@imagemode)
"""

EXAMPLES = r"""
- name: Prove that every node of the pool has booted its image
  imagemode.openshift.node_image_verify:
    pool: layered

- name: Prove that two nodes have booted the image that was tested
  imagemode.openshift.node_image_verify:
    nodes: [worker-0, worker-1]
    expected_image: "{{ tested_image }}"

- name: Collect the verdicts of all workers for a report, without failing
  imagemode.openshift.node_image_verify:
    label_selector: node-role.kubernetes.io/worker
    fail_on: []
  register: verified

- name: Keep the report, with the name of the cluster in its own
  ansible.builtin.copy:
    dest: "nodes-{{ verified.cluster.id }}.json"
    content: "{{ verified | ansible.builtin.to_nice_json }}"
    mode: "0644"

- name: Audit without any right on the nodes, by what the operator says of them
  imagemode.openshift.node_image_verify:
    pool: layered
    transport: api
    fail_on: [mismatch]

- name: Prove it by oc debug, ten pods at a time, each with time to pull its image
  imagemode.openshift.node_image_verify:
    pool: layered
    transport: oc_debug
    concurrency: 10
    node_timeout: 300

- name: Prove over ssh what the host of the inventory that is a node has booted
  imagemode.openshift.node_image_verify:
    transport: connection
    expected_image: "{{ tested_image }}"

- name: Prove it over any connection, in a play over hosts of the inventory imagemode.openshift.nodes
  imagemode.openshift.node_image_verify:
    transport: connection
    host_root: "{{ image_mode_host_root | default(omit) }}"

- name: Prove the nodes of a pool whose MachineConfigs ask for a real-time kernel and for usbguard
  imagemode.openshift.node_image_verify:
    pool: realtime
    allowed_deviations:
      - kernel*
      - usbguard

- name: Accept nodes that are switched off, but none with another image
  imagemode.openshift.node_image_verify:
    pool: layered
    node_timeout: 20
    fail_on: [mismatch]
"""

RETURN = r"""
schema_version:
  description: Version of the shape of this result.
  returned: success, and when a verdict is one of O(fail_on)
  type: str
  sample: '1.0'
cluster:
  description: The cluster that this result is about.
  returned: success, and when a verdict is one of O(fail_on)
  type: dict
  contains:
    api_url:
      description: Address of the API server. With O(transport=connection), null unless the inventory says it.
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
asked_by:
  description:
    - The account that asked, as the API server knows it; the one that is impersonated where one is. Null when the API
      server does not say.
  returned: success, and when a verdict is one of O(fail_on)
  type: str
  sample: system:serviceaccount:audit:imagemode
transport:
  description: How the nodes were asked, one of V(pod_exec), V(oc_debug), V(connection) and V(api).
  returned: success, and when a verdict is one of O(fail_on)
  type: str
  sample: pod_exec
verdict:
  description:
    - The verdict on all nodes together, which is the least certain one, V(unknown) before V(mismatch) before V(match).
  returned: success, and when a verdict is one of O(fail_on)
  type: str
  sample: match
summary:
  description: How many nodes got which verdict.
  returned: success, and when a verdict is one of O(fail_on)
  type: dict
  contains:
    total:
      description: Nodes that were asked.
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
  description: The nodes that were asked, sorted by name.
  returned: success, and when a verdict is one of O(fail_on)
  type: list
  elements: dict
  contains:
    name:
      description: Name of the node.
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
      description: Id of the boot that the node was in when it was asked.
      returned: always
      type: str
      sample: 8f3b0a61-6f0e-4a63-9d0a-0f7b1c7a4a51
    asked_at:
      description: When the module began to ask, by the clock of the host where it runs.
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
"""

from ..module_utils._cluster.session import open_session
from ..module_utils._errors import finish
from ..module_utils._model.proof.verdict import Verdict
from ..module_utils._operation.select_nodes import Selection
from ..module_utils._operation.verify_nodes import VerificationRequest, verify_nodes
from ..module_utils._options import Options, new_module

OPTIONS: Options = {
    "pool": {"type": "str", "aliases": ["machine_config_pool"]},
    "nodes": {"type": "list", "elements": "str"},
    "label_selector": {"type": "str"},
    "expected_image": {"type": "str"},
    "allowed_deviations": {"type": "list", "elements": "str", "default": []},
    "transport": {"type": "str", "choices": ["auto", "pod_exec", "oc_debug", "connection", "api"], "default": "auto"},
    "concurrency": {"type": "int", "default": 50},
    "node_timeout": {"type": "int", "default": 60},
    "host_root": {"type": "path"},
    "fail_on": {
        "type": "list",
        "elements": "str",
        "choices": ["mismatch", "unknown"],
        "default": ["mismatch", "unknown"],
    },
}
"""What it takes besides the connection; the action plugin of the same name takes the same."""


def main() -> None:
    module = new_module(
        OPTIONS,
        mutually_exclusive=[("nodes", "label_selector")],
        required_one_of=[("pool", "nodes", "label_selector")],
    )
    asked = module.params
    if asked["transport"] == "connection":
        module.fail_json(
            msg="Could not verify Node: transport connection is the action plugin's, which did not run. "
            "Call imagemode.openshift.node_image_verify by this name."
        )
    ask = VerificationRequest(
        pool=asked["pool"] or "",
        selection=Selection(asked["nodes"] or [], asked["label_selector"] or ""),
        expected_image=asked["expected_image"] or "",
        concurrency=asked["concurrency"],
        node_timeout=asked["node_timeout"],
        host_root=asked["host_root"] or "/rootfs",
        fail_on=frozenset(map(Verdict, asked["fail_on"])),
        transport=asked["transport"],
        allowed_deviations=tuple(asked["allowed_deviations"]),
    )
    finish(module, lambda: verify_nodes(open_session(asked), ask, module.warn))


if __name__ == "__main__":
    main()
