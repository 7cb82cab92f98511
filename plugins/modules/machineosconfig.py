#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: machineosconfig
short_description: Create, update or delete the MachineOSConfig of a pool
version_added: 1.0.0
description:
  - Creates, updates or deletes the MachineOSConfig of a MachineConfigPool. It contains a Containerfile, the name under
    which the image is pushed, and the Secrets for pull and push. The Machine Config Operator builds the image on the
    cluster and rolls it out to the nodes of the pool.
  - Every change of the spec starts a build, even a change of the name of a Secret. The module therefore compares the
    meaning of the fields and writes only if they differ. Line ends at the end of a Containerfile are ignored. If
    nothing changes, the module sends one request and writes nothing. The content of a Secret is not part of the spec.
  - When a build has succeeded, the operator drains and reboots the nodes of the pool without further confirmation.
    Deleting the MachineOSConfig drains and reboots them too, back to the image of the cluster. Such a change requires
    O(allow_node_reboots=true), unless the pool has no nodes or is paused.
  - On OpenShift 4.16 and 4.17 (v1alpha1) a change alone starts no build. There the module deletes the MachineOSBuild of
    the rendered config of the pool, and the pods and ConfigMaps of its builds, before it writes the change. It returns
    when the operator has started the new build. It does the same without a change if the build of the spec is missing,
    failed, lost, never started, or older than the spec. So running it again repairs a failed build once its cause is
    removed. A build that runs or is published is left alone. See the notes.
  - The module fails for input that the operator would accept but never complete. This is a pool that does not exist, a
    pool name of more than 21 characters, a push spec to which no image can be pushed, a Containerfile that cannot be
    built, and a Secret that does not exist or does not contain registry credentials.
  - OpenShift 4.16 and 4.17 serve the API version v1alpha1, later releases v1. The module asks the API server which one
    is served, and takes the same options for both.
  - A Containerfile that may be invalid causes a warning. The API server validates everything else.
  - The module returns when the MachineOSConfig is written. Use M(imagemode.openshift.machineosbuild_wait) to wait for
    the build and M(imagemode.openshift.machineconfigpool_wait) to wait for the rollout.
options:
  state:
    description:
      - Whether the pool has a MachineOSConfig. V(absent) deletes it with its builds. Some releases of the operator then
        delete the image from the registry as well, even while nodes run it.
      - In v1alpha1, V(absent) fails while nodes of the pool run an image, because they cannot return to the image of
        the cluster.
      - On OpenShift 4.16 and 4.17 the operator leaves objects that would keep a later MachineOSConfig of the pool from
        being built. V(absent) deletes them too, also if the MachineOSConfig does not exist any more. These are
        MachineOSBuilds, build pods and their ConfigMaps, and the copies of Secrets that the operator created. The
        Secret with which the nodes pull is kept.
    type: str
    choices: [present, absent]
    default: present
  pool:
    description:
      - Name of the MachineConfigPool whose nodes get the image. It cannot be changed later.
    type: str
    required: true
    aliases: [machine_config_pool]
  name:
    description:
      - Name of the MachineOSConfig. Current releases accept only the name of the pool for a new one.
      - If omitted, the existing MachineOSConfig of the pool is used, whatever its name. A new one gets the name of the
        pool.
    type: str
  containerfile:
    description:
      - Content of the Containerfile, not its path. It continues the stage C(configs) and ends in the stage C(final), so
        it starts with C(FROM configs AS final). The API server accepts up to 4096 characters, which are not bytes.
      - It is used for every architecture. The operator ignores entries of the MachineOSConfig for single architectures,
        and the module does not change them.
      - If omitted, the Containerfile is not changed. A new MachineOSConfig then has none, and its image is the image of
        the cluster with the configuration of the pool. An empty string removes the Containerfile.
    type: str
  rendered_image_push_spec:
    description:
      - Name under which the image is pushed, for example V(quay.example.com/os/layered:latest), with a tag and at most
        one namespace segment before the name. The operator replaces the tag by the name of the build.
      - Required to create a MachineOSConfig. If omitted, an existing one is not changed.
    type: str
  rendered_image_push_secret:
    description:
      - Name of the Secret for the push, in the namespace C(openshift-machine-config-operator).
      - Nodes do not use it for pulls. They use the global pull secret of the cluster, so this must contain credentials
        for a private registry outside the cluster as well.
      - Required to create a MachineOSConfig. If omitted, an existing one is not changed.
    type: str
  base_image_pull_secret:
    description:
      - Name of the Secret for the pull of the base image, in the namespace C(openshift-machine-config-operator).
      - If omitted, an existing MachineOSConfig is not changed. For a new one, the operator uses the pull secret of the
        cluster. An empty string restores this default.
      - v1alpha1 requires this Secret. The default there is V(global-pull-secret-copy), the name that the documentation
        of OpenShift gives to a copy of the pull secret of the cluster. If it does not exist, the module fails with the
        command that creates it.
    type: str
  current_image_pull_secret:
    description:
      - Name of the Secret with which the nodes pull the image, in the namespace C(openshift-machine-config-operator).
        It can be the Secret of O(rendered_image_push_secret).
      - Required to create a MachineOSConfig in v1alpha1. If omitted, an existing one is not changed. A change of this
        name starts no build and reboots no node, but the operator then replaces all pods of the machine-config-daemon.
      - v1 has no field for it. The nodes pull with the global pull secret and the Secret of the internal registry. The
        module then warns that the option is not used, and does not write it.
    type: str
  allow_node_reboots:
    description:
      - Allows the operator to drain and reboot every node of the pool.
      - If V(false), the module fails for a change that reboots nodes and reports the nodes. It is not required if the
        pool has no nodes or is paused. A paused pool reboots its nodes when it is unpaused.
    type: bool
    default: false
