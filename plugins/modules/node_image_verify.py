#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_image_verify
short_description: Verify which operating-system image nodes have booted
version_added: 1.0.0
description:
  - Queries every node for its booted deployment, compares the digest with the expected one, and returns a verdict for
    each node. The module changes nothing, neither on the nodes nor in the cluster.
  - V(match) means that the node itself reports a booted image with the expected digest. V(mismatch) means that it
    reports something else. This includes a node where the expected image is only staged for the next reboot, and a node
    with local changes that O(allowed_deviations) does not allow. V(unknown) means that nothing is proven, because the
    node did not respond, its output cannot be parsed, it rebooted during the verification, or the expected image is not
    certain. V(unknown) never counts as success.
  - The expected image is O(expected_image). If omitted, it is the image of the MachineOSConfig of the node's pool. For
    a pool without one, it is the image of the rendered MachineConfig. If the build of the current spec of the
    MachineOSConfig has not succeeded, the image in its status belongs to an older spec. No node matches it then, and
    the verdict is V(unknown).
  - The module reads the output of C(rpm-ostree status --json) and compares digests, not names, so an image from a
    mirror is the same image. A different name is a warning.
  - A node keeps the reference and the digest of its image whatever is changed on it. Only the list of changes in the
    output of C(rpm-ostree) shows, for example, a replaced kernel. Layered, replaced or removed packages, changes of the
    running system, an unlocked C(/usr), a locally generated initramfs, and everything else that was assembled on the
    node are findings and cause a V(mismatch), unless O(allowed_deviations) allows them. Allowed ones are warnings.
  - Only what is applied is a local change. What is requested on a node and not applied, because the image contains it
    already, is the warning C(node.request_inactive). The nodes of a pool whose MachineConfigs have extensions look like
    this after the pool moved to image mode.
  - A pool that is paused is the warning C(pool.updates_paused) in RV(findings). It changes no verdict. If a node has
    another image because the operator does not update the nodes of a paused pool, the finding of the node says so.
  - For an auditor, RV(containerfile) has the text and the hash of the Containerfile, and whether the image of the nodes
    is proven to be built from it.
  - As a cross-check, the module compares the annotations of the node and its MachineConfigNode, if the cluster has one,
    with the booted image. Differences are warnings and do not change the verdict. Other staged deployments and a
    running C(rpm-ostree) transaction are warnings too. A node that reboots during the verification is queried once
    more.
  - A problem with one node makes only the verdict on that node V(unknown). Output of more than 2 MiB is rejected.
    O(node_timeout) covers everything that is needed for one node. Redirects are not followed.
  - B(The required right is equivalent to root on the nodes.) The command runs in the pod of the machine-config-daemon
    on the node, which is privileged and has access to the whole file system of the host. An account that can run
    commands there has full control of the node, although this module runs only this one command. Use a dedicated
    account.
