#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_forecast
short_description: Forecast the build and the rollout of an image
version_added: 1.0.0
description:
  - Returns what the playbook C(apply) would do with the same options. These are the changes of the pool, the
    MachineOSConfig and the labels of nodes, whether a build would start, which nodes would drain and reboot, in which
    order and how many at once, and what blocks their drains now. Nothing is written.
  - Fails where the playbook would fail, or would wait without end. Examples are a pool that does not exist, a Secret
    that does not exist, a pool that somebody else paused, nodes that would reboot without consent, an older build that
    blocks the rollout, and values that cannot work.
  - A forecast is no promise. The cluster can change before the rollout, the build can fail, and nodes of the same age
    and zone have no fixed order.
options:
  pool:
    description:
      - Name of the MachineConfigPool.
    type: str
    required: true
    aliases: [machine_config_pool]
  create_pool:
    description:
      - Whether the pool would be created as a custom pool if it does not exist, and changed to O(node_selector) and
        O(max_unavailable) if it does.
    type: bool
    default: false
  node_selector:
    description:
      - Labels of the nodes of a pool that would be created, as in M(imagemode.openshift.machineconfigpool).
    type: dict
  max_unavailable:
    description:
      - Maximum number of nodes that are unavailable at the same time, as in M(imagemode.openshift.machineconfigpool).
    type: str
  nodes:
    description:
      - Names of nodes that would join the pool. Naming a node is consent to its reboot.
    type: list
    elements: str
    default: []
  containerfile:
    description:
      - Content of the Containerfile, as in M(imagemode.openshift.machineosconfig).
    type: str
  rendered_image_push_spec:
    description:
      - Name under which the image is pushed.
    type: str
  rendered_image_push_secret:
    description:
      - Name of the Secret for the push.
    type: str
  base_image_pull_secret:
    description:
      - Name of the Secret for the pull of the base image.
    type: str
  current_image_pull_secret:
    description:
      - Name of the Secret with which the nodes pull the image, as in M(imagemode.openshift.machineosconfig).
    type: str
  new_secrets:
    description:
      - Names of Secrets that are created before the build. They need not exist.
    type: list
    elements: str
    default: []
  allow_node_reboots:
    description:
      - Whether nodes that are in the pool already may drain and reboot.
    type: bool
    default: false
  delete_superseded:
    description:
      - Whether older builds that block the rollout would be deleted.
    type: bool
    default: false
  details:
    description:
      - Whether to return a forecast. If V(false), the module reads only what it needs to fail early, and RV(forecast)
        is null.
    type: bool
    default: true
attributes:
  async:
    support: full
  check_mode:
    support: full
    details:
      - The module writes nothing, so it does the same in check mode.
  diff_mode:
    support: none
  idempotent:
    support: full
seealso:
  - module: imagemode.openshift.machineosconfig
  - module: imagemode.openshift.machineconfigpool
  - module: imagemode.openshift.machineconfigpool_nodes
  - module: imagemode.openshift.machineconfigpool_wait
notes:
  - To find pods that a PodDisruptionBudget protects, the account needs to list pods and
    C(poddisruptionbudgets.policy) in all namespaces. Without these rights the forecast contains the finding
    C(cluster.drains_not_readable).
  - On OpenShift 4.16 and 4.17 the module forecasts a new build by dry runs of its writes. For them the account needs
    the rights of the playbook C(apply). Without one of these rights the module fails and names it, as the playbook
    would.
extends_documentation_fragment:
  - imagemode.openshift.auth
  - imagemode.openshift.attributes
author: Contributors to the imagemode.openshift collection (@imagemode)
"""

EXAMPLES = r"""
- name: Forecast the rollout of a new image
  imagemode.openshift.rollout_forecast:
    pool: layered
    containerfile: "{{ lookup('ansible.builtin.file', 'Containerfile') }}"
    rendered_image_push_spec: quay.example.com/os/layered:latest
    rendered_image_push_secret: layered-push
    allow_node_reboots: true
  register: forecasted

- name: Forecast a new pool with two nodes
  imagemode.openshift.rollout_forecast:
    pool: infra
    create_pool: true
    max_unavailable: "2"
    nodes: [worker-4, worker-5]
    rendered_image_push_spec: quay.example.com/os/infra:latest
    rendered_image_push_secret: infra-push
    new_secrets: [infra-push]

- name: Show the forecast
  ansible.builtin.debug:
    var: forecasted.forecast.lines
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
      description: Id of the cluster. Null without O(details), or if the account cannot read it.
      returned: always
      type: str
      sample: 0f7a4e1c-6b0e-4d0a-9a51-3c8f5c7c9b21
    name:
      description: Name of the infrastructure. Null without O(details), or if the account cannot read it.
      returned: always
      type: str
      sample: cluster-7xk2p
    version:
      description: Desired release of the cluster. Null without O(details), or if the account cannot read it.
      returned: always
      type: str
      sample: 4.20.4
