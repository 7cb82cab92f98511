# SPDX-License-Identifier: GPL-3.0-or-later
"""Reject a Secret with which the operator would start no build.

Source: docs/operator-behavior.md ("Secrets", "Limits of v1alpha1").
"""

from __future__ import annotations

from ..objects.machineosconfig import GLOBAL_PULL_SECRET_COPY
from ..objects.resources import OPERATOR_NAMESPACE, Object
from ..registry.credentials import DOCKERCFG, DOCKERCONFIGJSON, KEYS, has_auths
from .rejection import Rejection

COPY_COMMAND = (
    f"oc create secret docker-registry {GLOBAL_PULL_SECRET_COPY} -n {OPERATOR_NAMESPACE} "
    f"--from-file={KEYS[DOCKERCONFIGJSON]}=<(oc extract secret/pull-secret -n openshift-config --to=-)"
)
"""Copies the global pull secret, as the documentation of OpenShift 4.16 asks for."""


def reject_secret(name: str, secret: Object | None, is_v1alpha1: bool = False) -> Rejection | None:
    """Return why a MachineOSConfig must not refer to a Secret, or None.

    :param secret: the Secret as served; None if it does not exist
    :param is_v1alpha1: whether the API server serves v1alpha1, where a Secret that is created later starts no build
    """
    label = secret_label(name)
    if secret is None:
        return Rejection(f"{label} does not exist", _remedy_for_missing(name, is_v1alpha1))
    kind = secret.get("type")
    if kind not in KEYS:
        accepted = DOCKERCONFIGJSON if is_v1alpha1 else " or ".join(KEYS)
        return Rejection(f"{label} has type {kind}", f"Use a Secret of type {accepted}")
    if is_v1alpha1 and kind == DOCKERCFG and has_auths(secret):
        reason = f"{label} has type {DOCKERCFG}, but the layout of {DOCKERCONFIGJSON} (auths), which no build can mount"
        return Rejection(reason, f"Create it with type {DOCKERCONFIGJSON}, for example with registry_secret")
    return None


def secret_label(name: str) -> str:
    """Return the name of a Secret of the operator in messages."""
    return f"Secret {OPERATOR_NAMESPACE}/{name}"


def _remedy_for_missing(name: str, is_v1alpha1: bool) -> str:
    if not is_v1alpha1:
        return "Create it, for example with registry_secret"
    if name == GLOBAL_PULL_SECRET_COPY:
        return f"Copy the global pull secret ({COPY_COMMAND}), or set base_image_pull_secret"
    return (
        "Create it first, for example with registry_secret: in v1alpha1 a Secret that is created later starts no build"
    )
