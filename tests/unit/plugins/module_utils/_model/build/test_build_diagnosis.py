# SPDX-License-Identifier: GPL-3.0-or-later
"""What real builds said when they failed, as recorded in the lab; see tests/recordings."""

from __future__ import annotations

import json
import tracemalloc
import typing as t
from pathlib import Path

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.diagnosis import (
    EXCERPT_BYTES,
    Diagnosis,
    diagnose,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import FINDINGS, FindingId

RECORDINGS = Path(__file__).parents[5] / "recordings" / "build_failures"
ENDS = json.loads((RECORDINGS / "ends.json").read_text())

# case -> the cause, the line of the user's Containerfile, and what has to be in the telling words
CASES: dict[str, tuple[FindingId, int | None, str]] = {
    "base-not-found": (FindingId.BUILD_BASE_IMAGE_NOT_FOUND, None, "lab/rhel-coreos:4.99.0"),
    "base-not-found-repository": (FindingId.BUILD_BASE_IMAGE_NOT_FOUND, None, "lab/no-such-repository:latest"),
    "base-refused": (FindingId.BUILD_BASE_IMAGE_DENIED, None, "unauthorized: authentication required"),
    "base-refused-wrong-password": (FindingId.BUILD_BASE_IMAGE_DENIED, None, "unauthorized: authentication required"),
    "command-not-found": (
        FindingId.BUILD_COMMAND_NOT_FOUND,
        2,
        "exit status 127: /bin/sh: line 1: tcpdmp: command not found",
    ),
    "command-not-found-exec-form": (FindingId.BUILD_COMMAND_NOT_FOUND, 2, "/usr/bin/tcpdmp: no such file or directory"),
    "copy-source-missing": (FindingId.BUILD_SOURCE_NOT_FOUND, 2, '"/motd": no such file or directory'),
    "http-for-https": (FindingId.BUILD_REGISTRY_WITHOUT_TLS, None, "server gave HTTP response to HTTPS client"),
    "killed-buildah": (FindingId.BUILD_KILLED, 2, "Killed"),
    "killed-in-run": (FindingId.BUILD_KILLED, 2, "subprocess exited on killed"),
    "no-space": (FindingId.BUILD_NO_SPACE, None, "no space left on device"),
    "no-space-in-run": (FindingId.BUILD_NO_SPACE, 2, "No space left on device"),
    "package-not-found-dnf": (FindingId.BUILD_PACKAGE_NOT_FOUND, 2, "tcpdmp"),
    "package-not-found-rpm-ostree": (FindingId.BUILD_PACKAGE_NOT_FOUND, 2, "error: Packages not found: tcpdmp"),
    "push-refused": (FindingId.BUILD_PUSH_DENIED, None, "unauthorized: authentication required"),
    "push-refused-wrong-password": (FindingId.BUILD_PUSH_DENIED, None, "unauthorized: authentication required"),
    "push-unknown-ca": (FindingId.BUILD_REGISTRY_NOT_TRUSTED, None, "x509"),
    "push-unreachable": (FindingId.BUILD_REGISTRY_UNREACHABLE, None, "connection refused"),
    "registry-name-unknown": (FindingId.BUILD_REGISTRY_UNREACHABLE, None, "registry.invalid"),
    "registry-unreachable": (FindingId.BUILD_REGISTRY_UNREACHABLE, None, "connection refused"),
    "repository-forbidden": (FindingId.BUILD_REPOSITORY_UNUSABLE, 2, "rhel-9-for-x86_64-baseos-rpms"),
    "repository-none": (FindingId.BUILD_REPOSITORY_UNUSABLE, 2, "Unable to read consumer identity"),
    "run-failed": (FindingId.BUILD_RUN_FAILED, 5, "exit status 7: no such luck"),
    "run-failed-beside-a-stage-that-nobody-uses": (FindingId.BUILD_RUN_FAILED, 5, "exit status 6"),
    "run-failed-in-a-here-document": (FindingId.BUILD_CONTAINERFILE_INVALID, 3, "Unknown instruction"),
    "run-failed-in-an-earlier-stage": (FindingId.BUILD_RUN_FAILED, 2, "exit status 1: cat: can't open '/no/such/file'"),
    "run-failed-over-lines": (FindingId.BUILD_RUN_FAILED, 2, "exit status 1: two"),
    "run-failed-twice-the-same": (FindingId.BUILD_RUN_FAILED, 6, "exit status 1: rm: can't remove '/flag'"),
    "run-failed-without-from": (FindingId.BUILD_RUN_FAILED, 1, "exit status 3: early"),
    "secrets-printed": (FindingId.BUILD_RUN_FAILED, 2, "exit status 22"),
    "stage-not-found": (FindingId.BUILD_BASE_IMAGE_NOT_FOUND, 2, "toolz"),
    "syntax-arguments": (FindingId.BUILD_CONTAINERFILE_INVALID, 2, "COPY requires at least one argument"),
    "syntax-flag": (FindingId.BUILD_CONTAINERFILE_INVALID, 2, "only supports the --mount flag"),
    "syntax-unknown-instruction": (FindingId.BUILD_CONTAINERFILE_INVALID, 3, 'Unknown instruction: "RNU"'),
    "unknown-ca": (FindingId.BUILD_REGISTRY_NOT_TRUSTED, None, "x509"),
    "user-base-not-found": (FindingId.BUILD_BASE_IMAGE_NOT_FOUND, 2, "lab/tools:9"),
    "user-from-not-found": (FindingId.BUILD_BASE_IMAGE_NOT_FOUND, 1, "lab/tools:9"),
}

# What only the place of the step tells is not told by the last words.
NO_LINE_FROM_LAST_WORDS = {
    "killed-buildah",
    "run-failed-twice-the-same",
    "user-base-not-found",
    "user-from-not-found",
}


def said(case: str, last_words: bool = False) -> Diagnosis:
    log = (RECORDINGS / f"{case}.log").read_bytes()
    if last_words:  # as a kubelet takes them
        log = b"".join(log.splitlines(keepends=True)[-80:])[-2048:]
    user = (RECORDINGS / f"{case}.Containerfile").read_text()
    return diagnose(log.decode("utf-8", "replace"), user, ENDS[case]["exit_code"], "Error")


def test_every_recording_is_held_to_something():
    assert set(CASES) == set(ENDS) == {path.stem for path in RECORDINGS.glob("*.log")}


@pytest.mark.parametrize("case", CASES)
def test_a_log_tells_the_cause_the_line_and_the_words(case):
    cause, line, telling = CASES[case]
    seen = said(case)
    assert (seen.cause, seen.line) == (cause, line)
    assert telling in seen.telling
    assert "\n" not in seen.telling


@pytest.mark.parametrize("case", CASES)
def test_the_last_words_alone_tell_the_same_cause_and_never_another_line(case):
    cause, line, dummy = CASES[case]
    seen = said(case, last_words=True)
    assert (seen.cause, seen.line) == (cause, None if case in NO_LINE_FROM_LAST_WORDS else line)


@pytest.mark.parametrize("last_words", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_the_excerpt_is_short_and_without_trace_and_debugging(case, last_words):
    excerpt = said(case, last_words).excerpt
    assert excerpt
    assert len(excerpt.encode()) <= EXCERPT_BYTES
    assert not any(line.startswith(("+ ", "Retry ")) or "level=debug" in line for line in excerpt.splitlines())


@pytest.mark.parametrize("last_words", [False, True])
def test_no_credential_is_shown(last_words):
    seen = said("secrets-printed", last_words)
    assert "***" in seen.excerpt
    for shown in (seen.excerpt, seen.telling, seen.instruction):
        assert "hunter" not in shown
        assert "aHVudGVy" not in shown


def test_a_build_that_ends_well_after_two_tries_is_not_recorded_here():
    assert all(end["exit_code"] for end in ENDS.values())


PUSHING = 'Error: pushing image "r.example.com/os/x:t" to "docker://r.example.com/os/x:t": '


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (
            "writing blob: uploading layer chunked: denied: quota exceeded for namespace os",
            FindingId.BUILD_PUSH_QUOTA_EXCEEDED,
        ),
        ("initiating layer upload: 413 Request Entity Too Large", FindingId.BUILD_PUSH_QUOTA_EXCEEDED),
        (
            "trying to reuse blob sha256:1: name unknown: repository os/x not found",
            FindingId.BUILD_PUSH_REPOSITORY_UNKNOWN,
        ),
        ("writing manifest: denied: requested access to the resource is denied", FindingId.BUILD_PUSH_DENIED),
        (
            "initiating layer upload: received unexpected HTTP status: 503 Service Unavailable",
            FindingId.BUILD_REGISTRY_UNREACHABLE,
        ),
        ("writing blob: something that nobody has seen", FindingId.BUILD_FAILED),
    ],
)
def test_what_registries_answer_to_a_push(words, cause):
    """Scripted: the lab's registry has no quota and makes repositories by itself."""
    assert diagnose(f"[3/3] STEP 1/1: FROM configs\n{PUSHING}{words}\n", "FROM configs\n", 125).cause is cause


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("OOMKilled", FindingId.BUILD_KILLED),
        ("Evicted", FindingId.BUILD_EVICTED),
        ("Preempting", FindingId.BUILD_EVICTED),
    ],
)
def test_what_the_pod_says_counts_more_than_what_the_builder_said(reason, cause):
    words = "[3/3] STEP 2/2: RUN dnf install -y tcpdump\nThe node was low on resource: ephemeral-storage.\n"
    seen = diagnose(words, "FROM configs\nRUN dnf install -y tcpdump\n", 137, reason)
    assert seen.cause is cause
    assert "ephemeral-storage" in seen.telling


