# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of 200 nodes, written by the role and opened in a browser. No lab is needed."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import pytest
from ansible_run import Ansible
from browser import Browser

RIGHT, WRONG = "sha256:" + "a" * 64, "sha256:" + "b" * 64
HOSTILE = (
    '</td></table></style><script>window.broken = 1</script><img src=x onerror="window.broken = 1">\'\u2028{{ 7 * 7 }}'
)
COUNTS = {"match": 185, "mismatch": 12, "unknown": 3}

# The visible rows by verdict.
VISIBLE = """
Object.fromEntries(['match', 'mismatch', 'unknown'].map(verdict => [
  verdict, [...document.querySelectorAll(`tbody tr.${verdict}`)].filter(row => row.getClientRects().length).length]))
"""

# Texts whose contrast is below the 4.5 to 1 of WCAG 2.
LOW_CONTRAST = """
(() => {
  const parts = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = colour => parts(colour).slice(0, 3).map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if ((parts(colour)[3] ?? 1) > 0) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const faint = new Set();
  for (const element of document.querySelectorAll('body *')) {
    const speaks = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    if (!speaks || !element.getClientRects().length || element.closest('label:has(:disabled)')) continue;
    const [a, b] = [light(getComputedStyle(element).color), light(behind(element))];
    if ((Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5) faint.add(element.outerHTML.slice(0, 120));
  }
  return [...faint];
})()
"""


def node(number: int) -> dict[str, t.Any]:
    """Return one of 200 nodes: 12 booted another image, 3 did not answer."""
    name = f"worker-{number}.blue.example.com"
    verdict = "unknown" if number in (100, 150, 199) else "mismatch" if number in range(7, 67, 5) else "match"
    digest = WRONG if verdict == "mismatch" else RIGHT
    booted = {"pull_spec": f"registry.example.com/os/layered@{digest}", "digest": digest, "version": "9.6.20251015-0"}
    finding = {
        "id": "node.image_differs" if verdict == "mismatch" else "node.no_response",
        "severity": "error",
        "object": {"kind": "Node", "namespace": "", "name": name},
        "message": f"the node booted {digest}" if verdict == "mismatch" else f"no answer {HOSTILE}",
        "evidence": "" if verdict == "mismatch" else f"{HOSTILE}\n" * 12,
        "remedy": "Wait for the rollout",
    }
    return {
        "name": name,
        "pool": "layered",
        "verdict": verdict,
        "expected": {
            "pull_spec": f"registry.example.com/os/layered@{RIGHT}",
            "digest": RIGHT,
            "source": "machineosconfig",
            "current": True,
        },
        "booted": None if verdict == "unknown" else booted,
        "boot_id": "1",
        "verified_at": "2026-11-24T09:30:00Z",
        "findings": [] if verdict == "match" else [finding],
    }


def moment(second: int) -> str:
    """Return a time of the rollout."""
    return f"2026-11-24T{9 + second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"


def times(number: int) -> dict[str, t.Any]:
    """Return the times of one of 200 nodes, five at once. Node 7 did not come back, and node 8 has a hostile name."""
    start = number // 5 * 300
    steps = zip(("started", "drain_started", "drain_finished", "not_ready", "ready", "done"), (0, 5, 60, 90, 250, 280))
    known = {name: moment(start + step + number % 5) for name, step in steps}
    lost = {"ready": None, "done": None, "state": "updating"} if number == 7 else {}
    name = HOSTILE if number == 8 else f"worker-{number}.blue.example.com"
    return {"name": name, "state": "done", **known, "observed": ["started", "drain_started", "done"], **lost}


def attempt(number: int) -> dict[str, t.Any]:
    """Return one of three attempts, of which the last one succeeded."""
    ended = {"exit_code": 1, "reason": HOSTILE, "state": "failed"}
    if number == 2:
        ended = {"exit_code": 0, "reason": "Completed", "state": "succeeded"}
    return {"pod": HOSTILE, "started": moment(number * 200), "finished": moment(number * 200 + 150), **ended}


RESULT = {
    "build": {"name": HOSTILE, "state": "succeeded", "attempts": [attempt(number) for number in range(3)]},
    "timeline": {"nodes": [times(number) for number in range(200)], "left_out": 0},
    "cluster": {"api_url": "https://api.blue.example.com:6443", "id": "0f7a4e1c", "name": HOSTILE, "version": "4.20.4"},
    "account": HOSTILE,
    "verdict": "unknown",
    "containerfile": {
        "machineosconfig": "layered",
        "sha256": "c" * 64,
        "text": f"FROM configs AS final\n# {HOSTILE}\n" + "RUN true\n" * 100,
        "exact": False,
        "proven": True,
    },
    "nodes": [node(number) for number in range(200)],
}


