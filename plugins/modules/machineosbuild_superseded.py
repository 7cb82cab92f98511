#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: machineosbuild_superseded
short_description: Delete the older builds that keep a pool's rollout from beginning
version_added: 0.1.0
description:
  - Up to OpenShift 4.20 the node controller does not follow the MachineOSConfig. Of the succeeded builds for the
    rendered config of the pool it takes the first by name. After an edit of the MachineOSConfig that may be an older
    one, and then the rollout never begins, without a word on any object. M(imagemode.openshift.machineconfigpool_wait)
    names that as C(pool.older_build_selected).
  - The module deletes those builds and touches the pool, so that the node controller looks again and the rollout
    begins.
  - A build is deleted only if it is a succeeded one of the MachineOSConfig that serves the pool and of the rendered
    config that the pool wants, comes before the build that answers, by name, and has another image. The build that
    answers is never deleted, and neither is anything else. Nothing is deleted where the release follows the
    MachineOSConfig, which is from 4.21 on.
  - The build that answers must have succeeded. Use M(imagemode.openshift.machineosbuild_wait) first.
  - What begins then drains and reboots the nodes of the pool. If there are any that are not at the image yet, that
    needs O(allow_node_reboots=true), unless the pool is paused.
options:
  state:
    description:
      - What is to become of these builds.
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
      - Consent to what the operator does next, which is to drain and reboot the nodes of the pool.
      - Without it, the nodes are named and nothing is deleted. It is not needed while the pool has no nodes, is paused,
        or has begun already.
    type: bool
    default: false
attributes:
  async:
    support: full
  check_mode:
    support: full
    details:
      - The API server judges each deletion in a dry run. A pool, a MachineOSConfig or an image that is not there yet is
        no fault.
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: imagemode.openshift.machineosbuild_wait
  - module: imagemode.openshift.machineconfigpool_wait
  - module: imagemode.openshift.machineosconfig
notes:
  - That a rollout never begins was seen on 4.20, while an operator of 4.19 began it all the same. Older builds are
    deleted there too; what is lost is a build to go back to.
  - When a MachineOSBuild is deleted, the operator of 4.20 also deletes its image from the registry, unless a node of
    the pool runs it or is to run it. Older releases leave the image. Going back to the Containerfile of a deleted build
    then takes a build instead of seconds.
  - While the builds are being deleted, the pool has the annotation C(imagemode.openshift/superseded-builds), which
    names them. Its removal is the touch. A run that was killed in between is started again and ends what was begun.
  - A build that was made again under the same name meanwhile is left alone, because it is deleted by its UID.
  - The account needs to read ClusterVersion C(version), to list nodes, pools, MachineOSConfigs and MachineOSBuilds, to
    patch pools and to delete MachineOSBuilds.
extends_documentation_fragment:
  - imagemode.openshift.auth
  - imagemode.openshift.attributes
author: Contributors to the imagemode.openshift collection (@imagemode)
"""

EXAMPLES = r"""
- name: Wait for the image
  imagemode.openshift.machineosbuild_wait:
    pool: layered

- name: See which older builds are in its way
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
deleted:
  description:
    - Names of the MachineOSBuilds that were deleted, or would be in check mode, sorted. Among them are those that a run
      deleted which was killed before it could touch the pool.
  returned: success
  type: list
  elements: str
  sample: [layered-07f8c1d2e3f4a5b6c7d8e9f0a1b2c3d4]
reboots:
  description: Names of the nodes that drain and reboot because of this, or would.
  returned: success, or when consent is missing
  type: list
  elements: str
  sample: [worker-0, worker-1]
diff:
  description: What was deleted, or would be in check mode.
  returned: success
  type: dict
  contains:
    before:
      description: The builds that were in the way, in C(superseded).
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
    asked = module.params
    ask = SupersededRequest(asked["pool"], asked["allow_node_reboots"], module.check_mode)
    finish(module, lambda: delete_superseded(open_session(asked), ask))


if __name__ == "__main__":
    main()
