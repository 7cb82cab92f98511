# SPDX-License-Identifier: GPL-3.0-or-later
"""Diagnosis of real failed builds, recorded in the lab (tests/recordings), and of hostile logs."""

from __future__ import annotations

import tracemalloc
import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.diagnosis import (
    EXCERPT_BYTES,
    Diagnosis,
    diagnose,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import FINDINGS, FindingId
from ansible_collections.imagemode.openshift.tests.diagnosis.cases import RECORDINGS, recorded_cases, written_cases

RECORDED = {case.name: case for case in recorded_cases()}
WRITTEN = {case.name: case for case in written_cases()}

# Cases whose line follows only from the numbers of the step, which the end of the log does not contain.
NO_LINE_FROM_LOG_END = {
    "killed-buildah",
    "run-failed-in-the-first-of-two-here-documents",
    "run-failed-in-the-second-of-two-here-documents",
    "run-failed-twice-the-same",
    "user-base-not-found",
    "user-from-not-found",
}
# Cases whose output is not in the end of the log, which the debug output of the builder fills.
NO_CAUSE_FROM_LOG_END = {"repository-forbidden": "build.run_failed"}


def test_every_recording_is_a_case():
    recorded = {f"{path.parent.name}/{path.stem}" for path in RECORDINGS.glob("*/*.log")}
    assert recorded == set(RECORDED)
    assert all(case.exit_code for case in RECORDED.values())


@pytest.mark.parametrize("name", RECORDED)
def test_log_gives_cause_line_and_summary(name):
    found = RECORDED[name].diagnosis()
    assert RECORDED[name].faults(found) == []
    assert "\n" not in found.summary


@pytest.mark.parametrize("name", WRITTEN)
def test_line_that_names_the_cause_is_found(name):
    case = WRITTEN[name]
    found = case.diagnosis()
    assert case.faults(found) == []
    assert "\n" not in found.summary
    assert len(found.excerpt.encode()) <= EXCERPT_BYTES


@pytest.mark.parametrize("name", RECORDED)
def test_end_of_the_log_gives_the_same_cause_and_never_a_wrong_line(name):
    case, short = RECORDED[name], name.partition("/")[2]
    found = case.diagnosis(end_only=True)
    assert found.cause.value == NO_CAUSE_FROM_LOG_END.get(short, case.cause)
    assert found.line == (None if short in NO_LINE_FROM_LOG_END else case.line)


@pytest.mark.parametrize("end_only", [False, True])
@pytest.mark.parametrize("name", RECORDED)
def test_excerpt_is_short_and_without_trace_and_debug_output(name, end_only):
    excerpt = RECORDED[name].diagnosis(end_only).excerpt
    assert excerpt
    assert len(excerpt.encode()) <= EXCERPT_BYTES
    assert not any(line.startswith(("+ ", "Retry ")) or "level=debug" in line for line in excerpt.splitlines())


@pytest.mark.parametrize("end_only", [False, True])
def test_no_credential_is_shown(end_only):
    seen = RECORDED["build_failures/secrets-printed"].diagnosis(end_only)
    assert "***" in seen.excerpt
    for shown in (seen.excerpt, seen.summary, seen.instruction):
        assert "hunter" not in shown
        assert "aHVudGVy" not in shown


PUSHING = 'Error: pushing image "r.example.com/os/x:t" to "docker://r.example.com/os/x:t": '


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (
            "writing blob: uploading layer chunked: denied: quota exceeded for namespace os",
            FindingId.BUILD_PUSH_QUOTA_EXCEEDED,
        ),
        ("initiating layer upload: 413 Request Entity Too Large", FindingId.BUILD_PUSH_TOO_LARGE),
        (
            "trying to reuse blob sha256:1: name unknown: repository os/x not found",
            FindingId.BUILD_PUSH_REPOSITORY_UNKNOWN,
        ),
        ("writing manifest: denied: requested access to the resource is denied", FindingId.BUILD_PUSH_DENIED),
        (
            "initiating layer upload: received unexpected HTTP status: 503 Service Unavailable",
            FindingId.BUILD_REGISTRY_ERROR,
        ),
        ("writing blob: an unknown error", FindingId.BUILD_FAILED),
    ],
)
def test_errors_of_registries_about_a_push(words, cause):
    """Scripted: the lab's registry has no quota and creates repositories automatically."""
    assert diagnose(f"[3/3] STEP 1/1: FROM configs\n{PUSHING}{words}\n", "FROM configs\n", 125).cause is cause


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("OOMKilled", FindingId.BUILD_KILLED),
        ("Evicted", FindingId.BUILD_EVICTED),
        ("Preempting", FindingId.BUILD_EVICTED),
    ],
)
def test_reason_in_the_pod_status_takes_precedence_over_the_log(reason, cause):
    words = "[3/3] STEP 2/2: RUN dnf install -y tcpdump\nThe node was low on resource: ephemeral-storage.\n"
    seen = diagnose(words, "FROM configs\nRUN dnf install -y tcpdump\n", 137, reason)
    assert seen.cause is cause
    assert "ephemeral-storage" in seen.summary


