# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes does the user mean? By name or by label; a name or a selector that means nobody is an error."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import OperationError
from .._model.objects.label_selector import matches, parse_selector
from .._model.objects.resources import Object, labels_of, metadata_of


@dataclass(frozen=True)
class Selection:
    """Nodes by name, or by a label selector; neither means nobody in particular."""

    names: t.Sequence[str] = ()
    label_selector: str = ""

    @property
    def given(self) -> bool:
        """Whether the user chose nodes."""
        return bool(self.names or self.label_selector)


def select_nodes(nodes: t.Iterable[Object], selection: Selection, what: str) -> list[Object]:
    """Return the chosen nodes, sorted by name.

    :param what: what is being tried, for the refusal
    :raises OperationError: a name does not exist, or the selector matches nothing
    """
    if not selection.given:
        raise OperationError(what, "no node is named", "Give nodes or label_selector")
    by_name = {metadata_of(node)["name"]: node for node in nodes}
    if selection.names:
        unknown = sorted(set(selection.names) - set(by_name))
        if unknown:
            raise OperationError(what, f"there is no Node {', '.join(unknown)}", "Check the names (oc get nodes)")
        return [by_name[name] for name in sorted(set(selection.names))]
    try:
        requirements = parse_selector(selection.label_selector)
    except ValueError as error:
        raise OperationError(
            what, f"label_selector cannot be read ({error})", "Write it as for oc get nodes -l"
        ) from None
    chosen = [by_name[name] for name in sorted(by_name) if matches(requirements, labels_of(by_name[name]))]
    if not chosen:
        raise OperationError(
            what, f"no Node matches {selection.label_selector}", "Check the selector (oc get nodes -l ...)"
        )
    return chosen
