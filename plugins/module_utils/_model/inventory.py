# SPDX-License-Identifier: GPL-3.0-or-later
"""What does an inventory say of a node, how is its host called, and which cluster does an entry of it mean?"""

from __future__ import annotations

import ipaddress
import re
import typing as t
from collections import Counter
from dataclasses import dataclass, field

from .objects.machineconfigpool import ROLE_LABEL
from .objects.node import NodeState
from .objects.resources import DAEMON_CONTAINER, OPERATOR_NAMESPACE, Object, labels_of
from .proof.verdict import Expected
from .text import all_printable

Variables = dict[str, t.Any]

_OF_ONE_CLUSTER = (
    "kubeconfig", "context", "host", "api_key", "username", "password", "client_cert", "client_key"
)  # fmt: skip
"""Options that say which cluster is meant and who asks it, so that they mean nothing for another."""
_SAY_WHICH = ("kubeconfig", "context", "host")

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_DNS_SUBDOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_MAX_NAME = 253
"""Characters of a DNS-1123 subdomain, which is what the API server accepts as the name of a Node."""
_MAX_CLUSTER_NAME = 63
_SHOWN = 80
"""Characters of a bad name that an error quotes."""
RESERVED = frozenset(("all", "ungrouped", "localhost", "127.0.0.1", "::1"))
"""Names that Ansible itself gives a meaning: a host or a group of such a name changes what other plays run on."""
_FORMAT = 2
"""Of what is cached; what another release wrote is not read."""


@dataclass(frozen=True)
class ClusterRequest:
    """A cluster that the user names.

    :ivar name: his name for it; empty when it is to be called as it calls itself
    :ivar options: its connection options, those that are not given left out
    :ivar left_out: options that must not come from the environment either
    """

    name: str
    options: t.Mapping[str, t.Any]
    left_out: frozenset[str] = frozenset()


@dataclass(frozen=True)
class NamedHost:
    """A host of the inventory."""

    name: str
    pool: str
    address: str
    variables: Variables


@dataclass(frozen=True)
class Taken:
    """Names that other sources of the inventory use already.

    :ivar groups: names of groups; variables of a host with such a name would become variables of the group
    :ivar hosts: host -> address of the cluster that it is a node of, empty for a host of another source
    """

    groups: t.Collection[str] = ()
    hosts: t.Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class BadName:
    """Why the names that a cluster supplies cannot be used, and what to do about it."""

    reason: str
    remedy: str


def the_cluster(shared: t.Mapping[str, t.Any]) -> ClusterRequest:
    """Return the one cluster that the options at the top name."""
    return ClusterRequest(_as_name(str(shared.get("context") or "")), _given(shared))


def cluster_of(entry: t.Mapping[str, t.Any], shared: t.Mapping[str, t.Any]) -> ClusterRequest:
    """Return the cluster that an entry of ``clusters`` names.

    What the entry leaves out is taken from the options at the top and the environment. An entry that says which cluster
    it means takes neither an address nor credentials from there, for they are another's; one that only names a context
    does so of the kubeconfig at the top.

    :raises ValueError: the name cannot be part of a host's name
    """
    name = str(entry.get("name") or "")
    if name and not _NAME.fullmatch(name):
        raise ValueError(f"the name {name!r} holds what a host name cannot: use letters, digits, '.', '-' and '_'")
    own = {option: value for option, value in _given(entry).items() if option != "name"}
    left_out: set[str] = set()
    if any(own.get(option) for option in _SAY_WHICH):
        left_out = set(_OF_ONE_CLUSTER)
        if not own.get("kubeconfig") and not own.get("host"):
            left_out.remove("kubeconfig")
    inherited = {option: value for option, value in _given(shared).items() if option not in left_out}
    called = name or _as_name(str(own.get("context") or ""))
    return ClusterRequest(called, {**inherited, **own}, frozenset(left_out - set(own)))


def environment_for(
    requested: ClusterRequest, environment: t.Mapping[str, str], aliases: t.Mapping[str, t.Sequence[str]]
) -> dict[str, str]:
    """Return the environment without the variables of options that must not come from it.

    :param aliases: option -> its other names, which are names of variables as well
    """
    hidden = {
        f"K8S_AUTH_{name.upper()}" for option in requested.left_out for name in (option, *aliases.get(option, ()))
    }
    return {name: value for name, value in environment.items() if name not in hidden}


