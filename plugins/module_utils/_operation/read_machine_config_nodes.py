# SPDX-License-Identifier: GPL-3.0-or-later
"""What do the MachineConfigNodes claim? Good to know and not needed: not every cluster serves them."""

from __future__ import annotations

from .._cluster.api_error import ApiError, Unreachable
from .._cluster.session import Session
from .._model.objects.machineconfignode import MachineConfigNode
from .._model.objects.resources import MACHINE_CONFIG_NODE


def read_machine_config_nodes(session: Session) -> dict[str, MachineConfigNode]:
    """Return what each claims, by the name of its node: nothing where they are not served or may not be read."""
    try:
        listing = session.pages(MACHINE_CONFIG_NODE.path(), {})
    except (ApiError, Unreachable):
        return {}
    claims = [MachineConfigNode.from_api(obj) for obj in listing.items]
    return {claim.name: claim for claim in claims}
