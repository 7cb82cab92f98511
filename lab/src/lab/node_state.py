# SPDX-License-Identifier: GPL-3.0-or-later
"""The answers of nodes about the operating system that they booted, and how tests change them.

A node is a folder under the lab's ``nodes``. Two writers share it and never write the same file:

``host.json``      the node daemon's: what the node really booted, has staged and could roll back to
``pretence.json``  a test's: what the node claims to have booted or staged instead
``exec-mode``      a test's: one of ExecMode (absent: ok)
``exec-delay``     a test's, optional: seconds an answer takes
``refuses``        a test's, optional: why the node's daemon refuses every update
``stays-down``     a test's: there for as long as the node is not to come back from a reboot
``down``           the node daemon's: there while the node reboots; its kubelet does not answer then
``status.json``    made of the first two: what ``rpm-ostree status --json`` prints on the node
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from lab.errors import LabError
from lab.node_root import NodeRoot
from lab.oci_registry import FetchedImage, ImageName

OS_NAME = "rhcos"
_REFERENCE_PREFIX = "ostree-unverified-registry:"


class UnknownNode(LabError):
    """The lab has no node of that name."""


class ExecMode(str, Enum):
    """The way a node responds to a command."""

    OK = "ok"
    FAIL = "fail"
    HANG = "hang"
    NOISE = "noise"
    """The correct answer, with warnings on the other stream."""
    CUT = "cut"
    """Half of the answer, with a successful exit status."""
    LOST = "lost"
    """The whole answer, without an exit status."""


class LabFolders(Protocol):
    """The facts of a lab that this module needs."""

    @property
    def nodes_dir(self) -> Path:
        """The folder with one folder for each node."""
        ...


@dataclass(frozen=True)
class Deployment:
    """One bootable operating system on a node. ``timestamp`` is in unix seconds."""

    image: str
    digest: str
    version: str | None
    timestamp: int
    checksum: str
    serial: int = 0
    manifest: str | None = None
    config: str | None = None

    @classmethod
    def of(cls, node: str, image: FetchedImage) -> Deployment:
        """The deployment that importing ``image`` makes on ``node``."""
        # The commit holds what the importing node adds: two nodes have two checksums for one image.
        checksum = hashlib.sha256(f"{node} {image.digest}".encode()).hexdigest()
        return cls(
            image=str(image.name),
            digest=image.digest,
            version=image.version,
            timestamp=_unix_seconds(image.created),
            checksum=checksum,
            manifest=image.manifest,
            config=image.config,
        )

    def claiming(self, digest: str) -> Deployment:
        """This deployment as if it came from the image ``digest`` of the same repository."""
        image = ImageName.parse(self.image).with_digest(digest)
        checksum = hashlib.sha256(f"{self.checksum} {digest}".encode()).hexdigest()
        return replace(self, image=str(image), digest=digest, checksum=checksum, manifest=None, config=None)

    def status(self, booted: bool, staged: bool) -> dict[str, Any]:
        """This deployment as ``rpm-ostree status --json`` lists it."""
        commit_meta = {"ostree.manifest-digest": self.digest}
        if self.manifest is not None and self.config is not None:
            commit_meta["ostree.manifest"] = self.manifest
            commit_meta["ostree.container.image-config"] = self.config
        described: dict[str, Any] = {
            "id": f"{OS_NAME}-{self.checksum}.{self.serial}",
            "osname": OS_NAME,
            "checksum": self.checksum,
            "serial": self.serial,
            "unlocked": "none",
            "timestamp": self.timestamp,
            "booted": booted,
            "staged": staged,
            "pinned": False,
            "container-image-reference": _REFERENCE_PREFIX + self.image,
            "container-image-reference-digest": self.digest,
            "base-commit-meta": commit_meta,
            "requested-packages": [],
            "requested-local-packages": [],
            "requested-local-fileoverride-packages": [],
            "requested-base-removals": [],
            "requested-base-local-replacements": [],
            "packages": [],
            "base-removals": [],
            "base-local-replacements": [],
            "base-remote-replacements": {},
            "regenerate-initramfs": False,
        }
        if self.version is not None:
            described["version"] = self.version
        return described


@dataclass(frozen=True)
class Host:
    """The deployments of one node, and the boot and rendered MachineConfig it is in.

    ``node_uid`` tells a node from one of the same name before it. ``next_config`` is the MachineConfig written for the
    next boot. ``transaction`` names what rpm-ostree is doing.
    """

    node_uid: str
    booted: Deployment
    boot_id: str
    config: str
    next_config: str | None = None
    staged: Deployment | None = None
    rollback: Deployment | None = None
    transaction: str | None = None

    def during(self, transaction: str) -> Host:
        """This host while rpm-ostree is busy."""
        return replace(self, transaction=transaction)

    def idle(self) -> Host:
        """This host with rpm-ostree doing nothing."""
        return replace(self, transaction=None)

    def staging(self, deployment: Deployment) -> Host:
        """This host with another deployment to boot next."""
        # rpm-ostree counts up when the same commit is deployed a second time.
        serial = self.booted.serial + 1 if deployment.checksum == self.booted.checksum else 0
        return replace(self, staged=replace(deployment, serial=serial), transaction=None)

    def configured(self, config: str) -> Host:
        """This host with another rendered MachineConfig written for its next boot."""
        return replace(self, next_config=config)

    def reconfigured(self, config: str) -> Host:
        """This host with another rendered MachineConfig applied without a reboot."""
        return replace(self, config=config, next_config=None)

    def rebooted(self, boot_id: str) -> Host:
        """This host after a reboot: what was staged is booted, what was booted can be rolled back to."""
        config = self.next_config or self.config
        if self.staged is None:
            return replace(self, boot_id=boot_id, config=config, next_config=None, transaction=None)
        return Host(self.node_uid, booted=self.staged, boot_id=boot_id, config=config, rollback=self.booted)

    def cleaned(self) -> Host:
        """This host without its rollback, which the machine-config-daemon removes when it starts."""
        return replace(self, rollback=None)

    def status(self, claimed_digest: str | None = None, staged_digest: str | None = None) -> dict[str, Any]:
        """The answer to ``rpm-ostree status --json``: what boots next is listed first.

        :param claimed_digest: the digest a test wants this node to have booted, whatever it did boot
        :param staged_digest: the digest a test wants this node to boot next, whatever it will
        """
        booted = self.booted.claiming(claimed_digest) if claimed_digest else self.booted
        staged = self.booted.claiming(staged_digest) if staged_digest else self.staged
        listed = [staged.status(booted=False, staged=True)] if staged else []
        listed.append(booted.status(booted=True, staged=False))
        if self.rollback:
            listed.append(self.rollback.status(booted=False, staged=False))
        transaction = [self.transaction, ":1.28", "/org/projectatomic/rpmostree1/rhcos"] if self.transaction else None
        return {"deployments": listed, "transaction": transaction, "cached-update": None, "update-driver": None}

    @classmethod
    def of(cls, document: dict[str, Any]) -> Host:
        """Read what ``document()`` made."""
        return cls(
            node_uid=document["node_uid"],
            booted=Deployment(**document["booted"]),
            boot_id=document["boot_id"],
            config=document["config"],
            next_config=document.get("next_config"),
            staged=Deployment(**document["staged"]) if document.get("staged") else None,
            rollback=Deployment(**document["rollback"]) if document.get("rollback") else None,
            transaction=document.get("transaction"),
        )

    def document(self) -> dict[str, Any]:
        """This host as plain data, ready for JSON."""
        return asdict(self)


class NodeFolder:
    """The files of one node."""

    def __init__(self, nodes_dir: Path, node: str) -> None:
        self.node = node
        self.path = nodes_dir / node
        self.root = NodeRoot(self.path)

    @property
    def host(self) -> Host | None:
        """The last state that the node daemon wrote, or None for an unknown node."""
        document = _read(self.path / "host.json")
        return Host.of(document) if document else None

    def write_host(self, host: Host) -> None:
        """Keep what the node has booted and staged; makes the folder of a new node."""
        self.path.mkdir(parents=True, exist_ok=True)
        with self._locked():
            _write(self.path / "host.json", host.document())
            self._write_status(host)

    def claim(self, booted: str | None = None, staged: str | None = None) -> None:
        """Let the node answer as if it had booted or staged these digests; without them, answer with the real ones."""
        with self._locked():
            host = self._known_host()
            # Refuse a digest that is none before anything is kept of it.
            host.status(booted, staged)
            claims = {"booted_digest": booted, "staged_digest": staged}
            kept = {**(_read(self.path / "pretence.json") or {}), **{k: v for k, v in claims.items() if v}}
            if booted or staged:
                _write(self.path / "pretence.json", kept)
            else:
                (self.path / "pretence.json").unlink(missing_ok=True)
            self._write_status(host)

    def answer(self, mode: ExecMode) -> None:
        """Set how the node answers commands."""
        with self._locked():
            self._known_host()
            if mode is ExecMode.OK:
                (self.path / "exec-mode").unlink(missing_ok=True)
            else:
                _replace(self.path / "exec-mode", mode.value + "\n")

    def set_down(self, down: bool) -> None:
        """Mark the node as rebooting: its kubelet does not respond."""
        if down:
            _replace(self.path / "down", "")
        else:
            (self.path / "down").unlink(missing_ok=True)

    def refuse_updates(self, reason: str) -> None:
        """Let the daemon of the node reject every update for this reason; without a reason, let it work again."""
        if reason:
            self._known_host()
            _replace(self.path / "refuses", reason)
        else:
            (self.path / "refuses").unlink(missing_ok=True)

    @property
    def refusal(self) -> str:
        """The reason why the daemon rejects every update, or an empty string."""
        try:
            return (self.path / "refuses").read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""

    def hold_boot(self, held: bool) -> None:
        """Keep the node from coming back after its next reboot, or let it."""
        if held:
            self._known_host()
            _replace(self.path / "stays-down", "")
        else:
            (self.path / "stays-down").unlink(missing_ok=True)

    @property
    def boot_is_held(self) -> bool:
        """Whether the node stays away after a reboot."""
        return (self.path / "stays-down").exists()

    def remove(self) -> None:
        """Delete the files of a node that left the cluster."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _write_status(self, host: Host) -> None:
        pretence = _read(self.path / "pretence.json") or {}
        status = host.status(pretence.get("booted_digest"), pretence.get("staged_digest"))
        _write(self.path / "status.json", status)
        self.root.tell(json.dumps(status), host.boot_id)

    def _known_host(self) -> Host:
        host = self.host
        if host is None:
            raise UnknownNode(self.node)
        return host

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            lock = open(self.path / "lock", "a", encoding="utf-8")  # noqa: SIM115 - held by the with below
        except FileNotFoundError:
            raise UnknownNode(self.node) from None
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def boots(facts: LabFolders, node: str, digest: str) -> None:
    """Make ``node`` answer as if it had booted the image ``digest`` of its present repository, until it is reset.

    Its annotations stay as they are. Raises UnknownNode, and LabError for a digest that is none.
    """
    _claim(facts, node, booted=digest)