def own_name(requested: ClusterRequest, cluster: t.Mapping[str, t.Any]) -> str:
    """Return how a cluster is called in names of hosts: as the user calls it, else as it calls itself."""
    address = str(cluster["api_url"]).partition("://")[2].partition(":")[0].partition("/")[0]
    itself = _as_name(str(cluster["name"] or "")[:_MAX_CLUSTER_NAME])
    return requested.name or itself or _as_name(address)


def twice(names: t.Iterable[str]) -> list[str]:
    """Return what is there more than once, sorted."""
    listed = list(names)
    return sorted({name for name in listed if listed.count(name) > 1})


def node_variables(node: Object, pool: str, expected: Expected | None, daemon_pod: str | None) -> Variables:
    """Return what the host's variables say of a node; nothing in them is secret.

    :param expected: what the cluster expects of it, None when that was not read
    :param daemon_pod: the running pod of the machine-config-daemon, or None
    """
    state, status = NodeState.from_api(node), node.get("status") or {}
    info = status.get("nodeInfo") or {}
    found: Variables = {
        "image_mode_node": state.name,
        "image_mode_pool": pool,
        "image_mode_ready": state.ready,
        "image_mode_schedulable": not state.unschedulable,
        "image_mode_address": _address(status),
        "image_mode_roles": sorted(label[len(ROLE_LABEL) :] for label in labels_of(node) if _is_role(label)),
        "image_mode_labels": dict(labels_of(node)),
        "image_mode_os_image": info.get("osImage", ""),
        "image_mode_kernel_version": info.get("kernelVersion", ""),
        "image_mode_kubelet_version": info.get("kubeletVersion", ""),
        "image_mode_expected": None,
        "image_mode_daemon_pod": None,
    }
    if expected:
        found["image_mode_expected"] = {
            "pull_spec": expected.pull_spec or None,
            "digest": expected.digest or None,
            "source": expected.source,
            "current": expected.current,
        }
    if daemon_pod:
        found["image_mode_daemon_pod"] = {
            "namespace": OPERATOR_NAMESPACE, "name": daemon_pod, "container": DAEMON_CONTAINER
        }  # fmt: skip
    return found


def bad_name(reading: t.Mapping[str, t.Any], with_cluster: bool, taken: Taken) -> BadName | None:
    """Return which name that a cluster supplies cannot be used in an inventory, or None.

    Up to ansible-core 2.18 a template in the name of a host is evaluated, and on every release the name is part of the
    path of host_vars. Nothing marks a name as untrusted, so only names that the API server accepts are used.
    """
    if with_cluster and not (_NAME.fullmatch(str(reading["name"])) and len(str(reading["name"])) <= _MAX_NAME):
        return BadName(f"its name {_quoted(reading['name'])} cannot be part of a host name", "Give the entry a name")
    for node in reading["nodes"]:
        name, pod = node["image_mode_node"], (node["image_mode_daemon_pod"] or {}).get("name")
        for kind, given in (("Node", name), ("MachineConfigPool", node["image_mode_pool"] or None), ("Pod", pod)):
            if given is not None and not is_dns_subdomain(given):
                return BadName(f"{kind} {_quoted(given)} has a name that is no DNS-1123 subdomain", _HOSTILE)
        bad = _taken_name(_host_name(node, reading, with_cluster), reading, taken)
        if bad:
            return bad
    return None


_HOSTILE = "Find out what runs at this address, because an API server of Kubernetes accepts no such name"


def _taken_name(host: str, reading: t.Mapping[str, t.Any], taken: Taken) -> BadName | None:
    """Return why a host must not be called so, or None."""
    if host in RESERVED:
        return BadName(f"host {host} has a name that is reserved by Ansible", "Set cluster_in_names to true")
    if host in taken.groups:
        return BadName(
            f"host {host} has the name of a group of the inventory", "Set cluster_in_names to true, or rename the group"
        )
    if taken.hosts.get(host, reading["cluster"]["api_url"]) != reading["cluster"]["api_url"]:
        return BadName(
            f"host {host} is already defined by another inventory source",
            "Set cluster_in_names to true, or list the other source after this one",
        )
    return None


def is_dns_subdomain(name: t.Any) -> bool:
    """Return whether *name* is a DNS-1123 subdomain, as names of most objects of Kubernetes are."""
    return isinstance(name, str) and len(name) <= _MAX_NAME and bool(_DNS_SUBDOMAIN.fullmatch(name))


def is_group_name(name: str, hosts: t.Collection[str]) -> bool:
    """Return whether a group can be called *name*, which may be made from what a cluster supplies."""
    return name not in RESERVED and name not in hosts and len(name) <= _MAX_NAME


