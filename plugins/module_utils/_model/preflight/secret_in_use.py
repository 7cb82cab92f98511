# SPDX-License-Identifier: GPL-3.0-or-later
"""Reject the deletion of a Secret that the operator or its daemons use.

Without a Secret that a MachineOSConfig names, the operator becomes degraded. In v1alpha1 the pods of the
machine-config-daemon mount the Secret with which the nodes pull, also when no MachineOSConfig names it any more.
Source: docs/operator-behavior.md ("Secrets", "Limits of v1alpha1").
"""

from __future__ import annotations

import typing as t

from ..objects.canonical_secret import original_name
from ..objects.machineosconfig import MachineOSConfig
from ..objects.resources import Object
from ..objects.values import mapping, mappings, text_in
from ..text import listed
from .rejection import Rejection

_OPTIONS = ("rendered_image_push_secret", "base_image_pull_secret", "current_image_pull_secret")
"""The options of module machineosconfig that name a Secret, and the attributes of a MachineOSConfig."""
_KEEP = (
    "Keep it. To withdraw its credentials, revoke them at the registry, or replace them (registry_secret with "
    "state=present)"
)


def reject_deletion_of_named(name: str, configs: t.Iterable[MachineOSConfig]) -> Rejection | None:
    """Return which MachineOSConfigs name a Secret of the operator's namespace, or None.

    :param configs: all MachineOSConfigs of the cluster
    """
    users = {config.name: options for config in configs if (options := _options_that_name(name, config))}
    if not users:
        return None
    named = listed([f"{config} ({', '.join(options)})" for config, options in sorted(users.items())])
    is_one = len(users) == 1
    used = f"MachineOSConfig {named} uses it" if is_one else f"MachineOSConfigs {named} use it"
    fields = sorted({option for options in users.values() for option in options})
    if "current_image_pull_secret" in fields:
        reason = f"{used}, and no pod of the machine-config-daemon can start without it"
        return Rejection(reason, _KEEP)
    configs_first = "Delete the MachineOSConfig first" if is_one else "Delete the MachineOSConfigs first"
    return Rejection(used, f"{configs_first}, or set {' and '.join(fields)} to another Secret")


def reject_deletion_of_mounted(name: str, daemon_set: Object | None) -> Rejection | None:
    """Return that the pods of the machine-config-daemon mount a Secret, or None.

    :param daemon_set: DaemonSet machine-config-daemon; None if it does not exist
    """
    if name not in _mounted_secrets(daemon_set or {}):
        return None
    reason = (
        "no MachineOSConfig names it any more, but DaemonSet machine-config-daemon still mounts it, so no pod of the "
        "machine-config-daemon could start without it"
    )
    return Rejection(reason, _KEEP)


def _options_that_name(name: str, config: MachineOSConfig) -> list[str]:
    """Return the options by which a MachineOSConfig names a Secret. In v1alpha1 a copy counts as its original."""
    same = {name, original_name(name)} if config.is_v1alpha1 else {name}
    return [option for option in _OPTIONS if getattr(config, option) in same]


def _mounted_secrets(daemon_set: Object) -> set[str]:
    template = mapping(mapping(daemon_set.get("spec")).get("template"))
    volumes = mappings(mapping(template.get("spec")).get("volumes"))
    return {text_in(volume.get("secret"), "secretName") for volume in volumes} - {""}
