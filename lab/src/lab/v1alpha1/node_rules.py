# SPDX-License-Identifier: GPL-3.0-or-later
"""What the machine-config-daemon of this generation does differently, decided from the objects alone."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any

from lab.node_annotations import NodeView, Target
from lab.oci_registry import Credentials
from lab.v1alpha1.objects import Object, config_for
from lab.v1alpha1.operator_checks import named_secrets

_ROLE = "node-role.kubernetes.io/"
NO_WAY_BACK = "rolling back from a layered to non-layered configuration is not currently supported"


def rejection(view: NodeView, target: Target) -> str:
    """Why the daemon does not even begin an update, or an empty string: there is no way back to no image."""
    return NO_WAY_BACK if view.current.image and not target.image else ""


def rebase_failure(image: str) -> str:
    """The reason of a node whose image could not be pulled. It does not name the cause."""
    return f"Failed to update OS to {image} after retries: timed out waiting for the condition"


def rebase_attempt(image: str, cause: str) -> str:
    """The line about one failed attempt in the log of the daemon's pod."""
    return f"Failed to update OS to {image} (will retry): {cause}"


def pull_secret_of(node: Object, configs: Iterable[Object]) -> str:
    """The pull secret that is mounted for a node: of the first of its roles that has one, or an empty string."""
    known = list(configs)
    labels = node["metadata"].get("labels") or {}
    for role in sorted(key.removeprefix(_ROLE) for key in labels if key.startswith(_ROLE)):
        config = config_for(role, known)
        if config is not None:
            return named_secrets(config)["currentImagePullSecret"]
    return ""


def secret_credentials(secret: Object) -> Credentials:
    """The logins of a secret, of the new form before the old one."""
    data: Mapping[str, Any] = secret.get("data") or {}
    for key in (".dockerconfigjson", ".dockercfg"):
        if key in data:
            return Credentials.parse(_with_auths(base64.b64decode(data[key])))
    return Credentials({})


def _with_auths(content: bytes) -> str:
    try:
        document = json.loads(content)
    except ValueError:
        return "{}"
    return json.dumps(document if "auths" in document else {"auths": document})


def overlaid(everywhere: Credentials, pool: Credentials) -> Credentials:
    """The global logins, with those of the pool's secret in their place entry by entry."""
    return Credentials({**everywhere.logins, **pool.logins})
