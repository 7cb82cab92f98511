# SPDX-License-Identifier: GPL-3.0-or-later
"""The XML that CI systems read: what they would show of it."""

from __future__ import annotations

import typing as t
from xml.etree import ElementTree as ET

import pytest
from ansible_collections.imagemode.openshift.plugins.plugin_utils._evidence.document import (
    ReportContext,
    document,
    for_readers,
)
from ansible_collections.imagemode.openshift.plugins.plugin_utils._evidence.junit import as_junit
from ansible_collections.imagemode.openshift.tests.unit.plugins.verified import (
    CLUSTER,
    RIGHT,
    WRONG,
    booted,
    of_200_nodes,
    silent,
    verified,
)
from hypothesis import given
from hypothesis import strategies as st

CONTEXT = ReportContext("2026-11-24T09:31:00Z", "blue", check_mode=False, collection_version="0.1.0")
BUILD_FAILED = {"id": "build.failed", "severity": "fatal", "message": "the build failed", "remedy": "Mend it"}


def suite_of(result: t.Mapping[str, t.Any]) -> ET.Element:
    suite = ET.fromstring(as_junit(document(result, CONTEXT))).find("testsuite")
    assert suite is not None
    return suite


def outcomes(suite: ET.Element) -> dict[str, str]:
    return {
        case.attrib["name"]: next((e.tag for e in case if e.tag in ("failure", "error", "skipped")), "passed")
        for case in suite.iter("testcase")
    }


def counts(suite: ET.Element) -> dict[str, int]:
    return {name: int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped")}


def test_a_node_is_a_test_case_a_mismatch_a_failure_and_an_unknown_an_error() -> None:
    suite = suite_of(verified({"worker-0": booted(RIGHT), "worker-1": booted(WRONG), "worker-2": silent()}))

    assert outcomes(suite) == {"worker-0": "passed", "worker-1": "failure", "worker-2": "error"}
    assert counts(suite) == {"tests": 3, "failures": 1, "errors": 1, "skipped": 0}


def test_nodes_that_were_left_out_are_an_error_of_the_pool() -> None:
    suite = suite_of({**verified({"worker-0": booted(RIGHT)}), "pool": "layered", "pool_total": 3, "left_out": 2})

    assert outcomes(suite) == {"MachineConfigPool layered": "error", "worker-0": "passed"}


def test_200_nodes_are_200_cases() -> None:
    suite = suite_of(of_200_nodes())

    assert counts(suite) == {"tests": 200, "failures": 12, "errors": 3, "skipped": 0}
    assert len(list(suite.iter("testcase"))) == 200


def test_a_failure_says_what_was_found_and_what_to_do() -> None:
    failure = suite_of(verified({"worker-1": booted(WRONG)})).find("testcase/failure")

    assert failure is not None
    assert failure.attrib["type"] == "node.image_differs"
    assert WRONG in failure.attrib["message"]
    assert "remedy: Wait for the rollout" in (failure.text or "")
    assert f"expected: registry.example.com/os/layered@{RIGHT}" in (failure.text or "")


def test_a_warning_does_not_fail_a_node_but_is_told() -> None:
    suite = suite_of(verified({"worker-0": booted(RIGHT, packages=["strace"])}))

    assert outcomes(suite) == {"worker-0": "passed"}
    assert "node.deviation_allowed" in (suite.findtext("testcase/system-out") or "")


def test_a_case_stands_under_its_cluster_and_pool() -> None:
    suite = suite_of(verified({"worker-0": booted(RIGHT)}, cluster={**CLUSTER, "name": "blue.example"}))

    assert suite.find("testcase").attrib["classname"] == "blue-example.layered"  # type: ignore[union-attr]
    assert suite.attrib["name"] == "blue.example: layered"


def test_the_suite_says_which_cluster_who_asked_and_for_what() -> None:
    properties = {p.attrib["name"]: p.attrib["value"] for p in suite_of(of_200_nodes()).iter("property")}

    assert properties["cluster.id"] == CLUSTER["id"]
    assert properties["account"] == "system:serviceaccount:audit:imagemode"
    assert properties["expected"].endswith(RIGHT)
    assert properties["verdict"] == "unknown"


def test_the_suite_has_the_hash_of_the_containerfile_and_not_its_text() -> None:
    suite = suite_of(verified({"worker-0": booted(RIGHT)}))
    properties = {p.attrib["name"]: p.attrib["value"] for p in suite.iter("property")}

    assert (properties["containerfile.sha256"], properties["containerfile.proven"]) == ("c" * 64, "true")
    assert b"RUN true" not in ET.tostring(suite)


@pytest.mark.parametrize("content", [None, {"machineosconfig": "layered", "sha256": None}])
def test_the_suite_of_an_image_without_a_containerfile_has_no_hash(content: t.Any) -> None:
    suite = suite_of({**verified({"worker-0": booted(RIGHT)}), "containerfile": content})

    assert not [p for p in suite.iter("property") if "containerfile" in p.attrib["name"]]


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        ({"verdict": "unknown"}, "error"),
        ({"verdict": "match"}, "error"),
        ({"verdict": "unknown", "failure": "Could not reach the cluster"}, "error"),
        ({"verdict": "unknown", "findings": [BUILD_FAILED]}, "error"),
        ({"verdict": "none"}, "skipped"),
        ({"verdict": "none", "failure": "Could not build"}, "error"),
    ],
)
def test_a_run_that_asked_nobody_is_never_shown_as_passed(result: dict[str, t.Any], outcome: str) -> None:
    assert outcomes(suite_of({**result, "pool": "layered"})) == {"MachineConfigPool layered": outcome}


def test_the_reason_that_ended_a_run_is_its_message() -> None:
    error = suite_of({"verdict": "unknown", "failure": "Could not reach", "findings": [BUILD_FAILED]}).find(".//error")

    assert error is not None
    assert error.attrib == {"message": "Could not reach", "type": "build.failed"}
    assert "build.failed: the build failed" in (error.text or "")


@given(st.text(st.characters(exclude_categories=[])))
def test_any_text_leaves_xml_that_reads_back_the_same(text: str) -> None:
    result = verified({"worker-1": booted(WRONG)})
    node = result["nodes"][0]
    node["name"], node["findings"][0]["message"] = f"n{text}", f"m{text}"

    case = suite_of(result).find("testcase")

    assert case is not None
    assert all(c.isprintable() or c in "\n\t" for c in "".join(case.itertext()) + "".join(case.attrib.values()))
    assert case.attrib["name"] == for_readers(f"n{text}")
    assert for_readers(f"m{text}") in (case.findtext("failure") or "")