forecast:
  description: The forecast. Null without O(details).
  returned: success
  type: dict
  contains:
    changes:
      description: Whether the pool, the MachineOSConfig or a node would be changed, or anything deleted.
      returned: always
      type: bool
      sample: true
    complete:
      description: Whether nothing would be changed, the image is built, and every node is done.
      returned: always
      type: bool
      sample: false
    pool:
      description: What happens to the pool, one of V(created), V(changed) and V(unchanged).
      returned: always
      type: str
      sample: unchanged
    machineosconfig:
      description: What happens to the MachineOSConfig, one of V(created), V(changed) and V(unchanged).
      returned: always
      type: str
      sample: changed
    labels:
      description: The labels of each node that would join the pool, before and after.
      returned: always
      type: dict
      sample:
        worker-2: {before: {example.com/os: null}, after: {example.com/os: layered}}
    build:
      description: What happens to the build.
      returned: always
      type: dict
      contains:
        expected:
          description:
            - V(start) if a build would start, and V(reuse) if the operator would reuse the build of an earlier spec.
            - If the spec does not change, V(running) if the run would wait for its build, V(failed) if its build has
              failed, V(unknown) if it is not known which build belongs to it, and V(none) if its build has succeeded.
            - The operator reuses an older build with the same inputs. It is only known which build that is if this
              collection made the edits of the spec.
          returned: always
          type: str
          sample: start
        name:
          description: Name of the MachineOSBuild of the unchanged spec, or of the reused build. Null if there is none.
          returned: always
          type: str
          sample: layered-966b8892b0c378291caf890a998624e7
    deletions:
      description:
        - What would be deleted. OpenShift 4.16 and 4.17 build a spec only if nothing is left of a build of the same
          rendered MachineConfig. These are MachineOSBuilds, and the pods and ConfigMaps of failed or running builds.
        - A failed pod of another rendered MachineConfig is listed also if no build would start, because it can mark the
          current build as failed.
        - Empty on later releases.
      returned: always
      type: list
      elements: str
      sample: []
    rollout:
      description: The nodes that would drain and reboot.
      returned: always
      type: dict
      contains:
        total:
          description: How many nodes would drain and reboot.
          returned: always
          type: int
          sample: 3
        max_unavailable:
          description: Value of the pool. Null if the pool does not set it, which means 1.
          returned: always
          type: str
          sample: '2'
        at_once:
          description: How many nodes may be away at the same time now. Nodes that are unavailable now are deducted.
          returned: always
          type: int
          sample: 2
        batches:
          description:
            - The nodes in the order in which the operator starts them, in groups of nodes that may be away at the same
              time. The operator starts the next node when one is done, without waiting for a whole group.
          returned: always
          type: list
          elements: list
          sample: [[worker-0, worker-1], [worker-2]]
        later:
          description: Nodes that the operator does not start now, with the reason.
          returned: always
          type: dict
          sample: {worker-3: cordoned}
        updating:
          description: Nodes that are being updated to the current image already.
          returned: always
          type: list
          elements: str
          sample: []
    findings:
      description: What blocks drains or the rollout now, at most 50, as M(imagemode.openshift.machineconfigpool_wait)
        returns findings.
      returned: always
      type: list
      elements: dict
      sample: []
    lines:
      description: The forecast in plain lines. Their number does not grow with the pool.
      returned: always
      type: list
      elements: str
      sample:
        - the MachineOSConfig would be changed, and a build would start
        - '3 nodes would drain and reboot, at most 2 at once: worker-0, worker-1; then worker-2'
"""

from ..module_utils._cluster.session import open_session
from ..module_utils._errors import finish
from ..module_utils._model.objects.machineconfigpool import WantedPool
from ..module_utils._model.objects.machineosconfig import WantedConfig
from ..module_utils._operation.forecast_inputs import ForecastRequest
from ..module_utils._operation.forecast_rollout import forecast
from ..module_utils._options import POOL, new_module


def main() -> None:
    module = new_module(
        POOL,
        {
            "create_pool": {"type": "bool", "default": False},
            "node_selector": {"type": "dict"},
            "max_unavailable": {"type": "str"},
            "nodes": {"type": "list", "elements": "str", "default": []},
            "containerfile": {"type": "str"},
            "rendered_image_push_spec": {"type": "str"},
            "rendered_image_push_secret": {"type": "str", "no_log": False},
            "base_image_pull_secret": {"type": "str", "no_log": False},
            "current_image_pull_secret": {"type": "str", "no_log": False},
            "new_secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
            "allow_node_reboots": {"type": "bool", "default": False},
            "delete_superseded": {"type": "bool", "default": False},
            "details": {"type": "bool", "default": True},
        },
    )
    options = module.params
    request = ForecastRequest(
        config=WantedConfig(
            pool=options["pool"],
            containerfile=options["containerfile"],
            rendered_image_push_spec=options["rendered_image_push_spec"],
            rendered_image_push_secret=options["rendered_image_push_secret"],
            base_image_pull_secret=options["base_image_pull_secret"],
            current_image_pull_secret=options["current_image_pull_secret"],
        ),
        pool=WantedPool(options["pool"], options["node_selector"], max_unavailable=options["max_unavailable"]),
        create_pool=options["create_pool"],
        nodes=options["nodes"],
        new_secrets=options["new_secrets"],
        allow_node_reboots=options["allow_node_reboots"],
        delete_superseded=options["delete_superseded"],
        details=options["details"],
    )
    finish(module, lambda: forecast(open_session(options), request, module.warn))


if __name__ == "__main__":
    main()
