# SPDX-License-Identifier: GPL-3.0-or-later
"""The OpenShift client, for the transport that needs it."""

from __future__ import annotations

import os
import subprocess
import typing as t
from pathlib import Path

if t.TYPE_CHECKING:
    from ansible_run import Ansible


def build_oc() -> Path:
    """Build ``oc`` if necessary, and return its path."""
    built = subprocess.run(["lab", "build", "--oc"], capture_output=True, text=True, check=True)
    return Path(built.stdout.strip())


def with_oc(ansible: Ansible) -> Ansible:
    """Return Ansible with ``oc`` in its PATH."""
    return ansible.with_environment(
        PATH=os.pathsep.join([str(ansible.programs), str(build_oc().parent), os.environ["PATH"]])
    )
