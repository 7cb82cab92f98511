#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: registry_secret
short_description: Keep the credentials for a registry in a Secret
version_added: 0.1.0
description:
  - Creates, changes or removes a Secret of the type C(kubernetes.io/dockerconfigjson), with which images are pushed or
    pulled.
  - With O(registry) the credentials for that registry are kept, and what the Secret holds for others stays as it is, so
    that one more registry can be brought into the cluster's own pull secret, C(openshift-config/pull-secret).
  - With O(dockerconfigjson) the Secret holds what is asked for and nothing else. Registries that are in it and are not
    asked for are taken out, together with all content beside the credentials, but only of a Secret that this
    collection created. For any other Secret the module fails and names what would be lost.
  - The module keeps the text of all content that it does not have to change. This includes credential helpers, HTTP
    headers, entries without a credential, entries that cannot be decoded, unknown parts of an entry, and the other keys
    of the Secret. The module fails if the content is not a JSON object or names a member twice.
  - The credentials are compared registry by registry, by user and password. How the text is laid out, and whether a
    password stands there in clear or encoded, means nothing. A Secret that has the credentials is not written, whatever
    else it holds. What cannot be read is written anew if it is ours.
  - Neither the result nor the diff shows a password. They name the registries, whether a credential differs, and when
    it expires, where it is a token that says so.
  - The module never touches a Secret of the same name that is not one of registry credentials. One of the older type
    C(kubernetes.io/dockercfg) is left alone while it holds what is asked for. It cannot be changed, because a Secret
    keeps its type.
  - Nothing is built or rebooted because the content of a Secret changes.
options:
  state:
    description:
      - Whether the Secret is to exist. V(absent) removes it, if this collection created it and no MachineOSConfig
        names it.
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
      - Namespace of the Secret. Builds look for their Secrets in the default one only.
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
      - Content of a pull secret, as in the file C(config.json) that C(podman login) or C(oc registry login) writes, as
        text or as a dictionary. Both the layout with C(auths) and the older one without are read.
      - Everything but the credentials is left out, such as the names of credential helpers.
    type: json
attributes:
  async:
    support: full
  check_mode:
    support: full
    details:
      - The API server judges the change in a dry run.
  diff_mode:
    support: full
    details:
      - Shows registries and when their credentials expire, never the credentials.
  idempotent:
    support: full
seealso:
  - module: imagemode.openshift.machineosconfig
  - module: kubernetes.core.k8s
    description: For Secrets of every other type.
notes:
  - Write no password into a playbook. Take it from a file, from the environment, or from a vault.
extends_documentation_fragment:
  - imagemode.openshift.auth
  - imagemode.openshift.attributes
author: Contributors to the imagemode.openshift collection (@imagemode)
"""

EXAMPLES = r"""
- name: Let builds push to a registry, with a token from the environment
  imagemode.openshift.registry_secret:
    name: layered-push
    registry: quay.example.com
    registry_username: os-builder
    registry_password: "{{ lookup('ansible.builtin.env', 'REGISTRY_TOKEN') }}"

- name: Let builds pull from several registries, with what podman login has written
  imagemode.openshift.registry_secret:
    name: layered-base
    dockerconfigjson: "{{ lookup('ansible.builtin.file', '/run/secrets/auth.json') }}"
  register: pull_secret

- name: Say when the credentials expire
  ansible.builtin.debug:
    msg: "{{ item.host }}: {{ item.expires or 'never, or it does not say' }}"
  loop: "{{ pull_secret.secret.registries }}"

- name: Remove the Secret
  imagemode.openshift.registry_secret:
    name: layered-base
    state: absent
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
secret:
  description: The Secret, without its data. Null when there is none.
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
      description: The registries that it opens, sorted by host.
      returned: always
      type: list
      elements: dict
      contains:
        host:
          description: The registry, as it stands in the Secret.
          returned: always
          type: str
          sample: quay.example.com
        expires:
          description: When the password expires, if it is a token that says so. Null otherwise.
          returned: always
          type: str
          sample: '2026-12-01T08:00:00Z'
diff:
  description: What was changed, or would be in check mode. It names registries, never a credential.
  returned: success
  type: dict
  contains:
    before:
      description: What was there. Empty when there was nothing.
      returned: always
      type: dict
      sample: {quay.example.com: {expires: '2026-11-30T08:00:00Z'}}
    after:
      description: What is there now. Empty when there is nothing.
      returned: always
      type: dict
      sample: {quay.example.com: {expires: '2026-12-01T08:00:00Z', credential: differs from the other side}}
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