attributes:
  async:
    support: full
  check_mode:
    support: full
    details:
      - The API server validates the change in a dry run. A missing pool or Secret causes only a warning, because an
        earlier task may create it.
      - On OpenShift 4.16 and 4.17 the result lists each object that would be deleted, from dry runs of the deletions.
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: imagemode.openshift.registry_secret
  - module: imagemode.openshift.machineconfigpool
  - module: imagemode.openshift.machineosbuild_wait
  - module: imagemode.openshift.machineconfigpool_wait
  - module: imagemode.openshift.node_image_verify
notes:
  - The cluster must serve C(machineosconfigs.machineconfiguration.openshift.io), either in v1 (late releases of
    OpenShift 4.18 and later) or in v1alpha1 (OpenShift 4.16, 4.17 and early releases of 4.18, with the feature set
    C(TechPreviewNoUpgrade)).
  - In v1alpha1 the module also fails for the following input. A push spec with a port, unless it has the form
    C(NAME.NAMESPACE.svc:PORT/NAMESPACE/NAME:TAG), or with an underscore in the tag. A Secret of type
    C(kubernetes.io/dockercfg) whose content has the key C(auths). Two MachineOSConfigs for one pool. A pool that is not
    rendered within a minute. Extensions or a kernel type in the rendered MachineConfig of the pool that the
    Containerfile does not mention, because neither the build nor the nodes install them. To read that MachineConfig,
    the account needs the right to get C(machineconfigs); without it a warning reports that it was not checked.
  - In v1alpha1 the operator may replace the name of a Secret of type C(kubernetes.io/dockercfg) by NAME-canonical in
    the MachineOSConfig. The module treats both names as equal.
  - A change records in the annotation C(imagemode.openshift/edit) of the MachineOSConfig what existed before it. With
    it, waits and verifications distinguish the build of the change from earlier builds.
  - Before a build, the module reads the Secret with which the image is pushed. If it has a token for the registry that
    has expired, the module fails. A token that expires within an hour causes a warning.
  - A Secret that the account cannot read is not checked. A warning reports this.
  - On OpenShift 4.16 and 4.17 a rebuild pauses a pool with nodes until the operator has started the build, because the
    pool has no MachineOSBuild for a moment. The annotation C(imagemode.openshift/paused-for) marks this pause. A pool
    that was paused before stays paused. The pause of an interrupted run still requires O(allow_node_reboots=true).
  - A rebuild can be interrupted at any time. The next run with the same options completes it and ends the pause.
  - A spec that is as wanted is changed by a line end at the end of the Containerfile, because only a change starts a
    build.
  - A rebuild deletes all build pods of the pool. A pod that runs a build of the text before it is deleted too.
  - For a rebuild, and for O(state=absent) on these releases, the account needs C(delete) on MachineOSBuilds, C(list)
    and C(delete) on pods and C(delete) on ConfigMaps in the namespace C(openshift-machine-config-operator). If one of
    these rights is missing, the module fails before it deletes anything. Without C(patch) on MachineConfigPools the
    pool is not paused, and a warning reports this. ConfigMaps are never read.
