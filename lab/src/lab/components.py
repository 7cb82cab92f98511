# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs a lab runs, with their command lines, and the configuration files they read."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lab.build import OPERATOR_NAMESPACE
from lab.credentials import Secrets
from lab.errors import LabError
from lab.facts import Facts
from lab.release import V1, V1ALPHA1

# A node with this annotation is left alone by KWOK: the node daemon holds it NotReady while it "reboots".
REBOOTING_ANNOTATION = "lab.imagemode.openshift/rebooting"
_WITH_NODE_PORT = "{{ with NodePort }}"
_SINCE_CREATION = "{{ $lastTransitionTime := or .metadata.creationTimestamp $now }}"
_SINCE_NOW = "{{ $lastTransitionTime := $now }}"
_CONTROLLERS_OFF = (
    "persistentvolume-attach-detach-controller",
    "persistentvolume-binder-controller",
    "persistentvolume-expander-controller",
    "ttl-controller",
    "service-lb-controller",
    "node-ipam-controller",
    "node-route-controller",
    "cloud-node-lifecycle-controller",
    "bootstrap-signer-controller",
    "token-cleaner-controller",
    "certificatesigningrequest-signing-controller",
)


@dataclass(frozen=True)
class Component:
    """One supervised program.

    ``tier`` is one of TIERS and orders the stop: the last tier stops first, the components of one together.
    """

    name: str
    tier: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_task(self) -> bool:
        """Whether it runs once and ends, instead of for as long as the lab does."""
        return self.tier == TASKS


# Nothing in the lab asks for the health and the metrics of these.
_NO_PORT = "--secure-port=0"

# The parts of the operator of v1alpha1 that are scripted.
_SCRIPTED = {
    "machine-config-operator": "lab.v1alpha1.operator",
    "node-controller": "lab.v1alpha1.controller",
    "machine-os-builder": "lab.v1alpha1.builder",
}

_NODE_DAEMONS = {V1: "lab.node_daemon", V1ALPHA1: "lab.v1alpha1.node_daemon"}

# What runs once, when the lab starts.
TASKS = "tasks"
TIERS = ("storage", "api", "kubernetes", "openshift", TASKS)


