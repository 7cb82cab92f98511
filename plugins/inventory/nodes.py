# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes of OpenShift clusters as hosts of an inventory."""

from __future__ import annotations

DOCUMENTATION = r"""
name: nodes
short_description: The nodes of OpenShift clusters, grouped by machine config pool
version_added: 1.0.0
description:
  - Makes a host of every node of one cluster or of many, and a group C(pool_NAME) of every machine config pool. In
    names of groups, what Ansible does not allow there becomes an underscore, so that the pool V(infra-gpu) is
    C(pool_infra_gpu). A node that no pool drives, or that two custom pools select, is in none of them.
  - A file of this inventory is called C(imagemode.yml), C(imagemode.yaml), or ends with C(.imagemode.yml) or
    C(.imagemode.yaml). Values of the connection options may be templates.
  - A host is named after its node. Where there are many clusters, the name carries the cluster's as well, as in
    C(worker-0.prod). It is reached at the internal address of the node, which is set as C(ansible_host).
  - Names of nodes, pools and pods have to be DNS-1123 subdomains, which is what the API server accepts. A cluster with
    any other name counts as one that cannot be read, as does one with a node that has the name of a group, of a host of
    an earlier inventory source, or a name that Ansible reserves, such as C(localhost). With O(cluster_in_names) such
    names cannot collide.
  - Everything else that a cluster states is marked as untrusted, so that Ansible never evaluates it as a template.
    Characters that are not printable, such as escape sequences of a terminal, are replaced by their escapes, such as
    C(\x1b). An address that is neither an IP address nor a host name is ignored.
  - A cluster decides the labels and the address of its nodes. Give each entry of O(keyed_groups) a prefix, and connect
    to the nodes with credentials that are for this cluster only.
  - A cluster that cannot be read is an error that names it. Ansible itself takes a file that cannot be read for a
    warning, unless E(ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED) or C(any_unparsed_is_failed) in the section
    C(inventory) of C(ansible.cfg) is true.
author: Contributors to the imagemode.openshift collection (@imagemode)
options:
  plugin:
    description:
      - Says that the file is one of this plugin.
    type: str
    required: true
    choices: [imagemode.openshift.nodes]
  clusters:
    description:
      - The clusters, when there are several. An entry takes the connection options that are described here at the
        top, and C(name), by which the cluster is called in names of hosts. Without a name it is called as its
        O(context), else as its infrastructure, else as its address.
      - What an entry leaves out is taken from the options at the top, from the environment and from C(ansible.cfg).
        An entry with O(kubeconfig), O(context) or O(host) takes neither an address nor credentials from there,
        because they belong to another cluster. One that names only a context looks for it in the kubeconfig at the
        top.
      - Without it, the options at the top name the one cluster.
    type: list
    elements: dict
  cluster_in_names:
    description:
      - Whether names of hosts carry the cluster's. They do when O(clusters) has more than one entry, unless
        this option is set.
      - A node of a cluster that is not trusted cannot take the name of another host then.
    type: bool
  expected_images:
    description:
      - Whether the image that each pool expects is read. With V(false) C(image_mode_expected) is null, and the account
        needs no more than C(list) on nodes and MachineConfigPools.
    type: bool
    default: true
  daemon_pods:
    description:
      - Whether the pods of the machine-config-daemon are read, through which a node can be reached. The account needs
        C(list) on pods in the namespace C(openshift-machine-config-operator).
    type: bool
    default: false
  fail_on_errors:
    description:
      - Whether one cluster that cannot be read makes the whole file fail. With V(false) there is a warning that names
        the cluster, and the nodes of the others are still in the inventory. All hosts have the variable
        C(image_mode_inventory_errors) then, a list of the errors, which the playbook
        C(imagemode.openshift.verify_hosts) does not accept. What was read is not cached if a cluster could not be read;
        names that cannot be used are an error from the cache as well. It is an error in any case when no cluster can be
        read.
      - Leave it as it is where the inventory is used to prove something, because a node that is not in it is not
        verified.
    type: bool
    default: true
extends_documentation_fragment:
  - imagemode.openshift.auth.plugins
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
seealso:
  - module: imagemode.openshift.node_image_verify
notes:
  - Every kind is listed once a cluster, clusters side by side, and one MachineConfig is read for each pool that has
    nodes and no MachineOSConfig. The account needs C(list) on nodes, MachineConfigPools, MachineOSConfigs and
    MachineOSBuilds. With C(get) on ClusterVersion and Infrastructure the cluster's id, name and release are known as
    well.
  - MachineConfigs contain the global pull secret. Without C(get) on them the image that is expected in a pool without a
    MachineOSConfig is not known, and no node of such a pool can match. Its C(source) is V(forbidden) then.
  - While an API server is away, a request is repeated for up to 60 seconds.
  - "The variables of a host are: C(image_mode_node), the name of the node. C(image_mode_pool), empty when no pool
    drives it, and C(image_mode_pool_size), the number of nodes in that pool, null when no pool drives it.
    C(image_mode_cluster), with C(api_url), C(id), C(name) and C(version), and C(image_mode_cluster_name), by which
    names of hosts call it. C(image_mode_expected), the image that the node should have booted, with C(pull_spec),
    C(digest), C(source) and C(current), as M(imagemode.openshift.node_image_verify) returns it. C(image_mode_ready),
    C(image_mode_schedulable), C(image_mode_address), C(image_mode_roles), C(image_mode_labels), C(image_mode_os_image),
    C(image_mode_kernel_version) and C(image_mode_kubelet_version), as the Node says them. C(image_mode_daemon_pod),
    with C(namespace), C(name) and C(container), null without O(daemon_pods) or when none runs. C(image_mode_read_at),
    when the cluster was read, and C(image_mode_cached), whether that was in an earlier run."
  - What is cached holds no credential. A cache that was written for other clusters is not read. Over an expected image
    that comes from the cache no node is proven, for the pool may want another by now. Read the inventory again for
    that, with C(--flush-cache), as the playbook C(imagemode.openshift.verify_hosts) does by itself. An expected image
    that was read more than five minutes before the play proves nothing either.
"""

