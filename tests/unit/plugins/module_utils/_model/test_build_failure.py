# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build_failure import last_words, telling_line

MORNING, NOON = "2026-03-01T08:00:00Z", "2026-03-01T12:00:00Z"


def pod(message: str, exit_code: int = 1, created: str = NOON, container: str = "containerStatuses") -> dict:
    status = {"name": "image-build", "state": {"terminated": {"exitCode": exit_code, "message": message}}}
    return {"metadata": {"creationTimestamp": created}, "status": {container: [status]}}


@pytest.mark.parametrize("container", ["containerStatuses", "initContainerStatuses"])
def test_the_last_words_are_those_of_the_container_that_failed(container):
    assert last_words([pod("no space left\n", container=container)]) == "no space left"


def test_the_newest_attempt_speaks():
    assert last_words([pod("first", created=MORNING), pod("second", created=NOON)]) == "second"


def test_an_attempt_that_said_nothing_leaves_the_word_to_the_one_before():
    assert last_words([pod("first", created=MORNING), pod("", created=NOON)]) == "first"


@pytest.mark.parametrize(
    "pods",
    [
        [],
        [pod("done", exit_code=0)],
        [{"metadata": {}, "status": {}}],
        [{"metadata": {}, "status": {"containerStatuses": [{"name": "x", "state": {"running": {}}}]}}],
        [{"metadata": {}, "status": {"containerStatuses": [{"name": "x"}]}}],
    ],
)
def test_who_has_not_failed_has_no_last_words(pods):
    assert last_words(pods) == ""


def test_credentials_in_an_address_are_masked():
    words = last_words([pod("GET https://builder:hunter2@registry.example.com/v2/: 401")])
    assert words == "GET https://***@registry.example.com/v2/: 401"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            "STEP 1/3: FROM configs\nError: building at STEP 3: exit status 1\nmore noise",
            "Error: building at STEP 3: exit status 1",
        ),
        ("Error: first\nError: second\n", "Error: second"),
        ("  error: Unable to find a match: htpo  \n", "error: Unable to find a match: htpo"),
        ("FATAL: no such file", "FATAL: no such file"),
        ("fatal: not a git repository\nbye", "fatal: not a git repository"),
        ("+ error: in a shell's trace\nend", "+ error: in a shell's trace"),
        ("errors are rare\nlast line", "last line"),
        ("one\n\n  two  \n\n", "two"),
        ("", ""),
        (" \n \n", ""),
    ],
)
def test_the_line_that_begins_as_an_error_says_most(words, line):
    assert telling_line(words) == line
