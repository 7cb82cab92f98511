#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Documentation only. The code is the action plugin: plugins/action/evidence_report.py

from __future__ import annotations

DOCUMENTATION = r"""
module: evidence_report
short_description: Write the result of a verification as report files
version_added: 1.0.0
description:
  - Writes the result of M(imagemode.openshift.node_image_verify) as an HTML page for people, as JSON with a published
    schema, and as JUnit XML for CI systems.
  - The page is one file that loads nothing and runs no script. In the XML each node is a test case, a mismatch is a
    failure and an unknown verdict is an error. The schema of the JSON is C(files/evidence-1.schema.json) of the role
    C(imagemode.openshift.evidence_report).
  - The page and the JSON show the Containerfile of the image with its hash, and whether the image is proven to be built
    from it. The XML has the hash only. It is never reported as proven if no node has the verdict V(match).
  - A report of playbook C(apply) contains the timeline of the run, which the page draws. It consists of the attempts of
    the build (RV(imagemode.openshift.machineosbuild_wait#module:build.attempts)) and the times of nodes
    (RV(imagemode.openshift.machineconfigpool_wait#module:timeline)). The page shows 500 nodes at most, nodes that are
    not done first; the JSON contains 2000. The XML has no timeline.
  - The verdict of the report is computed from its nodes. Without nodes it is V(unknown), or V(none) for a pool that has
    no nodes.
  - The files are named after the cluster and the pool, C(image-mode-CLUSTER-HASH-POOL.html), so that one directory can
    hold the reports of many clusters. CLUSTER is the id of the cluster, or the address of its API server if the id is
    not known. HASH is 8 hexadecimal digits of the SHA-256 of that address, because a cluster could report the id of
    another one.
  - A new report replaces an earlier one of the same name. If the JSON file of that name is not a report of the same API
    server, the task fails and replaces none of them. To keep every report, use a new directory for each.
  - Characters that are not printable, such as terminal escape sequences and characters that change the direction of
    text, are replaced by their escapes, such as C(\x1b).
  - With the formats V(html) and V(json), the page C(image-mode-index.html) is written as well. It lists all reports of
    the directory, the worst first, with the time of each, and links to their pages. Without O(result) only this page is
    written. To merge the reports of several jobs, copy them into one directory.
  - The module runs on the controller with the account that runs Ansible, whatever the host of the task is. The files
    are written all together or not at all.
options:
  result:
    description:
      - Result of M(imagemode.openshift.node_image_verify). It may also contain C(build) of
        M(imagemode.openshift.machineosbuild_wait), and C(rollout) and C(timeline) of
        M(imagemode.openshift.machineconfigpool_wait).
      - Without it, only the index of the directory is written.
    type: dict
  dir:
    description:
      - Directory for the files. It is created if missing. A relative path starts at the working directory of
        C(ansible-playbook).
    type: str
    required: true
  failed_runs:
    description:
      - Entries of the statistic C(image_mode_result) of runs that have no report, because they failed before their
        cluster was known. The index lists them with their failure.
    type: list
    elements: dict
    default: []
  formats:
    description:
      - Formats to write.
    type: list
    elements: str
    choices: [html, json, junit]
    default: [html, json, junit]
attributes:
  action:
    description:
      - Runs on the controller.
    support: full
  async:
    description:
      - Supports C(async).
    support: none
  check_mode:
    description:
      - Supports check mode.
    support: full
    details:
      - Runs completely, because it writes only the report. The report states that check mode was used.
  diff_mode:
    description:
      - Supports C(--diff).
    support: N/A
  idempotent:
    description:
      - Changes nothing if the desired state exists already.
    support: N/A
    details:
      - Every report has its own time. It is never reported as a change.
seealso:
  - module: imagemode.openshift.node_image_verify
author: Contributors to the imagemode.openshift collection (@imagemode)
"""

EXAMPLES = r"""
- name: Verify every node of the pool without failing
  imagemode.openshift.node_image_verify:
    pool: layered
    fail_on: []
  register: verified

- name: Write the report
  imagemode.openshift.evidence_report:
    result: "{{ verified }}"
    dir: reports

- name: Write a report with the timeline of the rollout that was registered before
  imagemode.openshift.evidence_report:
    result: "{{ verified | combine({'timeline': rolled_out.timeline}) }}"
    dir: reports

- name: Write only the file for the CI system
  imagemode.openshift.evidence_report:
    result: "{{ verified }}"
    dir: "{{ lookup('ansible.builtin.env', 'CI_PROJECT_DIR') }}/reports"
    formats: [junit]

- name: Write one page for the reports of several jobs
  imagemode.openshift.evidence_report:
    dir: collected
"""

RETURN = r"""
index:
  description: Absolute path of the index page on the controller.
  returned: if the page was written
  type: str
  sample: /home/auditor/reports/image-mode-index.html
reports:
  description: Written files, sorted by format.
  returned: success
  type: list
  elements: dict
  contains:
    format:
      description: One of V(html), V(json) and V(junit).
      returned: always
      type: str
      sample: html
    path:
      description: Absolute path on the controller.
      returned: always
      type: str
      sample: /home/auditor/reports/image-mode-0f7a4e1c-6b0e-4d0a-9a51-3c8f5c7c9b21-68666ed7-layered.html
"""
