# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import sys
import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import (
    NOT_REACHED,
    NotReached,
    OperationError,
    finish,
    hide_in_tracebacks,
)
from hypothesis import given
from hypothesis import strategies as st


class Left(BaseException):
    """The module has left."""


class Module:
    """A module that remembers how it was left, and whether an error was being handled then."""

    def __init__(self) -> None:
        self.failed: bool | None = None
        self.result: dict[str, t.Any] = {}
        self.handling: t.Any = None

    def exit_json(self, **result: t.Any) -> t.NoReturn:
        self._leave(False, result)

    def fail_json(self, msg: str, **result: t.Any) -> t.NoReturn:
        self._leave(True, {"msg": msg, **result})

    def _leave(self, failed: bool, result: dict[str, t.Any]) -> t.NoReturn:
        self.failed, self.result, self.handling = failed, result, sys.exc_info()[1]
        raise Left


def left_after(work: t.Callable[[], t.Mapping[str, t.Any]]) -> Module:
    module = Module()
    with pytest.raises(Left):
        finish(module, work)
    return module


def refusing(*arguments: t.Any) -> t.Callable[[], t.Mapping[str, t.Any]]:
    def work() -> t.Mapping[str, t.Any]:
        raise OperationError(*arguments)

    return work


def test_module_leaves_with_its_result():
    module = left_after(lambda: {"changed": True, "nodes": []})
    assert (module.failed, module.result) == (False, {"changed": True, "nodes": []})


def test_error_has_operation_reason_and_remedy():
    module = left_after(refusing("create MachineConfigPool layered", "it exists", "Choose another name"))
    assert module.failed
    assert module.result == {
        "msg": "Could not create MachineConfigPool layered: it exists. Choose another name.",
        "changed": False,
    }


def test_module_fails_outside_an_except_block():
    """Else ansible-core 2.16 prints a traceback at -vvv."""
    assert left_after(refusing("x", "y", "z")).handling is None


def test_error_has_the_partial_result():
    module = left_after(refusing("x", "y", "z", {"changed": True, "nodes": ["worker-0"]}))
    assert (module.result["changed"], module.result["nodes"]) == (True, ["worker-0"])


def test_existing_results_of_an_error_take_precedence():
    refusal = OperationError("x", "y", "z", {"changed": True}).having({"changed": False, "verdict": "none"})
    assert refusal.result == {"changed": True, "verdict": "none"}
    assert str(refusal) == "Could not x: y. z."


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [("it\nis  away.", "Try\nagain."), ("it is away", "Try again"), (" it is away. ", "Try again ")],
)
def test_error_is_one_line_with_one_full_stop_per_sentence(reason, remedy):
    assert (
        str(OperationError("reach the cluster", reason, remedy))
        == "Could not reach the cluster: it is away. Try again."
    )


HOSTILE = "a\x1b[31m\x9b2J\u202e\u200bb\r\nfatal: [c]"


def test_error_has_no_terminal_escape_sequences():
    message = str(OperationError(f"read Node {HOSTILE}", HOSTILE, HOSTILE))
    assert message.isprintable()
    assert message.startswith("Could not read Node a\\x1b[31m\\x9b2J\\u202e\\u200bb fatal: [c]: ")


@pytest.mark.parametrize("text", ["x" * 10_000_000, "\x1b" * 5000, " " * 10_000 + "x"])
def test_long_reason_is_cut_and_the_remedy_is_kept(text):
    message = str(OperationError("reach the cluster", text, "Try again"))
    assert len(message) < 2200
    assert f"(cut; it has {len(text)} characters). Try again." in message


@given(st.recursive(st.text(), lambda part: st.lists(part) | st.dictionaries(st.text(), part), max_leaves=8))
def test_results_and_failures_are_printable(value):
    done = left_after(lambda: {"value": value})
    failed = left_after(refusing("x", json.dumps(value, ensure_ascii=False), "z", {"value": value}))
    for module in (done, failed):
        text = json.dumps(module.result, ensure_ascii=False)  # which escapes line ends and tabs
        assert text.isprintable()


def test_result_that_is_nested_too_deeply_is_an_error():
    deep: list[t.Any] = []
    for _dummy in range(100_000):
        deep = [deep]
    assert "unexpected RecursionError" in left_after(lambda: {"value": deep}).result["msg"]
    assert left_after(refusing("x", "y", "z", {"value": deep})).result == {
        "msg": "Could not x: y. z.",
        "changed": False,
    }


def test_unexpected_exception_is_reported_by_type_and_place_without_its_text():
    def work() -> t.Mapping[str, t.Any]:
        raise ValueError("Invalid header value b'Bearer sha256~secret'")

    module = left_after(work)
    assert module.failed
    assert "an unexpected ValueError in work, line " in module.result["msg"]
    assert "secret" not in module.result["msg"]
    assert module.handling is None


def test_unexpected_exception_keeps_its_traceback_without_secrets():
    hide_in_tracebacks("hunter2-of-a-proxy", "")

    def work() -> t.Mapping[str, t.Any]:
        try:
            raise KeyError("the proxy has hunter2-of-a-proxy")
        except KeyError:
            raise ValueError("Invalid header value b'Bearer sha256~secret'\x1b[2J") from None

    shown = left_after(work).result["exception"]
    assert shown.startswith("Traceback (most recent call last):\n")
    assert ", in work\n" in shown
    assert "ValueError: Invalid header value" in shown
    assert not any(secret in shown for secret in ("sha256~secret", "hunter2", "\x1b"))


def test_traceback_shows_the_cause_of_an_exception():
    def work() -> t.Mapping[str, t.Any]:
        try:
            raise KeyError("first")
        except KeyError as error:
            raise ValueError("second") from error

    shown = left_after(work).result["exception"]
    assert shown.index("KeyError: 'first'") < shown.index("ValueError: second")


def test_expected_error_has_no_traceback():
    assert "exception" not in left_after(refusing("x", "y", "z")).result


def test_failed_first_contact_leaves_the_module_without_a_failure():
    def work() -> t.Mapping[str, t.Any]:
        raise NotReached("Could not reach https://api: Connection refused; retrying for 60 s")

    module = left_after(work)
    assert (module.failed, module.handling) == (False, None)
    assert module.result == {
        "changed": False,
        NOT_REACHED: "Could not reach https://api: Connection refused; retrying for 60 s",
    }
