# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.preflight.containerfile import (
    doubts_about,
    reject_containerfile,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.preflight.max_unavailable import (
    reject_max_unavailable,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.preflight.numbers import RANGES, reject_number
from ansible_collections.imagemode.openshift.plugins.module_utils._model.preflight.push_spec import reject_push_spec
from ansible_collections.imagemode.openshift.plugins.module_utils._model.preflight.rejection import Rejection
from hypothesis import given
from hypothesis import strategies as st

START = "FROM configs AS final\n"


def reason(rejection: Rejection | None) -> str:
    """Return the reason, or an empty text if nothing is rejected. It is one short line."""
    if rejection is None:
        return ""
    assert "\n" not in rejection.reason + rejection.remedy
    assert not rejection.reason.endswith(".")
    assert not rejection.remedy.endswith(".")
    return rejection.reason


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("lots", "lots is neither a number nor a percentage"),
        ("", " is neither a number nor a percentage"),
        ("1.5", "1.5 is neither a number nor a percentage"),
        ("10 %", "10 % is neither a number nor a percentage"),
        ("%", "% is neither a number nor a percentage"),
        ("10%%", "10%% is neither a number nor a percentage"),
        ("\N{SUPERSCRIPT TWO}", "\N{SUPERSCRIPT TWO} is neither a number nor a percentage"),
        ("9" * 5000, f"{'9' * 100}... is neither a number nor a percentage"),
        (True, "True is neither a number nor a percentage"),
        (0, "0 allows no node to be updated"),
        ("0", "0 allows no node to be updated"),
        ("00%", "00% allows no node to be updated"),
        ("0%", "0% allows no node to be updated"),
        (-1, "-1 is negative"),
        ("-10%", "-10% is negative"),
        ("101%", "101% is more than 100%"),
        ("1000%", "1000% is more than 100%"),
    ],
)
def test_max_unavailable_that_updates_no_node_is_rejected(value, why):
    assert reason(reject_max_unavailable(value)) == why


@pytest.mark.parametrize("value", [1, "2", " 3 ", "1%", "10%", "100%", "500", "020"])
def test_max_unavailable_of_at_least_one_node_is_accepted(value):
    assert reject_max_unavailable(value) is None


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("soon", "soon is not a number of seconds"),
        ("1.5", "1.5 is not a number of seconds"),
        ("", " is not a number of seconds"),
        (True, "True is not a number of seconds"),
        ([60], "[60] is not a number of seconds"),
        (-1, "-1 seconds is negative"),
        ("-1", "-1 seconds is negative"),
        (10**10, "10000000000 seconds is too large"),
        ("9" * 5000, f"{'9' * 100}... seconds is too large"),
    ],
)
def test_duration_that_is_no_time_is_rejected(value, why):
    assert reason(reject_number("timeout", value)) == why


@pytest.mark.parametrize("value", [0, "0", "-0", 60, "60", " 60 ", 10**9])
def test_duration_is_accepted_as_number_and_as_text(value):
    assert reject_number("timeout", value) is None


def test_each_option_has_its_unit_and_its_minimum():
    assert reason(reject_number("node_timeout", 0)) == "0 seconds is less than 1"
    assert reason(reject_number("concurrency", 0)) == "0 nodes is less than 1"
    assert reason(reject_number("max_build_attempts", -1)) == "-1 attempts is negative"
    assert reason(reject_number("max_build_attempts", "x")) == "x is not a number of attempts"
    assert all(reason(reject_number(option, -1)) for option in RANGES)
    assert not any(reason(reject_number(option, 1)) for option in RANGES)


