#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: machineosconfig
short_description: Give a pool of nodes a custom operating-system image
version_added: 0.1.0
description:
  - Creates, changes or removes the MachineOSConfig of a MachineConfigPool, which names a Containerfile, where its image
    is pushed to, and with which Secrets. The Machine Config Operator builds the image on the cluster and gives it to
    the nodes of the pool.
  - Creating one, and every change of its spec, starts a build, even if only the name of a Secret changes. So the module
    compares what the fields mean and writes only when they differ. Line ends at the end of a Containerfile mean
    nothing. A second run sends one request and writes nothing. The content of a Secret is not part of the spec.
  - As soon as a build has succeeded, the operator drains and reboots the nodes that are in the pool, and asks nobody
    first. Removing the MachineOSConfig drains and reboots them too, back to the image of the cluster. A change of that
    kind therefore needs O(allow_node_reboots=true), unless the pool has no nodes or is paused.
  - The module refuses what the operator would accept and then never finish, which is a pool that does not exist, a pool
    whose name is longer than 21 characters, a push spec with more than one namespace segment, and a Secret that does
    not exist or is not one of registry credentials. What the API server checks is left to it, such as the length of the
    Containerfile.
  - The module returns as soon as the MachineOSConfig is written. Use M(imagemode.openshift.machineosbuild_wait) to wait
    for the build and M(imagemode.openshift.machineconfigpool_wait) for the nodes.
options:
  state:
    description:
      - Whether the pool is to have a MachineOSConfig. V(absent) removes it, together with its builds. Some releases of
        the operator then delete the image from the registry as well, also while nodes still run it.
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
      - Name of the MachineOSConfig. Current releases accept a new one only under the name of its pool.
      - Without it, it is the MachineOSConfig that already serves the pool, whatever its name, else a new one with the
        name of the pool.
    type: str
  containerfile:
    description:
      - Content of the Containerfile, not its path. It goes on from the stage C(configs) and ends in the stage C(final),
        so it begins with C(FROM configs AS final). The API server accepts 4096 characters.
      - It is built for every architecture. Entries of the MachineOSConfig for single architectures, which the operator
        ignores, are left as they are.
      - Without it, the Containerfile stays as it is. A new MachineOSConfig then has none, and the image is that of the
        cluster with the configuration of the pool in it. An empty text takes the Containerfile away.
    type: str
  rendered_image_push_spec:
    description:
      - Where the image is pushed to, as in V(quay.example.com/os/layered:latest), with a tag and at most one namespace
        segment before the name. The operator puts the name of the build in place of the tag.
      - Needed to create a MachineOSConfig. Without it, an existing one keeps what it has.
    type: str
  rendered_image_push_secret:
    description:
      - Name of the Secret that allows the push, in the namespace C(openshift-machine-config-operator).
      - The nodes do not pull with it. They use the global pull secret of the cluster, so a private registry outside the
        cluster has to be in that as well.
      - Needed to create a MachineOSConfig. Without it, an existing one keeps what it has.
    type: str
  base_image_pull_secret:
    description:
      - Name of the Secret that allows the build to pull its base image, in the namespace
        C(openshift-machine-config-operator).
      - Without it, an existing MachineOSConfig keeps what it has, and the operator takes the pull secret of the cluster
        for a new one. An empty text goes back to that.
    type: str
  allow_node_reboots:
    description:
      - Consent to what the operator does next, which is to drain and reboot every node of the pool.
      - Without it, such a change is refused and the nodes are named. It is not needed while the pool has no nodes or is
        paused. A paused pool reboots its nodes when it is released.
    type: bool
    default: false
attributes:
  async:
    support: full
  check_mode:
    support: full
    details:
      - The API server judges the change in a dry run. A pool or a Secret that does not exist yet is only warned of,
        because a task before this one may be about to create it.
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
  - The cluster has to serve C(machineosconfigs.machineconfiguration.openshift.io/v1), which OpenShift does from late
    releases of 4.18 on.
  - A change leaves the annotation C(imagemode.openshift/build-before) on the MachineOSConfig, which names the build
    that was there. By it a wait knows the build of the change from the one before.
  - A Secret that the account may not read is not checked, and a warning says so.
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

- name: Give the pool another Containerfile, and let its nodes drain and reboot
  imagemode.openshift.machineosconfig:
    pool: layered
    containerfile: "{{ lookup('ansible.builtin.file', 'Containerfile') }}"
    allow_node_reboots: true