def stages(facts: LabFolders, node: str, digest: str) -> None:
    """Make ``node`` answer as if the image ``digest`` of its present repository waited for a boot, until it is reset.

    Raises UnknownNode, and LabError for a digest that is none.
    """
    _claim(facts, node, staged=digest)


def _claim(facts: LabFolders, node: str, **digests: str) -> None:
    try:
        _known(facts, node).claim(**digests)
    except ValueError as error:
        raise LabError(f"Could not script Node {node}: {error}. Give a digest as the registry prints it.") from None


def exec_mode(facts: LabFolders, node: str, mode: str) -> None:
    """Make commands on ``node`` work, fail, hang or end as ExecMode says.

    Raises UnknownNode, and LabError for another mode.
    """
    modes = [known.value for known in ExecMode]
    if mode not in modes:
        raise LabError(f"Could not script Node {node}: no mode {mode!r}. Use one of: {', '.join(modes)}.")
    _known(facts, node).answer(ExecMode(mode))


def reset(facts: LabFolders, node: str) -> None:
    """Let ``node`` answer with the image that it booted. Raises UnknownNode."""
    folder = _known(facts, node)
    folder.answer(ExecMode.OK)
    folder.claim()
    (folder.path / "exec-delay").unlink(missing_ok=True)


def node_names(facts: LabFolders) -> list[str]:
    """The nodes of the lab, sorted."""
    return sorted(path.parent.name for path in facts.nodes_dir.glob("*/host.json"))


def _known(facts: LabFolders, node: str) -> NodeFolder:
    names = node_names(facts)
    if node not in names:
        raise UnknownNode(
            f"Could not script Node {node}: the lab has no such node. Name one of: {', '.join(names) or 'none yet'}."
        )
    return NodeFolder(facts.nodes_dir, node)


def _unix_seconds(moment: str | None) -> int:
    if not moment:
        return 0
    # Go prints nanoseconds and Z, which older Pythons do not read; whole seconds are all that is kept.
    whole = re.sub(r"\.\d+", "", moment).replace("Z", "+00:00")
    return int(datetime.fromisoformat(whole).timestamp())


def _read(path: Path) -> dict[str, Any] | None:
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return document


def _write(path: Path, document: dict[str, Any]) -> None:
    _replace(path, json.dumps(document, indent=2) + "\n")


def _replace(path: Path, text: str) -> None:
    """Write a file atomically."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(text, encoding="utf-8")
    os.replace(unfinished, path)