def components(facts: Facts, manifests: Path) -> tuple[Component, ...]:
    """Every component of a lab; ``manifests`` is the folder of files taken from the modules."""
    own = Secrets.of(facts.folder)
    ports = facts.ports
    kubeconfigs = facts.kubeconfigs

    def binary(name: str, *arguments: str) -> tuple[str, ...]:
        return (str(facts.binaries / name), *arguments)

    def python(module: str, *arguments: str) -> tuple[str, ...]:
        return (sys.executable, "-m", module, *arguments)

    def after_removing_leases(kubeconfig: Path, leases: str, command: tuple[str, ...]) -> tuple[str, ...]:
        return python("lab.start_without_leases", str(kubeconfig), leases, *command)

    etcd = f"https://127.0.0.1:{ports.etcd_client}"
    etcd_peer = f"https://127.0.0.1:{ports.etcd_peer}"
    client_rate = ("--kube-api-qps=200", "--kube-api-burst=400")
    if facts.api == V1:
        operator_parts: tuple[Component, ...] = (
            Component(
                "machine-os-builder",
                "openshift",
                # It ignores its --kubeconfig flag.
                after_removing_leases(
                    kubeconfigs.admin,
                    f"{OPERATOR_NAMESPACE}/machine-os-builder",
                    binary("machine-os-builder", "start", "-v=4"),
                ),
                {"RELEASE_VERSION": facts.release, "KUBECONFIG": str(kubeconfigs.machine_os_builder)},
            ),
        )
    else:
        operator_parts = tuple(
            Component(name, "openshift", python(module, str(facts.folder))) for name, module in _SCRIPTED.items()
        )
    return (
        Component(
            "etcd",
            "storage",
            binary(
                "etcd",
                "--name=lab",
                f"--data-dir={facts.folder / 'etcd' / 'data'}",
                f"--listen-client-urls={etcd}",
                f"--advertise-client-urls={etcd}",
                f"--listen-peer-urls={etcd_peer}",
                f"--initial-advertise-peer-urls={etcd_peer}",
                f"--initial-cluster=lab={etcd_peer}",
                # Who reaches etcd is the administrator of the cluster: clients and peers have to show a certificate.
                "--client-cert-auth",
                f"--trusted-ca-file={own.etcd.authority}",
                f"--cert-file={own.etcd.certificate}",
                f"--key-file={own.etcd.key}",
                "--peer-client-cert-auth",
                f"--peer-trusted-ca-file={own.etcd.authority}",
                f"--peer-cert-file={own.etcd.certificate}",
                f"--peer-key-file={own.etcd.key}",
                "--auto-compaction-mode=periodic",
                "--auto-compaction-retention=10m",
                "--quota-backend-bytes=4294967296",
                "--unsafe-no-fsync",
                "--log-level=warn",
            ),
        ),
        Component("registry", "storage", binary("registry", "serve", str(facts.folder / "registry.yaml"))),
        Component(
            "kube-apiserver",
            "api",
            binary(
                "kube-apiserver",
                f"--etcd-servers={etcd}",
                f"--etcd-cafile={own.etcd_client.authority}",
                f"--etcd-certfile={own.etcd_client.certificate}",
                f"--etcd-keyfile={own.etcd_client.key}",
                "--bind-address=127.0.0.1",
                "--advertise-address=127.0.0.1",
                # A loopback address is accepted for advertising only when nothing writes it into Endpoints.
                "--endpoint-reconciler-type=none",
                f"--secure-port={ports.api}",
                f"--tls-cert-file={own.api_cert}",
                f"--tls-private-key-file={own.api_key}",
                "--service-cluster-ip-range=10.96.0.0/16",
                "--authorization-mode=RBAC",
                "--anonymous-auth=false",
                f"--token-auth-file={own.tokens}",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={own.service_account_key}",
                f"--service-account-signing-key-file={own.service_account_key}",
                f"--audit-policy-file={facts.folder / 'audit-policy.yaml'}",
                f"--audit-log-path={facts.audit_log}",
                "--audit-log-maxsize=500",
                "--audit-log-maxbackup=1",
                "--kubelet-preferred-address-types=InternalIP",
                f"--kubelet-certificate-authority={facts.ca_cert}",
                f"--kubelet-client-certificate={own.kubelet_client.certificate}",
                f"--kubelet-client-key={own.kubelet_client.key}",
                "--allow-privileged",
                "--profiling=false",
            ),
        ),
        Component(
            "fault-proxy",
            "api",
            binary(
                "fault-proxy",
                f"--api={facts.api_url}",
                f"--ca={facts.ca_cert}",
                f"--tls-cert={own.api_cert}",
                f"--tls-key={own.api_key}",
                f"--token-file={facts.admin_token_file}",
                f"--port={ports.faults}",
                f"--control-port={ports.fault_control}",
            ),
        ),
        Component(
            "kube-controller-manager",
            "kubernetes",
            binary(
                "kube-controller-manager",
                f"--kubeconfig={kubeconfigs.controller_manager}",
                _NO_PORT,
                "--leader-elect=false",
                f"--service-account-private-key-file={own.service_account_key}",
                f"--root-ca-file={facts.ca_cert}",
                "--use-service-account-credentials=true",
                *client_rate,
                # KWOK renews leases late on a busy machine; a node must not become Unknown for that.
                "--node-monitor-grace-period=10m",
                "--controllers=*," + ",".join(f"-{name}" for name in _CONTROLLERS_OFF),
            ),
        ),
        Component(
            "kube-scheduler",
            "kubernetes",
            binary(
                "kube-scheduler",
                f"--kubeconfig={kubeconfigs.scheduler}",
                _NO_PORT,
                "--leader-elect=false",
                *client_rate,
            ),
        ),
        Component(
            "machine-config-controller",
            "openshift",
            # It exits without giving its lease back when the feature gates change, and would then wait for two minutes.
            after_removing_leases(
                kubeconfigs.admin,
                f"{OPERATOR_NAMESPACE}/machine-config-controller",
                binary(
                    "machine-config-controller",
                    "start",
                    f"--kubeconfig={kubeconfigs.machine_config_controller}",
                    f"--resourcelock-namespace={OPERATOR_NAMESPACE}",
                    f"--templates={manifests / 'templates'}",
                    f"--payload-version={facts.release}",
                    # It cannot be told to serve no metrics, and goes on after an address that is none.
                    "--metrics-listen-address=none",
                    "--v=2",
                ),
            ),
            {"RELEASE_VERSION": facts.release},
        ),
        *operator_parts,
        Component(
            "kwok",
            "openshift",
            # A new KWOK waits until the leases of the one before have run out.
            after_removing_leases(
                kubeconfigs.admin,
                "kube-node-lease/",
                binary("kwok", f"--kubeconfig={kubeconfigs.kwok}", f"--config={facts.folder / 'kwok.yaml'}"),
            ),
        ),
        Component(
            "kubelet-front",
            "openshift",
            binary(
                "kubelet-front",
                "--kubeconfig",
                str(kubeconfigs.kubelet_front),
                "--nodes-dir",
                str(facts.nodes_dir),
                "--port",
                str(facts.kubelet_port),
                "--tls-cert",
                str(facts.kubelet_cert),
                "--tls-key",
                str(facts.kubelet_key),
                "--client-ca",
                str(own.kubelet_client.authority),
            ),
        ),
        Component("build-runner", "openshift", python("lab.build_runner", str(facts.folder))),
        Component("node-daemon", "openshift", python(_NODE_DAEMONS[facts.api], str(facts.folder))),
        Component("base-image", TASKS, python("lab.push_base_image", str(facts.folder))),
    )