EXAMPLES = r"""
# fmt: code
# imagemode.yml: the cluster of the environment (KUBECONFIG, K8S_AUTH_*)
plugin: imagemode.openshift.nodes

---
# prod.imagemode.yml: one cluster, by a context
plugin: imagemode.openshift.nodes
kubeconfig: ~/.kube/config
context: prod

---
# fleet.imagemode.yml: many clusters; their hosts are called worker-0.prod, worker-0.stage
plugin: imagemode.openshift.nodes
clusters:
  - name: prod
    host: https://api.prod.example.com:6443
    api_key: "{{ lookup('ansible.builtin.env', 'PROD_TOKEN') }}"
    ca_cert: ~/prod-ca.crt
  - name: stage
    kubeconfig: ~/stage.kubeconfig

---
# grouped.imagemode.yml: more groups, and a cache of ten minutes
plugin: imagemode.openshift.nodes
strict: true
keyed_groups:
  - key: image_mode_cluster_name
    prefix: cluster
  - key: image_mode_roles
    prefix: role
  - key: image_mode_labels['topology.kubernetes.io/zone'] | default('none')
    prefix: zone
groups:
  not_ready: not image_mode_ready
  image_pending: not image_mode_expected.current
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/imagemode
cache_timeout: 600

---
# ssh.imagemode.yml: reach the nodes over ssh, as the account that OpenShift makes on them
plugin: imagemode.openshift.nodes
compose:
  ansible_user: "'core'"
  ansible_ssh_private_key_file: "'~/.ssh/cluster'"

---
# pods.imagemode.yml: reach the nodes without ssh, through the pods of the machine-config-daemon. kubectl has to be in
# the PATH, and finds the cluster by the context, which is how the clusters are called here. The file system of a node
# is mounted in its pod, at /rootfs.
plugin: imagemode.openshift.nodes
daemon_pods: true
kubeconfig: ~/.kube/config
clusters:
  - context: prod
  - context: stage
compose:
  ansible_connection: "'kubernetes.core.kubectl'"
  ansible_kubectl_kubeconfig: "'~/.kube/config' | expanduser"
  ansible_kubectl_context: image_mode_cluster_name
  ansible_kubectl_namespace: image_mode_daemon_pod.namespace
  ansible_kubectl_pod: image_mode_daemon_pod.name
  ansible_kubectl_container: image_mode_daemon_pod.container
  image_mode_host_root: "'/rootfs'"
"""

import json
import os
import typing as t
from pathlib import Path

from ansible.errors import AnsibleError, AnsibleParserError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.utils.unsafe_proxy import wrap_var

from ..module_utils._errors import OperationError, attempt, one_line
from ..module_utils._model.inventory import (
    ClusterRequest,
    NamedHost,
    Taken,
    Variables,
    bad_name,
    cluster_of,
    from_cache,
    is_group_name,
    named_hosts,
    the_cluster,
    to_cache,
    twice,
)
from ..module_utils._operation.read_inventory import Wanted, read_clusters
from ..module_utils._options import CONNECTION

INCOMPLETE = "image_mode_inventory_errors"
"""Variable of all hosts: why nodes of clusters are not in the inventory."""

