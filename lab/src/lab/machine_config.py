# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether going from one rendered MachineConfig to another takes a drain and a reboot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Of the changes that the daemon applies without a reboot only those that need no action at all: with image mode a
# change of the global pull secret is the one that is met.
QUIET_FILES = frozenset({"/etc/kubernetes/kubelet-ca.crt", "/var/lib/kubelet/config.json"})


def needs_reboot(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether a node has to drain and reboot to get from ``old`` to ``new``, two specs of rendered MachineConfigs."""
    return _without_files(old) != _without_files(new) or not _changed_files(old, new) <= QUIET_FILES


def _changed_files(old: Mapping[str, Any], new: Mapping[str, Any]) -> set[str]:
    before, after = _files(old), _files(new)
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


def _files(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {file["path"]: file for file in spec.get("config", {}).get("storage", {}).get("files", [])}


def _without_files(spec: Mapping[str, Any]) -> dict[str, Any]:
    config = dict(spec.get("config", {}))
    storage = dict(config.get("storage", {}))
    storage.pop("files", None)
    return {**spec, "config": {**config, "storage": storage}}
