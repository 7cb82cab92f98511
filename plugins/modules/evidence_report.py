#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is only the documentation. What it documents runs where Ansible runs: plugins/action/evidence_report.py

from __future__ import annotations

DOCUMENTATION = r"""
module: evidence_report
short_description: Write what was proven as files that one can keep
version_added: 0.1.0
description:
  - Writes the result of M(imagemode.openshift.node_image_verify) as an HTML page that a person reads, filters and
    prints, as JSON whose schema is published, and as JUnit XML that CI systems show.
  - The page is one file that loads nothing and runs no script. In the XML a node is a test case, a mismatch a failure
    and an unknown an error. The schema of the JSON is C(files/evidence-1.schema.json) of the role of the same name.
  - The verdict is counted from the nodes. Where no node was asked, it is V(unknown), or V(none) for a pool that has no
    nodes.
  - The files are named after the cluster and the pool, as in C(image-mode-CLUSTER-HASH-POOL.html), so that one folder
    can hold the reports of many clusters. CLUSTER is the id of the cluster, or the address of its API where the id is
    not known. HASH is 8 hexadecimal digits of the SHA-256 of that address, because a cluster states its id itself and
    could state that of another cluster.
  - A new report replaces the earlier one of the same name. A file of the same name that is not a report of the same
    API is never replaced; this is an error. To keep each report, use a folder for each.
  - Characters that are not printable, such as escape sequences of a terminal and characters that change the direction
    of text, are shown as their escapes, such as C(\x1b).
  - It runs where Ansible runs, with the account that runs Ansible, whatever the host of the inventory is. Files appear
    only when all of them are written.
options:
  result:
    description:
      - What M(imagemode.openshift.node_image_verify) returned, or an entry of the statistic C(image_mode_result) that
        the playbooks leave.
    type: dict
    required: true
  dir:
    description:
      - The folder for the files, made when it is missing. A relative one starts at the folder that C(ansible-playbook)
        was started in.
    type: str
    required: true
  formats:
    description:
      - Which files are written.
    type: list
    elements: str
    choices: [html, json, junit]
    default: [html, json, junit]
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
      - Runs in full, because nothing but the report is written; the report says that it was a rehearsal.
  diff_mode:
    description:
      - Shows what is changed, or would be, with C(--diff).
    support: N/A
  idempotent:
    description:
      - Changes nothing when what is asked for is there already.
    support: N/A
    details:
      - Every report has its own time. It is never reported as a change.
seealso:
  - module: imagemode.openshift.node_image_verify
author: Contributors to the imagemode.openshift collection (@imagemode)
"""

EXAMPLES = r"""
- name: Ask every node of the pool, without failing yet
  imagemode.openshift.node_image_verify:
    pool: layered
    fail_on: []
  register: verified

- name: File what they answered
  imagemode.openshift.evidence_report:
    result: "{{ verified }}"
    dir: reports

- name: Write only what the CI system reads
  imagemode.openshift.evidence_report:
    result: "{{ verified }}"
    dir: "{{ lookup('ansible.builtin.env', 'CI_PROJECT_DIR') }}/reports"
    formats: [junit]
"""

RETURN = r"""
reports:
  description: The files that were written, sorted by format.
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
      description: The absolute path on the host that runs Ansible.
      returned: always
      type: str
      sample: /home/auditor/reports/image-mode-0f7a4e1c-6b0e-4d0a-9a51-3c8f5c7c9b21-68666ed7-layered.html
"""
