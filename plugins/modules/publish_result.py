#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is only the documentation. What it documents runs where Ansible runs: plugins/action/publish_result.py

from __future__ import annotations

DOCUMENTATION = r"""
module: publish_result
short_description: Publish the result of a playbook of this collection
version_added: 1.0.0
description:
  - Collects what the steps of a playbook registered, writes the reports if a folder is set, and publishes the statistic
    C(image_mode_result), a list with one entry per host. An entry has 20 KB at most.
  - An entry has C(message), C(verdict), C(counts), C(failure), C(build), C(rollout), C(changed), C(seconds),
    C(reports), and up to 20 C(unproven_nodes). Everything else is in the report. C(containerfile) has C(sha256) and
    C(proven) of the Containerfile, as M(imagemode.openshift.node_image_verify) returns them, but not its text.
  - In check mode an entry of the playbook C(apply) has C(forecast). If the playbook would change something, the verdict
    is C(none) and no report is written.
  - A task of the playbook that did not run is a failure. A failure before the cluster is known writes no report,
    because the name of a report contains the cluster.
  - It does not fail if a step failed or a report could not be written, because Ansible drops the statistics of a failed
    task. M(imagemode.openshift.show_summary) does.
options:
  playbook:
    description:
      - The playbook, which decides the tasks that must have run. The pool, the verdicts that fail, and the folder and
        formats of the report are read from its variables.
    type: str
    choices: [apply, verify, verify_hosts]
    required: true
attributes:
  action:
    description:
      - Runs where Ansible runs.
    support: full
  async:
    description:
      - Can run in the background with C(async).
    support: none
  check_mode:
    description:
      - Can say what it would do without doing it.
    support: full
    details:
      - Runs in full, because nothing on the cluster is changed.
  diff_mode:
    description:
      - Shows what is changed, or would be, with C(--diff).
    support: N/A
  idempotent:
    description:
      - Changes nothing if the requested state exists already.
    support: full
    details:
      - Never changes anything.
seealso:
  - module: imagemode.openshift.show_summary
  - module: imagemode.openshift.evidence_report
author: Contributors to the imagemode.openshift collection (@imagemode)
"""

EXAMPLES = r"""
- name: Publish image_mode_result
  imagemode.openshift.publish_result:
    playbook: verify
  register: published

- name: Publish image_mode_result once for all hosts
  imagemode.openshift.publish_result:
    playbook: verify_hosts
  run_once: true
"""

