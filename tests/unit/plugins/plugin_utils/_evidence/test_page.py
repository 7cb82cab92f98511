# SPDX-License-Identifier: GPL-3.0-or-later
"""The page, read as a browser reads it. How it looks and that it filters is tested in a browser."""

from __future__ import annotations

import base64
import hashlib
import typing as t
from html.parser import HTMLParser

import pytest
from ansible_collections.imagemode.openshift.plugins.plugin_utils._evidence.document import (
    ReportContext,
    document,
    for_readers,
)
from ansible_collections.imagemode.openshift.plugins.plugin_utils._evidence.page import as_html
from ansible_collections.imagemode.openshift.tests.unit.plugins.verified import (
    ASKED_AT,
    CLUSTER,
    CONTENT,
    REPOSITORY,
    RIGHT,
    WRONG,
    booted,
    of_200_nodes,
    silent,
    verified,
)
from hypothesis import example, given
from hypothesis import strategies as st

CONTEXT = ReportContext("2026-11-24T09:31:00Z", "blue", check_mode=False, collection_version="0.1.0")
VOID = frozenset({"meta", "input", "path", "rect", "br"})


class Reader(HTMLParser):
    """Reads a page: its elements with the names of their attributes, its attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.structure: list[tuple[str, ...]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.style = ""
        self.rows: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.structure.append((tag, *(name for name, dummy in attrs)))
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "tr":
            self.rows.append("")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.structure.append((tag, *(name for name, dummy in attrs)))
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        self.structure.append((f"/{tag}",))

    def handle_data(self, data: str) -> None:
        if self._open[-1:] == ["style"]:
            self.style += data
            return
        self.text += data
        if "tr" in self._open:
            self.rows[-1] += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")


def page_of(result: t.Mapping[str, t.Any], context: ReportContext = CONTEXT) -> Reader:
    return Reader(as_html(document(result, context)).decode())


def saying(text: str) -> dict[str, t.Any]:
    """A result in which everything that anybody but us can say is *text*."""
    result = verified(
        {"a": booted(WRONG), "b": silent(), "c": booted(RIGHT)}, cluster=dict.fromkeys(CLUSTER, text), account=text
    )
    result.update(
        failure=text,
        transport=text,
        containerfile={**result["containerfile"], "machineosconfig": text, "text": text, "exact": False},
        build={
            **dict.fromkeys(("name", "state", "finished", "digested_image_push_spec"), text),
            "attempts": [
                {**dict.fromkeys(("pod", "reason", "finished"), text), "state": "failed", "started": ASKED_AT}
            ],
        },
        timeline={
            "nodes": [
                {
                    "name": f"{name}{text}",
                    "state": text,
                    "started": ASKED_AT,
                    "ready": text,
                    "observed": [text, "started"],
                }
                for name in "abc"
            ],
        },
    )
    for node in result["nodes"]:
        node["name"] += text
        node["expected"].update(pull_spec=f"expected {text}", digest=text, source=text)
        if node["booted"]:
            node["booted"] = {"version": text, "digest": text, "pull_spec": f"registry {text}"}
        for finding in node["findings"]:
            finding.update(message=f"message {text}", evidence=f"evidence {text}", remedy=f"remedy {text}")
    object_ = {"kind": f"k{text}", "namespace": f"n{text}", "name": text}
    result["findings"] = [{"id": text, "severity": text, "object": object_, "message": text, "remedy": text}]
    return result


HARMLESS = page_of(saying("harmless"))


def test_the_page_says_all_that_is_asked_of_a_report() -> None:
    page = page_of(verified({"worker-0": booted(RIGHT), "worker-1": booted(WRONG, version="9.6.1")}))

    for wanted in (
        CLUSTER["name"], CLUSTER["id"], CLUSTER["version"], CLUSTER["api_url"], f"{REPOSITORY}@{RIGHT}", WRONG, "9.6.1",
        "layered", "2026-11-24 09:30:00 UTC", "system:serviceaccount:audit:imagemode", "node.image_differs",
        "Wait for the rollout", "1 of 2 nodes booted the expected image",
    ):  # fmt: skip
        assert wanted in page.text


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({"a": RIGHT}, "The node booted the expected image."),
        ({"a": RIGHT, "b": RIGHT}, "All 2 nodes booted the expected image."),
        ({"a": RIGHT, "b": WRONG}, "1 of 2 nodes booted the expected image; 1 booted a different image."),
        (
            {"a": WRONG, "b": ""},
            "0 of 2 nodes booted the expected image, 1 booted a different image, and 1 could not be verified.",
        ),
        ({"a": RIGHT, "b": ""}, "1 of 2 nodes booted the expected image; 1 could not be verified."),
    ],
)
def test_the_page_says_in_a_sentence_what_is_proven(answers: dict[str, str], sentence: str) -> None:
    page = page_of(verified({name: booted(digest) if digest else silent() for name, digest in answers.items()}))

    assert sentence in page.text


def test_the_page_shows_the_containerfile_and_its_hash() -> None:
    page = page_of(verified({"a": booted(RIGHT)}))

    assert CONTENT.text in page.text
    assert ("pre", "class", "evidence") in page.attributes
    assert CONTENT.sha256 in page.text
    assert "The image of the nodes with verdict match was built from it." in page.text
    assert "Not proven." not in page.text
    assert "differs from the exact text" not in page.text


def test_the_page_says_why_a_containerfile_is_not_proven_and_that_its_text_differs() -> None:
    result = verified({"a": booted(RIGHT)})
    result["containerfile"].update(proven=False, why_not="it was seeded", exact=False)
    page = page_of(result)

    assert "Not proven. it was seeded" in page.text
    assert "differs from the exact text" in page.text
    assert "was built from it." not in page.text


@pytest.mark.parametrize("content", [None, {"machineosconfig": "layered", "sha256": None, "why_not": "it has none"}])
def test_the_page_of_an_image_without_a_containerfile_shows_no_text(content: t.Any) -> None:
    page = page_of({**verified({"a": booted(RIGHT)}), "containerfile": content})

    assert ("pre", "class", "evidence") not in page.attributes
    assert ("it has none" in page.text) is bool(content)


def test_nodes_that_were_left_out_are_counted_but_are_not_in_the_table() -> None:
    page = page_of({**verified({"a": booted(RIGHT)}), "pool_total": 4, "left_out": 3})

    assert "1 of 4 nodes booted the expected image; 3 were left out." in page.text
    assert "4 nodes, 3 left out" in page.text
    assert [value for tag, name, value in page.attributes if (tag, name) == ("tr", "class")] == ["match"]


@pytest.mark.parametrize(
    ("result", "sentence"),
    [
        ({"verdict": "unknown"}, "No node was verified, so nothing is proven."),
        ({"verdict": "none"}, "The pool has no nodes."),
        ({"verdict": "unknown", "failure": "Could not reach the cluster."}, "Could not reach the cluster."),
    ],
)
def test_a_run_without_nodes_says_so(result: dict[str, t.Any], sentence: str) -> None:
    assert sentence in page_of(result).text


def test_an_account_that_is_not_known_is_called_unknown() -> None:
    page = page_of(verified({"worker-0": booted(RIGHT)}, account=None))

    assert "Accountunknown" in page.text


def test_a_claim_is_not_shown_as_proof() -> None:
    nodes = {"worker-0": booted(WRONG)}

    assert (
        "only the state that the operator reports, which is not a proof"
        in page_of(verified(nodes, transport="api")).text
    )
    assert "only the state that the operator reports" not in page_of(verified(nodes)).text


def test_page_shows_check_mode() -> None:
    page = page_of(
        verified({"worker-0": booted(RIGHT)}), ReportContext("2026-11-24T09:31:00Z", "blue", True, None)
    ).text

    assert "Check mode." in page
    assert "Check mode." not in page_of(verified({"worker-0": booted(RIGHT)})).text


def test_what_has_to_be_acted_on_comes_first_and_worker_2_before_worker_10() -> None:
    nodes = {"worker-1": RIGHT, "worker-10": WRONG, "worker-2": WRONG, "worker-3": ""}
    page = page_of(verified({name: booted(digest) if digest else silent() for name, digest in nodes.items()}))

    assert [row.split()[0] for row in page.rows[1:]] == ["worker-2", "worker-10", "worker-3", "worker-1"]


def test_an_expectation_that_is_not_current_is_said_to_match_nothing() -> None:
    result = verified({"worker-0": booted(RIGHT)})
    result["nodes"][0]["expected"]["current"] = False

    assert "no node matches" in page_of(result).text


def test_nodes_with_different_expected_images_show_their_pools() -> None:
    one, two = (verified({name: booted(RIGHT)}, pool=pool) for name, pool in [("a", "layered"), ("b", "gpu")])
    two["nodes"][0]["expected"]["digest"] = WRONG
    page = page_of({**one, "nodes": one["nodes"] + two["nodes"]})

    assert [row.split()[:2] for row in page.rows[1:]] == [["a", "layered"], ["b", "gpu"]]


def test_booted_and_expected_digests_are_shortened_in_messages_and_others_are_not() -> None:
    result = verified({"worker-0": booted(WRONG)})
    other = "sha256:" + "c" * 64
    result["nodes"][0]["findings"][0]["message"] += f" or {other}"

    row = page_of(result).rows[1]

    assert f"{WRONG[:19]}…, expected {RIGHT[:19]}… or {other}" in row
    assert row.count(WRONG) == 1


def test_every_node_can_be_filtered_by_its_verdict() -> None:
    page = page_of(of_200_nodes())
    verdicts = [value for tag, name, value in page.attributes if (tag, name) == ("tr", "class")]

    assert {verdict: verdicts.count(verdict) for verdict in set(verdicts)} == {
        "match": 185,
        "mismatch": 12,
        "unknown": 3,
    }
    assert [value for tag, name, value in page.attributes if (tag, name) == ("input", "id")] == [
        "show-all",
        "show-match",
        "show-mismatch",
        "show-unknown",
    ]


def test_a_strict_policy_allows_the_one_style_sheet_and_nothing_else() -> None:
    page = page_of(of_200_nodes())
    policy = next(value for dummy, name, value in page.attributes if name == "content" and "default-src" in value)

    style = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'"
    assert "url(" not in page.style
    assert "@import" not in page.style


def test_nothing_runs_and_nothing_is_loaded() -> None:
    page = page_of(saying("harmless"))
    tags = {structure[0] for structure in page.structure}

    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "form", "base", "audio", "video", "use"}
    assert not [name for dummy, name, dummy2 in page.attributes if name.startswith("on") or name in ("style", "src")]
    assert [value for dummy, name, value in page.attributes if name.endswith("href")] == ["#timeline"]


def test_verification_has_no_timeline() -> None:
    page = page_of(verified({"a": booted(RIGHT)}))

    assert "Timeline" not in page.text
    assert not [value for dummy, name, value in page.attributes if value in ("timeline", "chart")]


def test_timeline_of_2000_nodes_draws_500_and_says_so() -> None:
    nodes = [{"name": f"worker-{n}", "state": "done", "started": ASKED_AT, "done": ASKED_AT} for n in range(2000)]
    page = page_of({**verified({"a": booted(RIGHT)}), "timeline": {"nodes": nodes, "left_out": 7}})

    assert "1507 more nodes with observed updates are not shown." in page.text
    assert [value for dummy, name, value in page.attributes if name == "class"].count("row done") == 500
    assert "Times of 500 nodes as a table" in page.text


def test_every_chart_has_a_title_and_a_description() -> None:
    page = page_of(saying("harmless"))
    ids = [value for dummy, name, value in page.attributes if name == "id"]
    named = [value.split() for dummy, name, value in page.attributes if name == "aria-labelledby"]

    assert [structure[0] for structure in page.structure].count("desc") == 2
    assert len(ids) == len(set(ids))
    assert all(name in ids for names in named for name in names)


ANY_TEXT = st.text(st.characters(exclude_categories=[]), min_size=1)


@given(ANY_TEXT)
@example("<script>alert(1)</script>")
@example("</style><script>alert(1)</script>")
@example('"><img src=x onerror=alert(1)>')
@example("' onmouseover='alert(1)")
@example("{{ 7 * 7 }}{% raw %}")
@example("--><!-- &lt;b&gt; &amp; \u2028 \u2029 \x00 \ud800 \x1b[31m ]]>")
@example("a\r\nb")
@example("tab\ttxt\u202eexe.\u2066x\u200b\x9b")
def test_no_text_becomes_part_of_the_page(text: str) -> None:
    page = page_of(saying(text))

    assert page.structure == HARMLESS.structure
    assert f"message {for_readers(text)}" in page.text
    assert page.style == HARMLESS.style
    assert all(c.isprintable() or c in "\n\t" for c in page.text + "".join(v for *_dummy, v in page.attributes))


@pytest.mark.parametrize("name", ["9" * 6000, "worker-\u00b2", "\u00b2", "\u0663", "007"])
def test_no_name_of_a_node_prevents_the_report(name: str) -> None:
    """Python refuses to convert long numbers, and some digits are no decimal digits."""
    result = saying("x")
    result["nodes"][0]["name"] = name
    result["nodes"][1]["name"] = f"{name}9"

    assert name in page_of(result).text
