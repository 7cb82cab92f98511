# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Document the connection options of all modules, and their requirements."""

from __future__ import annotations

import json
import typing as t

import yaml


def _for_plugins(documentation: str) -> str:
    """Return the same options for a plugin of the controller, which also reads the environment and ansible.cfg.

    Secrets are not read from ansible.cfg, because other users can usually read that file.
    """
    options = yaml.safe_load(documentation)["options"]
    described = {name: _for_a_plugin(name, option) for name, option in options.items()}
    return json.dumps({"options": described, "requirements": yaml.safe_load(documentation)["requirements"]})


def _for_a_plugin(name: str, option: dict[str, t.Any]) -> dict[str, t.Any]:
    texts = [text.replace("where the module runs", "that runs Ansible") for text in option["description"]]
    texts = [text.replace("the module itself runs", "Ansible itself runs") for text in texts]
    found: dict[str, t.Any] = {**option, "description": texts}
    if name == "proxy_headers":  # each of its entries has its own variable
        return found
    found["env"] = [{"name": f"K8S_AUTH_{n.upper()}"} for n in (name, *option.get("aliases", []))]
    if name not in ("api_key", "password"):
        found["ini"] = [{"section": "imagemode_openshift", "key": name}]
    return found


class ModuleDocFragment:
    """The connection options of kubernetes.core. A test compares them with the argument specs of the modules."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of a kubeconfig file on the host where the module runs, or several paths joined by V(:), or the content of
        a kubeconfig as a dictionary.
      - The content as text is an error, because text that is mistaken for a path would be shown and logged. Convert it
        to a dictionary with the filter P(ansible.builtin.from_yaml#filter).
      - Of a dictionary, logs and the output at C(-vvv) show only names, addresses and paths. Everything else is hidden,
        such as tokens, keys, and the arguments and environment of an exec plugin.
      - An exec plugin that fails is an error that names its command.
      - Without it the variable E(K8S_AUTH_KUBECONFIG) is used. Without either, and without other credentials, it is
        the cluster that the module itself runs in, else the kubeconfig at E(KUBECONFIG) or
        C(~/.kube/config).
    type: raw
  context:
    description:
      - Name of the context of the kubeconfig to use, instead of its current context.
      - Without it the variable E(K8S_AUTH_CONTEXT) is used.
      - With O(kubeconfig) or O(context), an address and credentials in the environment are ignored, because they belong
        to another cluster. M(kubernetes.core.k8s) uses them.
    type: str
  host:
    description:
      - Address of the API server, as in V(https://api.cluster.example.com:6443).
      - Without it the variable E(K8S_AUTH_HOST) is used. Together with O(api_key), or with O(client_cert) and
        O(client_key), no kubeconfig is read.
      - Without other credentials, those of a kubeconfig, or of the pod that Ansible runs in, are used if they
        belong to this address. If they belong to another address, the module fails with both addresses and sends
        nothing. M(kubernetes.core.k8s) sends them, or writes to the cluster of the kubeconfig, depending on the release
        of the kubernetes client.
      - Credentials in environment variables belong to E(K8S_AUTH_HOST), if that is set, else to the cluster of
        E(K8S_AUTH_KUBECONFIG) or E(K8S_AUTH_CONTEXT), if one of these is set. They are not used for another address.
      - An empty O(host), O(kubeconfig) or O(context) is an error, because another cluster would be used.
    type: str
  api_key:
    description:
      - Bearer token of the account.
      - Without it the variable E(K8S_AUTH_API_KEY) is used.
      - Credentials in options replace all credentials of a kubeconfig, including its client certificate.
    type: str
  username:
    description:
      - Name of the account for HTTP basic authentication, which only a proxy in front of the API server can require.
        OpenShift itself accepts tokens and certificates.
      - Without it the variable E(K8S_AUTH_USERNAME) is used.
    type: str
  password:
    description:
      - Password that belongs to O(username).
      - Without it the variable E(K8S_AUTH_PASSWORD) is used.
    type: str
  validate_certs:
    description:
      - Whether to verify the certificate of the API server. By default it is verified.
      - Without it the variable E(K8S_AUTH_VERIFY_SSL) is used, in which V(false), V(no) and V(0) mean no.
    type: bool
    aliases: [verify_ssl]
  ca_cert:
    description:
      - Path of a file with the certificates of the trusted authorities for the API server. It has to contain the whole
        chain.
      - Without it the variable E(K8S_AUTH_SSL_CA_CERT) is used.
    type: path
    aliases: [ssl_ca_cert]
  client_cert:
    description:
      - Path of a file with the client certificate of the account.
      - Without it the variable E(K8S_AUTH_CERT_FILE) is used.
    type: path
    aliases: [cert_file]
  client_key:
    description:
      - Path of a file with the private key that belongs to O(client_cert).
      - Without it the variable E(K8S_AUTH_KEY_FILE) is used.
    type: path
    aliases: [key_file]
  tls_server_name:
    description:
      - Name for which the certificate of the API server has to be valid, if it is not the name in O(host), for example
        behind a tunnel. M(kubernetes.core.k8s) has no such option.
      - Without it the variable E(K8S_AUTH_TLS_SERVER_NAME) is used, else the name in the kubeconfig.
    type: str
  proxy:
    description:
      - URL of the HTTP proxy to the API server.
      - Without it the variable E(K8S_AUTH_PROXY) is used, else the proxy in the kubeconfig. Releases of the kubernetes
        client from 37 on read the latter, and variables such as E(HTTPS_PROXY).
    type: str
  no_proxy:
    description:
      - Hosts, domains, addresses and networks for which the proxy is not used, separated by commas.
      - Without it the variable E(K8S_AUTH_NO_PROXY) is used.
    type: str
  proxy_headers:
    description:
      - Headers for the proxy.
    type: dict
    suboptions:
      proxy_basic_auth:
        description:
          - User and password for the proxy, joined by a colon.
          - Without O(proxy_headers) the variable E(K8S_AUTH_PROXY_HEADERS_PROXY_BASIC_AUTH) is used.
        type: str
      basic_auth:
        description:
          - User and password for the server behind the proxy, joined by a colon.
          - Without O(proxy_headers) the variable E(K8S_AUTH_PROXY_HEADERS_BASIC_AUTH) is used.
        type: str
      user_agent:
        description:
          - Value of the User-Agent header.
          - Without O(proxy_headers) the variable E(K8S_AUTH_PROXY_HEADERS_USER_AGENT) is used.
        type: str
  persist_config:
    description:
      - Whether to write a renewed token back to the kubeconfig file. By default it is not written.
      - Without it the variable E(K8S_AUTH_PERSIST_CONFIG) is used, in which V(false), V(no) and V(0) mean no.
    type: bool
  impersonate_user:
    description:
      - Name of the user to impersonate. The account needs the permission to impersonate it.
      - Without it the variable E(K8S_AUTH_IMPERSONATE_USER) is used.
    type: str
  impersonate_groups:
    description:
      - Names of the groups to impersonate.
      - Without it the variable E(K8S_AUTH_IMPERSONATE_GROUPS) is used, in which the names are separated by commas.
    type: list
    elements: str
requirements:
  - python >= 3.9
  - kubernetes >= 24.2.0, != 36.0.0, != 36.0.1
notes:
  - The module runs where its task runs, which is C(localhost) in most plays. Nothing is installed on the nodes of the
    cluster, and the module does not log in to them.
  - While the API server is away, a request is repeated for up to 60 seconds. If the API server cannot be reached at
    first, a warning with the reason is printed within 5 seconds, before the module retries. A task with C(async) prints
    no such warning.
  - A malformed address, a kubeconfig file that does not exist or cannot be read, an untrusted certificate, and HTTP
    instead of HTTPS fail at once.
"""


# Outside of the class, where ansible-test accepts only texts.
setattr(ModuleDocFragment, "PLUGINS", _for_plugins(ModuleDocFragment.DOCUMENTATION))  # noqa: B010
