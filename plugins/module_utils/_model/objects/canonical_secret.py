# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of the Secrets that the operator of v1alpha1 creates for Secrets with the old layout.

It copies such a Secret to ``NAME-canonical`` and writes that name into the MachineOSConfig. Both names mean the same.
Source: docs/operator-behavior.md ("Secrets").
"""

from __future__ import annotations

_SUFFIX = "-canonical"


def original_name(name: str) -> str:
    """Return the name of the Secret that the user created."""
    return name[: -len(_SUFFIX)] if name.endswith(_SUFFIX) and name != _SUFFIX else name
