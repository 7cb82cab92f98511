# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence of a real verification: who asked, what came out, and files whatever comes out."""

from __future__ import annotations

import json
import os
import re
import typing as t
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from ansible_run import TREE, Ansible
from jsonschema import Draft202012Validator

if t.TYPE_CHECKING:
    from ansible_run import Run
    from pools import BuiltPool

VERIFY = "imagemode.openshift.verify"
OTHER = "sha256:" + "0" * 64
SCHEMA = TREE / "ansible_collections/imagemode/openshift/roles/evidence_report/files/evidence-1.schema.json"


def verify(ansible: Ansible, *options: str, **variables: t.Any) -> Run:
    """Verify into the folder ``reports`` beside the user."""
    return ansible.run_playbook(VERIFY, *options, variables={"image_mode_report_dir": "reports", **variables})


def handed_on(run: Run) -> dict[str, t.Any]:
    (stats,) = [result for result in run.results if result.action.endswith("set_stats")]
    (entry,) = stats["ansible_stats"]["data"]["image_mode_result"]
    return t.cast("dict[str, t.Any]", entry)


def files(ansible: Ansible) -> dict[str, Path]:
    """Return the files of the one report by what they are."""
    found = sorted((ansible.scratch / "reports").iterdir())
    assert len({file.name.partition(".")[0] for file in found}) == 1
    return {file.suffix: file for file in found}


def test_a_verification_leaves_a_page_data_and_xml_that_agree(ansible: Ansible, rolled_out: BuiltPool) -> None:
    run = verify(ansible, image_mode_pool=rolled_out.name)
    assert run.rc == 0, run.output
    assert run.changed == 0

    written = files(ansible)
    report = json.loads(written[".json"].read_text(encoding="utf-8"))
    Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(report)
    assert [(n["name"], n["verdict"], n["booted"]["digest"]) for n in report["nodes"]] == [
        ("worker-0", "match", rolled_out.digest),
        ("worker-1", "match", rolled_out.digest),
    ]
    suite = ET.parse(written[".xml"]).getroot().find("testsuite")
    assert suite is not None
    assert [suite.get(count) for count in ("tests", "failures", "errors")] == ["2", "0", "0"]
    assert rolled_out.digest in written[".html"].read_text(encoding="utf-8")


def test_a_report_is_named_after_its_cluster_and_says_who_asked(ansible: Ansible, rolled_out: BuiltPool) -> None:
    verify(ansible, image_mode_pool=rolled_out.name)

    written = files(ansible)
    report = json.loads(written[".json"].read_text(encoding="utf-8"))
    assert report["cluster"]["id"]
    pattern = rf"image-mode-{report['cluster']['id']}-[0-9a-f]{{8}}-{rolled_out.name}\.json"
    assert re.fullmatch(pattern, written[".json"].name)
    assert report["account"] == "admin"


def test_who_is_impersonated_is_who_asked(ansible: Ansible, rolled_out: BuiltPool) -> None:
    auditor = ansible.with_environment(
        K8S_AUTH_IMPERSONATE_USER="auditor", K8S_AUTH_IMPERSONATE_GROUPS="system:masters"
    )
    verify(auditor, image_mode_pool=rolled_out.name)

    assert json.loads(files(ansible)[".json"].read_text(encoding="utf-8"))["account"] == "auditor"


def test_nodes_that_booted_something_else_are_reported_and_then_the_run_fails(
    ansible: Ansible, rolled_out: BuiltPool
) -> None:
    run = verify(ansible, image_mode_pool=rolled_out.name, image_mode_expected_image=OTHER)
    assert run.rc != 0

    written = files(ansible)
    suite = ET.parse(written[".xml"]).getroot().find("testsuite")
    assert suite is not None
    assert suite.get("failures") == "2"
    assert [report["path"] for report in handed_on(run)["reports"]] == sorted(map(str, written.values()))


def test_check_mode_reports_as_well_and_calls_it_a_rehearsal(ansible: Ansible, rolled_out: BuiltPool) -> None:
    run = verify(ansible, "--check", image_mode_pool=rolled_out.name)
    assert run.rc == 0, run.output

    report = json.loads(files(ansible)[".json"].read_text(encoding="utf-8"))
    assert (report["check_mode"], report["verdict"]) == (True, "match")


def test_a_report_that_cannot_be_written_fails_the_run_and_keeps_the_verdict(
    ansible: Ansible, rolled_out: BuiltPool
) -> None:
    (ansible.scratch / "reports").write_text("in the way", encoding="utf-8")
    run = verify(ansible, "-vvv", image_mode_pool=rolled_out.name)
    assert run.rc != 0
    (failed,) = [result for result in run.results if result.failed]
    assert failed.msg.startswith(f"Could not write report {ansible.scratch}/reports: ")
    assert "\n" not in failed.msg
    assert "Traceback" not in run.output
    assert (handed_on(run)["verdict"], handed_on(run)["reports"]) == ("match", [])


@pytest.fixture
def alone(request: pytest.FixtureRequest, tmp_path: Path) -> Ansible:
    """Ansible that talks to no cluster."""
    return Ansible(request.config.getoption("--ansible"), tmp_path, {"K8S_AUTH_KUBECONFIG": "/nowhere/kubeconfig"})


def test_a_cluster_that_was_not_reached_is_reported_as_unknown_and_why(alone: Ansible) -> None:
    run = verify(alone, image_mode_pool="layered")
    assert run.rc != 0

    written = files(alone)
    report = json.loads(written[".json"].read_text(encoding="utf-8"))
    assert re.fullmatch(r"image-mode-host-localhost-[0-9a-f]{8}-layered\.json", written[".json"].name)
    assert (report["verdict"], report["account"], report["nodes"]) == ("unknown", None, [])
    assert report["failure"].startswith("Could not read kubeconfig /nowhere/kubeconfig")
    error = ET.parse(written[".xml"]).getroot().find(".//testcase/error")
    assert error is not None
    assert error.get("message") == report["failure"]


def test_without_a_folder_nothing_is_written(alone: Ansible) -> None:
    before = set(os.listdir(alone.scratch))
    run = alone.run_playbook(VERIFY, variables={"image_mode_pool": "layered"})

    assert set(os.listdir(alone.scratch)) - before == {"ansible", "results.jsonl"}
    assert handed_on(run)["reports"] == []
