# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of a pull with mirrors: the answer of a registry counts, wherever it is in the error."""

from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.builder_error import (
    BuilderError,
    Cause,
    cause_of_operation,
    find_error,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.diagnosis import diagnose
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.log_lines import lines_of
from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import FindingId

IMAGE = "registry.example.com/os/base:1"
HEAD = f"Error: creating build container: initializing source docker://{IMAGE}: "
NO_ROUTE = "dial tcp 192.0.2.1:443: connect: no route to host"
DENIED = "reading manifest 1 in mirror.example.com/os/base: unauthorized: authentication required"
ODD = "an unknown answer"


def error_of(*lines: str) -> BuilderError:
    error = find_error(lines_of("\n".join(lines)))
    assert error is not None
    return error


def cause_of(*lines: str) -> Cause:
    cause = cause_of_operation(error_of(*lines))
    assert cause is not None
    return cause


def mirrors(of_mirrors: str, of_source: str) -> str:
    """Return an error with the answers of mirrors and that of the source."""
    return f"{HEAD}(Mirrors also failed: [{of_mirrors}]): {of_source}"


def test_answer_of_a_mirror_counts_if_the_source_is_unreachable() -> None:
    cause = cause_of(mirrors(f"mirror.example.com/os/base:1: {DENIED}", f"{IMAGE}: pinging container: {NO_ROUTE}"))
    assert (cause.finding, cause.by_mirror) == (FindingId.BUILD_BASE_IMAGE_DENIED, True)
    assert cause.message.endswith("unauthorized: authentication required")
    assert "no route to host" not in cause.message


def test_answer_of_the_source_counts_first() -> None:
    cause = cause_of(mirrors(f"mirror.example.com/os/base:1: {DENIED}", f"{IMAGE}: manifest unknown"))
    assert (cause.finding, cause.by_mirror) == (FindingId.BUILD_BASE_IMAGE_NOT_FOUND, False)
    assert cause.message.endswith("manifest unknown")
    assert "unauthorized" not in cause.message


def test_unreachable_source_is_the_cause_if_no_mirror_answered() -> None:
    cause = cause_of(mirrors(ODD, f"{IMAGE}: pinging container: {NO_ROUTE}"))
    assert (cause.finding, cause.by_mirror) == (FindingId.BUILD_REGISTRY_UNREACHABLE, False)
    assert cause.message.endswith("no route to host")


def test_whole_error_is_shown_if_nobody_gave_a_known_answer() -> None:
    cause = cause_of(mirrors(ODD, "and this neither"))
    assert (cause.finding, cause.by_mirror) == (FindingId.BUILD_FAILED, False)
    assert cause.message.endswith(f"(Mirrors also failed: [{ODD}]): and this neither")


@pytest.mark.parametrize("end", ["", "]", "(Mirrors also failed: ["])
def test_error_without_mirrors_is_read_as_a_whole(end: str) -> None:
    cause = cause_of(f"{HEAD}{ODD}{end}")
    assert (cause.finding, cause.by_mirror) == (FindingId.BUILD_FAILED, False)
    assert cause.message.endswith(f"{ODD}{end}")


def test_answers_on_several_lines_are_told_apart() -> None:
    cause = cause_of(
        f"{HEAD}(Mirrors also failed: [mirror.example.com/os/base:1: {ODD}",
        f"mirror-b.example.com/os/base:1: {DENIED}]): {IMAGE}: pinging container: {NO_ROUTE}",
    )
    assert (cause.finding, cause.by_mirror) == (FindingId.BUILD_BASE_IMAGE_DENIED, True)
    assert cause.message.endswith("unauthorized: authentication required")


def test_second_list_of_mirrors_is_part_of_the_answer_of_the_source() -> None:
    cause = cause_of(mirrors(ODD, f"{IMAGE}: (Mirrors also failed: [x]): manifest unknown"))
    assert (cause.finding, cause.by_mirror) == (FindingId.BUILD_BASE_IMAGE_NOT_FOUND, False)


def test_mirrors_before_the_message_of_a_step_are_not_read() -> None:
    text = (
        f'Error: building at STEP "FROM x(Mirrors also failed: [a]): b": initializing source docker://{IMAGE}: denied'
    )
    error = error_of(text)
    cause = cause_of_operation(error, text.index("initializing"))
    assert cause is not None
    assert (cause.finding, cause.by_mirror) == (FindingId.BUILD_BASE_IMAGE_DENIED, False)


STEP_OF = ' &imagebuilder.Step{Env:[]string{}, Command:"runn", Original:"%s"}'


@pytest.mark.parametrize(
    ("containerfile", "log", "line"),
    [
        ("FROM a\nRUNN b\nRUN c\n", 'Error: error parsing: unknown instruction: "RUNN"', (2, "RUNN b")),
        ("FROM a\nRUN c\n\n  runn b\n", 'Error: error parsing: unknown instruction: "RUNN"', (4, "runn b")),
        ("FROM a\nRUNN b\nRUNN c\n", 'Error: error parsing: unknown instruction: "RUNN"', (None, "")),
        (
            "FROM a\nRUNN b\nRUNN c\n",
            "Error: error parsing: unknown instruction: RUNN" + STEP_OF % "RUNN c",
            (3, "RUNN c"),
        ),
        (
            'FROM a\nRUNN "b"\nRUN c\n',
            "Error: error parsing: parse error" + STEP_OF % 'RUNN \\"b\\"',
            (2, 'RUNN "b"'),
        ),
    ],
)
def test_line_that_the_builder_rejects_is_found(containerfile: str, log: str, line: tuple[int | None, str]) -> None:
    found = diagnose(f"{log}\n", containerfile, exit_code=1)
    assert found.cause is FindingId.BUILD_CONTAINERFILE_INVALID
    assert (found.line, found.instruction) == line


@pytest.mark.parametrize(("exit_code", "cause"), [(137, "build.killed"), (1, "build.failed"), (0, "build.failed")])
def test_exit_code_alone_names_a_killed_builder(exit_code: int, cause: str) -> None:
    assert diagnose("STEP 2/2: RUN make\nmake: busy\n", "FROM a\nRUN make\n", exit_code=exit_code).cause.value == cause
