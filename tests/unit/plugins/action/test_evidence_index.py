# SPDX-License-Identifier: GPL-3.0-or-later
"""The index page beside the reports: written with each report, for a folder of reports, and with failed hosts."""

from __future__ import annotations

import typing as t
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from unittest import mock

from ansible_collections.imagemode.openshift.plugins.action.evidence_report import ActionModule
from ansible_collections.imagemode.openshift.plugins.plugin_utils._run_result import entries_without_report
from ansible_collections.imagemode.openshift.tests.unit.plugins.verified import CLUSTER, RIGHT, booted, verified

POOLS = [f"pool-{number}" for number in range(12)]


def run(folder: Path, **arguments: t.Any) -> dict[str, t.Any]:
    task = mock.MagicMock(args={"dir": str(folder), **arguments}, async_val=0, check_mode=False, diff=False)
    plugin = ActionModule(task, mock.MagicMock(), mock.MagicMock(), mock.MagicMock(), mock.MagicMock(), None)
    return plugin.run(task_vars={"inventory_hostname": "blue"})


def write(folder: Path, pool: str, **arguments: t.Any) -> dict[str, t.Any]:
    result = {**verified({"worker-0": booted(RIGHT)}, pool), "pool": pool, "cluster": CLUSTER}
    return run(folder, result=result, **arguments)


def test_reports_that_are_written_at_once_are_all_in_the_index(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4) as processes:
        written = list(processes.map(write, [tmp_path] * len(POOLS), POOLS))
    (index,) = {result["index"] for result in written}
    page = Path(index).read_text(encoding="utf-8")
    assert all(f">{pool}</a>" in page for pool in POOLS)
    assert f"{len(POOLS)} of {len(POOLS)} pools booted the expected image." in page


def test_reports_of_several_jobs_are_merged_by_a_run_without_a_result(tmp_path: Path) -> None:
    merged = tmp_path / "merged"
    merged.mkdir()
    for job, pool in enumerate(POOLS[:2]):
        for report in write(tmp_path / f"job-{job}", pool)["reports"]:
            Path(report["path"]).rename(merged / Path(report["path"]).name)
    result = run(merged)
    assert result["index"] == str(merged / "image-mode-index.html")
    assert result["reports"] == []
    assert "2 of 2 pools booted the expected image." in Path(result["index"]).read_text(encoding="utf-8")


def test_report_without_its_data_has_no_index(tmp_path: Path) -> None:
    result = write(tmp_path, "layered", formats=["html"])
    assert "index" not in result
    assert not (tmp_path / "image-mode-index.html").exists()


def test_failed_run_is_added_to_the_reports_of_the_folder(tmp_path: Path) -> None:
    write(tmp_path, "layered")
    entry = {"host": "edge.stage", "pool": "edge", "failure": "Could not list Nodes: no connection. Check it."}
    page = Path(run(tmp_path, failed_runs=[entry])["index"]).read_text(encoding="utf-8")
    assert "Could not list Nodes: no connection." in page
    assert "1 of 2 pools booted the expected image." in page


def test_folder_that_cannot_be_written_fails_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    result = run(tmp_path / "file")
    assert result["failed"]
    assert result["msg"].startswith(f"Could not write report {tmp_path / 'file'}: ")


def test_only_failures_of_hosts_without_a_report_are_added_and_each_once() -> None:
    def published(*entries: dict[str, t.Any]) -> dict[str, t.Any]:
        return {"__image_mode_published": {"ansible_stats": {"data": {"image_mode_result": list(entries)}}}}

    down = {"host": "b", "failure": "no connection", "reports": []}
    hostvars = {
        "a": published({"host": "a", "failure": None, "reports": []}),
        "b": published(down),
        "c": published(down, {"host": "c", "failure": "mismatch", "reports": [{"format": "html"}]}),
        "d": {},
    }
    assert entries_without_report(hostvars, ["a", "b", "c", "d", "not started"]) == [down]