def test_the_unknown_stays_unknown_and_shows_what_was_said():
    seen = diagnose("one\nsomething new went wrong\n", "FROM configs\n", 1)
    assert (seen.cause, seen.line) == (FindingId.BUILD_FAILED, None)
    assert seen.telling == "something new went wrong"
    assert seen.excerpt == "one\nsomething new went wrong"


@pytest.mark.parametrize("words", ["", "\n", "+ return 7\n"])
def test_who_said_nothing_is_not_given_words(words):
    assert diagnose(words, "FROM configs\n", 1) == Diagnosis(FindingId.BUILD_FAILED, "", "")


@pytest.mark.parametrize("cause", sorted({cause for cause, *_rest in CASES.values()}))
def test_every_cause_has_a_remedy_in_the_public_table(cause):
    definition = FINDINGS[cause.value]
    assert definition.severity.value == "fatal"
    assert definition.kind_of == (None if cause is FindingId.BUILD_FAILED else "build.failed")


# What a hostile build may print --------------------------------------------------------------------------------------

MUCH = 4 << 20
AT_STEP = 'Error: building at STEP "RUN x": while running runtime: exit status 1'
BEGUN = "[3/3] STEP 2/2: RUN x"


def repeated(unit: str, size: int) -> str:
    return (unit * (size // len(unit) + 1))[:size]


QUOTATION = 'a": '
PICTURE = " &imagebuilder.Step{"
HOSTILE: dict[str, t.Callable[[], str]] = {
    "many quotations in one line": lambda: f'{AT_STEP[:30]}{repeated(QUOTATION, 58 << 10)}": exit status 1',
    "quotations in a line of megabytes": lambda: f'{AT_STEP[:30]}{repeated(QUOTATION, MUCH - 99)}": exit status 1',
    "pictures of steps": lambda: repeated(PICTURE, MUCH),
    "pictures of steps on many lines": lambda: "\n".join([repeated(PICTURE, 4000)] * 1000),
    "quoted originals": lambda: repeated(f'{PICTURE}, Original:"', MUCH - 99) + "\nError: unknown instruction: X",
    "punctuation": lambda: "\n".join((BEGUN, *["-" * 4000] * 1000, AT_STEP)),
    "short lines": lambda: "\n".join((BEGUN, *["--"] * (MUCH // 4), AT_STEP)),
    "one word": lambda: "\n".join((BEGUN, "x" * (MUCH - 999), AT_STEP)),
    "repositories": lambda: f"Error: pushing image {repeated('repository ', MUCH - 99)}",
    "starts of a process": lambda: "\n".join((BEGUN, repeated("process failed to start ", MUCH - 999), AT_STEP)),
    "steps": lambda: repeated('[1/2] STEP 1/2: RUN ["a",\n', MUCH),
    "beginnings of keys": lambda: "\n".join((BEGUN, repeated("-----BEGIN PRIVATE KEY-----\n", MUCH - 999), AT_STEP)),
    "digits of a step": lambda: f"STEP 1/{'1' * 5000}: RUN x",
    "digits of a status": lambda: f'Error: building at STEP "RUN x": exit status {"1" * 5000}',
    "brackets": lambda: f'Error: building at STEP "RUN {"[" * 200000}": exit status 1',
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("log", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_log_is_diagnosed_in_time_in_proportion_to_it(log):
    """Most of them took more than a minute or a gigabyte, or were an unexpected error."""
    seen = diagnose(log(), "FROM configs\n" + "RUN x y\n" * 500, 1, "Error")
    assert len(seen.telling) <= 420
    assert len(seen.excerpt.encode()) <= EXCERPT_BYTES


def test_a_long_line_takes_no_more_memory_than_a_few_times_itself():
    line = f'{AT_STEP[:30]}{repeated(QUOTATION, 16 << 10)}": exit status 1'
    tracemalloc.start()
    try:
        diagnose(line, "FROM configs\nRUN x\n", 1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 << 20


def test_of_a_long_line_both_ends_tell():
    words = f'{"x" * 9000}\nError: building at STEP "RUN {"y" * 9000}": while running runtime: exit status 127'
    seen = diagnose(f"{BEGUN}\n{words}", "FROM configs\nRUN x\n", 127)
    assert seen.cause is FindingId.BUILD_COMMAND_NOT_FOUND
    assert "exit status 127" in seen.telling


def test_the_cause_is_found_before_thousands_of_other_lines():
    lines = ["No match for argument: tcpdmp", *["words"] * 1900, 'Error: building at STEP "RUN x": exit status 1']
    assert diagnose("\n".join((BEGUN, *lines)), "FROM configs\nRUN x\n", 1).cause is FindingId.BUILD_PACKAGE_NOT_FOUND


def test_a_credential_is_masked_by_what_stands_before_the_part_that_is_shown():
    """The builder's reason seems to begin at the first quotation mark, which is within the step."""
    error = 'Error: building at STEP "RUN echo {"password": "hunter2 hunter3"} > /x": exit status 1'
    seen = diagnose(f"words\n{error}\n", "FROM configs\nRUN other\n", 1)
    for shown in (seen.telling, seen.excerpt):
        assert "hunter" not in shown
        assert "exit status 1" in shown


@pytest.mark.parametrize("dropped", range(14))
def test_no_line_of_a_private_key_is_shown_wherever_the_log_begins(dropped):
    body = ["MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"] * 12
    key = ["-----BEGIN PRIVATE KEY-----", *body, "-----END PRIVATE KEY-----"][dropped:]
    seen = diagnose("\n".join((*key, AT_STEP)), "FROM configs\nRUN x\n", 1)
    assert "MIIE" not in seen.excerpt + seen.telling
    assert "exit status 1" in seen.telling
