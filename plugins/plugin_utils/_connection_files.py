# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the paths of kubeconfigs and certificates absolute where a module runs on the machine of Ansible.

Ansible runs such a module in the folder of the playbook, which for a playbook of a collection is the folder of the
collection. A relative path of the user starts where he started ansible-playbook.
"""

from __future__ import annotations

import os
import typing as t

_OPTIONS = (
    "kubeconfig", "ca_cert", "ssl_ca_cert", "client_cert", "cert_file", "client_key", "key_file"
)  # fmt: skip
"""Connection options, and their aliases, that are paths of files."""
_LISTS = frozenset(("kubeconfig", "KUBECONFIG", "K8S_AUTH_KUBECONFIG"))
"""Names of paths that can be several files."""


def absolute_arguments(arguments: t.Mapping[str, t.Any], playbook_folder: str) -> dict[str, t.Any]:
    """Return the options of a module with absolute paths of files.

    A file that exists only below the folder of the playbook keeps being found there.
    """
    given = {name: value for name, value in arguments.items() if name in _OPTIONS and isinstance(value, str)}
    return {**arguments, **{name: _absolute(name, value, playbook_folder) for name, value in given.items()}}


def absolute_environment(environment: t.Mapping[str, str]) -> dict[str, str]:
    """Return the variables of the environment that are relative paths of files, with absolute paths."""
    names = ["KUBECONFIG", *(f"K8S_AUTH_{option.upper()}" for option in _OPTIONS)]
    paths = {name: _absolute(name, environment[name]) for name in names if environment.get(name)}
    return {name: path for name, path in paths.items() if path != environment[name]}


def _absolute(name: str, value: str, playbook_folder: str = "") -> str:
    if name not in _LISTS:
        return _absolute_path(value, playbook_folder)
    return os.pathsep.join(_absolute_path(path, playbook_folder) for path in value.split(os.pathsep))


def _absolute_path(path: str, playbook_folder: str) -> str:
    if not path or path.startswith("~") or os.path.isabs(path):
        return path
    here = os.path.abspath(path)
    beside = os.path.join(playbook_folder, path)
    return beside if playbook_folder and not os.path.exists(here) and os.path.exists(beside) else here
