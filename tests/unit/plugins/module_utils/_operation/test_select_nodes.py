# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.select_nodes import (
    Selection,
    select_nodes,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import node

NODES = [node("b", labels={"zone": "1"}), node("a", labels={"zone": "1"}), node("c")]


def selected(*names: str, selector: str = "") -> list[str]:
    return [n["metadata"]["name"] for n in select_nodes(NODES, Selection(names, selector), "try")]


def test_nodes_are_selected_once_and_sorted():
    assert selected("c", "a", "c") == ["a", "c"]
    assert selected(selector="zone=1") == ["a", "b"]


@pytest.mark.parametrize(
    ("selection", "reason"),
    [
        (Selection(), "no node is given"),
        (Selection(["x", "a", "y"]), "Node x, y does not exist"),
        (Selection(label_selector="zone=2"), "no Node matches zone=2"),
        (Selection(label_selector="zone in 1"), "label_selector is invalid .'zone in 1' is not a requirement"),
    ],
)
def test_selection_without_nodes_is_an_error(selection, reason):
    with pytest.raises(OperationError, match=f"^Could not try: {reason}"):
        select_nodes(NODES, selection, "try")


@pytest.mark.parametrize(
    ("selection", "given"),
    [(Selection(), False), (Selection(["a"]), True), (Selection(label_selector="zone"), True)],
)
def test_nodes_are_given_by_name_or_by_label(selection, given):
    assert selection.given is given
