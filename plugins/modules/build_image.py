#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is only the documentation. What it documents runs where Ansible runs: plugins/action/build_image.py

from __future__ import annotations

DOCUMENTATION = r"""
module: build_image
short_description: Build the image of a pool and wait for the build
version_added: 1.0.0
description:
  - Checks that the named nodes can join the pool, creates the pool if requested, creates or updates its
    MachineOSConfig, waits for the build, and deletes superseded builds if requested. It calls the modules of this
    collection one after the other, as one task.
  - This is what the role C(imagemode.openshift.build_image) does.
options:
  pool:
    description:
      - The MachineConfigPool.
      - With the transport C(connection) it may be empty.
    type: str
    required: true
  rendered_image_push_spec:
    description:
      - Where the image is pushed, as C(HOST/NAMESPACE/NAME:TAG).
    type: str
    required: true
  rendered_image_push_secret:
    description:
      - The Secret that allows the push.
    type: str
    required: true
  containerfile_path:
    description:
      - File with the Containerfile. A relative path starts at the folder in which C(ansible-playbook)
        was started.
      - Exactly one of containerfile_path and containerfile is needed.
    type: str
    default: ''
  containerfile:
    description:
      - Text of the Containerfile, 4096 characters at most.
    type: str
    default: ''
  base_image_pull_secret:
    description:
      - The Secret that allows the build to pull its base image.
      - OpenShift 4.16 and 4.17 use the Secret C(global-pull-secret-copy) as the default. It must
        exist there.
      - Without it, it is the global pull secret of the cluster.
    type: str
    default: ''
  current_image_pull_secret:
    description:
      - The Secret that allows the nodes to pull the image. OpenShift 4.16 and 4.17 require it.
      - Later releases have no field for it, and a warning says so. Their nodes pull with the global
        pull secret.
      - Without it, no Secret is named.
    type: str
    default: ''
  create_pool:
    description:
      - Whether to create the pool as a custom pool if it does not exist.
    type: bool
    default: false
  node_selector:
    description:
      - Labels of the nodes of a pool that is created here.
      - Without it, it is node-role.kubernetes.io/POOL.
    type: dict
    default: {}
  max_unavailable:
    description:
      - Number or percentage of nodes that may be unavailable at once in a pool that is created
        here.
      - Without it, it is the operator's default, 1.
    type: str
    default: ''
  nodes:
    description:
      - Nodes to add to the pool, as a list, or as a text with one name per line. Naming a node
        is consent to its reboot.
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
      - Whether to delete older builds that would block the rollout, which is needed up to OpenShift
        4.20.
    type: bool
    default: false
  timeout:
    description:
      - Seconds to wait for the build. 0 waits without limit.
    type: int
    default: 3600
  stall_timeout:
    description:
      - Seconds without progress before the wait for the build fails. 0 sets no limit.
    type: int
    default: 1800
  replacement_grace:
    description:
      - Seconds to wait for a replacement build.
    type: int
    default: 120
  max_build_attempts:
    description:
      - Number of failed attempts that end the wait for the build. 0 sets no limit.
    type: int
    default: 0
  log_dir:
    description:
      - Folder for the logs of the builder. Without it no log is saved.
      - Without it, no log is saved.
    type: str
    default: ''
  fail_on_findings:
    description:
      - Ids of findings that end a wait as a failure. C(fatal) means all findings that cannot clear
        by themselves.
    type: list
    elements: str
    default:
      - fatal
  progress:
    description:
      - Whether waits print progress lines.
    type: str
    choices:
      - lines
      - none
    default: lines
attributes:
  async:
    support: none
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: imagemode.openshift.machineosconfig
  - module: imagemode.openshift.machineosbuild_wait
  - module: imagemode.openshift.roll_out
extends_documentation_fragment:
  - imagemode.openshift.auth
  - imagemode.openshift.attributes
author: Contributors to the imagemode.openshift collection (@imagemode)
"""

EXAMPLES = r"""
- name: Build the image
  imagemode.openshift.build_image:
    pool: layered
    containerfile_path: Containerfile
    rendered_image_push_spec: registry.example.com/os/layered:latest
    rendered_image_push_secret: os-push

- name: Create a pool and build its image
  imagemode.openshift.build_image:
    pool: infra
    create_pool: true
    containerfile: |
      FROM configs AS final
      RUN dnf install -y tcpdump && dnf clean all && ostree container commit
    rendered_image_push_spec: registry.example.com/os/infra:latest
    rendered_image_push_secret: os-push
    log_dir: build-logs
"""

RETURN = r"""
build:
  description:
    - The current build, as M(imagemode.openshift.machineosbuild_wait) returns it, together with everything else that it
      returns.
  returned: success, and when the build failed
  type: dict
  sample: {name: layered-966b8892b0c378291caf890a998624e7, state: succeeded}
changes:
  description: What was changed, or would be in check mode.
  returned: always
  type: list
  elements: str
  sample: [MachineConfigPool layered, MachineOSConfig layered]
"""
