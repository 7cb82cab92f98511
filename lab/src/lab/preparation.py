# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab's folder before anything runs in it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from lab import credentials
from lab.build import Build
from lab.components import components, write_configuration
from lab.errors import LabError
from lab.facts import REGISTRY_SERVICE, Facts
from lab.keeper import LOCK_FILE
from lab.ports import choose_ports
from lab.release import V1ALPHA1, Release
from lab.supervision import SOCKETS_FOLDER, write_supervisor_configuration


def prepare(folder: Path, build: Build, release: Release) -> Facts:
    """Empty the folder of a lab that does not run, and fill it with new credentials, ports and configuration."""
    _clear(folder)
    ports = choose_ports()
    # The rules of v1alpha1 allow a port only after a name as the internal registry's.
    registry_name = REGISTRY_SERVICE if release.api == V1ALPHA1 else "127.0.0.1"
    registry_host = f"{registry_name}:{ports.registry}"
    facts = Facts(
        name=folder.name,
        folder=folder,
        release=release.version,
        api=release.api,
        ready=False,
        api_url=f"https://127.0.0.1:{ports.api}",
        ca_cert=folder / "ca.crt",
        admin_token_file=folder / "admin-token",
        audit_log=folder / "audit.log",
        kubeconfigs=credentials.kubeconfig_paths(folder),
        kubeconfig_through_faults=folder / "kubeconfig-through-faults",
        registry_host=registry_host,
        registry_password_files=credentials.registry_password_paths(folder),
        registry_auth_files=credentials.registry_auth_paths(folder),
        base_image="",
        base_image_tag=f"{registry_host}/lab/rhel-coreos:{release.version}",
        nodes_dir=folder / "nodes",
        kubelet_cert=folder / "kubelet.crt",
        kubelet_key=folder / "kubelet.key",
        binaries=build.binaries,
        ports=ports,
    )
    for name in ("logs", "nodes", "tmp", "home", "registry", SOCKETS_FOLDER):
        (folder / name).mkdir()
    credentials.write_credentials(facts)
    write_configuration(facts, json.loads((build.manifests / "stages.json").read_text(encoding="utf-8")))
    write_supervisor_configuration(facts, components(facts, build.manifests))
    (folder / LOCK_FILE).touch(mode=0o600)
    facts.save()
    return facts


def _clear(folder: Path) -> None:
    # What is in it is for its owner only, whatever the mode of a file is.
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
        raise LabError(
            f"Could not use folder {folder}: it is a link or belongs to another user. "
            "Remove it, or set LAB_CACHE to a folder in which only you can write."
        )
    folder.chmod(0o700)
    # The lock files stay: somebody may wait for them.
    for path in folder.iterdir():
        if path.suffix == ".lock":
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