extends_documentation_fragment:
  - imagemode.openshift.auth
  - imagemode.openshift.attributes
author: Contributors to the imagemode.openshift collection (@imagemode)
"""

EXAMPLES = r"""
- name: Build an image for the pool layered
  imagemode.openshift.machineosconfig:
    pool: layered
    containerfile: |
      FROM configs AS final
      RUN dnf install -y tcpdump && dnf clean all && ostree container commit
    rendered_image_push_spec: quay.example.com/os/layered:latest
    rendered_image_push_secret: layered-push

- name: Build an image on OpenShift 4.16 or 4.17, with one Secret for push and pull
  imagemode.openshift.machineosconfig:
    pool: layered
    containerfile: "{{ lookup('ansible.builtin.file', 'Containerfile') }}"
    rendered_image_push_spec: quay.example.com/os/layered:latest
    rendered_image_push_secret: layered-push
    current_image_pull_secret: layered-push

- name: Change the Containerfile, and allow the nodes to drain and reboot
  imagemode.openshift.machineosconfig:
    pool: layered
    containerfile: "{{ lookup('ansible.builtin.file', 'Containerfile') }}"
    allow_node_reboots: true

- name: Show the changes and the nodes that would reboot
  imagemode.openshift.machineosconfig:
    pool: layered
    containerfile: "{{ lookup('ansible.builtin.file', 'Containerfile') }}"
    allow_node_reboots: true
  check_mode: true
  diff: true
  register: planned

- name: Use the pull secret of the cluster for the base image again
  imagemode.openshift.machineosconfig:
    pool: layered
    base_image_pull_secret: ""
    allow_node_reboots: true

- name: List what a rebuild would delete on OpenShift 4.16 or 4.17
  imagemode.openshift.machineosconfig:
    pool: layered
    containerfile: "{{ lookup('ansible.builtin.file', 'Containerfile') }}"
    allow_node_reboots: true
  check_mode: true
  register: rebuild

- name: Show it
  ansible.builtin.debug:
    msg: "{{ rebuild.rebuild_reason }}: {{ rebuild.deletions }}"

- name: Return the nodes of the pool to the image of the cluster
  imagemode.openshift.machineosconfig:
    pool: layered
    state: absent
    allow_node_reboots: true
"""

RETURN = r"""
schema_version:
  description: Version of the structure of this result.
  returned: success
  type: str
  sample: '1.0'
cluster:
  description: The cluster.
  returned: success
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
machineosconfig:
  description: The MachineOSConfig of the pool. Null if it does not exist.
  returned: success
  type: dict
  contains:
    name:
      description: Name of the MachineOSConfig.
      returned: always
      type: str
      sample: layered
    pool:
      description: Name of its pool.
      returned: always
      type: str
      sample: layered
    generation:
      description: Generation of its spec.
      returned: always
      type: int
      sample: 2
    rendered_image_push_spec:
      description: Name under which images are pushed.
      returned: always
      type: str
      sample: quay.example.com/os/layered:latest
    current_image_pull_spec:
      description:
        - Image for the nodes, with its digest. Until the build of the current spec has succeeded, it is the image of an
          older spec. Null before the first success.
      returned: always
      type: str
      sample: quay.example.com/os/layered@sha256:8c1f6a4d52d54a3b0c7f1d2f0b6b1f3f9f0b0d5a1f7d3e5c9a2b4c6d8e0f1a2b
    current_machine_os_build:
      description: Name of the build that the operator started last. Null before the first build, and in v1alpha1.
      returned: always
      type: str
      sample: layered-966b8892b0c378291caf890a998624e7
    spec_hash:
      description:
        - Hash of its spec. It changes with every field of the spec, so that later tasks can be bound to this spec.
      returned: always
      type: str
      sample: sha256:5f0c1e2d3b4a59687766554433221100ffeeddccbbaa99887766554433221100