options:
  pool:
    description:
      - Name of the MachineConfigPool whose nodes are verified. O(nodes) or O(label_selector) restricts them, and all
        nodes that these select must be in the pool.
      - At least one of O(pool), O(nodes) and O(label_selector) is required, except with O(transport=connection). If
        O(pool) is omitted, each node is compared with the image of its own pool.
      - With O(pool) the verdict is about the whole pool. A node of the pool that O(nodes) or O(label_selector) leaves
        out counts as V(unknown). To verify only some nodes, omit O(pool).
    type: str
    aliases: [machine_config_pool]
  nodes:
    description:
      - Names of the nodes to verify. A node that does not exist is an error. Mutually exclusive with
        O(label_selector).
    type: list
    elements: str
  label_selector:
    description:
      - Label selector of the nodes to verify, as for C(oc get nodes -l). A selector that matches no node is an error.
        Mutually exclusive with O(nodes).
    type: str
  expected_image:
    description:
      - Image that the nodes should have booted, with its digest, for example
        V(quay.example.com/os/layered@sha256:...), or only the digest. A tag is an error, because it does not identify
        an image.
      - A node that pulled an image by a manifest list reports the digest of the list and the digest of the image for
        its architecture. Either matches. A node that pulled the image of its architecture directly reports only that
        digest, so use that one instead of the digest of the list.
      - If omitted, it is the image that the cluster expects for the pool of each node. With O(transport=connection) it
        is the variable C(image_mode_expected) of the host, which the inventory P(imagemode.openshift.nodes#inventory)
        sets. No node matches a value that comes from the cache of the inventory.
    type: str
  allowed_deviations:
    description:
      - Local changes that are allowed on nodes, for changes that an administrator or the operator itself makes. In
        pools without layering, the operator layers the packages of C(extensions) and of C(kernelType) in
        MachineConfigs. No change is allowed by default.
      - An entry is a shell pattern of package names without version, for example V(usbguard) or V(kernel-rt*). Matching
        packages may be layered, replace other packages, and be removed. The packages that a real-time kernel replaces
        need an entry too, for example V(kernel-core).
      - The name of an extension is not the name of its packages. The extensions of the operator install these -
        C(wasm) crun-wasm, C(ipsec) NetworkManager-libreswan and libreswan, C(usbguard) usbguard, C(kerberos)
        krb5-workstation and libkadm5, C(kernel-devel) kernel-devel and kernel-headers, C(sandboxed-containers)
        kata-containers, C(sysstat) sysstat, C(two-node-ha) pacemaker, pcs and fence-agents-all. Which extensions exist
        depends on the release. With IPsec, a package V(openvswitch*-ipsec) can be layered too.
      - An entry can also be the id of a finding, which allows all changes of that kind. The ids are
        V(node.local_packages), V(node.package_overrides), V(node.package_removals), V(node.live_changes),
        V(node.unlocked), V(node.initramfs_regenerated) and V(node.assembled_on_node).
      - Allowed changes are still reported, as the warning V(node.deviation_allowed). An entry that allows no change of
        any verified node causes the warning V(cluster.allowed_deviation_unused), once for all nodes.
    type: list
    elements: str
    default: []
  transport:
    description:
      - How nodes are queried. RV(transport) contains the transport that was used.
      - V(pod_exec) runs the command in the pod of the machine-config-daemon through the API server.
      - V(oc_debug) runs C(oc debug) for each node, which creates a privileged pod on it. It is for clusters whose nodes
        have no pod of the machine-config-daemon, and needs the program C(oc) on the host of the task. The pods run in a
        namespace that is created for the run and deleted at its end, also after an interrupt. If a run was killed, a
        later run deletes its namespace when the process that created it no longer exists on the same machine, or when
        its lifetime has expired by the clock of the API server. With this transport O(node_timeout) includes the pull
        of the pod's image, and O(host_root) is V(/host).
      - V(connection) runs the command on the host of the task over its Ansible connection, in a play whose hosts are
        the nodes. The host needs no Python, and the API server is not used. O(expected_image) is required, unless the
        inventory P(imagemode.openshift.nodes#inventory) provides it. O(pool) is only copied to the result, and O(nodes)
        can contain only the name of the node. If omitted, both come from that inventory, and by default the name of the
        node is the name of the host.
      - V(api) does not query nodes and needs no rights on them. It reads the state that the operator reports, that is
        the annotations of the node and, in pools without layering, the rendered MachineConfig that the node reports.
        This state is not a proof. It is outdated while the machine-config-daemon does not run, and everyone who can
        change nodes can change it. So the verdict can be V(mismatch) but never V(match); if the reported image is the
        expected one, the verdict is V(unknown). For an audit with this transport, set O(fail_on) to V(mismatch).
      - V(auto) uses V(pod_exec) if the account has the right to it. Otherwise it uses V(api) and warns. It never
        selects a transport that creates pods.
    type: str
    choices: [auto, pod_exec, oc_debug, connection, api]
    default: auto
  concurrency:
    description:
      - Maximum number of nodes that are queried in parallel.
    type: int
    default: 50
  node_timeout:
    description:
      - Seconds until a node must have responded, all attempts included. A node that does not respond is V(unknown). The
        other nodes are still reported.
    type: int
    default: 60
  host_root:
    description:
      - Mount point of the file system of the host. The command runs with this root.
      - In the pod of the machine-config-daemon it is V(/rootfs), which is the default of V(pod_exec). With
        O(transport=connection) the default is no change of the root. Set it to V(/rootfs) if the connection leads into
        such a pod.
    type: path
  fail_on:
    description:
      - Verdicts that fail the task, after all nodes have been queried and reported.
      - With an empty list the task never fails because of a verdict. Use this to write a report and decide later, by
        RV(verdict).
    type: list
    elements: str
    choices: [mismatch, unknown]
    default: [mismatch, unknown]
  awaited_nodes:
    description:
      - Names of nodes that were in O(pool) before, such as the nodes for which
        M(imagemode.openshift.machineconfigpool_wait) waited. A node that is no longer in the pool is V(unknown), with
        the finding C(node.left_pool). Ignored without O(pool), and with O(nodes) or O(label_selector).
    type: list
    elements: str
    default: []
  allow_empty_pool:
    description:
      - Whether a pool without nodes is no failure. The verdict on such a pool is V(none), and RV(findings) contains
        C(pool.no_nodes). With an empty O(fail_on) it is no failure in any case.
    type: bool
    default: false
  build:
    description:
      - Result of M(imagemode.openshift.machineosbuild_wait) of this run. It binds the task to the spec and the image of
        this run. A result for another pool binds to nothing.
      - If another client has changed the spec since, the task fails and names the client.
      - If the expected image is another one, the verdict of all nodes is C(unknown).
      - Not used with O(transport=connection).
    type: dict
attributes:
  async:
    support: partial
    details:
      - Not with O(transport=connection).
  check_mode:
    support: full
    details:
      - Runs completely, because it changes nothing.
  diff_mode:
    support: N/A
  idempotent:
    support: full
    details:
      - Never changes anything.
seealso:
  - module: imagemode.openshift.machineconfigpool_wait
  - module: imagemode.openshift.machineosconfig
  - module: imagemode.openshift.node_image_summary
  - plugin: imagemode.openshift.nodes
    plugin_type: inventory
notes:
  - The account needs C(create) and C(get) on C(pods/exec) and C(list) on C(pods) in the namespace
    C(openshift-machine-config-operator), and C(list) on nodes, MachineConfigPools, MachineOSConfigs and
    MachineOSBuilds. With C(list) on MachineConfigNodes these are compared as well. Otherwise, or if the cluster has
    none, they are not compared.
  - For a pool without a MachineOSConfig the account also needs C(get) on MachineConfigs, unless O(expected_image) is
    set. MachineConfigs contain the global pull secret, so grant this right with care. Without it, the nodes of such a
    pool are V(unknown), with the finding C(cluster.expectation_forbidden).
  - With O(transport=oc_debug) the account needs C(get) on nodes, C(create), C(delete) and C(list) on namespaces, C(get)
    on service accounts, C(create), C(list), C(watch) and C(delete) on pods and C(get) on C(pods/log) in the
    namespace of the run, and on OpenShift C(use) of the SecurityContextConstraints V(privileged). The namespace has
    the labels that allow privileged pods, and the pods request these constraints by annotation. This part is not
    tested, because the test cluster of this collection has no such constraints. In practice, use a cluster
    administrator.
  - The rights are those of the account, or of O(impersonate_user) if it is set, also for the command.
extends_documentation_fragment:
  - imagemode.openshift.auth
  - imagemode.openshift.attributes
author: Contributors to the imagemode.openshift collection (@imagemode)
"""

EXAMPLES = r"""
- name: Verify that every node of the pool has booted its image
  imagemode.openshift.node_image_verify:
    pool: layered

- name: Verify that two nodes have booted the tested image
  imagemode.openshift.node_image_verify:
    nodes: [worker-0, worker-1]
    expected_image: "{{ tested_image }}"

- name: Collect the verdicts of all workers for a report, without failing
  imagemode.openshift.node_image_verify:
    label_selector: node-role.kubernetes.io/worker
    fail_on: []
  register: verified

- name: Save the result, with the id of the cluster in its name
  ansible.builtin.copy:
    dest: "nodes-{{ verified.cluster.id }}.json"
    content: "{{ verified | ansible.builtin.to_nice_json }}"
    mode: "0644"

- name: Audit the state that the operator reports, without rights on the nodes
  imagemode.openshift.node_image_verify:
    pool: layered
    transport: api
    fail_on: [mismatch]

- name: Verify with oc debug, ten pods at a time, with enough time to pull their image
  imagemode.openshift.node_image_verify:
    pool: layered
    transport: oc_debug
    concurrency: 10
    node_timeout: 300

- name: Verify a node that is a host of the inventory, over ssh
  imagemode.openshift.node_image_verify:
    transport: connection
    expected_image: "{{ tested_image }}"

- name: Verify the hosts of the inventory imagemode.openshift.nodes over any connection
  imagemode.openshift.node_image_verify:
    transport: connection
    host_root: "{{ image_mode_host_root | default(omit) }}"

- name: Verify a pool whose MachineConfigs request a real-time kernel and usbguard
  imagemode.openshift.node_image_verify:
    pool: realtime
    allowed_deviations:
      - kernel*
      - usbguard

- name: Accept nodes that are switched off, but none with a different image
  imagemode.openshift.node_image_verify:
    pool: layered
    node_timeout: 20
    fail_on: [mismatch]
"""

RETURN = r"""
schema_version:
  description: Version of the structure of this result.
  returned: success, and if a verdict is one of O(fail_on)
  type: str
  sample: '1.0'
cluster:
  description: The cluster.
  returned: success, and if a verdict is one of O(fail_on)
  type: dict
  contains:
    api_url:
      description: Address of the API server. With O(transport=connection), null unless the inventory contains it.
      returned: always
      type: str
      sample: https://api.cluster.example.com:6443
    id:
      description: Id of the cluster. Null if the account cannot read it.
      returned: always
      type: str
      sample: 0f7a4e1c-6b0e-4d0a-9a51-3c8f5c7c9b21
    name:
      description: Name of the infrastructure. Null if the account cannot read it.
      returned: always
      type: str
      sample: cluster-7xk2p
    version:
      description: Desired release of the cluster. Null if the account cannot read it.
      returned: always
      type: str
      sample: 4.20.4
account:
  description:
    - Account that was used, as the API server identifies it, or the impersonated account. Null if the API server does
      not report it.
  returned: success, and if a verdict is one of O(fail_on)
  type: str
  sample: system:serviceaccount:audit:imagemode
transport:
  description: How the nodes were queried, one of V(pod_exec), V(oc_debug), V(connection) and V(api).
  returned: success, and if a verdict is one of O(fail_on)
  type: str
  sample: pod_exec
verdict:
  description:
    - Verdict on all nodes together. It is the least certain one, V(unknown) before V(mismatch) before V(match). With
      O(pool) it is about the whole pool, so it is never V(match) if nodes of the pool were left out, and V(none) if the
      pool has no nodes.
  returned: success, and if a verdict is one of O(fail_on)
  type: str
  sample: match
summary:
  description: Number of nodes for each verdict.
  returned: success, and if a verdict is one of O(fail_on)
  type: dict
  contains:
    total:
      description: Number of verified nodes and of nodes that were left out.
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
    - Number of nodes of O(pool). Null if O(pool) is omitted, and with O(transport=connection), which verifies one node.
  returned: success, and if a verdict is one of O(fail_on)
  type: int
  sample: 3
left_out:
  description: Number of nodes of O(pool) that were not verified. They count as V(unknown) in RV(summary).
  returned: success, and if a verdict is one of O(fail_on)
  type: int
  sample: 0
unused_allowed_deviations:
  description:
    - Entries of O(allowed_deviations) that allowed no local change of any node. Null if no node reported its local
      changes.
  returned: success, and if a verdict is one of O(fail_on)
  type: list
  elements: str
  sample: [ipsec]
findings:
  description: Findings about the pool, such as C(pool.no_nodes). Findings about a node are in RV(nodes).
  returned: success, and if a verdict is one of O(fail_on)
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
containerfile:
  description:
    - Containerfile of the MachineOSConfig from which the expected image was read. With O(expected_image) it is the one
      of the pool, if the account can read it.
    - Null if the pool has no MachineOSConfig, if the nodes are in several pools, for a pool without nodes, and with
      O(transport=connection).
  returned: success, and if a verdict is one of O(fail_on)
  type: dict
  contains:
    machineosconfig:
      description: Name of the MachineOSConfig.
      returned: always
      type: str
      sample: layered
    sha256:
      description:
        - SHA-256 of the exact text in UTF-8, as the API served it. Null if the MachineOSConfig has no Containerfile.
        - A masked credential is part of the hashed text. A reader who knows the rest of the text can test guesses of a
          short credential with this hash.
      returned: always
      type: str
      sample: 96c9c9f2c1f1a8b4d1f3f6a7ec2e9e0c8be4c3d9c1b2a3948576655443322110
    text:
      description:
        - The text. Credentials are masked as V(***), and characters that are not printable are escaped. A text of more
          than 4096 characters, which the API does not accept, is cut. Null if there is none.
      returned: always
      type: str
      sample: |
        FROM configs AS final
        RUN dnf install -y tcpdump && ostree container commit
    exact:
      description: Whether RV(containerfile.text) is the exact text, so that its SHA-256 is RV(containerfile.sha256).
      returned: always
      type: bool
      sample: true
    proven:
      description:
        - Whether the image that the nodes with the verdict V(match) booted is proven to be built from this text.
        - V(false) if no node matches, if the image was seeded or taken over without a build, if the image in the status
          is not proven to be one of the current spec, and if O(expected_image) is another image.
      returned: always
      type: bool
      sample: true
    why_not:
      description: Why it is not proven. Null if it is.
      returned: always
      type: str
      sample: MachineOSBuild layered-4f1c was seeded with an existing image
nodes:
  description: The verified nodes, sorted by name.
  returned: success, and if a verdict is one of O(fail_on)
  type: list
  elements: dict
  contains:
    name:
      description: Name of the node.
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
      description: Boot id of the node during the verification.
      returned: always
      type: str
      sample: 8f3b0a61-6f0e-4a63-9d0a-0f7b1c7a4a51
    verified_at:
      description: Time when the verification started, by the clock of the host where the module runs.
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
"""

from ..module_utils._cluster.session import open_session
from ..module_utils._errors import finish
from ..module_utils._model.build.run_spec import run_spec_of
from ..module_utils._model.proof.verdict import Verdict
from ..module_utils._operation.select_nodes import Selection
from ..module_utils._operation.verify_nodes import VerificationRequest, verify_nodes
from ..module_utils._options import Options, new_module

OPTIONS: Options = {
    "pool": {"type": "str", "aliases": ["machine_config_pool"]},
    "nodes": {"type": "list", "elements": "str"},
    "label_selector": {"type": "str"},
    "expected_image": {"type": "str"},
    "build": {"type": "dict"},
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
    "awaited_nodes": {"type": "list", "elements": "str", "default": []},
    "allow_empty_pool": {"type": "bool", "default": False},
}
"""Options besides the connection options. The action plugin of the same name has the same options."""


def main() -> None:
    module = new_module(
        OPTIONS,
        mutually_exclusive=[("nodes", "label_selector")],
        required_one_of=[("pool", "nodes", "label_selector")],
    )
    options = module.params
    if options["transport"] == "connection":
        module.fail_json(
            msg="Could not verify Node: transport connection needs the action plugin, which did not run. "
            "Call the module as imagemode.openshift.node_image_verify."
        )
    request = VerificationRequest(
        pool=options["pool"] or "",
        selection=Selection(options["nodes"] or [], options["label_selector"] or ""),
        expected_image=options["expected_image"] or "",
        concurrency=options["concurrency"],
        node_timeout=options["node_timeout"],
        host_root=options["host_root"] or "/rootfs",
        fail_on=frozenset(map(Verdict, options["fail_on"])),
        transport=options["transport"],
        allowed_deviations=tuple(options["allowed_deviations"]),
        allow_empty_pool=options["allow_empty_pool"],
        awaited_nodes=tuple(options["awaited_nodes"]),
        run=run_spec_of(options["build"], options["pool"] or ""),
    )
    finish(module, lambda: verify_nodes(open_session(options), request, module.warn))


if __name__ == "__main__":
    main()
