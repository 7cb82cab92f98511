#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is only the documentation. What it documents runs where Ansible runs: plugins/action/check_request.py

from __future__ import annotations

DOCUMENTATION = r"""
module: check_request
short_description: Check the request of playbook apply against the cluster, and forecast it in check mode
version_added: 1.0.0
description:
  - Reads the variables of the roles C(build_image) and C(registry_access), and fails for a request that cannot work,
    before anything is written. In check mode it also forecasts what the playbook would do.
  - It calls M(imagemode.openshift.rollout_forecast). It is a step of the playbook C(imagemode.openshift.apply).
options: {}
attributes:
  async:
    support: none
  check_mode:
    support: full
    details:
      - Only in check mode it returns a forecast.
  diff_mode:
    support: none
  idempotent:
    support: full
seealso:
  - module: imagemode.openshift.rollout_forecast
  - module: imagemode.openshift.build_image
extends_documentation_fragment:
  - imagemode.openshift.auth
  - imagemode.openshift.attributes
author: Contributors to the imagemode.openshift collection (@imagemode)
"""

EXAMPLES = r"""
- name: Check the request as another account
  imagemode.openshift.check_request:
    impersonate_user: auditor
  register: check_request_result

- name: Check the request against a named cluster
  imagemode.openshift.check_request:
    context: prod
  register: check_request_result
"""

RETURN = r"""
forecast:
  description:
    - The forecast, as M(imagemode.openshift.rollout_forecast) returns it, together with everything else that it
      returns. Null if the task does not run in check mode.
  returned: success
  type: dict
  sample: {complete: true, lines: ['no build would start: build layered-966b has succeeded', no node would reboot]}
"""
