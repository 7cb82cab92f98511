# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything secret of one lab: certificates, tokens, kubeconfigs, the registry's users. New for each start."""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

import bcrypt
import trustme
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from lab.build import OPERATOR_NAMESPACE
from lab.facts import REGISTRY_SERVICE, Facts, Kubeconfigs, RegistryFiles

_MASTERS = "system:masters"


@dataclass(frozen=True)
class Identity:
    """Who presents a token: the user name the audit log shows, and its groups."""

    user: str
    groups: tuple[str, ...] = ()


def _service_account(name: str) -> Identity:
    # The operator's parts carry the names of their service accounts, so that the shipped role bindings hold as shipped.
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{OPERATOR_NAMESPACE}")
    return Identity(f"system:serviceaccount:{OPERATOR_NAMESPACE}:{name}", groups)


IDENTITIES: dict[str, Identity] = {
    "admin": Identity("admin", (_MASTERS,)),
    "nobody": Identity("nobody"),
    "controller_manager": Identity("system:kube-controller-manager"),
    "scheduler": Identity("system:kube-scheduler"),
    "machine_config_controller": _service_account("machine-config-controller"),
    "machine_os_builder": _service_account("machine-os-builder"),
    "machine_config_operator": Identity(
        f"system:serviceaccount:{OPERATOR_NAMESPACE}:machine-config-operator", (_MASTERS,)
    ),
    "kwok": Identity("lab:kwok", (_MASTERS,)),
    "kubelet_front": Identity("lab:kubelet-front", (_MASTERS,)),
    "build_runner": Identity("lab:build-runner", (_MASTERS,)),
    "node_daemon": Identity("lab:node-daemon", (_MASTERS,)),
}


@dataclass(frozen=True)
class KeyPair:
    """A certificate, its key, and the certificate of the authority that signed it."""

    certificate: Path
    key: Path
    authority: Path

    @classmethod
    def at(cls, path: Path) -> KeyPair:
        """The three files that begin with ``path``."""
        return cls(*(path.with_name(f"{path.name}{suffix}") for suffix in (".crt", ".key", "-ca.crt")))


@dataclass(frozen=True)
class Secrets:
    """The files only the lab's own components read."""

    folder: Path

    @property
    def api_cert(self) -> Path:
        return self.folder / "api.crt"

    @property
    def api_key(self) -> Path:
        return self.folder / "api.key"

    @property
    def etcd(self) -> KeyPair:
        """What etcd shows its clients and peers."""
        return KeyPair.at(self.folder / "etcd")

    @property
    def etcd_client(self) -> KeyPair:
        """What a client shows etcd. No certificate of another authority opens it."""
        return KeyPair.at(self.folder / "etcd-client")

    @property
    def kubelet_client(self) -> KeyPair:
        """What the API server shows the kubelet front."""
        return KeyPair.at(self.folder / "kubelet-client")

    @property
    def registry_cert(self) -> Path:
        return self.folder / "registry.crt"

    @property
    def registry_key(self) -> Path:
        return self.folder / "registry.key"

    @property
    def service_account_key(self) -> Path:
        return self.folder / "service-account.key"

    @property
    def tokens(self) -> Path:
        return self.folder / "tokens.csv"

    @property
    def htpasswd(self) -> Path:
        return self.folder / "htpasswd"

    @property
    def supervisor_password(self) -> Path:
        return self.folder / "supervisor-password"

    @classmethod
    def of(cls, folder: Path) -> Secrets:
        """The secrets of the lab in ``folder``."""
        return cls(folder / "secrets")


def kubeconfig_paths(folder: Path) -> Kubeconfigs:
    """Where the kubeconfigs of a lab lie; the administrator's is plainly ``kubeconfig``."""
    suffixes = {name: "" if name == "admin" else f"-{name.replace('_', '-')}" for name in IDENTITIES}
    return Kubeconfigs(**{name: folder / f"kubeconfig{suffix}" for name, suffix in suffixes.items()})


def registry_password_paths(folder: Path) -> RegistryFiles:
    """Where the passwords of the registry's users lie."""
    return RegistryFiles(pusher=folder / "registry-password-pusher", puller=folder / "registry-password-puller")


def registry_auth_paths(folder: Path) -> RegistryFiles:
    """Where the registry's credentials lie in the form of a dockerconfigjson."""
    return RegistryFiles(pusher=folder / "registry-auth-pusher.json", puller=folder / "registry-auth-puller.json")


