# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.containerfile_faults import (
    INSTRUCTIONS,
    ContainerfileFault,
    containerfile_faults,
)


def faults(content: str) -> list[tuple[int, str]]:
    return [(fault.line, fault.text) for fault in containerfile_faults(content)]


def test_misspelt_instruction_is_named_with_its_line():
    assert faults("FROM configs AS final\n\nRUNN dnf install -y tcpdump\n") == [(3, "unknown instruction RUNN")]


def test_all_faults_are_returned_in_the_order_of_their_lines():
    assert faults("FORM configs\nRUN x\nCPOY a b\n") == [
        (1, "unknown instruction FORM"),
        (3, "unknown instruction CPOY"),
        (0, "no FROM instruction"),
    ]


def test_containerfile_without_from_has_a_fault_without_a_line():
    assert containerfile_faults("# FROM configs\nRUN x\n") == (ContainerfileFault(0, "no FROM instruction"),)


@pytest.mark.parametrize("content", ["", "\n \n", "# only a comment\n"])
def test_empty_containerfile_has_no_from(content):
    assert faults(content) == [(0, "no FROM instruction")]


@pytest.mark.parametrize("instruction", sorted(INSTRUCTIONS))
@pytest.mark.parametrize("spelling", [str.upper, str.lower, str.capitalize])
def test_every_instruction_is_known_in_any_case(instruction, spelling):
    assert faults(f"FROM configs\n{spelling(instruction)} x\n") == []


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("FROM configs\nRUN dnf install -y \\\n  httpd \\\n  mod_ssl\n", id="continuation"),
        pytest.param("FROM configs\nRUN one && \\\n# words here\n\n  two\n", id="comment and blank line inside"),
        pytest.param("# escape=`\nFROM configs\nRUN one `\n  two\n", id="other escape character"),
        pytest.param("# syntax=x/y:1\n# escape=`\nFROM configs\nRUN one `\n  two\n", id="second directive"),
        pytest.param("FROM configs\nRUN <<EOT\nset -e\ndnf update\nEOT\nRUN x\n", id="here-document"),
        pytest.param("FROM configs\nRUN <<-EOT\n\tset -e\n\tEOT\nRUN x\n", id="here-document with tabs"),
        pytest.param("FROM configs\nRUN <<-EOT\n\tset -e\nEOT\nRUN x\n", id="here-document with an end at the margin"),
        pytest.param("FROM configs\nCOPY <<'a.conf' /etc/a.conf\nkey value\na.conf\n", id="quoted name"),
        pytest.param("FROM configs\nCOPY <<a <<b /etc/\nwords a\na\nwords b\nb\nRUN x\n", id="two here-documents"),
        pytest.param("FROM configs\nRUN tee /x <<EOT && \\\n  echo ok\nkey\nEOT\n", id="continued before its text"),
        pytest.param("FROM configs\nRUN cat <<< word\n", id="here-string"),
        pytest.param('FROM configs\nRUN cat <<<"some words"\n', id="quoted here-string"),
        pytest.param("FROM configs\nRUN echo $((1<<n))\n", id="shift of bits"),
        pytest.param('FROM configs\nRUN echo "see <<EOT"\n', id="here-document in a quotation"),
        pytest.param('FROM configs\nRUN echo "\\" <<EOT"\n', id="escaped quote in a quotation"),
        pytest.param("FROM configs\nRUN echo \\<<EOT\n", id="escaped bracket"),
        pytest.param("FROM configs\nLABEL a=<<EOT\n", id="instruction without here-documents"),
        pytest.param("FROM configs\r\nRUN <<EOT\r\nset -e\r\nEOT\r\nRUN x\r\n", id="lines of Windows"),
        pytest.param("\ufeffFROM configs\n", id="byte order mark"),
        pytest.param("  FROM configs\n\tRUN x\n", id="indented"),
        pytest.param("ARG A=1\nFROM configs\n", id="argument before FROM"),
        pytest.param("FROM configs\nRUN echo a\x0bWORD b\x85OTHER c\n", id="other separators of lines"),
    ],
)
def test_valid_containerfile_has_no_fault(content):
    assert faults(content) == []


@pytest.mark.parametrize(
    ("document", "name"),
    [
        ("RUN <<EOT\necho one\n", "EOT"),
        ("RUN <<EOT\necho one\n  EOT\n", "EOT"),
        ("RUN <<EOT\necho one\n\tEOT\n", "EOT"),
        ("RUN <<-EOT\necho one\n  EOT\n", "EOT"),
        ("RUN <<EOT\necho one\nEOT;\n", "EOT"),
        ("COPY <<a <<b /etc/\nwords\na\nwords\n", "b"),
        ("copy <<'x.conf' /etc/x.conf\nkey value\n", "x.conf"),
    ],
)
def test_here_document_without_an_end_is_the_last_fault(document, name):
    assert faults(f"FROM configs\n\n{document}") == [(3, f"here-document {name} has no end")]


def test_instructions_before_the_here_document_are_checked():
    assert faults("FROM configs\nRNU x\nRUN <<EOT\nrnu y\n") == [
        (2, "unknown instruction RNU"),
        (3, "here-document EOT has no end"),
    ]


def test_faults_are_limited_in_number_and_size():
    found = faults("FROM configs\n" + ("X" * 2000 + "\n") * 30)
    assert len(found) == 20
    assert all(len(text) < 100 for dummy, text in found)


def test_text_that_is_too_long_for_a_containerfile_is_not_checked():
    assert faults("X\n" * (1 << 20)) == []


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "content",
    [
        "RUN " + '"' * 60000,
        "RUN " + "\\a" * 30000,
        "RUN " + "<<" * 30000,
        "RUN " + "<<A " * 15000,
        "RUN " + "'a" * 30000,
    ],
    ids=["quotes", "escapes", "brackets", "documents", "open quotes"],
)
def test_hostile_containerfile_is_checked_in_linear_time(content):
    assert faults(f"FROM configs\n{content}") is not None