def named_hosts(readings: t.Sequence[t.Mapping[str, t.Any]], with_cluster: bool, cached: bool) -> list[NamedHost]:
    """Return the hosts of all clusters, sorted by name.

    :param with_cluster: whether a host's name carries the cluster's, as in ``worker-0.prod``
    :param cached: whether the readings come from a cache
    :raises ValueError: two nodes would be one host
    """
    called_alike = twice(str(reading["name"]) for reading in readings) if with_cluster else []
    if called_alike:
        raise ValueError(f"two clusters are called {called_alike[0]}. Give each entry of clusters a name of its own")
    hosts = [host for reading in readings for host in _hosts(reading, with_cluster, cached)]
    same = twice(host.name for host in hosts)
    if same:
        remedy = "Give the clusters names that tell them apart" if with_cluster else "Leave cluster_in_names out"
        raise ValueError(f"two nodes would be the host {same[0]}. {remedy}")
    return sorted(hosts, key=lambda host: host.name)


def to_cache(
    readings: t.Sequence[t.Mapping[str, t.Any]], requested: t.Sequence[ClusterRequest], rest: t.Any
) -> Variables:
    """Return the content of the cache: the readings and a fingerprint of the request, without credentials.

    :param rest: options besides the connection that decide what is read
    """
    return {"format": _FORMAT, "requested": _fingerprint(requested, rest), "clusters": list(readings)}


def from_cache(remembered: t.Any, requested: t.Sequence[ClusterRequest], rest: t.Any) -> list[Variables] | None:
    """Return the cached readings, or None if they belong to another request."""
    if not isinstance(remembered, dict) or remembered.get("format") != _FORMAT:
        return None
    if remembered.get("requested") != _fingerprint(requested, rest):
        return None
    return t.cast("list[Variables]", remembered.get("clusters"))


def _fingerprint(requested: t.Sequence[ClusterRequest], rest: t.Any) -> list[t.Any]:
    """Return the request without secrets; a kubeconfig given as a dictionary is left out."""
    shown = ("kubeconfig", "context", "host", "impersonate_user")
    texts = [
        [a.name, *(a.options.get(o) if isinstance(a.options.get(o), str) else None for o in shown)] for a in requested
    ]
    return [texts, rest]


def _hosts(reading: t.Mapping[str, t.Any], with_cluster: bool, cached: bool) -> t.Iterator[NamedHost]:
    """Return the hosts of one cluster, each with the number of nodes in its pool."""
    shared = {
        "image_mode_cluster": reading["cluster"],
        "image_mode_cluster_name": reading["name"],
        "image_mode_read_at": reading["read_at"],
        "image_mode_cached": cached,
    }
    sizes = Counter(str(node["image_mode_pool"]) for node in reading["nodes"])
    for node in reading["nodes"]:
        pool = str(node["image_mode_pool"])
        yield NamedHost(
            name=_host_name(node, reading, with_cluster),
            pool=pool,
            address=str(node["image_mode_address"] or ""),
            variables=all_printable({**node, **shared, "image_mode_pool_size": sizes[pool] if pool else None}),
        )


def _host_name(node: Variables, reading: t.Mapping[str, t.Any], with_cluster: bool) -> str:
    name = str(node["image_mode_node"])
    return f"{name}.{reading['name']}" if with_cluster else name


def _given(options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {name: value for name, value in options.items() if value is not None}


def _as_name(text: str) -> str:
    return _NOT_IN_NAMES.sub("-", text).strip("-._")


def _is_role(label: str) -> bool:
    return label.startswith(ROLE_LABEL) and len(label) > len(ROLE_LABEL)


def _address(status: Object) -> str | None:
    """Return the address at which the node is reached from outside of its pods, None when it has none.

    Connection plugins pass it to programs as an argument. So what is neither an IP address nor a host name is ignored:
    ssh would take one that begins with a hyphen for an option, such as ProxyCommand.
    """
    by_type: dict[str, str] = {}
    for address in status.get("addresses") or []:
        if _is_address(address.get("address")):
            by_type.setdefault(address.get("type", ""), address["address"])
    for wanted in ("InternalIP", "InternalDNS", "Hostname", "ExternalIP"):
        if by_type.get(wanted):
            return by_type[wanted]
    return None


def _is_address(text: t.Any) -> bool:
    if not isinstance(text, str) or "%" in text:  # a zone of IPv6 is any text
        return False
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return is_dns_subdomain(text.lower()) and text.isascii()
    return True


def _quoted(name: t.Any) -> str:
    text = str(name)
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