def environment(facts: Facts) -> dict[str, str]:
    """What every component's environment is made of: nothing of the user's but where Python finds its modules."""
    variables = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(facts.folder / "home"),
        "TMPDIR": str(facts.folder / "tmp"),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
    }
    if "PYTHONPATH" in os.environ:
        variables["PYTHONPATH"] = os.environ["PYTHONPATH"]
    return variables


def write_configuration(facts: Facts, stages: list[dict[str, Any]]) -> None:
    """Write the configuration files the components read; ``stages`` are KWOK's own, as shipped."""
    _write_yaml(facts.folder / "audit-policy.yaml", _audit_policy())
    _write_yaml(facts.folder / "registry.yaml", _registry(facts))
    _write_yaml(facts.folder / "kwok.yaml", _kwok(), *(_stage(stage, facts.kubelet_port) for stage in stages))
    (facts.folder / "registries.conf").write_text(
        f'[[registry]]\nlocation = "{facts.registry_host}"\n', encoding="utf-8"
    )


def _audit_policy() -> dict[str, Any]:
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "None", "nonResourceURLs": ["/readyz*", "/healthz*", "/livez*", "/openapi*"]},
            {"level": "Metadata"},
        ],
    }


def _registry(facts: Facts) -> dict[str, Any]:
    own = Secrets.of(facts.folder)
    return {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {
            "filesystem": {"rootdirectory": str(facts.folder / "registry")},
            "delete": {"enabled": True},
            "maintenance": {"uploadpurging": {"enabled": False}},
        },
        # With TLS nobody who takes the port while the registry is away is sent a password.
        "http": {
            "addr": facts.registry_address,
            "tls": {"certificate": str(own.registry_cert), "key": str(own.registry_key)},
        },
        "auth": {"htpasswd": {"realm": "lab", "path": str(own.htpasswd)}},
    }


def _kwok() -> dict[str, Any]:
    # Without an address and a node port it serves nothing: metrics and health without authentication, where it does.
    return {
        "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
        "kind": "KwokConfiguration",
        "options": {
            "cidr": "10.128.0.0/14",
            "nodeIP": "127.0.0.1",
            "manageAllNodes": True,
            "nodeLeaseDurationSeconds": 200,
            # A configuration file takes the defaults away, and 0 is refused.
            "podPlayStageParallelism": 16,
            "nodePlayStageParallelism": 16,
            "nodeLeaseParallelism": 16,
            "podsOnNodeSyncParallelism": 16,
        },
    }


def _stage(shipped: dict[str, Any], kubelet_port: int) -> dict[str, Any]:
    """The stage as the lab needs it: with the kubelet's port, and without nodes that reboot."""
    stage = _node_initialize(shipped) if shipped["metadata"]["name"] == "node-initialize" else shipped
    following = stage["spec"].get("next", {})
    if "statusTemplate" not in following:
        return stage
    # As shipped the port is the option nodePort, at which KWOK would serve itself.
    template = following["statusTemplate"].replace(_WITH_NODE_PORT, f"{{{{ with {kubelet_port} }}}}")
    return {**stage, "spec": {**stage["spec"], "next": {**following, "statusTemplate": template}}}


def _node_initialize(shipped: dict[str, Any]) -> dict[str, Any]:
    selector = shipped["spec"]["selector"]["matchExpressions"]
    held = {"key": f'.metadata.annotations["{REBOOTING_ANNOTATION}"]', "operator": "DoesNotExist"}
    template = shipped["spec"]["next"]["statusTemplate"]
    # As shipped the addresses are left out at the second run, and the node then loses them.
    before, found_start, rest = template.partition("{{ $hasInternalIP := false }}")
    # As shipped a node that is Ready again claims to have been so since it was created.
    before, found_times, conditions = before.partition(_SINCE_CREATION)
    _, found_end, after = rest.partition(_WITH_NODE_PORT)
    if not (found_start and found_end and found_times):
        raise LabError("Could not adapt KWOK stage node-initialize: its template has changed. Adapt lab.components.")
    addresses = (
        "addresses:\n"
        "- address: {{ NodeIP | Quote }}\n"
        "  type: InternalIP\n"
        "- address: {{ .metadata.name | Quote }}\n"
        "  type: Hostname\n\n"
    )
    return {
        **shipped,
        "spec": {
            **shipped["spec"],
            "selector": {"matchExpressions": [*selector, held]},
            "next": {"statusTemplate": before + _SINCE_NOW + conditions + addresses + found_end + after},
        },
    }


def _write_yaml(path: Path, *documents: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump_all(documents, sort_keys=False), encoding="utf-8")
