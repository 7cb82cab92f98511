# SPDX-License-Identifier: GPL-3.0-or-later
"""What is fixed about one lab for as long as it runs, as its folder's ``lab.json`` says it.

Everything that runs in or against a lab reads its addresses and files here, and nowhere else.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

FACTS_FILE = "lab.json"
REGISTRY_SERVICE = "image-registry.openshift-image-registry.svc"
"""The name of OpenShift's internal registry; the lab's processes find the lab's registry by it."""


@dataclass(frozen=True)
class Ports:
    """The loopback ports of one lab."""

    etcd_client: int
    etcd_peer: int
    api: int
    kubelet: int
    registry: int
    faults: int
    fault_control: int


@dataclass(frozen=True)
class Kubeconfigs:
    """One kubeconfig an identity. ``nobody`` is authenticated and may do nothing; the lab's own parts may do all."""

    admin: Path
    nobody: Path
    controller_manager: Path
    scheduler: Path
    machine_config_controller: Path
    machine_os_builder: Path
    machine_config_operator: Path
    kwok: Path
    kubelet_front: Path
    build_runner: Path
    node_daemon: Path


@dataclass(frozen=True)
class RegistryFiles:
    """A file for the registry's user ``pusher`` (may push) and one for ``puller``."""

    pusher: Path
    puller: Path


@dataclass(frozen=True)
class Facts:
    """Addresses, files and names of one lab.

    ``base_image`` is the pull spec by digest of the operating system image every node starts with. It is empty until
    the image was pushed; ``base_image_tag`` is the name and tag it is pushed to. ``ready`` tells whether ``lab up``
    came to its end; whether the lab still runs is asked of its keeper, not read here.
    ``kubeconfig_through_faults`` is the administrator's, by way of the fault proxy. ``api`` is the version of
    MachineOSConfig and MachineOSBuild: ``v1``, or ``v1alpha1`` as in OpenShift 4.16. ``registry_host`` is the name of
    the registry in the cluster, as image names contain it; outside of the lab's processes it listens at
    ``registry_address``.
    """

    name: str
    folder: Path
    release: str
    api: str
    ready: bool
    api_url: str
    ca_cert: Path
    admin_token_file: Path
    audit_log: Path
    kubeconfigs: Kubeconfigs
    kubeconfig_through_faults: Path
    registry_host: str
    registry_password_files: RegistryFiles
    registry_auth_files: RegistryFiles
    base_image: str
    base_image_tag: str
    nodes_dir: Path
    kubelet_cert: Path
    kubelet_key: Path
    binaries: Path
    ports: Ports

    @property
    def through_faults_url(self) -> str:
        """The address at which the fault proxy serves the API."""
        return f"https://127.0.0.1:{self.ports.faults}"

    @property
    def kubelet_port(self) -> int:
        """The port at which the API server asks for exec and logs."""
        return self.ports.kubelet

    @property
    def registry_address(self) -> str:
        """The address and port at which the registry listens."""
        return f"127.0.0.1:{self.ports.registry}"

    @property
    def logs(self) -> Path:
        """The folder that holds one ``<component>.log`` each."""
        return self.folder / "logs"

    @classmethod
    def load(cls, folder: Path | str) -> Facts:
        """Read the facts of the lab in ``folder``.

        Raises FileNotFoundError where there is no lab, ValueError for a file that another version wrote.
        """
        path = Path(folder) / FACTS_FILE
        return cls.of(json.loads(path.read_text(encoding="utf-8")))

    @classmethod
    def of(cls, document: dict[str, Any]) -> Facts:
        """Make facts from the parsed content of a ``lab.json``."""
        known = {field.name for field in fields(cls)}
        missing = sorted(known - set(document))
        if missing:
            raise ValueError(f"Could not read the lab's facts: no {', '.join(missing)}. Start the lab again.")
        values = {key: value for key, value in document.items() if key in known}
        for key in ("folder", "ca_cert", "admin_token_file", "audit_log", "nodes_dir", "binaries"):
            values[key] = Path(values[key])
        for key in ("kubelet_cert", "kubelet_key", "kubeconfig_through_faults"):
            values[key] = Path(values[key])
        values["kubeconfigs"] = Kubeconfigs(**{key: Path(path) for key, path in values["kubeconfigs"].items()})
        for key in ("registry_password_files", "registry_auth_files"):
            values[key] = RegistryFiles(**{user: Path(path) for user, path in values[key].items()})
        values["ports"] = _ports(values["ports"])
        return cls(**values)

    def document(self) -> dict[str, Any]:
        """The facts as plain data, ready for JSON."""
        return {key: _plain(value) for key, value in asdict(self).items()}

    def save(self) -> None:
        """Write ``lab.json``, so that a reader never sees half of it."""
        path = self.folder / FACTS_FILE
        unfinished = path.with_suffix(".tmp")
        unfinished.write_text(json.dumps(self.document(), indent=2) + "\n", encoding="utf-8")
        os.replace(unfinished, path)

    def with_base_image(self, pull_spec: str) -> Facts:
        """These facts, with the base image pushed."""
        return replace(self, base_image=pull_spec)

    def with_ready(self, ready: bool) -> Facts:
        """These facts, with the lab up, or no longer."""
        return replace(self, ready=ready)


def _ports(document: dict[str, int]) -> Ports:
    wanted = [field.name for field in fields(Ports)]
    missing = [name for name in wanted if name not in document]
    if missing:
        raise ValueError(f"Could not read the lab's facts: no port for {', '.join(missing)}. Start the lab again.")
    return Ports(**{name: document[name] for name in wanted})


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value
