#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: registry_secret
short_description: Create, update or delete a Secret with registry credentials
version_added: 1.0.0
description:
  - Creates, updates or deletes a Secret of the type C(kubernetes.io/dockerconfigjson), which contains credentials for
    pushes or pulls.
  - With O(registry) the module sets the credentials for this registry and does not change other content. For example,
    it can add a registry to the global pull secret, C(openshift-config/pull-secret).
  - With O(dockerconfigjson) the Secret contains exactly the given credentials. Credentials for other registries and all
    other content are removed, but only from a Secret that this collection created. For any other Secret the module
    fails and names the content that would be lost.
  - The module preserves the text of all content that it does not need to change. This includes credential helpers, HTTP
    headers, entries without credentials, entries that cannot be decoded, unknown fields of entries, and the other keys
    of the Secret. The module fails if the content is not a JSON object or contains a duplicate key.
  - Credentials are compared by registry, user name and password. Formatting is ignored, and so is whether a password is
    encoded. A Secret that contains the credentials is not written. Unreadable content is replaced if this collection
    created the Secret.
  - The result and the diff never contain a password. They contain the registries, whether a credential differs, and its
    expiry if it is a token with an expiry time.
  - The module never changes a Secret of the same name that does not contain registry credentials. A Secret of the older
    type C(kubernetes.io/dockercfg) is accepted while it contains the credentials. It cannot be changed, because the
    type of a Secret is immutable.
  - A change of the content of a Secret builds nothing and reboots no node.
