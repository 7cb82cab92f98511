# SPDX-License-Identifier: GPL-3.0-or-later
"""The index of the reports of a folder: no report is left out, and none looks better than it is."""

from __future__ import annotations

import json
import re
import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.plugin_utils._evidence.document import (
    ReportContext,
    as_json,
    document,
)
from ansible_collections.imagemode.openshift.plugins.plugin_utils._evidence.overview import (
    as_index,
    row_of_failure,
    rows_of,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.verified import (
    CLUSTER,
    RIGHT,
    WRONG,
    booted,
    silent,
    verified,
)

CONTEXT = ReportContext("2026-11-24T09:31:00Z", "blue", check_mode=False, collection_version="0.1.0")
HOSTILE = '</td></table><script>alert(1)</script>" onclick="x\u202e'


def report(*outputs: t.Any, pool: str = "layered", **cluster: str) -> bytes:
    result = verified({f"worker-{number}": o for number, o in enumerate(outputs)}, pool)
    return as_json(document({**result, "pool": pool, "cluster": {**CLUSTER, **cluster}}, CONTEXT))


def test_each_report_is_a_row_that_links_to_its_page():
    reports = {"one": report(booted(RIGHT)), "two": report(booted(RIGHT), silent(), pool="edge")}
    one, two = rows_of(reports, ["one"])
    assert (one.verdict, one.pool, one.cluster, one.page) == ("match", "layered", CLUSTER["name"], "one.html")
    assert (one.image, one.result) == (RIGHT, "The node booted the expected image.")
    assert (two.verdict, two.page) == ("unknown", "")
    assert two.result == "1 of 2 nodes booted the expected image; 1 could not be verified."


@pytest.mark.parametrize(
    "content", [None, b"{", b"\xff", as_json({**json.loads(report(booted(RIGHT))), "nodes": "none"})]
)
def test_report_that_cannot_be_read_is_unknown_and_not_left_out(content):
    (row,) = rows_of({"one": content}, ["one"])
    assert (row.verdict, row.result) == ("unknown", "Report one.json cannot be read.")


@pytest.mark.parametrize("content", [b"[]", b'{"$schema": "https://example.com/other"}'])
def test_file_that_is_no_report_has_no_row(content):
    assert rows_of({"other": content}, []) == []


def test_verdict_follows_from_the_nodes_and_not_from_the_file():
    content = {**json.loads(report(booted(WRONG))), "verdict": "match", "summary": {"total": 1, "match": 1}}
    (row,) = rows_of({"one": as_json(content)}, [])
    assert row.verdict == "mismatch"


def test_pools_that_need_an_action_are_first_and_the_page_has_the_verdict_of_all():
    reports = {
        "a": report(booted(RIGHT), pool="pool-10"),
        "b": report(booted(RIGHT), pool="pool-2"),
        "c": report(silent(), pool="silent"),
        "d": report(booted(WRONG), pool="other"),
    }
    page = as_index(rows_of(reports, []), CONTEXT).decode()
    places = [page.index(f">{name}<") for name in ("other", "silent", "pool-2", "pool-10")]
    assert places == sorted(places)
    assert "<strong>unknown</strong>" in page
    assert "2 of 4 pools booted the expected image." in page


def test_run_without_a_report_is_a_row_with_its_failure():
    failure = "Could not list Nodes: no connection to https://127.0.0.1:1."
    row = row_of_failure({"host": "edge.stage", "pool": "edge", "failure": failure, "message": failure})
    page = as_index([row, *rows_of({"one": report(booted(RIGHT))}, [])], CONTEXT).decode()
    assert (row.verdict, row.pool, row.host) == ("unknown", "edge", "edge.stage")
    assert failure in page
    assert "<strong>unknown</strong>" in page
    assert "1 of 2 pools booted the expected image." in page


def test_pool_without_nodes_proves_nothing():
    empty = as_json(document({**verified({}), "verdict": "none", "pool": "empty", "cluster": CLUSTER}, CONTEXT))
    page = as_index(rows_of({"one": empty}, []), CONTEXT).decode()
    assert "<strong>none</strong>" in page
    assert "No pool has nodes." in page


def test_index_of_an_empty_folder_is_no_success():
    page = as_index([], CONTEXT).decode()
    assert "<strong>unknown</strong>" in page
    assert "There is no report." in page


def test_no_text_of_a_report_becomes_part_of_the_page():
    row = row_of_failure({"host": HOSTILE, "pool": HOSTILE, "failure": HOSTILE})
    page = as_index([row, *rows_of({HOSTILE: report(silent(), pool=HOSTILE, name=HOSTILE)}, [HOSTILE])], CONTEXT)
    assert b"<script" not in page
    assert b'" onclick' not in page
    assert "\u202e".encode() not in page


DOWN: t.Mapping[str, str] = {"host": "edge.stage", "pool": "edge", "failure": "Could not list Nodes: no."}


@pytest.mark.parametrize(
    ("reports", "failed", "title"),
    [
        (("prod", "stage"), 0, "2 pools of 2 clusters"),
        (("prod",), 0, "1 pool of 1 cluster"),
        (("prod", "prod"), 1, "3 pools of 1 known cluster"),
        ((), 2, "2 pools"),
    ],
)
def test_title_counts_the_clusters_that_are_known(reports, failed, title):
    found = rows_of({f"{i}": report(booted(RIGHT), name=name, api_url=name) for i, name in enumerate(reports)}, [])
    page = as_index([*found, *[row_of_failure(DOWN)] * failed], CONTEXT).decode()
    heading = page.partition("<h1>")[2].partition("</h1>")[0]
    assert re.sub("<[^>]*>", "", heading) == title