@pytest.mark.parametrize(
    ("push_spec", "why"),
    [
        ("r.example.com/os/layered", "r.example.com/os/layered has no tag"),
        ("r.example.com:5000/os/layered", "r.example.com:5000/os/layered has no tag"),
        (f"r.example.com/os@sha256:{'a' * 64}", "has a digest, which the build decides"),
        (f"r.example.com/os:1@sha256:{'a' * 64}", "has a digest, which the build decides"),
        ("r.example.com/OS/layered:1", "r.example.com/OS/layered:1 has upper case letters (OS/layered)"),
        ("r.example.com/os/Layered:1", "has upper case letters (os/Layered)"),
        ("r.example.com/os/_layered:1", "has the part _layered, which registries do not accept"),
        ("r.example.com/os-/layered:1", "has the part os-, which registries do not accept"),
        ("r.example.com/os/a b:1", "is not the name of an image"),
        ("r.example.com/os/a:", "is not the name of an image"),
        ("r.example.com//a:1", "is not the name of an image"),
        ("", "the push spec is empty"),
        ("os/layered:1", "os/layered:1 has no registry"),
        ("localhost:5000/layered:1", "has the host localhost:5000 without a dot"),
        ("r.example.com/a/b/c:1", "has 2 namespace segments (a/b)"),
        (f"r.example.com/os/{'a' * 440}:1", "has 459 characters; the limit is 447"),
    ],
)
def test_push_spec_to_which_no_image_can_be_pushed_is_rejected(push_spec, why):
    assert why in reason(reject_push_spec(push_spec))


@pytest.mark.parametrize(
    "push_spec",
    [
        "r.example.com/layered:latest",
        "r.example.com/os/layered:latest",
        "R.Example.com:5000/os/layered:V1.2_rc-3",
        "image-registry.openshift-image-registry.svc:5000/openshift-machine-config-operator/os:latest",
        "r.example.com/o-s/a__b.c---d:1",
    ],
)
def test_push_spec_of_registry_name_and_tag_is_accepted(push_spec):
    assert reject_push_spec(push_spec) is None


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (f"{START}#{'x' * 6983}", "the Containerfile has 7006 characters; the limit is 4096"),
        ("", "the Containerfile is empty"),
        (" \n\t\n", "the Containerfile is empty"),
        (f"{START}RUN echo \0\n", "the Containerfile contains a NUL byte (line 2)"),
        (START.encode("utf-16-le").decode(), "the Containerfile contains a NUL byte (line 1)"),
        (f"{START}RUN echo \udcff\n", "the Containerfile is not UTF-8 text (line 2)"),
        ("RUN dnf install -y tcpdump\n", "the Containerfile has no FROM instruction"),
        ("# FROM configs AS final\nRUN true\n", "the Containerfile has no FROM instruction"),
        ("FROMconfigs AS final\n", "the Containerfile has no FROM instruction"),
    ],
)
def test_containerfile_that_cannot_be_built_is_rejected(content, why):
    assert reason(reject_containerfile(content)) == why


@pytest.mark.parametrize(
    "content",
    [
        START,
        "from configs as final\n",
        f"\ufeff{START}",
        f"# comment\nARG VERSION=1\n{START}RUN true\n",
        f"{START}#" + "\N{SNOWMAN}" * (4096 - len(START) - 1),
        f"{START}RUN <<EOF\necho \N{GRINNING FACE}\nEOF\n",
        f"{START}RUNN true\n",
    ],
)
def test_containerfile_that_may_be_built_is_accepted(content):
    assert reject_containerfile(content) is None


def test_limit_of_a_containerfile_counts_characters_not_bytes():
    content = START + "#" + "\N{LATIN SMALL LETTER E WITH ACUTE}" * (4096 - len(START) - 1)
    assert len(content.encode()) > 8000
    assert reject_containerfile(content) is None
    assert "has 4097 characters" in reason(reject_containerfile(content + "x"))


def test_doubts_name_the_line_and_reject_nothing():
    content = f"{START}RUNN true\nRUN true\n"
    assert doubts_about(content) == ["Line 2 of the Containerfile may be invalid: unknown instruction RUNN"]
    assert doubts_about(START) == []
    assert doubts_about("") == []


ANY: t.Any = st.one_of(
    st.text(max_size=60), st.integers(), st.floats(), st.booleans(), st.none(), st.binary(max_size=9)
)


@given(ANY)
def test_any_value_gets_an_answer_of_one_line(value):
    for rejection in (
        reject_max_unavailable(value),
        reject_number("timeout", value),
        reject_push_spec(str(value)),
        reject_containerfile(str(value)),
    ):
        assert len(reason(rejection)) < 600
