# SPDX-License-Identifier: GPL-3.0-or-later
"""The file systems that commands on a node see: a container's, and below it the node's own, both of busybox.

A shell in a pod of the node, or a debug pod, runs in the container's; only behind ``chroot /rootfs`` or
``chroot /host`` there is an rpm-ostree. It answers what the node daemon wrote; ``LAB_EXEC_MODE`` and
``LAB_EXEC_DELAY`` script it.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path

from lab.base_image import BUSYBOX

_APPLETS = (
    "sh",
    "cat",
    "chroot",
    "echo",
    "head",
    "kill",
    "printf",
    "sleep",
    "test",
    "timeout",
    "true",
    "false",
    "env",
    "id",
    "uname",
)
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_COPYING = threading.Lock()

# As rpm-ostree's client fails when its daemon does not start: the unit's status on stdout, the error on stderr.
_RPM_OSTREE = """\
#!/bin/sh
if [ "$*" != "status --json" ]; then
    echo "this node of the lab only knows: rpm-ostree status --json" >&2
    exit 127
fi
sleep "${LAB_EXEC_DELAY:-0}"
case "${LAB_EXEC_MODE:-ok}" in
hang) exec sleep 86400 ;;
noise) echo "warning: Failed to query journal: Permission denied" >&2 ;;
cut)
    head -c 150 /run/lab/status.json
    exit 0
    ;;
lost)
    cat /run/lab/status.json
    kill -9 $$
    ;;
fail)
    echo "x rpm-ostreed.service - rpm-ostree System Management Daemon"
    echo "error: Loading sysroot: Failed to activate service 'org.projectatomic.rpmostree1': timed out" >&2
    exit 1
    ;;
esac
cat /run/lab/status.json
"""


class NodeRoot:
    """The root of the containers on one node; the node's own is in it twice, as ``rootfs`` and as ``host``."""

    def __init__(self, node_folder: Path) -> None:
        self._node_folder = node_folder
        self.path = node_folder / "container"

    def make(self) -> None:
        """Make both file systems, unless that was done."""
        if self.path.exists():
            return
        unfinished = self._node_folder / ".container"
        shutil.rmtree(unfinished, ignore_errors=True)
        _write_container(unfinished, _shared_busybox(self._node_folder.parent))
        os.replace(unfinished, self.path)

    def tell(self, status: str, boot_id: str) -> None:
        """Have rpm-ostree answer ``status`` and the kernel ``boot_id``; nothing where there is no root."""
        if not self.path.exists():
            return
        _replace(self.path / "rootfs/run/lab/status.json", status)
        for root in (self.path, self.path / "rootfs"):
            _replace(root / "proc/sys/kernel/random/boot_id", boot_id + "\n")

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """The environment of a command: what its container sets, and how the test wants the node to answer."""
        files = {"LAB_EXEC_MODE": "exec-mode", "LAB_EXEC_DELAY": "exec-delay"}
        scripted = {}
        for variable, name in files.items():
            try:
                scripted[variable] = (self._node_folder / name).read_text(encoding="utf-8").strip()
            except FileNotFoundError:
                continue
        return {"PATH": _PATH, **more, **scripted}


def _shared_busybox(nodes_dir: Path) -> Path:
    """One copy of busybox for all nodes, on their file system, so that each can have a link to it."""
    shared = nodes_dir.with_name("busybox")
    with _COPYING:
        if not shared.exists():
            unfinished = shared.with_name(f".busybox.{os.getpid()}")
            shutil.copyfile(BUSYBOX.find(), unfinished)
            unfinished.chmod(0o755)
            os.replace(unfinished, shared)
    return shared


def _write_container(root: Path, busybox: Path) -> None:
    host = root / "rootfs"
    for each in (root, host):
        _write_programs(each, busybox)
        (each / "proc/sys/kernel/random").mkdir(parents=True)
    (root / "host").symlink_to("rootfs")
    (host / "run/lab").mkdir(parents=True)
    rpm_ostree = host / "usr/bin/rpm-ostree"
    rpm_ostree.parent.mkdir(parents=True)
    rpm_ostree.write_text(_RPM_OSTREE, encoding="utf-8")
    rpm_ostree.chmod(0o755)


def _write_programs(root: Path, busybox: Path) -> None:
    programs = root / "bin"
    programs.mkdir(parents=True)
    os.link(busybox, programs / "busybox")
    for applet in _APPLETS:
        (programs / applet).symlink_to("busybox")


def _replace(path: Path, text: str) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(text, encoding="utf-8")
    os.replace(unfinished, path)
