#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: machineosconfig
short_description: Create, update or delete the MachineOSConfig of a pool
version_added: 0.1.0
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
  - The module fails for input that the operator would accept but never complete. This is a pool that does not exist, a
    pool name of more than 21 characters, a push spec with more than one namespace segment, and a Secret that does not
    exist or does not contain registry credentials. The API server validates everything else, such as the length of the
    Containerfile.
  - The module returns when the MachineOSConfig is written. Use M(imagemode.openshift.machineosbuild_wait) to wait for
    the build and M(imagemode.openshift.machineconfigpool_wait) to wait for the rollout.
options:
  state:
    description:
      - Whether the pool has a MachineOSConfig. V(absent) deletes it with its builds. Some releases of the operator then
        delete the image from the registry as well, even while nodes run it.
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
        it starts with C(FROM configs AS final). The API server accepts up to 4096 characters.
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
  - The cluster must serve C(machineosconfigs.machineconfiguration.openshift.io/v1), which is available in late releases
    of OpenShift 4.18 and later.
  - A change sets the annotation C(imagemode.openshift/build-before) of the MachineOSConfig to the build that existed
    before. With it, a wait distinguishes the build of the change from the earlier one.
  - A Secret that the account cannot read is not checked. A warning reports this.
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
      description: Name of the build that the operator started last. Null before the first build.
      returned: always
      type: str
      sample: layered-966b8892b0c378291caf890a998624e7
reboots:
  description:
    - Names of the nodes that the operator drains and reboots because of the change, sorted. Empty if nothing changed,
      the pool has no nodes, or the pool is paused.
  returned: success, and if O(allow_node_reboots) is missing
  type: list
  elements: str
  sample: [worker-0, worker-1]
resource:
  description:
    - The MachineOSConfig as the API server returned it, without C(metadata.managedFields). Null if it does not exist.
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
      description: Previous state. Empty if the object did not exist.
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
        ),
        allow_node_reboots=options["allow_node_reboots"],
        check_mode=module.check_mode,
    )
    finish(module, lambda: apply_machineosconfig(open_session(options), request, module.warn))


if __name__ == "__main__":
    main()