reboots:
  description:
    - Names of the nodes that the operator drains and reboots because of the change, sorted. Empty if nothing changed,
      the pool has no nodes, or the pool is paused.
  returned: success, and if O(allow_node_reboots) is missing
  type: list
  elements: str
  sample: [worker-0, worker-1]
deletions:
  description:
    - Objects that were deleted beside the MachineOSConfig, or would be in check mode, each as C(KIND NAME) or C(KIND
      NAMESPACE/NAME), in the order of their deletion. Always empty from OpenShift 4.18 on, where builds run as Jobs.
  returned: success, and if a rebuild failed after its first deletion
  type: list
  elements: str
  sample:
    - Pod openshift-machine-config-operator/build-rendered-layered-5fbf8e0b1a7d0d6bb2a0e1f4c7a3c9d2
    - ConfigMap openshift-machine-config-operator/mc-rendered-layered-5fbf8e0b1a7d0d6bb2a0e1f4c7a3c9d2
    - MachineOSBuild layered-rendered-layered-5fbf8e0b1a7d0d6bb2a0e1f4c7a3c9d2-builder
rebuild_reason:
  description:
    - Why the image is built again on OpenShift 4.16 and 4.17. Null if it is not, and on later releases.
  returned: success
  type: str
  sample: MachineOSBuild layered-rendered-layered-5fbf8e0b1a7d0d6bb2a0e1f4c7a3c9d2-builder failed
resource:
  description:
    - The MachineOSConfig as the API server returned it, in the served version, without C(metadata.managedFields). Null
      if it does not exist.
  returned: success
  type: dict
  sample:
    apiVersion: machineconfiguration.openshift.io/v1
    kind: MachineOSConfig
    metadata: {name: layered, generation: 2}
    spec: {machineConfigPool: {name: layered}, imageBuilder: {imageBuilderType: Job}}
diff:
  description: Changes, or planned changes in check mode.
  returned: success
  type: dict
  contains:
    before:
      description:
        - Previous state. Empty if the object did not exist. C(build_objects) lists the deleted objects, if there are
          any.
      returned: always
      type: dict
      sample: {metadata: {name: layered}, spec: {renderedImagePushSecret: {name: layered-push}}}
    after:
      description: New state. Empty if the object does not exist.
      returned: always
      type: dict
      sample: {metadata: {name: layered}, spec: {renderedImagePushSecret: {name: layered-push-2}}}
"""

from ..module_utils._cluster.session import open_session
from ..module_utils._errors import finish
from ..module_utils._model.objects.machineosconfig import WantedConfig
from ..module_utils._operation.apply_machineosconfig import MachineOSConfigRequest, apply_machineosconfig
from ..module_utils._options import CHECKED_BEFORE, POOL, STATE, new_module


def main() -> None:
    module = new_module(
        POOL,
        STATE,
        {
            "name": {"type": "str"},
            "containerfile": {"type": "str"},
            "rendered_image_push_spec": {"type": "str"},
            "rendered_image_push_secret": {"type": "str", "no_log": False},
            "base_image_pull_secret": {"type": "str", "no_log": False},
            "current_image_pull_secret": {"type": "str", "no_log": False},
            "allow_node_reboots": {"type": "bool", "default": False},
        },
    )
    options = module.params
    request = MachineOSConfigRequest(
        present=options["state"] == "present",
        name=options["name"] or "",
        wanted=WantedConfig(
            pool=options["pool"],
            containerfile=options["containerfile"],
            rendered_image_push_spec=options["rendered_image_push_spec"],
            rendered_image_push_secret=options["rendered_image_push_secret"],
            base_image_pull_secret=options["base_image_pull_secret"],
            current_image_pull_secret=options["current_image_pull_secret"],
        ),
        allow_node_reboots=options["allow_node_reboots"],
        check_mode=module.check_mode,
        checked_before=bool(options.get(CHECKED_BEFORE)),
    )
    finish(module, lambda: apply_machineosconfig(open_session(options), request, module.warn))


if __name__ == "__main__":
    main()