def test_exit_status_of_a_killed_builder_takes_precedence_over_an_unknown_error():
    log = "Error: committing the layer: unexpected end of the stream\n"
    killed, failed = (diagnose(log, "FROM configs\n", code) for code in (137, 125))
    assert (killed.cause, failed.cause) == (FindingId.BUILD_KILLED, FindingId.BUILD_FAILED)
    assert killed.summary == failed.summary == "committing the layer: unexpected end of the stream"


def test_killed_command_is_known_by_its_exit_status_alone():
    log = '[3/3] STEP 2/2: RUN x\nError: building at STEP "RUN x": while running runtime: exit status 137\n'
    assert diagnose(log, "FROM configs\nRUN x\n", 1).cause is FindingId.BUILD_KILLED


def test_unknown_failure_reports_the_log():
    seen = diagnose("one\nsomething new went wrong\n", "FROM configs\n", 1)
    assert (seen.cause, seen.line) == (FindingId.BUILD_FAILED, None)
    assert seen.summary == "something new went wrong"
    assert seen.excerpt == "one\nsomething new went wrong"


@pytest.mark.parametrize("words", ["", "\n", "+ return 7\n"])
def test_empty_log_gives_an_empty_summary(words):
    assert diagnose(words, "FROM configs\n", 1) == Diagnosis(FindingId.BUILD_FAILED, "", "")


@pytest.mark.parametrize("cause", sorted({case.cause for case in (*RECORDED.values(), *WRITTEN.values())}))
def test_every_cause_has_a_remedy_in_the_public_table(cause):
    definition = FINDINGS[FindingId(cause)]
    assert definition.severity.value == "fatal"
    assert definition.kind_of == (None if cause == "build.failed" else "build.failed")


# Hostile logs --------------------------------------------------------------------------------------

LARGE = 4 << 20
AT_STEP = 'Error: building at STEP "RUN x": while running runtime: exit status 1'
STEP_STARTED = "[3/3] STEP 2/2: RUN x"


