# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure how soon an unreachable API server is reported: ``python tests/benchmarks/unreachable_host.py``.

The time counts from the start of ansible-playbook to the first line that names the host. The script fails when the
line is missing. It needs no lab.
"""

from __future__ import annotations

import socket
import sys
import tempfile
import time
import typing as t
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from ansible_run import Ansible, installed_beside_pytest, write_playbook
from measuring import first_line_with
from results import record

REPORT = ("Could not reach", "no connection to", "does not answer")
"""Texts of the lines that report an unreachable server."""


@contextmanager
def silent_server() -> t.Iterator[str]:
    """Yield the URL of a server that accepts connections and never responds."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield f"https://127.0.0.1:{listening.getsockname()[1]}"


def seconds_until_reported(ansible: Ansible, url: str) -> float:
    """Return the seconds from the start of a playbook to the first line that reports the host."""
    task = {"name": "Wait", "imagemode.openshift.machineosbuild_wait": {"pool": "layered", "timeout": 20}}
    connected = ansible.with_environment(K8S_AUTH_HOST=url, K8S_AUTH_API_KEY="sha256~token")
    command = [str(ansible.programs / "ansible-playbook"), str(write_playbook(ansible.scratch, [task]))]
    began = time.time()
    reported_at, dummy = first_line_with(command, connected.environment(ansible.scratch / "results.jsonl"), REPORT)
    return reported_at - began


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, silent_server() as silent:
        ansible = Ansible(installed_beside_pytest(), Path(folder), {"PYTHONUNBUFFERED": "1"})
        urls = {"refused": "https://127.0.0.1:9", "silent": silent, "name": "https://api.invalid:6443"}
        for kind, url in urls.items():
            seconds = seconds_until_reported(ansible, url)
            print(f"unreachable host ({kind}): reported after {seconds:.1f} s", flush=True)
            record(f"unreachable.{kind}", seconds)


if __name__ == "__main__":
    main()