options:
  state:
    description:
      - Whether the Secret exists. V(absent) deletes it if this collection created it and nothing uses it.
      - The module never deletes a Secret of the namespace C(openshift-machine-config-operator) that a MachineOSConfig
        names, for the base image, the push or the pull by nodes. The error names each MachineOSConfig and the option
        that names the Secret. Delete the MachineOSConfig first, or set the option to another Secret.
      - On OpenShift 4.16 and 4.17 the module also does not delete a Secret that the DaemonSet C(machine-config-daemon)
        mounts. The DaemonSet mounts each Secret that was ever the pull secret of the nodes
        (O(imagemode.openshift.machineosconfig#module:current_image_pull_secret)), and without it no pod of the daemon
        can start. Keep such a Secret. To withdraw its credentials, revoke them at the registry, or replace them with
        V(present).
    type: str
    choices: [present, absent]
    default: present
  name:
    description:
      - Name of the Secret.
    type: str
    required: true
  namespace:
    description:
      - Namespace of the Secret. Builds use Secrets of the default namespace only.
    type: str
    default: openshift-machine-config-operator
  registry:
    description:
      - Host of the registry, with its port if it has one, for example V(quay.example.com:8443). Requires
        O(registry_username) and O(registry_password).
      - With O(state=present) either O(registry) or O(dockerconfigjson) is required. They are mutually exclusive.
    type: str
  registry_username:
    description:
      - User name at the registry. It cannot contain a colon, because HTTP basic authentication does not allow one.
    type: str
  registry_password:
    description:
      - Password or token of O(registry_username).
    type: str
  dockerconfigjson:
    description:
      - Content of a pull secret, as text or as a dictionary. C(podman login) and C(oc registry login) write it to a
        file C(config.json) or C(auth.json). The layout with C(auths) and the older layout without it are accepted.
      - Only credentials are used. Other content, such as the names of credential helpers, is ignored.
    type: json
attributes:
  async:
    support: full
  check_mode:
    support: full
    details:
      - The API server validates the change in a dry run.
  diff_mode:
    support: full
    details:
      - Shows registries and the expiry of their credentials, never the credentials.
  idempotent:
    support: full
seealso:
  - module: imagemode.openshift.machineosconfig
  - module: kubernetes.core.k8s
    description: For Secrets of other types.
notes:
  - Do not write passwords into a playbook. Read them from a file, from the environment, or from a vault.
  - With O(state=absent) the account needs to list C(machineosconfigs.machineconfiguration.openshift.io), and on
    OpenShift 4.16 and 4.17 to get the DaemonSet C(machine-config-daemon). Without one of these rights the module fails
    and deletes nothing, because it does not know whether the Secret is used.
extends_documentation_fragment:
  - imagemode.openshift.auth
  - imagemode.openshift.attributes
author: Contributors to the imagemode.openshift collection (@imagemode)
"""

EXAMPLES = r"""
- name: Create a push secret with a token from the environment
  imagemode.openshift.registry_secret:
    name: layered-push
    registry: quay.example.com
    registry_username: os-builder
    registry_password: "{{ lookup('ansible.builtin.env', 'REGISTRY_TOKEN') }}"

- name: Create a pull secret for several registries from a file of podman login
  imagemode.openshift.registry_secret:
    name: layered-base
    dockerconfigjson: "{{ lookup('ansible.builtin.file', '/run/secrets/auth.json') }}"
  register: pull_secret

- name: Show the expiry of the credentials
  ansible.builtin.debug:
    msg: "{{ item.host }}: {{ item.expires or 'unknown' }}"
  loop: "{{ pull_secret.secret.registries }}"

- name: Delete the Secret
  imagemode.openshift.registry_secret:
    name: layered-base
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
secret:
  description: The Secret, without its data. Null if it does not exist.
  returned: success
  type: dict
  contains:
    name:
      description: Name of the Secret.
      returned: always
      type: str
      sample: layered-push
    namespace:
      description: Namespace of the Secret.
      returned: always
      type: str
      sample: openshift-machine-config-operator
    registries:
      description: Registries of its credentials, sorted by host.
      returned: always
      type: list
      elements: dict
      contains:
        host:
          description: Host of the registry, as in the Secret.
          returned: always
          type: str
          sample: quay.example.com
        expires:
          description: Expiry of the password if it is a token with an expiry time. Null otherwise.
          returned: always
          type: str
          sample: '2026-12-01T08:00:00Z'
diff:
  description: Changes, or planned changes in check mode. It names registries, never a credential.
  returned: success
  type: dict
  contains:
    before:
      description: Previous state. Empty if the object did not exist.
      returned: always
      type: dict
      sample: {quay.example.com: {expires: '2026-11-30T08:00:00Z'}}
    after:
      description: New state. Empty if the object does not exist.
      returned: always
      type: dict
      sample: {quay.example.com: {expires: '2026-12-01T08:00:00Z', credential: changed}}
"""

import typing as t

from ..module_utils._cluster.session import open_session
from ..module_utils._errors import finish
from ..module_utils._model.objects.resources import OPERATOR_NAMESPACE
from ..module_utils._operation.apply_secret import SecretRequest, apply_secret, wanted_credentials
from ..module_utils._options import STATE, new_module


def main() -> None:
    module = new_module(
        STATE,
        {
            "name": {"type": "str", "required": True},
            "namespace": {"type": "str", "default": OPERATOR_NAMESPACE},
            "registry": {"type": "str"},
            "registry_username": {"type": "str"},
            "registry_password": {"type": "str", "no_log": True},
            "dockerconfigjson": {"type": "json", "no_log": True},
        },
        mutually_exclusive=[("registry", "dockerconfigjson")],
        required_if=[("state", "present", ("registry", "dockerconfigjson"), True)],
        required_together=[("registry", "registry_username", "registry_password")],
    )
    options = module.params

    def work() -> dict[str, t.Any]:
        credentials = wanted_credentials(
            f"apply Secret {options['namespace']}/{options['name']}",
            options["dockerconfigjson"],
            options["registry"],
            options["registry_username"],
            options["registry_password"],
        )
        request = SecretRequest(
            present=options["state"] == "present",
            name=options["name"],
            namespace=options["namespace"],
            credentials=credentials,
            whole=options["dockerconfigjson"] is not None,
            check_mode=module.check_mode,
        )
        return apply_secret(open_session(options), request)

    finish(module, work)


if __name__ == "__main__":
    main()
