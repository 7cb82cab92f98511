# SPDX-License-Identifier: GPL-3.0-or-later
"""Read from the API which image the operator reports for each node. No permission on nodes is needed.

The machine-config-daemon writes the annotations once, when it starts. They are stale while it is down, and any account
that may patch nodes can write them. So a reported state can refute a match and never prove one
(docs/operator-behavior.md, "Node annotations and states").
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..._model.objects.node import NodeState
from ..._model.objects.resources import MACHINE_CONFIG
from ..session import Session
from .transport import Access, ReportedState


@dataclass(frozen=True)
class ReportedStates:
    """Reads reported states."""

    session: Session
    name: t.ClassVar[str] = "api"

    @classmethod
    def create(cls, access: Access) -> ReportedStates:
        """Return a transport with this session."""
        return cls(access.required_session())

    def query(self, nodes: t.Sequence[NodeState]) -> t.Generator[tuple[NodeState, ReportedState], None, None]:
        """Yield every node with its reported state.

        The image is annotated only in image mode. Any other node has the image of its current rendered MachineConfig.
        Each rendered MachineConfig is read once.
        """
        configs = {node.current_config for node in nodes if node.current_config and not node.current_image}
        images = {config: self._image_of(config) for config in sorted(configs)}
        for node in nodes:
            yield node, ReportedState(node.current_image or images.get(node.current_config, ""))

    def _image_of(self, config: str) -> str:
        rendered = self.session.peek(MACHINE_CONFIG, config) or {}
        spec = rendered.get("spec")
        image = spec.get("osImageURL") if isinstance(spec, dict) else None
        return image if isinstance(image, str) else ""
