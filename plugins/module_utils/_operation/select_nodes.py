# SPDX-License-Identifier: GPL-3.0-or-later
"""Select the nodes that the user gives by name or by label. It is an error if a name or the selector matches none."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import OperationError
from .._model.objects.label_selector import matches, parse_selector
from .._model.objects.node import NOT_FOUND_REMEDY
from .._model.objects.resources import Object, labels_of, metadata_of


@dataclass(frozen=True)
class Selection:
    """Nodes by name or by a label selector. Both may be empty."""

    names: t.Sequence[str] = ()
    label_selector: str = ""

    @property
    def given(self) -> bool:
        """Whether the user selected nodes."""
        return bool(self.names or self.label_selector)


def select_nodes(nodes: t.Iterable[Object], selection: Selection, what: str) -> list[Object]:
    """Return the selected nodes, sorted by name.

    :param what: what the caller does, for the error
    :raises OperationError: a name does not exist, or the selector matches no node
    """
    by_name = {metadata_of(node)["name"]: node for node in nodes}
    if selection.names:
        return _by_name(by_name, selection.names, what)
    if selection.label_selector:
        return _by_label(by_name, selection.label_selector, what)
    raise OperationError(what, "no node is given", "Set nodes or label_selector")


def _by_name(nodes: t.Mapping[str, Object], names: t.Iterable[str], what: str) -> list[Object]:
    unknown = sorted(set(names) - nodes.keys())
    if unknown:
        raise OperationError(what, f"Node {', '.join(unknown)} does not exist", NOT_FOUND_REMEDY)
    return [nodes[name] for name in sorted(set(names))]


def _by_label(nodes: t.Mapping[str, Object], selector: str, what: str) -> list[Object]:
    try:
        requirements = parse_selector(selector)
    except ValueError as error:
        raise OperationError(
            what, f"label_selector is invalid ({error})", "Use the syntax of oc get nodes -l"
        ) from None
    selected = [nodes[name] for name in sorted(nodes) if matches(requirements, labels_of(nodes[name]))]
    if not selected:
        raise OperationError(what, f"no Node matches {selector}", "Check the selector (oc get nodes -l ...)")
    return selected