- name: See what would change, and which nodes would reboot
  imagemode.openshift.machineosconfig:
    pool: layered
    containerfile: "{{ lookup('ansible.builtin.file', 'Containerfile') }}"
    allow_node_reboots: true
  check_mode: true
  diff: true
  register: planned

- name: Pull the base image of the build with the pull secret of the cluster again
  imagemode.openshift.machineosconfig:
    pool: layered
    base_image_pull_secret: ""
    allow_node_reboots: true

- name: Bring the nodes of the pool back to the image of the cluster
  imagemode.openshift.machineosconfig:
    pool: layered
    state: absent
    allow_node_reboots: true
"""

RETURN = r"""
schema_version:
  description: Version of the shape of this result.
  returned: success
  type: str
  sample: '1.0'
cluster:
  description: The cluster that this result is about.
  returned: success
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
machineosconfig:
  description: The MachineOSConfig that serves the pool. Null when there is none.
  returned: success
  type: dict
  contains:
    name:
      description: Name of the MachineOSConfig.
      returned: always
      type: str
      sample: layered
    pool:
      description: Name of the pool that it serves.
      returned: always
      type: str
      sample: layered
    generation:
      description: How often its spec has been written.
      returned: always
      type: int
      sample: 2
    rendered_image_push_spec:
      description: Where images are pushed to.
      returned: always
      type: str
      sample: quay.example.com/os/layered:latest
    current_image_pull_spec:
      description:
        - The image that the operator gives to the nodes, with its digest. It stays that of an older spec until the
          build of the present one has succeeded. Null before the first success.
      returned: always
      type: str
      sample: quay.example.com/os/layered@sha256:8c1f6a4d52d54a3b0c7f1d2f0b6b1f3f9f0b0d5a1f7d3e5c9a2b4c6d8e0f1a2b
    current_machine_os_build:
      description: Name of the build that the operator named last, when it started. Null before the first one.
      returned: always
      type: str
      sample: layered-966b8892b0c378291caf890a998624e7
reboots:
  description:
    - Names of the nodes that the operator drains and reboots because of the change, sorted. Empty when nothing changed,
      and when the pool has no nodes or is paused.
  returned: success, and when O(allow_node_reboots) is missing
  type: list
  elements: str
  sample: [worker-0, worker-1]
resource:
  description:
    - The MachineOSConfig as the API server returned it, without C(metadata.managedFields). Null when there is none.
  returned: success
  type: dict
  sample:
    apiVersion: machineconfiguration.openshift.io/v1
    kind: MachineOSConfig
    metadata: {name: layered, generation: 2}
    spec: {machineConfigPool: {name: layered}, imageBuilder: {imageBuilderType: Job}}
diff:
  description: What was changed, or would be in check mode.
  returned: success
  type: dict
  contains:
    before:
      description: What was there. Empty when there was nothing.
      returned: always
      type: dict
      sample: {metadata: {name: layered}, spec: {renderedImagePushSecret: {name: layered-push}}}
    after:
      description: What is there now. Empty when there is nothing.
      returned: always
      type: dict
      sample: {metadata: {name: layered}, spec: {renderedImagePushSecret: {name: layered-push-2}}}
"""

from ..module_utils._cluster.session import open_session
from ..module_utils._errors import finish
from ..module_utils._model.objects.machineosconfig import WantedConfig
from ..module_utils._operation.apply_machineosconfig import MachineOSConfigRequest, apply_machineosconfig
from ..module_utils._options import POOL, STATE, new_module


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
            "allow_node_reboots": {"type": "bool", "default": False},
        },
    )
    asked = module.params
    ask = MachineOSConfigRequest(
        present=asked["state"] == "present",
        name=asked["name"] or "",
        wanted=WantedConfig(
            pool=asked["pool"],
            containerfile=asked["containerfile"],
            rendered_image_push_spec=asked["rendered_image_push_spec"],
            rendered_image_push_secret=asked["rendered_image_push_secret"],
            base_image_pull_secret=asked["base_image_pull_secret"],
        ),
        allow_node_reboots=asked["allow_node_reboots"],
        check_mode=module.check_mode,
    )
    finish(module, lambda: apply_machineosconfig(open_session(asked), ask, module.warn))


if __name__ == "__main__":
    main()
