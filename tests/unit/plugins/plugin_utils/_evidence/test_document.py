# SPDX-License-Identifier: GPL-3.0-or-later
"""The document that a report is made from, and the schema that is published for it."""

from __future__ import annotations

import json
import typing as t
from datetime import datetime
from pathlib import Path

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils import _result
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.attempts import attempts
from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import Finding, FindingId
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosbuild import MachineOSBuild
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import ObjectRef
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.node_phase import count_phases
from ansible_collections.imagemode.openshift.plugins.module_utils._result import config_result
from ansible_collections.imagemode.openshift.plugins.plugin_utils._evidence.document import (
    SCHEMA,
    SCHEMA_VERSION,
    InvalidResult,
    ReportContext,
    as_json,
    document,
    earlier_name,
    file_name,
    for_readers,
    is_report_of,
    owner_of,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import build_pod, container_status
from ansible_collections.imagemode.openshift.tests.unit.plugins.verified import (
    ASKED_AT,
    CLUSTER,
    CONTENT,
    RIGHT,
    WRONG,
    booted,
    of_200_nodes,
    silent,
    verified,
)
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError

COLLECTION = Path(__file__).resolve().parents[5]
PUBLISHED = json.loads((COLLECTION / "roles/evidence_report/files/evidence-1.schema.json").read_text(encoding="utf-8"))
CONTEXT = ReportContext("2026-11-24T09:31:00Z", "blue", check_mode=False, collection_version="0.1.0")
CONFIG = {"metadata": {"name": "layered"}, "spec": {"machineConfigPool": {"name": "layered"}}}
TIMES_OF_NODE = {
    "name": "worker-0",
    "state": "updating",
    "started": ASKED_AT,
    **dict.fromkeys(("drain_started", "drain_finished", "ready", "done")),
    "not_ready": ASKED_AT,
    "observed": ["started"],
}
FAILED = Finding(
    FindingId.BUILD_FAILED, ObjectRef("MachineOSBuild", "layered-1"), "the build failed", "no such package"
)


def closed(schema: t.Any) -> t.Any:
    """The same schema, which allows nothing that it does not describe."""
    if isinstance(schema, list):
        return [closed(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {name: closed(entry) for name, entry in schema.items()}
    return {**strict, "additionalProperties": False} if "properties" in strict and "required" in strict else strict


def whole_run(**parts: t.Any) -> dict[str, t.Any]:
    """The result of an apply in which every phase left something."""
    return verified(
        {"worker-0": booted(RIGHT), "worker-1": booted(WRONG), "worker-2": silent()},
        pool="layered",
        machineosconfig=config_result(CONFIG),
        build=_result.build_result(
            MachineOSBuild.from_api({"metadata": {"name": "layered-1", "uid": "1"}}),
            attempts=attempts([build_pod("build-1", container_status())]),
        ),
        timeline={"nodes": [TIMES_OF_NODE], "left_out": 0},
        rollout=count_phases([]),
        findings=_result.findings_result([FAILED]),
        **parts,
    )


def read_back(result: t.Mapping[str, t.Any], context: ReportContext = CONTEXT) -> t.Any:
    return json.loads(as_json(document(result, context)))


RUNS = {
    "everything": whole_run(),
    "200 nodes": of_200_nodes(),
    "a bare verification": verified({"worker-0": booted(RIGHT)}),
    "a run that failed early": {"cluster": None, "pool": "layered", "verdict": "unknown", "failure": "Could not reach"},
    "an empty pool": {"cluster": CLUSTER, "pool": "layered", "verdict": "none", "nodes": []},
}


def test_the_published_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(PUBLISHED)

    assert PUBLISHED["$id"] == SCHEMA


@pytest.mark.parametrize("run", RUNS)
def test_a_report_holds_what_the_published_schema_describes_and_nothing_else(run: str) -> None:
    Draft202012Validator(closed(PUBLISHED)).validate(read_back(RUNS[run]))


@pytest.mark.parametrize(
    ("part", "value"),
    [("verdict", "fine"), ("nodes", [{"name": "worker-0"}]), ("verified_at", 3), ("schema_version", "2.0")],
)
def test_the_published_schema_refuses_what_is_no_report(part: str, value: t.Any) -> None:
    with pytest.raises(ValidationError):
        Draft202012Validator(PUBLISHED).validate({**read_back(whole_run()), part: value})


def test_a_report_of_a_later_minor_version_still_fits_the_schema() -> None:
    Draft202012Validator(PUBLISHED).validate({**read_back(whole_run()), "schema_version": "1.7", "new": "part"})


def test_the_schema_version_is_that_of_the_results() -> None:
    assert _result.SCHEMA_VERSION == SCHEMA_VERSION


def test_timeline_of_a_run_is_part_of_the_report() -> None:
    assert read_back(whole_run())["timeline"] == {"nodes": [TIMES_OF_NODE], "left_out": 0}


@pytest.mark.parametrize("given", [None, {"nodes": [], "left_out": 0}, {"nodes": None}])
def test_report_of_a_run_that_observed_no_update_has_no_timeline(given: t.Any) -> None:
    assert read_back(verified({"a": booted(RIGHT)}, timeline=given))["timeline"] is None


def test_timeline_keeps_times_only_and_limits_nodes_and_names() -> None:
    hostile = {"name": "n" * 9000, "started": f"{ASKED_AT[:-1]}<script>", "done": 7, "ready": "9999-99-99", "x": "y"}
    many = [{"name": f"n{number}"} for number in range(2100)]
    timeline = read_back(verified({"a": booted(RIGHT)}, timeline={"nodes": [hostile, *many], "left_out": 3}))[
        "timeline"
    ]

    assert timeline["nodes"][0] == {
        **TIMES_OF_NODE, "name": "n" * 253, "state": "", "started": ASKED_AT, "not_ready": None, "observed": []
    }  # fmt: skip
    assert (len(timeline["nodes"]), timeline["left_out"]) == (2000, 104)


@pytest.mark.parametrize(
    "given", [7, {"nodes": 7}, {"nodes": ["a"]}, {"nodes": [{}]}, {"nodes": [{"name": "a", "observed": 1}]}]
)
def test_timeline_that_no_wait_returned_is_an_invalid_result(given: t.Any) -> None:
    with pytest.raises(InvalidResult):
        document(verified({"a": booted(RIGHT)}, timeline=given), CONTEXT)


def test_a_report_says_who_asked_and_when() -> None:
    report = read_back(verified({"worker-0": booted(RIGHT)}), ReportContext("2026-11-24T09:31:00Z", "blue", True, None))

    assert report["account"] == "system:serviceaccount:audit:imagemode"
    assert report["verified_at"] == ASKED_AT
    assert datetime.fromisoformat(report["written_at"].replace("Z", "+00:00"))
    assert report["check_mode"] is True


def test_nodes_are_reported_as_they_were_returned() -> None:
    result = whole_run()

    assert read_back(result)["nodes"] == result["nodes"]


def test_the_pool_is_the_one_that_all_nodes_are_in() -> None:
    one, two = (verified({name: booted(RIGHT)}, pool=pool)["nodes"] for name, pool in [("a", "layered"), ("b", "gpu")])

    assert read_back({"nodes": one})["pool"] == "layered"
    assert read_back({"nodes": one + two})["pool"] is None


@pytest.mark.parametrize("claimed", ["match", "mismatch", None])
def test_the_verdict_is_that_of_the_nodes_whatever_the_result_claims(claimed: str | None) -> None:
    report = read_back({**whole_run(), "verdict": claimed, "summary": {"total": 3, "match": 3}})

    assert report["verdict"] == "unknown"
    assert report["summary"] == {"total": 3, "match": 1, "mismatch": 1, "unknown": 1}


def test_containerfile_is_reported_as_it_was_returned() -> None:
    assert read_back(whole_run())["containerfile"] == {
        "machineosconfig": "layered",
        "sha256": CONTENT.sha256,
        "text": CONTENT.text,
        "exact": True,
        "proven": True,
        "why_not": None,
    }


@pytest.mark.parametrize("answers", [{"a": booted(WRONG)}, {"a": silent()}, {}])
def test_containerfile_is_not_proven_without_a_match_whatever_the_result_contains(answers: dict[str, t.Any]) -> None:
    content = read_back(verified(answers))["containerfile"]

    assert (content["proven"], content["sha256"]) == (False, CONTENT.sha256)
    assert content["why_not"] == "no node is proven to have booted an image that was built from it"


@pytest.mark.parametrize(
    "claimed",
    [{"proven": False, "why_not": "it was seeded"}, {"proven": "yes", "why_not": "it was seeded"}],
)
def test_reason_why_a_containerfile_is_not_proven_stays(claimed: dict[str, t.Any]) -> None:
    result = verified({"a": booted(RIGHT)})
    content = read_back({**result, "containerfile": {**result["containerfile"], **claimed}})["containerfile"]

    assert (content["proven"], content["why_not"]) == (False, "it was seeded")


def test_containerfile_without_a_hash_is_not_proven() -> None:
    result = {**verified({"a": booted(RIGHT)}), "containerfile": {"proven": True}}

    assert read_back(result)["containerfile"]["proven"] is False
    Draft202012Validator(closed(PUBLISHED)).validate(read_back(result))


def test_report_of_a_result_without_a_containerfile_has_none() -> None:
    assert read_back({**verified({"a": booted(RIGHT)}), "containerfile": None})["containerfile"] is None


def test_report_without_a_containerfile_still_fits_the_schema() -> None:
    older = {name: value for name, value in read_back(whole_run()).items() if name != "containerfile"}

    Draft202012Validator(PUBLISHED).validate(older)


def test_no_nodes_are_no_success() -> None:
    assert read_back({"verdict": "match", "nodes": []})["verdict"] == "unknown"


def test_nodes_that_were_left_out_count_as_unknown() -> None:
    report = read_back({**verified({"worker-0": booted(RIGHT)}), "pool_total": 3, "left_out": 2})

    assert (report["verdict"], report["pool_total"], report["left_out"]) == ("unknown", 3, 2)
    assert report["summary"] == {"total": 3, "match": 1, "mismatch": 0, "unknown": 2}


def test_a_pool_without_members_stays_one_without_a_verdict() -> None:
    assert read_back({"verdict": "none", "nodes": []})["verdict"] == "none"


@pytest.mark.parametrize(
    "result",
    [
        {},
        {"nodes": "worker-0"},
        {"nodes": ["worker-0"]},
        {"nodes": [{"verdict": "match"}]},
        {"nodes": [{"name": "worker-0", "verdict": "fine"}]},
        {"nodes": [{"name": "worker-0", "verdict": "match", "booted": "yes"}]},
        {"verdict": "unknown", "findings": [{"message": "no id"}]},
        {"verdict": "unknown", "cluster": "blue"},
        {"verdict": "unknown", "left_out": "2"},
        {"verdict": "unknown", "containerfile": "FROM configs"},
        {"verdict": "unknown", "containerfile": {"sha256": "c" * 63}},
        {"verdict": "unknown", "containerfile": {"sha256": 7}},
        {"verdict": "unknown", "left_out": -1},
        {"verdict": "unknown", "pool_total": 10**9},
    ],
)
def test_what_is_no_result_of_a_verification_is_refused(result: dict[str, t.Any]) -> None:
    with pytest.raises(InvalidResult):
        document(result, CONTEXT)


@pytest.mark.parametrize(
    ("cluster", "name"),
    [
        (CLUSTER, "image-mode-0f7a4e1c-6b0e-4d0a-9a51-3c8f5c7c9b21-284069c2-layered"),
        ({**CLUSTER, "id": None}, "image-mode-api.blue.example.com-6443-284069c2-layered"),
        (
            {"api_url": "https://proxy.example.com/k8s/c-1"},
            "image-mode-proxy.example.com-k8s-c-1-47258b66-layered",
        ),
        ({"api_url": "https://[2001:db8::1]:6443"}, "image-mode-2001-db8-1-6443-a26a55e7-layered"),
        (None, "image-mode-host-blue-b37ff712-layered"),
        ({"id": "../../etc/passwd"}, "image-mode-etc-passwd-b37ff712-layered"),
        ({"id": "a\nb\0c" + "d" * 300}, "image-mode-a-b-c" + "d" * 75 + "-b37ff712-layered"),
    ],
)
def test_a_file_is_named_after_the_cluster_as_far_as_it_is_known(cluster: t.Any, name: str) -> None:
    assert file_name(document({"cluster": cluster, "pool": "layered", "verdict": "unknown"}, CONTEXT)) == name


@given(st.text(), st.text())
def test_no_name_leaves_the_folder(cluster: str, pool: str) -> None:
    name = file_name(document({"cluster": {"id": cluster}, "pool": pool, "verdict": "unknown"}, CONTEXT))

    assert name.startswith("image-mode-")
    assert set(name) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
    assert len(name) < 200


NAMES = ("image-mode-id-284069c2-layered", "image-mode-id-284069c2-other", "image-mode-x-00000000-layered", "notes")


@pytest.mark.parametrize(
    ("cluster", "pool", "name"),
    [
        ({**CLUSTER, "id": None}, "layered", NAMES[0]),
        ({**CLUSTER, "id": None}, "infra", ""),
        ({**CLUSTER, "api_url": "https://elsewhere", "id": None}, "layered", ""),
        (CLUSTER, "layered", ""),
    ],
)
def test_report_without_the_id_of_its_cluster_replaces_the_one_that_has_it(
    cluster: t.Any, pool: str, name: str
) -> None:
    doc = document({"cluster": cluster, "pool": pool, "verdict": "unknown"}, CONTEXT)
    assert earlier_name(doc, NAMES) == name


def test_json_holds_any_text_as_it_was() -> None:
    hostile = "\ud800 \x00 \u2028 </script>"
    result = verified({"worker-0": booted(RIGHT)})
    result["nodes"][0]["booted"]["version"] = hostile

    assert read_back(result)["nodes"][0]["booted"]["version"] == hostile
    assert "\u2028".encode() not in as_json(document(result, CONTEXT))


def test_what_a_reader_would_not_see_is_shown_as_its_escape() -> None:
    assert for_readers({"a": ["x\x00y", "\ud800", "a\r\nb\rc", "ö\u2028\u202e", 3, None]}) == {
        "a": ["x\\x00y", "\\ud800", "a\nb\nc", "ö\\u2028\\u202e", 3, None]
    }


# Whose report it is ---------------------------------------------------------------------------------------------------


def report_of(**cluster: t.Any) -> dict[str, t.Any]:
    return document({"cluster": {**CLUSTER, **cluster}, "pool": "layered", "verdict": "unknown"}, CONTEXT)


def test_a_cluster_that_states_the_id_of_another_does_not_get_the_name_of_its_report() -> None:
    assert file_name(report_of()) != file_name(report_of(api_url="https://api.hostile.example.com:6443"))


@given(st.text(), st.text())
def test_no_id_and_no_pool_lead_to_the_report_of_another_api(identity: str, pool: str) -> None:
    hostile = {"cluster": {"api_url": "https://hostile", "id": identity}, "pool": pool, "verdict": "unknown"}

    assert file_name(document(hostile, CONTEXT)) != file_name(report_of())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://API.example.com:6443/", "https://api.example.com:6443"),
        ("https://api.example.com", "https://api.example.com:443/"),
    ],
)
def test_an_address_in_another_spelling_is_the_same_cluster(one: str, other: str) -> None:
    assert file_name(report_of(api_url=one)) == file_name(report_of(api_url=other))


def test_a_report_is_of_the_api_that_was_asked_and_of_no_other() -> None:
    owner, content = owner_of(report_of()), as_json(report_of())

    assert is_report_of(owner, content)
    assert not is_report_of(owner, as_json(report_of(api_url="https://hostile")))


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b"[" * 100_000, b"\xff", b'{"cluster": 1}'])
def test_a_file_that_is_no_report_is_nobodys(content: bytes) -> None:
    assert not is_report_of(owner_of(report_of()), content)


def test_two_pools_whose_long_names_begin_alike_have_two_reports() -> None:
    one, other = (file_name({**report_of(api_url="https://a"), "pool": "p" * 100 + end}) for end in "ab")
    assert one != other
    assert len(one) < 250
