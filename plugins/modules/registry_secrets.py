#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is only the documentation. What it documents runs where Ansible runs: plugins/action/registry_secrets.py

from __future__ import annotations

DOCUMENTATION = r"""
module: registry_secrets
short_description: Create or update registry secrets from files or the environment
version_added: 1.0.0
description:
  - Creates or updates Secrets with registry credentials, as M(imagemode.openshift.registry_secret) does, and reads the
    credentials on the machine that runs Ansible. No variable and no task holds them.
  - This is what the role C(imagemode.openshift.registry_access) does.
options:
  secrets:
    description:
      - Registry secrets to create or update before the build.
      - Each has a C(name) and takes its credentials from exactly one of C(registry_password_file),
        C(registry_password_env) and C(dockerconfigjson_file).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description:
          - Name of the Secret.
        type: str
        required: true
      registry:
        description:
          - Host of the registry, with its port if it has one. Needed with a password.
        type: str
      registry_username:
        description:
          - User of the registry. Needed with a password.
        type: str
      registry_password_file:
        description:
          - File with the password. The line end at its end is not part of the password. The file
            may be encrypted with Ansible Vault.
        type: str
      registry_password_env:
        description:
          - Environment variable with the password.
        type: str
      dockerconfigjson_file:
        description:
          - File with a whole C(.dockerconfigjson), as C(podman login --authfile) writes it. The
            file may be encrypted with Ansible Vault.
        type: str
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
  - module: imagemode.openshift.registry_secret
extends_documentation_fragment:
  - imagemode.openshift.auth
  - imagemode.openshift.attributes
author: Contributors to the imagemode.openshift collection (@imagemode)
"""

EXAMPLES = r"""
- name: Create the push secret
  imagemode.openshift.registry_secrets:
    secrets:
      - name: os-push
        registry: registry.example.com
        registry_username: robot
        registry_password_file: ~/robot-password

- name: Create a pull secret from the login of podman
  imagemode.openshift.registry_secrets:
    secrets:
      - name: os-pull
        dockerconfigjson_file: ~/.config/containers/auth.json
"""

RETURN = r"""
secrets:
  description: Names of the Secrets, in the order of O(secrets).
  returned: success
  type: list
  elements: str
  sample: [os-push]
changes:
  description: What was changed, or would be in check mode.
  returned: always
  type: list
  elements: str
  sample: [Secret os-push]
"""
