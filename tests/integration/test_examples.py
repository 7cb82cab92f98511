# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples, forecast together against the lab: each pool file is the variables of one host."""

from __future__ import annotations

import json
import re
import shutil
import typing as t
from pathlib import Path

import pytest
import yaml

if t.TYPE_CHECKING:
    from ansible_run import Run
    from audit_log import AuditLog, Recording
    from conftest import NewAnsible

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
POOL_FILES = sorted(EXAMPLES.glob("*/pool.yml"))
APPLY = "imagemode.openshift.apply"


FREE = {"worker-0": "worker-3", "worker-1": "worker-4"}
"""Nodes of the examples -> nodes of the lab that are in no custom pool, whichever tests ran before."""


def with_free_nodes(file: Path) -> str:
    """Return the text of an example with nodes that the lab has to spare."""
    return re.sub(r"\bworker-\d+\b", lambda found: FREE[found[0]], file.read_text(encoding="utf-8"))


def variables_of(file: Path) -> dict[str, t.Any]:
    """Return the variables of a pool file. Its Containerfile is the one beside it."""
    variables = dict(yaml.safe_load(with_free_nodes(file)))
    return {**variables, "image_mode_containerfile_path": str(file.parent / variables["image_mode_containerfile_path"])}


@pytest.fixture(scope="module")
def forecast(new_ansible: NewAnsible, audit: AuditLog) -> tuple[Run, Recording]:
    """A run in check mode for all pool files."""
    ansible = new_ansible().with_environment(ROBOT_PASSWORD="hunter2", PUSH_TOKEN="hunter2")
    inventory = ansible.scratch / "examples.json"
    hosts = {file.parent.name: variables_of(file) for file in POOL_FILES}
    inventory.write_text(json.dumps({"examples": {"hosts": hosts}}), encoding="utf-8")
    with audit.recording() as recording:
        run = ansible.run_playbook(APPLY, "-i", str(inventory), "--check", variables={"image_mode_hosts": "examples"})
    return run, recording


@pytest.mark.parametrize("file", POOL_FILES, ids=lambda file: file.parent.name)
def test_example_is_forecast(forecast: tuple[Run, Recording], file: Path) -> None:
    (entry,) = [entry for entry in forecast[0].published if entry["host"] == file.parent.name]
    assert entry["failure"] is None
    expected = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert entry["forecast"]["machineosconfig"] == "created"
    assert entry["pool"] == expected["image_mode_pool"]
    assert "hunter2" not in forecast[0].output


def test_examples_write_nothing_in_check_mode(forecast: tuple[Run, Recording]) -> None:
    run, recording = forecast
    assert run.rc == 0
    assert recording.stored == []


def test_inventory_of_several_pools_is_forecast(new_ansible: NewAnsible) -> None:
    ansible = new_ansible().with_environment(ROBOT_PASSWORD="hunter2")
    shutil.copytree(EXAMPLES / "several-pools", ansible.scratch, dirs_exist_ok=True)
    inventory = ansible.scratch / "inventory.yml"
    inventory.write_text(with_free_nodes(inventory), encoding="utf-8")
    run = ansible.run_playbook(APPLY, "-i", "inventory.yml", "--check", variables={"image_mode_hosts": "pools"})
    assert run.rc == 0
    assert {entry["pool"] for entry in run.published} == {"infra", "storage"}
    assert {entry["forecast"]["machineosconfig"] for entry in run.published} == {"created"}


def test_readme_lists_each_example() -> None:
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert [
        folder.name for folder in EXAMPLES.iterdir() if folder.is_dir() and f"| `{folder.name}` |" not in text
    ] == []
