# SPDX-License-Identifier: GPL-3.0-or-later
"""A report belongs to the API that was asked: no other cluster replaces it, whatever it states of itself."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path
from unittest import mock

from ansible_collections.imagemode.openshift.plugins.action.evidence_report import ActionModule
from ansible_collections.imagemode.openshift.tests.unit.plugins.verified import CLUSTER, RIGHT, WRONG, booted, verified


def write(folder: Path, result: dict[str, t.Any], formats: t.Sequence[str] = ("json", "html")) -> dict[str, t.Any]:
    arguments = {"result": result, "dir": str(folder), "formats": list(formats)}
    task = mock.MagicMock(args=arguments, async_val=0, check_mode=False, diff=False)
    plugin = ActionModule(task, mock.MagicMock(), mock.MagicMock(), mock.MagicMock(), mock.MagicMock(), None)
    return plugin.run(task_vars={"inventory_hostname": "blue"})


def of(digest: str, **cluster: t.Any) -> dict[str, t.Any]:
    return verified({"worker-0": booted(digest)}, cluster={**CLUSTER, **cluster})


def json_file(written: dict[str, t.Any]) -> Path:
    return next(Path(report["path"]) for report in written["reports"] if report["format"] == "json")


def test_a_cluster_that_claims_the_id_of_another_does_not_replace_its_report(tmp_path: Path) -> None:
    victim = json_file(write(tmp_path, of(WRONG)))
    hostile = json_file(write(tmp_path, of(RIGHT, api_url="https://hostile.example.com:6443")))

    assert hostile != victim
    assert json.loads(victim.read_text(encoding="utf-8"))["verdict"] == "mismatch"


def test_a_report_of_another_api_under_the_same_name_is_never_replaced(tmp_path: Path) -> None:
    victim = json_file(write(tmp_path, of(WRONG)))
    other = {**json.loads(victim.read_text(encoding="utf-8")), "cluster": {**CLUSTER, "api_url": "https://other"}}
    victim.write_text(json.dumps(other), encoding="utf-8")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}

    for formats in (["json"], ["html"], ["html", "json", "junit"]):
        done = write(tmp_path, of(RIGHT), formats)
        assert done["failed"]
        assert done["msg"].startswith(
            f"Could not write report {victim}: a file of this name is not a report of the same"
        )

    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_report_of_the_same_api_is_replaced_as_a_whole(tmp_path: Path) -> None:
    write(tmp_path, of(WRONG))
    written = write(tmp_path, of(RIGHT, api_url=CLUSTER["api_url"] + "/"))

    assert len(list(tmp_path.glob("*-layered.*"))) == 2
    assert json.loads(json_file(written).read_text(encoding="utf-8"))["verdict"] == "match"


def test_what_is_no_result_is_one_printable_line(tmp_path: Path) -> None:
    done = write(tmp_path, {"nodes": [{"name": "a\x1b[2J\n\u202e", "verdict": "fine"}]})

    assert done["failed"]
    assert done["msg"].isprintable()