@pytest.fixture(scope="module")
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page that the role wrote."""
    ansible = Ansible(request.config.getoption("--ansible"), tmp_path_factory.mktemp("report"), {})
    # As data and not as a variable: Ansible does not evaluate a result of a module as a template.
    given = ansible.scratch / "result.json"
    given.write_text(json.dumps(RESULT), encoding="utf-8")
    run = ansible.run_tasks(
        [
            {"name": "Read", "ansible.builtin.command": {"argv": ["cat", str(given)]}, "register": "content"},
            {
                "name": "Report",
                "ansible.builtin.include_role": {"name": "imagemode.openshift.evidence_report"},
                "vars": {"evidence_report_of": "{{ content.stdout | from_json }}", "evidence_report_dir": "reports"},
            },
        ]
    )
    assert run.rc == 0, run.output
    (page,) = (ansible.scratch / "reports").glob("*-layered.html")
    return page


@pytest.fixture(scope="module")
def browser() -> t.Iterator[Browser]:
    """A browser that all tests of this file use."""
    with Browser() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, report: Path) -> Browser:
    """The browser with the report, newly opened."""
    browser.show_as()
    browser.open(report)
    return browser


def choose(page: Browser, verdict: str) -> None:
    """Click a verdict of the filter."""
    page.evaluate(f"document.querySelector('label:has(#show-{verdict})').click()")


def test_all_200_nodes_are_shown(page: Browser) -> None:
    assert page.evaluate(VISIBLE) == COUNTS
    assert "185 of 200 nodes booted the expected image" in page.evaluate(
        "document.querySelector('.headline').innerText"
    )


@pytest.mark.parametrize("verdict", COUNTS)
def test_filter_shows_the_nodes_of_a_verdict_and_how_many_they_are(page: Browser, verdict: str) -> None:
    choose(page, verdict)

    assert page.evaluate(VISIBLE) == {**dict.fromkeys(COUNTS, 0), verdict: COUNTS[verdict]}
    shown = page.evaluate("document.querySelector('.shown').innerText").strip()
    assert shown == f"Only the {COUNTS[verdict]} of 200 nodes with verdict {verdict} are shown."


def test_filter_shows_all_nodes_again(page: Browser) -> None:
    choose(page, "unknown")
    choose(page, "all")

    assert page.evaluate(VISIBLE) == COUNTS
    assert page.evaluate("document.querySelector('.shown').innerText").strip() == ""


def test_filter_works_with_the_keyboard(page: Browser) -> None:
    page.press("Tab")  # the link to the timeline
    page.press("Tab")
    page.press("ArrowRight")
    page.press("ArrowRight")

    assert page.evaluate(VISIBLE) == {"match": 0, "mismatch": 12, "unknown": 0}


def test_browser_loads_only_the_file_and_logs_no_error(page: Browser, report: Path) -> None:
    page.evaluate("document.fonts.ready.then(() => true)")

    assert [request["request"]["url"] for request in page.events_of("Network.requestWillBeSent")] == [report.as_uri()]
    assert page.events_of("Log.entryAdded") == []
    assert page.events_of("Runtime.exceptionThrown") == []


def test_hostile_texts_are_shown_and_not_run(page: Browser) -> None:
    assert page.evaluate("window.broken") is None
    assert page.evaluate("document.querySelectorAll('script, img').length") == 0
    shown = HOSTILE.replace("\u2028", r"\u2028")  # the page shows the escape of an unprintable character
    assert shown in page.evaluate("document.querySelector('h1').textContent")
    assert page.evaluate("document.querySelector('tr.unknown .evidence').textContent").count(shown) == 12
    assert f"final\n# {shown}\nRUN" in page.evaluate("document.querySelector('.content pre').textContent")


def test_policy_of_the_page_blocks_injected_scripts_and_styles(page: Browser) -> None:
    page.evaluate("""new Promise(done => {
        let refused = 0;
        document.addEventListener('securitypolicyviolation', () => { if (++refused === 3) done(); });
        const slip = markup => document.body.insertAdjacentHTML('beforeend', markup);
        slip('<img src="https://127.0.0.1/x" onerror="window.broken = 1">');
        slip('<p id="slipped" style="color: red" onclick="window.broken = 2">');
        document.getElementById('slipped').click();
    })""")

    assert page.evaluate("window.broken") is None
    assert page.evaluate("getComputedStyle(document.getElementById('slipped')).color") != "rgb(255, 0, 0)"
    assert [request.get("blockedReason") for request in page.events_of("Network.loadingFailed")] == ["csp"]


@pytest.mark.parametrize("width", [360, 800, 1280, 2200])
def test_page_fits_its_window(page: Browser, width: int) -> None:
    page.show_as(width)

    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("media", "scheme"), [("", "light"), ("", "dark"), ("print", "light"), ("print", "dark")])
def test_each_text_has_enough_contrast(page: Browser, media: str, scheme: str) -> None:
    page.show_as(media=media, scheme=scheme)

    assert page.evaluate(LOW_CONTRAST) == []


@pytest.mark.parametrize("width", [360, 1280])
def test_index_fits_its_window_and_each_text_has_enough_contrast(browser: Browser, report: Path, width: int) -> None:
    for scheme in ("light", "dark"):
        browser.show_as(width, scheme=scheme)
        browser.open(report.with_name("image-mode-index.html"))
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
        assert browser.evaluate(LOW_CONTRAST) == []
    assert browser.events_of("Log.entryAdded") == []


def test_index_opens_the_page_of_a_pool(browser: Browser, report: Path) -> None:
    browser.show_as()
    browser.open(report.with_name("image-mode-index.html"))
    assert browser.evaluate("document.querySelector('tbody a').href") == report.as_uri()
    assert browser.evaluate("document.querySelectorAll('tbody tr.unknown').length") == 1


def test_screen_reader_finds_the_filter_and_the_table(page: Browser) -> None:
    tree = page.command("Accessibility.getFullAXTree")["nodes"]
    named = {
        (element["role"]["value"], element.get("name", {}).get("value", "").strip())
        for element in tree
        if not element["ignored"]
    }
    roles = [element["role"]["value"] for element in tree if not element["ignored"]]

    assert {("radio", "all 200"), ("radio", "match 185"), ("radio", "mismatch 12"), ("radio", "unknown 3")} <= named
    assert {("group", "Show"), ("heading", "Nodes"), ("columnheader", "Verdict")} <= named
    assert ("table", "Verified nodes with booted image and findings") in named
    assert roles.count("rowheader") == 200


def test_screen_reader_finds_the_table_in_a_narrow_window(page: Browser) -> None:
    page.show_as(360)
    tree = page.command("Accessibility.getFullAXTree")["nodes"]

    assert [element["role"]["value"] for element in tree].count("rowheader") == 200


def test_print_has_the_visible_nodes_in_full_and_no_filter(page: Browser) -> None:
    choose(page, "unknown")
    page.show_as(media="print")

    assert page.evaluate("getComputedStyle(document.querySelector('.filter')).display") == "none"
    assert page.evaluate(VISIBLE) == {"match": 0, "mismatch": 0, "unknown": 3}
    assert "Only the 3 of 200" in page.evaluate("document.querySelector('.shown').innerText")
    assert page.evaluate("[...document.querySelectorAll('pre')].every(e => e.scrollHeight <= e.clientHeight + 1)")


# The parts of the charts that are outside of them, as far as they are visible.
OUTSIDE = """
[...document.querySelectorAll('svg.chart')].flatMap(chart => {
  const box = chart.getBoundingClientRect();
  return [...chart.querySelectorAll('rect, circle, path, text')].filter(part => {
    const at = part.getBoundingClientRect();
    return at.left < box.left - 1 || at.right > box.right + 1 || at.bottom > box.bottom + 1;
  }).map(part => part.outerHTML);
})
"""


@pytest.mark.parametrize("media", ["", "print"])
def test_timeline_draws_each_attempt_and_each_node_inside_its_chart(page: Browser, media: str) -> None:
    page.show_as(media=media)

    assert page.evaluate("document.querySelectorAll('.chart .succeeded, .chart .failed').length") == 3
    assert page.evaluate("document.querySelectorAll('.chart .done, .chart .not-done').length") == 200
    assert page.evaluate("document.querySelector('.chart .not-done .label').textContent") == "worker-7"
    assert page.evaluate(OUTSIDE) == []


def test_no_chart_of_the_timeline_is_higher_than_half_of_a_printed_page(page: Browser) -> None:
    page.show_as(720, media="print")  # the width of a sheet of A4 or Letter without its margins

    heights = page.evaluate("[...document.querySelectorAll('svg.chart')].map(c => c.getBoundingClientRect().height)")
    assert len(heights) == 7
    assert max(heights) < 470


def test_screen_reader_finds_the_charts_and_their_times_as_a_table(page: Browser) -> None:
    page.evaluate("document.querySelector('details').open = true")
    tree = page.command("Accessibility.getFullAXTree")["nodes"]
    shown = [element for element in tree if not element["ignored"]]
    named = {(e["role"]["value"], e.get("name", {}).get("value", "").strip()) for e in shown}

    assert {("image", "Nodes 1-36 of 200"), ("image", "Build"), ("heading", "Timeline of the run")} <= {
        (role, name.partition(" 36 rows")[0].partition(" 3 rows")[0]) for role, name in named
    }
    assert [element["role"]["value"] for element in shown].count("rowheader") == 400


def test_print_has_pages_for_all_nodes(page: Browser) -> None:
    whole = page.print_to_pdf()
    choose(page, "unknown")
    part = page.print_to_pdf()

    pages = [len(re.findall(rb"/Type\s*/Page\b", pdf)) for pdf in (whole, part)]
    assert pages[0] - pages[1] > 5