def repeated(unit: str, size: int) -> str:
    return (unit * (size // len(unit) + 1))[:size]


QUOTE = 'a": '
STEP_OBJECT = " &imagebuilder.Step{"
HOSTILE: dict[str, t.Callable[[], str]] = {
    "many quotations in one line": lambda: f'{AT_STEP[:30]}{repeated(QUOTE, 58 << 10)}": exit status 1',
    "quotations in a line of megabytes": lambda: f'{AT_STEP[:30]}{repeated(QUOTE, LARGE - 99)}": exit status 1',
    "step objects": lambda: repeated(STEP_OBJECT, LARGE),
    "step objects on many lines": lambda: "\n".join([repeated(STEP_OBJECT, 4000)] * 1000),
    "quoted originals": lambda: repeated(f'{STEP_OBJECT}, Original:"', LARGE - 99) + "\nError: unknown instruction: X",
    "punctuation": lambda: "\n".join((STEP_STARTED, *["-" * 4000] * 1000, AT_STEP)),
    "short lines": lambda: "\n".join((STEP_STARTED, *["--"] * (LARGE // 4), AT_STEP)),
    "one word": lambda: "\n".join((STEP_STARTED, "x" * (LARGE - 999), AT_STEP)),
    "repositories": lambda: f"Error: pushing image {repeated('repository ', LARGE - 99)}",
    "starts of a process": lambda: "\n".join(
        (STEP_STARTED, repeated("process failed to start ", LARGE - 999), AT_STEP)
    ),
    "steps": lambda: repeated('[1/2] STEP 1/2: RUN ["a",\n', LARGE),
    "beginnings of keys": lambda: "\n".join(
        (STEP_STARTED, repeated("-----BEGIN PRIVATE KEY-----\n", LARGE - 999), AT_STEP)
    ),
    "digits of a step": lambda: f"STEP 1/{'1' * 5000}: RUN x",
    "digits of a status": lambda: f'Error: building at STEP "RUN x": exit status {"1" * 5000}',
    "brackets": lambda: f'Error: building at STEP "RUN {"[" * 200000}": exit status 1',
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("log", HOSTILE.values(), ids=HOSTILE)
def test_hostile_log_is_diagnosed_in_linear_time(log):
    """Most of them once took more than a minute or a gigabyte, or raised an unexpected error."""
    seen = diagnose(log(), "FROM configs\n" + "RUN x y\n" * 500, 1, "Error")
    assert len(seen.summary) <= 420
    assert len(seen.excerpt.encode()) <= EXCERPT_BYTES


def test_long_line_takes_memory_in_proportion_to_its_length():
    line = f'{AT_STEP[:30]}{repeated(QUOTE, 16 << 10)}": exit status 1'
    tracemalloc.start()
    try:
        diagnose(line, "FROM configs\nRUN x\n", 1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 << 20


def test_both_ends_of_a_long_line_are_used():
    words = f'{"x" * 9000}\nError: building at STEP "RUN {"y" * 9000}": while running runtime: exit status 127'
    seen = diagnose(f"{STEP_STARTED}\n{words}", "FROM configs\nRUN x\n", 127)
    assert seen.cause is FindingId.BUILD_COMMAND_NOT_FOUND
    assert "exit status 127" in seen.summary


def test_cause_is_found_before_thousands_of_other_lines():
    lines = [
        "Error: Unable to find a match: tcpdmp",
        *["words"] * 1900,
        'Error: building at STEP "RUN x": exit status 1',
    ]
    assert (
        diagnose("\n".join((STEP_STARTED, *lines)), "FROM configs\nRUN x\n", 1).cause
        is FindingId.BUILD_PACKAGE_NOT_FOUND
    )


def test_credential_is_masked_if_its_name_is_before_the_shown_part():
    """The reason seems to begin at the first quotation mark, which is inside the step."""
    error = 'Error: building at STEP "RUN echo {"password": "hunter2 hunter3"} > /x": exit status 1'
    seen = diagnose(f"words\n{error}\n", "FROM configs\nRUN other\n", 1)
    for shown in (seen.summary, seen.excerpt):
        assert "hunter" not in shown
        assert "exit status 1" in shown


@pytest.mark.parametrize("dropped", range(14))
def test_no_line_of_a_private_key_is_shown_from_any_start_of_the_log(dropped):
    body = ["MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"] * 12
    key = ["-----BEGIN PRIVATE KEY-----", *body, "-----END PRIVATE KEY-----"][dropped:]
    seen = diagnose("\n".join((*key, AT_STEP)), "FROM configs\nRUN x\n", 1)
    assert "MIIE" not in seen.excerpt + seen.summary
    assert "exit status 1" in seen.summary
