# SPDX-License-Identifier: GPL-3.0-or-later
"""A real sshd on loopback, and the variables with which Ansible connects to it."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
import typing as t
from pathlib import Path


@contextlib.contextmanager
def running_sshd(folder: Path, command: str = "") -> t.Iterator[dict[str, str]]:
    """Run an sshd for as long as the context lasts, and yield its variables for an inventory.

    :param command: the command that replaces each command of a client, as in an authorized_keys file
    """
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    key = (folder / "user.pub").read_text(encoding="utf-8")
    (folder / "keys").write_text(f'command="{command}" {key}' if command else key, encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "ListenAddress": f"127.0.0.1:{port}",
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "keys",
        "PermitRootLogin": "prohibit-password",
        "StrictModes": "no",
        "UsePAM": "no",
        "PidFile": "none",
    }
    (folder / "sshd.conf").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    Path("/run/sshd").mkdir(exist_ok=True)  # sshd confines its child to this folder
    program = shutil.which("sshd", path="/usr/sbin:/sbin")
    assert program, "sshd was not found: install openssh-server"
    with subprocess.Popen([program, "-D", "-e", "-f", folder / "sshd.conf"], stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for_port(port)
            yield {
                "ansible_connection": "ansible.builtin.ssh",
                "ansible_host": "127.0.0.1",
                "ansible_port": str(port),
                "ansible_user": "root",
                "ansible_ssh_private_key_file": str(folder / "user"),
                "ansible_ssh_common_args": f"-o UserKnownHostsFile={folder}/known -o StrictHostKeyChecking=no -F none",
            }
        finally:
            server.terminate()


def _wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError("sshd did not listen within 60 s")
