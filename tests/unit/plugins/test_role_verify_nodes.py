# SPDX-License-Identifier: GPL-3.0-or-later
"""How the role verify_nodes decides. The rest of it is tested against the lab."""

from __future__ import annotations

import inspect
import typing as t
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

VARIABLES = Path(__file__).parents[3] / "roles" / "verify_nodes" / "vars" / "main.yml"


def refused(verdicts: list[str], fail_on: list[str]) -> list[str]:
    """Return the verdicts that the role refuses."""
    loader = DataLoader()
    nodes = [{"name": f"worker-{n}", "verdict": verdict, "findings": []} for n, verdict in enumerate(verdicts)]
    # Since ansible-core 2.19 only texts that are trusted are templates.
    trusted = "trusted_as_template" in inspect.signature(loader.load_from_file).parameters
    own = loader.load_from_file(str(VARIABLES), **({"trusted_as_template": True} if trusted else {}))
    variables = {**own, "verify_nodes_fail_on": fail_on}
    templar = Templar(loader=loader, variables={**variables, "verify_nodes_result": {"nodes": nodes}})
    found = templar.template(variables["__verify_nodes_refused"])
    return [str(node["verdict"]) for node in t.cast("list[dict[str, t.Any]]", found)]


@pytest.mark.parametrize(
    ("fail_on", "expected"),
    [
        (["mismatch", "unknown"], ["mismatch", "unknown", "mism********tch"]),
        (["mismatch"], ["mismatch", "mism********tch"]),
        ([], []),
    ],
)
def test_a_verdict_in_which_ansible_has_masked_a_secret_does_not_pass(fail_on, expected):
    assert refused(["match", "mismatch", "unknown", "mism********tch"], fail_on) == expected
