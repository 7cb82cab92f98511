# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator's objects say that nodes have booted. No node is asked, so it needs no right on them.

The machine-config-daemon writes the annotations, once, when it starts. They go stale when it is down and can be written
by whoever may patch nodes: a claim refutes at most (node.md 4.3).
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..._model.objects.node import NodeState
from ..._model.objects.resources import MACHINE_CONFIG
from ..session import Session
from .transport import Claim


@dataclass(frozen=True)
class Claims:
    """Reads instead of asking."""

    session: Session
    name: t.ClassVar[str] = "api"

    def ask(self, nodes: t.Sequence[NodeState]) -> t.Generator[tuple[NodeState, Claim], None, None]:
        """Yield every node with what is said of it.

        The image is annotated in image mode only; elsewhere the node has that of the rendered MachineConfig that it
        says it has. Each of these is read once.
        """
        configs = {node.current_config for node in nodes if node.current_config and not node.current_image}
        images = {config: self._image_of(config) for config in sorted(configs)}
        for node in nodes:
            yield node, Claim(node.current_image or images.get(node.current_config, ""))

    def _image_of(self, config: str) -> str:
        rendered = self.session.peek(MACHINE_CONFIG, config) or {}
        spec = rendered.get("spec")
        image = spec.get("osImageURL") if isinstance(spec, dict) else None
        return image if isinstance(image, str) else ""
