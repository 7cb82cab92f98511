# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the Secret with which the nodes pull the image.

In v1alpha1 the operator becomes degraded by a MachineOSConfig without it, although the API accepts one. v1 has no such
field.
Source: docs/operator-behavior.md ("Limits of v1alpha1").
"""

from __future__ import annotations

from .rejection import Rejection

NOT_IN_V1 = (
    "current_image_pull_secret is not used: this cluster serves v1, which has no field for it. Its nodes pull with the "
    "global pull secret and the Secret of the internal registry"
)
"""Warning for a cluster with v1, so that one file of variables suits both versions."""


def reject_without_pull_secret(name: str, present: str, wanted: str | None) -> Rejection | None:
    """Return why a MachineOSConfig in v1alpha1 cannot stay without the Secret, or None.

    :param name: its name
    :param present: the Secret that it names; empty if it names none
    :param wanted: the option
    """
    if present or wanted:
        return None
    reason = (
        f"MachineOSConfig {name} has no buildOutputs.currentImagePullSecret, without which the operator becomes "
        "degraded and builds nothing"
    )
    return Rejection(reason, "Set current_image_pull_secret")