RETURN = r"""
ansible_stats:
  description: What is published. Automation Platform keeps C(data) as artifacts of the job.
  returned: always
  type: dict
  contains:
    data:
      description: The statistic.
      returned: always
      type: dict
      contains:
        image_mode_result:
          description: One entry per host, or per cluster in a play over hosts. Fields of an entry are
            only added.
          returned: always
          type: list
          elements: dict
          contains:
            schema_version:
              description: Version of the entry. The first number changes if a field changes its meaning
                or is removed.
              returned: always
              type: str
              sample: '1.0'
            message:
              description: The result in one line. Null if nothing is known.
              returned: always
              type: str
              sample: 'pool layered: 2 of 2 nodes match'
            host:
              description: Host of the inventory, which represents a pool of a cluster.
              returned: always
              type: str
              sample: localhost
            pool:
              description: The pool. Null if the nodes are in several pools or in none.
              returned: always
              type: str
              sample: layered
            cluster:
              description: The cluster. A field is null if it is not known.
              returned: always
              type: dict
              contains:
                api_url:
                  description: Address of the API server.
                  returned: always
                  type: str
                  sample: https://api.cluster.example.com:6443
                id:
                  description: Id of the cluster.
                  returned: always
                  type: str
                  sample: 0f7a4e1c-6b0e-4d0a-9a51-3c8f5c7c9b21
                name:
                  description: Name of the infrastructure.
                  returned: always
                  type: str
                  sample: cluster-7xk2p
                version:
                  description: Requested release of the cluster.
                  returned: always
                  type: str
                  sample: 4.20.4
            verdict:
              description: The verdict on the pool, C(match), C(mismatch), C(unknown) or C(none).
              returned: always
              type: str
              sample: match
            counts:
              description: Number of nodes by verdict. Null if no node was verified.
              returned: always
              type: dict
              contains:
                total:
                  description: All nodes.
                  returned: always
                  type: int
                  sample: 2
                match:
                  description: Nodes with the expected image.
                  returned: always
                  type: int
                  sample: 2
                mismatch:
                  description: Nodes with another image.
                  returned: always
                  type: int
                  sample: 0
                unknown:
                  description: Nodes of which it is not known.
                  returned: always
                  type: int
                  sample: 0
            pool_total:
              description: Number of nodes of the pool. Null if it is not known.
              returned: always
              type: int
              sample: 2
            left_out:
              description: Number of nodes of the pool that were not verified.
              returned: always
              type: int
              sample: 0
            failure:
              description: Why the run failed, in one line. Null if it did not.
              returned: always
              type: str
              sample: null
            build:
              description: The build. Null if there is none.
              returned: always
              type: dict
              contains:
                name:
                  description: Name of the MachineOSBuild.
                  returned: always
                  type: str
                  sample: layered-966b8892b0c378291caf890a998624e7
                state:
                  description: State of the build.
                  returned: always
                  type: str
                  sample: succeeded
                digested_image_push_spec:
                  description: The image with its digest.
                  returned: always
                  type: str
                  sample: registry.example.com/os/layered@sha256:41df6d57
                seeded:
                  description: Whether the image was seeded and not built from the Containerfile.
                  returned: always
                  type: bool
                  sample: false
            containerfile:
              description: The Containerfile of the verified image. Null if it is not known.
              returned: always
              type: dict
              contains:
                sha256:
                  description: Hash of the text.
                  returned: always
                  type: str
                  sample: 9b1c2e04
                proven:
                  description: Whether the image is proven to be built from it.
                  returned: always
                  type: bool
                  sample: true
            rollout:
              description: Counts of the rollout, as M(imagemode.openshift.machineconfigpool_wait) returns
                them.
              returned: always
              type: dict
              sample:
                total: 2
                done: 2
                updating: 0
                waiting: 0
                left: 0
                remaining_seconds: null
            forecast:
              description: The forecast of C(apply) in check mode, as M(imagemode.openshift.rollout_forecast)
                makes it. Else null.
              returned: always
              type: dict
              contains:
                complete:
                  description: Whether the run would change nothing.
                  returned: always
                  type: bool
                  sample: false
                changes:
                  description: Whether the pool, the MachineOSConfig or a node would be changed.
                  returned: always
                  type: bool
                  sample: true
                pool:
                  description: What would happen to the pool.
                  returned: always
                  type: str
                  sample: unchanged
                machineosconfig:
                  description: What would happen to the MachineOSConfig.
                  returned: always
                  type: str
                  sample: changed
                build:
                  description: What would happen to the build, with C(expected) and C(name).
                  returned: always
                  type: dict
                  sample:
                    expected: start
                    name: null
                reboots:
                  description: Number of nodes that would reboot.
                  returned: always
                  type: int
                  sample: 2
                max_unavailable:
                  description: The maxUnavailable of the pool.
                  returned: always
                  type: str
                  sample: '1'
                at_once:
                  description: How many nodes would reboot at once.
                  returned: always
                  type: int
                  sample: 1
                batches:
                  description: Number of batches.
                  returned: always
                  type: int
                  sample: 2
                first_nodes:
                  description: The nodes that would reboot first.
                  returned: always
                  type: list
                  elements: str
                  sample:
                    - worker-0
                findings:
                  description: Ids of the findings.
                  returned: always
                  type: list
                  elements: str
                  sample:
                    - node.drain_blocked
                lines:
                  description: The forecast in sentences.
                  returned: always
                  type: list
                  elements: str
                  sample:
                    - 2 nodes would drain and reboot
            account:
              description: Account that verified the nodes.
              returned: always
              type: str
              sample: system:serviceaccount:imagemode:verify
            transport:
              description: How the nodes were read.
              returned: always
              type: str
              sample: pod_exec
            changed:
              description: Objects that were changed, 20 at most.
              returned: always
              type: list
              elements: str
              sample:
                - MachineOSConfig layered
            seconds:
              description: Duration of the run in seconds. Null if it is not known.
              returned: always
              type: int
              sample: 140
            reports:
              description: The files of the report.
              returned: always
              type: list
              elements: dict
              contains:
                format:
                  description: Format of the file.
                  returned: always
                  type: str
                  sample: json
                path:
                  description: Path of the file.
                  returned: always
                  type: str
                  sample: /home/user/reports/layered.json
            unproven_nodes:
              description: Nodes that do not match, 20 at most.
              returned: always
              type: list
              elements: dict
              contains:
                name:
                  description: Name of the node.
                  returned: always
                  type: str
                  sample: worker-1
                verdict:
                  description: C(mismatch) or C(unknown).
                  returned: always
                  type: str
                  sample: unknown
                reason:
                  description: The reason in one line.
                  returned: always
                  type: str
                  sample: the node does not answer
summary:
  description: Lines of the summary.
  returned: success
  type: list
  elements: str
  sample: ['Result: pool layered: 2 of 2 nodes match', 'Time: 2m20s']
failure:
  description:
    - Why nodes are not verified or a report was not written. Empty if nothing failed, and if a step failed, which fails
      the play itself.
  returned: success
  type: str
  sample: ''
"""