def write_credentials(facts: Facts) -> None:
    """Make all credentials of a lab and write them into its folder, readable by their owner only."""
    own = Secrets.of(facts.folder)
    own.folder.mkdir(mode=0o700)
    _write_certificates(facts, own)
    _write_tokens(facts, own)
    _write_registry_users(facts, own)
    write_private(own.supervisor_password, secrets.token_urlsafe(24))


def write_private(path: Path, content: str | bytes) -> None:
    """Write a file of mode 0600."""
    data = content.encode() if isinstance(content, str) else content
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)


def _write_certificates(facts: Facts, own: Secrets) -> None:
    authority = trustme.CA(organization_name="image mode lab")
    authority.cert_pem.write_to_path(facts.ca_cert)
    api = authority.issue_cert(
        "127.0.0.1", "localhost", "10.96.0.1", "kubernetes", "kubernetes.default", "kubernetes.default.svc"
    )
    write_private(own.api_cert, b"".join(blob.bytes() for blob in api.cert_chain_pems))
    write_private(own.api_key, api.private_key_pem.bytes())
    kubelet = authority.issue_cert("127.0.0.1", "localhost")
    write_private(facts.kubelet_cert, b"".join(blob.bytes() for blob in kubelet.cert_chain_pems))
    write_private(facts.kubelet_key, kubelet.private_key_pem.bytes())
    registry = authority.issue_cert("127.0.0.1", "localhost", REGISTRY_SERVICE)
    write_private(own.registry_cert, b"".join(blob.bytes() for blob in registry.cert_chain_pems))
    write_private(own.registry_key, registry.private_key_pem.bytes())
    # Authorities of their own: who may serve the API must not be let into etcd or into the nodes for it.
    _write_key_pairs(own.etcd, own.etcd_client)
    _write_key_pairs(own.kubelet_client)
    signing = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    write_private(
        own.service_account_key,
        signing.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        ),
    )


def _write_key_pairs(*pairs: KeyPair) -> None:
    """Make one authority and what it signs for 127.0.0.1. Its own key is kept nowhere."""
    authority = trustme.CA(organization_name="image mode lab")
    for pair in pairs:
        issued = authority.issue_cert("127.0.0.1", "localhost")
        write_private(pair.certificate, b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        write_private(pair.key, issued.private_key_pem.bytes())
        write_private(pair.authority, authority.cert_pem.bytes())


def _write_tokens(facts: Facts, own: Secrets) -> None:
    authority = base64.b64encode(facts.ca_cert.read_bytes()).decode()
    paths: dict[str, Path] = asdict(facts.kubeconfigs)
    lines = []
    for name, identity in IDENTITIES.items():
        token = secrets.token_urlsafe(32)
        groups = f',"{",".join(identity.groups)}"' if identity.groups else ""
        lines.append(f"{token},{identity.user},{name}{groups}\n")
        write_private(paths[name], _kubeconfig(facts, facts.api_url, identity.user, token, authority))
        if name == "admin":
            write_private(facts.admin_token_file, token)
            through_faults = _kubeconfig(facts, facts.through_faults_url, identity.user, token, authority)
            write_private(facts.kubeconfig_through_faults, through_faults)
    write_private(own.tokens, "".join(lines))


def _kubeconfig(facts: Facts, server: str, user: str, token: str, authority: str) -> str:
    context = f"lab-{facts.name}"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": context, "cluster": {"server": server, "certificate-authority-data": authority}},
        ],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": user, "namespace": "default"}}],
        "current-context": context,
    }
    return yaml.safe_dump(document, sort_keys=False)


def _write_registry_users(facts: Facts, own: Secrets) -> None:
    lines = []
    passwords: dict[str, Path] = asdict(facts.registry_password_files)
    auths: dict[str, Path] = asdict(facts.registry_auth_files)
    for user in ("pusher", "puller"):
        password = secrets.token_urlsafe(18)
        # The registry checks the password at every request: the cheapest cost that bcrypt allows.
        lines.append(f"{user}:{bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()}\n")
        write_private(passwords[user], password)
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        write_private(auths[user], json.dumps({"auths": {facts.registry_host: {"auth": token}}}))
    write_private(own.htpasswd, "".join(lines))
