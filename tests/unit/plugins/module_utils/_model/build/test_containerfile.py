# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.containerfile import (
    Step,
    instructions,
    locate,
)

WRITTEN = """\
# syntax is a comment here

FROM configs AS final
RUN one && \\
    # not the end
    two \\

    three
ENV A=1
run four
"""


def lines(content: str) -> list[tuple[int, str]]:
    return [(i.line, " ".join(i.text.split())) for i in instructions(content)]


def test_instructions_begin_where_their_first_line_stands():
    assert lines(WRITTEN) == [
        (3, "FROM configs AS final"),
        (4, "RUN one && two three"),
        (9, "ENV A=1"),
        (10, "run four"),
    ]


def test_what_a_here_document_holds_is_no_instruction():
    assert lines("FROM a\nRUN <<EOT bash\nCOPY x y\nEOT\nRUN <<-'A' cat\n\tFROM b\n\tA\nRUN end\n") == [
        (1, "FROM a"),
        (2, "RUN <<EOT bash"),
        (5, "RUN <<-'A' cat"),
        (8, "RUN end"),
    ]


def test_a_here_document_without_an_end_takes_nothing_away():
    assert len(lines("FROM a\nRUN cat <<EOT\nRUN two\n")) == 3


def test_the_escape_character_can_be_another():
    assert lines("# escape=`\nFROM a\nRUN one `\n  two\n") == [(2, "FROM a"), (3, "RUN one two")]


@pytest.mark.parametrize("content", ["", "\n\n", "# nothing\n"])
def test_there_may_be_no_instruction(content):
    assert instructions(content) == []


TWO_STAGES = "RUN zero\nFROM a AS one\nRUN same\nFROM b AS two\nRUN same\nRUN same\n"


@pytest.mark.parametrize(
    ("step", "line"),
    [
        (Step("RUN same", 3, 4, 2, 2), 3),
        (Step("RUN same", 4, 4, 2, 3), 5),
        (Step("RUN same", 4, 4, 3, 3), 6),
        (Step("RUN zero", 2, 4, 11, 11), 1),
        (Step("FROM 0ad03a24add AS two", 4, 4, 1, 3), 4),
        # the operator's own
        (Step("RUN update-ca-trust", 2, 4, 7, 11), None),
        (Step("RUN zero", 2, 4, 3, 11), None),
        # not as many steps as the user wrote: another text was built
        (Step("RUN same", 4, 4, 3, 5), None),
        # another instruction stands there
        (Step("RUN other", 4, 4, 3, 3), None),
    ],
)
def test_a_step_is_found_by_its_place(step, line):
    found = locate(TWO_STAGES, step)
    assert (found.line if found else None) == line


@pytest.mark.parametrize(
    ("content", "text", "line"),
    [
        ("FROM a\nRUN  one  &&\\\n two\n", "RUN one  && two", 2),
        ('FROM a\nRUN ["/bin/x", "-v"]\n', "RUN /bin/x -v", 2),
        (TWO_STAGES, "RUN same", None),
        ("FROM a\nRUN one\n", "RUN two", None),
        # the operator runs these too, so the user's need not be the one that failed
        ("FROM a\nRUN ostree container commit\n", "RUN ostree container commit", None),
        ("FROM a\n", "FROM a", None),
    ],
)
def test_without_its_place_only_a_text_that_stands_once_is_found(content, text, line):
    found = locate(content, Step(text))
    assert (found.line if found else None) == line


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "content",
    [
        "RUN cat " + "<<A " * 8000 + "\n" + "B\n" * 16000,
        "RUN " + "[" * 60000,
        "RUN x \\\n" * 8000,
        "#" + " " * 60000,
        "RUN <<" + " " * 60000 + "<",
        "R\n" * 32000,
    ],
    ids=["documents", "brackets", "continued", "directive", "blanks", "words"],
)
def test_a_hostile_containerfile_is_read_in_time_in_proportion_to_it(content):
    assert locate(content, Step("RUN other")) is None


def test_a_text_that_is_too_long_to_be_a_containerfile_has_no_instructions():
    assert instructions("RUN x\n" * (1 << 20)) == []
