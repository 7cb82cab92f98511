# SPDX-License-Identifier: GPL-3.0-or-later
"""The first process of a lab's own process and mount namespaces: arranges the mounts, then becomes supervisord.

When this process ends, for whatever reason, the kernel ends every other process of the namespace and the mounts vanish
with them. Nothing of it reaches the host.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
from pathlib import Path

from lab.components import environment
from lab.facts import REGISTRY_SERVICE, Facts
from lab.supervision import CONFIGURATION_FILE

NAMESPACE_FILE = "namespace"
_TRUST_ALL = '{"default": [{"type": "insecureAcceptAnything"}]}\n'


def main() -> None:
    facts = Facts.load(sys.argv[1])
    lifeline = int(sys.argv[2])
    _arrange_mounts(facts)
    (facts.folder / NAMESPACE_FILE).write_text(str(os.stat("/proc/self/ns/pid").st_ino), encoding="utf-8")
    # The keeper may have died before the kernel was told to end us with it; from here on it is told.
    readable, _, _ = select.select([lifeline], [], [], 0)
    if readable:
        sys.exit("the keeper is gone")
    os.close(lifeline)
    command = [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(facts.folder / CONFIGURATION_FILE)]
    # The supervisor names its socket from here, so that the length of the folder's name does not matter.
    os.chdir(facts.folder)
    os.execve(sys.executable, command, environment(facts))  # noqa: S606


def _arrange_mounts(facts: Facts) -> None:
    folder = facts.folder
    _mount("--make-rprivate", "/")
    _tmpfs(folder / "etcd", "4g")
    # A copy of /etc takes what the operator and the image tools write there: machine-os-builder removes
    # /etc/docker/certs.d, and all of them read /etc/containers.
    copy = folder / "etc"
    _tmpfs(copy, "256m")
    shutil.copytree("/etc", copy, symlinks=True, dirs_exist_ok=True)
    containers = copy / "containers"
    containers.mkdir(exist_ok=True)
    (copy / "docker").mkdir(exist_ok=True)
    _replace(containers / "registries.conf", (folder / "registries.conf").read_text(encoding="utf-8"))
    if not (containers / "policy.json").exists():
        _replace(containers / "policy.json", _TRUST_ALL)
    authorities = containers / "certs.d" / facts.registry_host
    authorities.mkdir(parents=True)
    shutil.copyfile(facts.ca_cert, authorities / "ca.crt")
    with (copy / "hosts").open("a", encoding="utf-8") as hosts:
        hosts.write(f"\n127.0.0.1 {REGISTRY_SERVICE}\n")
    _mount("--bind", str(copy), "/etc")


def _replace(path: Path, content: str) -> None:
    path.unlink(missing_ok=True)
    path.write_text(content, encoding="utf-8")


def _tmpfs(folder: Path, size: str) -> None:
    folder.mkdir(exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs", str(folder))


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


if __name__ == "__main__":
    main()
