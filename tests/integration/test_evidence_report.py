# SPDX-License-Identifier: GPL-3.0-or-later
"""The evidence report of a real verification: its files, its user, and a report for every outcome."""

from __future__ import annotations

import hashlib
import json
import os
import re
import typing as t
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from ansible_run import TREE, Ansible
from jsonschema import Draft202012Validator
from pools import containerfile

if t.TYPE_CHECKING:
    from ansible_run import Run
    from pools import BuiltPool

VERIFY = "imagemode.openshift.verify"
OTHER = "sha256:" + "0" * 64
SCHEMA = TREE / "ansible_collections/imagemode/openshift/roles/evidence_report/files/evidence-1.schema.json"


def verify(ansible: Ansible, *options: str, **variables: t.Any) -> Run:
    """Verify, and write the report to the folder ``reports`` of the user."""
    return ansible.run_playbook(VERIFY, *options, variables={"image_mode_report_dir": "reports", **variables})


def published_result(run: Run) -> dict[str, t.Any]:
    """Return the entry of image_mode_result that the playbook publishes."""
    (entry,) = run.published
    return entry


def files(ansible: Ansible) -> dict[str, Path]:
    """Return the files of the one report by their suffix, without the index."""
    found = sorted(f for f in (ansible.scratch / "reports").iterdir() if f.name != "image-mode-index.html")
    assert len({file.name.partition(".")[0] for file in found}) == 1
    return {file.suffix: file for file in found}


def test_verification_writes_html_json_and_xml_that_agree(ansible: Ansible, rolled_out: BuiltPool) -> None:
    run = verify(ansible, image_mode_pool=rolled_out.name)
    assert run.rc == 0, run.output
    assert run.changed == 0

    report_files = files(ansible)
    report = json.loads(report_files[".json"].read_text(encoding="utf-8"))
    Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(report)
    assert [(n["name"], n["verdict"], n["booted"]["digest"]) for n in report["nodes"]] == [
        ("worker-0", "match", rolled_out.digest),
        ("worker-1", "match", rolled_out.digest),
    ]
    suite = ET.parse(report_files[".xml"]).getroot().find("testsuite")
    assert suite is not None
    assert [suite.get(count) for count in ("tests", "failures", "errors")] == ["2", "0", "0"]
    assert rolled_out.digest in report_files[".html"].read_text(encoding="utf-8")


def test_all_files_have_the_hash_of_the_containerfile_that_the_image_was_built_from(
    ansible: Ansible, rolled_out: BuiltPool
) -> None:
    run = verify(ansible, image_mode_pool=rolled_out.name)
    text = containerfile(f"echo {rolled_out.name} > /etc/pool")
    sha256 = hashlib.sha256(text.encode()).hexdigest()

    report_files = files(ansible)
    content = json.loads(report_files[".json"].read_text(encoding="utf-8"))["containerfile"]
    assert (content["sha256"], content["text"], content["proven"]) == (sha256, text, True), content["why_not"]
    assert all(sha256 in report_files[name].read_text(encoding="utf-8") for name in (".html", ".xml"))
    assert published_result(run)["containerfile"] == {"sha256": sha256, "proven": True}


def test_report_is_named_after_its_cluster_and_names_the_user(ansible: Ansible, rolled_out: BuiltPool) -> None:
    verify(ansible, image_mode_pool=rolled_out.name)

    report_files = files(ansible)
    report = json.loads(report_files[".json"].read_text(encoding="utf-8"))
    assert report["cluster"]["id"]
    pattern = rf"image-mode-{report['cluster']['id']}-[0-9a-f]{{8}}-{rolled_out.name}\.json"
    assert re.fullmatch(pattern, report_files[".json"].name)
    assert report["account"] == "admin"


def test_report_names_the_impersonated_user(ansible: Ansible, rolled_out: BuiltPool) -> None:
    auditor = ansible.with_environment(
        K8S_AUTH_IMPERSONATE_USER="auditor", K8S_AUTH_IMPERSONATE_GROUPS="system:masters"
    )
    verify(auditor, image_mode_pool=rolled_out.name)

    assert json.loads(files(ansible)[".json"].read_text(encoding="utf-8"))["account"] == "auditor"


def test_nodes_that_booted_another_image_are_reported_before_the_run_fails(
    ansible: Ansible, rolled_out: BuiltPool
) -> None:
    run = verify(ansible, image_mode_pool=rolled_out.name, image_mode_expected_image=OTHER)
    assert run.rc != 0

    report_files = files(ansible)
    suite = ET.parse(report_files[".xml"]).getroot().find("testsuite")
    assert suite is not None
    assert suite.get("failures") == "2"
    assert json.loads(report_files[".json"].read_text(encoding="utf-8"))["containerfile"]["proven"] is False
    assert [report["path"] for report in published_result(run)["reports"]] == sorted(map(str, report_files.values()))


def test_check_mode_writes_a_report_that_names_it(ansible: Ansible, rolled_out: BuiltPool) -> None:
    run = verify(ansible, "--check", image_mode_pool=rolled_out.name)
    assert run.rc == 0, run.output

    report = json.loads(files(ansible)[".json"].read_text(encoding="utf-8"))
    assert (report["check_mode"], report["verdict"]) == (True, "match")


def test_report_that_cannot_be_written_fails_the_run_and_keeps_the_verdict(
    ansible: Ansible, rolled_out: BuiltPool
) -> None:
    (ansible.scratch / "reports").write_text("in the way", encoding="utf-8")
    run = verify(ansible, "-vvv", image_mode_pool=rolled_out.name, image_mode_report_dir="reports/today")
    assert run.rc != 0
    (failed,) = [result for result in run.results if result.failed]
    assert failed.msg.startswith(f"Could not write report {ansible.scratch}/reports")
    assert "\n" not in failed.msg
    assert "Traceback" not in run.output
    assert (published_result(run)["verdict"], published_result(run)["reports"]) == ("match", [])


@pytest.fixture
def ansible_without_cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Ansible:
    """Ansible whose kubeconfig does not exist."""
    return Ansible(request.config.getoption("--ansible"), tmp_path, {"K8S_AUTH_KUBECONFIG": "/nowhere/kubeconfig"})


def test_unreachable_cluster_files_no_report_and_the_result_names_the_reason(ansible_without_cluster: Ansible) -> None:
    """A report under the address of a cluster would lie beside the one under its id."""
    run = verify(ansible_without_cluster, image_mode_pool="layered")
    assert run.rc != 0
    result = published_result(run)
    assert (result["verdict"], result["reports"]) == ("unknown", [])
    assert result["failure"].startswith("Could not read kubeconfig /nowhere/kubeconfig")


def test_no_report_is_written_without_a_folder(ansible_without_cluster: Ansible) -> None:
    before = set(os.listdir(ansible_without_cluster.scratch))
    run = ansible_without_cluster.run_playbook(VERIFY, variables={"image_mode_pool": "layered"})

    assert set(os.listdir(ansible_without_cluster.scratch)) - before == {"ansible", "results.jsonl"}
    assert published_result(run)["reports"] == []
