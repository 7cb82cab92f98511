#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: machineosbuild_superseded
short_description: Delete older builds that block the rollout of a pool
version_added: 1.0.0
description:
  - Up to OpenShift 4.20 the node controller does not use the image that the MachineOSConfig names. Of the succeeded
    builds for the rendered config of the pool it uses the first by name. After a change of the MachineOSConfig this can
    be an older build. The rollout then never starts, and no object reports it.
    M(imagemode.openshift.machineconfigpool_wait) reports it as C(pool.older_build_selected).
  - The module deletes these builds and updates the pool, so that the node controller selects a build again and the
    rollout starts.
  - A build is deleted only if it succeeded, belongs to the MachineOSConfig and the rendered config of the pool, sorts
    before the current build by name, and has a different image. The current build and all other objects are never
    deleted. From OpenShift 4.21 on nothing is deleted, because the node controller uses the image that the
    MachineOSConfig names.
  - On OpenShift 4.16 and 4.17 (v1alpha1) no older build blocks a rollout. There the module deletes what is left of
    builds of the pool for other rendered configs, in whatever state. These are MachineOSBuilds, build pods and their
    ConfigMaps. A failed pod that is left makes the operator mark the current build as failed, even after its success,
    and a MachineOSBuild that is left gives nodes the wrong image if the pool returns to its rendered config. The build
    of the pool's rendered config and its pod are never deleted. No node reboots.
  - Except on these releases, the current build must have succeeded. Use M(imagemode.openshift.machineosbuild_wait)
    first.
  - The rollout drains and reboots the nodes of the pool. If a node has not booted the image yet, this requires
    O(allow_node_reboots=true), unless the pool is paused.
options:
  state:
    description:
      - State of these builds.
    type: str
    choices: [absent]
    default: absent
  pool:
    description:
      - Name of the MachineConfigPool.
    type: str
    required: true
    aliases: [machine_config_pool]
  allow_node_reboots:
    description:
      - Allows the operator to drain and reboot the nodes of the pool.
      - If V(false), the module deletes nothing and reports the nodes that would reboot. It is not required if the pool
        has no nodes, is paused, or its rollout has started.
    type: bool
    default: false
attributes:
  async:
    support: full
  check_mode:
    support: full
    details:
      - The API server validates each deletion in a dry run. A pool, a MachineOSConfig or an image that does not exist
        yet is not an error.
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: imagemode.openshift.machineosbuild_wait
  - module: imagemode.openshift.machineconfigpool_wait
  - module: imagemode.openshift.machineosconfig
notes:
  - A rollout that never started was observed with operators of 4.18 (August 2026) and 4.20 (July 2025). One of 4.19
    (March 2025) started it. Other z-streams of these releases can differ. The module deletes older builds on all of
    them; you lose the option to return to them quickly.
  - When a MachineOSBuild is deleted, the operator of 4.20 also deletes its image from the registry, unless a node of
    the pool uses it. The one of 4.19 keeps the image. Returning to the Containerfile of a deleted build then requires a
    new build.
  - While the builds are deleted, the annotation C(imagemode.openshift/superseded-builds) of the pool lists them. The
    removal of the annotation is the update of the pool. If a run is interrupted, the next run completes its work.
  - Builds are deleted by UID, so a new build with the same name is not deleted.
  - On OpenShift 4.16 and 4.17 the account needs C(list) on MachineConfigPools, MachineOSConfigs and MachineOSBuilds,
    C(delete) on MachineOSBuilds, and in the namespace C(openshift-machine-config-operator) C(list) and C(delete) on
    pods and C(delete) on ConfigMaps. If a right is missing, nothing is deleted.
  - On later releases the account needs C(get) on ClusterVersion C(version), C(list) on nodes, MachineConfigPools,
    MachineOSConfigs and MachineOSBuilds, C(patch) on MachineConfigPools and C(delete) on MachineOSBuilds.
extends_documentation_fragment:
  - imagemode.openshift.auth
  - imagemode.openshift.attributes
author: Contributors to the imagemode.openshift collection (@imagemode)
"""

EXAMPLES = r"""
- name: Wait for the image
  imagemode.openshift.machineosbuild_wait:
    pool: layered

- name: List the older builds that block the rollout
  imagemode.openshift.machineosbuild_superseded:
    pool: layered
    allow_node_reboots: true
  check_mode: true
  register: older

- name: Delete them; the nodes of the pool drain and reboot
  imagemode.openshift.machineosbuild_superseded:
    pool: layered
    state: absent
    allow_node_reboots: true

- name: Delete what is left of builds for other rendered configs on OpenShift 4.16 or 4.17
  imagemode.openshift.machineosbuild_superseded:
    pool: layered
    state: absent
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
deleted:
  description:
    - Names of the deleted MachineOSBuilds, or of those to delete in check mode, sorted. They include builds that an
      interrupted run deleted before it could update the pool.
  returned: success
  type: list
  elements: str
  sample: [layered-07f8c1d2e3f4a5b6c7d8e9f0a1b2c3d4]
deletions:
  description:
    - All deleted objects, or those to delete in check mode, each as C(KIND NAME) or C(KIND NAMESPACE/NAME). On
      OpenShift 4.16 and 4.17 these are also pods and ConfigMaps.
  returned: success
  type: list
  elements: str
  sample: [MachineOSBuild layered-07f8c1d2e3f4a5b6c7d8e9f0a1b2c3d4]
reboots:
  description: Names of the nodes that drain and reboot, or would in check mode.
  returned: success, and if O(allow_node_reboots) is missing
  type: list
  elements: str
  sample: [worker-0, worker-1]
diff:
  description: Deleted builds, or builds to delete in check mode.
  returned: success
  type: dict
  contains:
    before:
      description:
        - The blocking builds, in C(superseded). On OpenShift 4.16 and 4.17, all deleted objects.
      returned: always
      type: dict
      sample: {superseded: [layered-07f8c1d2e3f4a5b6c7d8e9f0a1b2c3d4]}
    after:
      description: The same, afterwards.
      returned: always
      type: dict
      sample: {superseded: []}
"""

from ..module_utils._cluster.session import open_session
from ..module_utils._errors import finish
from ..module_utils._operation.delete_superseded import SupersededRequest, delete_superseded
from ..module_utils._options import POOL, new_module


def main() -> None:
    module = new_module(
        POOL,
        {
            "state": {"type": "str", "choices": ["absent"], "default": "absent"},
            "allow_node_reboots": {"type": "bool", "default": False},
        },
    )
    options = module.params
    request = SupersededRequest(options["pool"], options["allow_node_reboots"], module.check_mode)
    finish(module, lambda: delete_superseded(open_session(options), request))


if __name__ == "__main__":
    main()