_ENTRY = {"name": {"type": "str"}, **{name: dict(option) for name, option in CONNECTION.items()}}


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Reads all clusters before it adds a host, so that a cluster that fails leaves no half of an inventory behind."""

    NAME = "imagemode.openshift.nodes"

    def verify_file(self, path: str) -> bool:
        """Whether a file is called as one of ours."""
        name = Path(path).name
        ours = ("imagemode.yml", "imagemode.yaml")
        return bool(super().verify_file(path)) and (name in ours or name.endswith(tuple("." + own for own in ours)))

    def parse(self, inventory: t.Any, loader: t.Any, path: str, cache: bool = True) -> None:
        """Add the nodes of the clusters that the file names.

        :raises AnsibleParserError: the file, or a cluster, cannot be read
        """
        super().parse(inventory, loader, path, cache)
        config = self._read_config_data(path)
        self._check_options(config, path)
        requested = self._requested(config, path)
        readings, cached = self._readings(requested, self.get_cache_key(path), cache)
        with_cluster = self.get_option("cluster_in_names")
        if with_cluster is None:
            with_cluster = len(requested) > 1
        usable = self._with_good_names(readings, with_cluster)
        self._add_all(self._named(usable, with_cluster, cached, path), path)

    def _check_options(self, config: t.Mapping[str, t.Any], path: str) -> None:
        aliases = {alias for option in CONNECTION.values() for alias in option.get("aliases", [])}
        strange = sorted(str(name) for name in set(config) - set(self._options) - aliases)
        if strange:
            raise _unreadable(
                path, f"there is no option {', '.join(strange)}", "See ansible-doc -t inventory " + self.NAME
            )

    def _requested(self, config: t.Mapping[str, t.Any], path: str) -> list[ClusterRequest]:
        shared = {name: self._shared(name, option, config) for name, option in CONNECTION.items()}
        entries = self.get_option("clusters")
        if entries is None:
            return [the_cluster(shared)]
        if not entries:
            raise _unreadable(path, "clusters is empty", "Name a cluster, or leave it out")
        requested = [self._entry(number, entry, shared, path) for number, entry in enumerate(entries, 1)]
        same = twice(cluster.name for cluster in requested if cluster.name)
        if same:
            raise _unreadable(path, f"two clusters are called {same[0]}", "Give each a name of its own")
        return requested

    def _shared(self, name: str, option: t.Mapping[str, t.Any], config: t.Mapping[str, t.Any]) -> t.Any:
        """Return an option at the top: from the file, else None where the environment says it, else from ansible.cfg.

        What the environment says is read as for a module, in one place for both.
        """
        names = (name, *option.get("aliases", []))
        given = any(own in config for own in names)
        if not given and any(f"K8S_AUTH_{own.upper()}" in os.environ for own in names):
            return None
        return self._plain(self.get_option(name), f"option {name}")

    def _entry(self, number: int, entry: t.Any, shared: t.Mapping[str, t.Any], path: str) -> ClusterRequest:
        where = f"entry {number} of clusters"
        if not isinstance(entry, dict):
            raise _unreadable(path, f"{where} is no dictionary", "Give it a name and connection options")
        checked = ArgumentSpecValidator(_ENTRY).validate(self._plain(entry, where))
        if checked.unsupported_parameters:
            strange = ", ".join(sorted(map(str, checked.unsupported_parameters)))
            raise _unreadable(path, f"{where}: there is no option {strange}", "Give name and connection options")
        if checked.error_messages:
            raise _unreadable(path, f"{where}: {checked.error_messages[0]}", "Correct it")
        trouble = ""
        try:
            return cluster_of(checked.validated_parameters, shared)
        except ValueError as error:
            trouble = str(error)
        raise _unreadable(path, f"{where}: {trouble}", "Correct it")

    def _plain(self, value: t.Any, where: str) -> t.Any:
        """Return a value of the file without templates and tags, for other libraries take plain ones only.

        An error does not quote the value, because it may be a credential.
        """
        if value is None:
            return None
        try:
            return json.loads(json.dumps(self.templar.template(value), default=str))
        except AnsibleError as error:
            kind = type(error).__name__
        reason = f"the template in {where} cannot be evaluated ({kind})"
        raise AnsibleParserError(str(OperationError("read the inventory", reason, "Correct the template")))

    def _readings(self, requested: list[ClusterRequest], key: str, may_read: bool) -> tuple[list[Variables], bool]:
        """Return what the clusters say, and whether that was in an earlier run."""
        caches = self.get_option("cache")
        rest = [self.get_option("expected_images"), self.get_option("daemon_pods")]
        if caches and may_read:
            remembered = from_cache(self._cache.get(key), requested, rest)
            if remembered is not None:
                return remembered, True
        readings, failures = self._read(requested, Wanted(*rest))
        if caches and not failures:
            self._cache[key] = to_cache(readings, requested, rest)
        return readings, False

    def _read(self, requested: list[ClusterRequest], wanted: Wanted) -> tuple[list[Variables], list[OperationError]]:
        outcome = attempt(lambda: read_clusters(requested, wanted, os.environ, self._report))
        outcomes = [outcome] if isinstance(outcome, OperationError) else outcome
        failures = [read for read in outcomes if isinstance(read, OperationError)]
        readings = [read for read in outcomes if not isinstance(read, OperationError)]
        self._tell(failures, readings)
        return readings, failures

    def _report(self, line: str) -> None:
        """Print a line at once, while the clusters are read."""
        self.display.warning(line)

    def _with_good_names(self, readings: list[Variables], with_cluster: bool) -> list[Variables]:
        """Return the clusters whose names of nodes and pools can be used, also where they come from the cache."""
        taken = Taken(frozenset(self.inventory.groups), _hosts_of(self.inventory))
        failures, good = [], []
        for reading in readings:
            bad = bad_name(reading, with_cluster, taken)
            if bad:
                what = f"read cluster {reading['name']} ({reading['cluster']['api_url']})"
                failures.append(OperationError(what, bad.reason, bad.remedy))
            else:
                good.append(reading)
        self._tell(failures, good)
        return good

    def _tell(self, failures: list[OperationError], readings: list[Variables]) -> None:
        """Fail if clusters could not be read and that is not wanted, else warn of each."""
        for failure in failures:
            if failure.traceback:
                self.display.vvv(failure.traceback)
        if failures and (self.get_option("fail_on_errors") or not readings):
            raise AnsibleParserError(" ".join(map(str, failures)))
        for failure in failures:
            self.display.warning(f"{failure} None of its nodes is in the inventory.")
        if failures:
            earlier = self.inventory.groups["all"].vars.get(INCOMPLETE) or []
            self.inventory.set_variable("all", INCOMPLETE, [*earlier, *(wrap_var(str(f)) for f in failures)])

    def _named(self, readings: list[Variables], with_cluster: bool, cached: bool, path: str) -> list[NamedHost]:
        trouble = ""
        try:
            return named_hosts(readings, with_cluster, cached)
        except ValueError as error:
            trouble = str(error)
        reason, dummy, remedy = trouble.partition(". ")
        raise _unreadable(path, reason, remedy)

    def _add_all(self, hosts: list[NamedHost], path: str) -> None:
        """Add the hosts, or none of them: Ansible keeps what a failed file has added."""
        before = set(self.inventory.hosts)
        trouble = ""
        try:
            for host in hosts:
                self._add(host)
            for host in hosts:  # only now, because groups may be called as hosts that are still to come
                self._compose_groups(host)
        except AnsibleError as error:
            trouble = one_line(str(error))
        if trouble:
            for name in set(self.inventory.hosts) - before:
                self.inventory.remove_host(self.inventory.hosts[name])
            raise _unreadable(path, trouble, "Correct compose, groups or keyed_groups")

    def _add(self, host: NamedHost) -> None:
        self.inventory.add_host(host.name)
        if host.address:
            self.inventory.set_variable(host.name, "ansible_host", wrap_var(host.address))
        for name, value in host.variables.items():
            # What a node says of itself is never a template, not even where ansible-core takes every text for one.
            self.inventory.set_variable(host.name, name, wrap_var(value))
        strict, variables = self.get_option("strict"), self.inventory.get_host(host.name).get_vars()
        self._set_composite_vars(self.get_option("compose"), variables, host.name, strict=strict)

    def _compose_groups(self, host: NamedHost) -> None:
        if host.pool:
            group = self.inventory.add_group(self._sanitize_group_name(f"pool_{host.pool}"))
            self.inventory.add_child(group, host.name)
        strict = self.get_option("strict")
        self._add_host_to_composed_groups(self.get_option("groups"), {}, host.name, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), {}, host.name, strict=strict)

    def _sanitize_group_name(self, name: t.Any) -> str:
        """Return a group's name as Ansible wants it.

        Labels of nodes can become groups. A group with the name of a host, or with a reserved name such as localhost,
        would change on which hosts other plays run.

        :raises AnsibleParserError: no group can be called so
        """
        group = str(super()._sanitize_group_name(str(name)))
        if not is_group_name(group, self.inventory.hosts):
            raise AnsibleParserError(f"no group can be called {group[:80]}, give the entry of keyed_groups a prefix")
        return group


def _hosts_of(inventory: t.Any) -> dict[str, str]:
    """Return host -> address of the cluster that it is a node of, empty for a host of another source."""
    clusters = {name: host.vars.get("image_mode_cluster") for name, host in inventory.hosts.items()}
    return {name: str(c.get("api_url") or "") if isinstance(c, dict) else "" for name, c in clusters.items()}


def _unreadable(path: str, reason: str, remedy: str) -> AnsibleParserError:
    return AnsibleParserError(str(OperationError(f"read the inventory {path}", reason, remedy)))
