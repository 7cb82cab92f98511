# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error that users see, and the one boundary that turns exceptions into failures of a module or plugin."""

from __future__ import annotations

import traceback
import typing as t
from functools import partial

from ._model.fault import name_of
from ._model.registry.masking import masked
from ._model.text import all_printable, printable

T = t.TypeVar("T")

LONGEST = 2000
"""Characters of a reason or a remedy: an API server, or a node, can send a message of any length."""
REPORT_FIRST_CONTACT = "_imagemode_report_first_contact"
"""The parameter with which an action plugin requests that a failed first contact ends the module."""
NOT_REACHED = "not_reached"
"""The field of the result of such a module, with a line for the user. The action plugin runs the module again."""
TRACEBACK = "_imagemode_traceback"
"""The field with the traceback for the action plugin, which prints it at -vvv. Since ansible-core 2.19 a module returns
``exception`` only if the setting DISPLAY_TRACEBACK asks for it."""
HIDDEN = "********"

_LONGEST_TRACEBACK = 50_000
"""Characters of a traceback."""
_SHORTEST_SECRET = 4
"""Characters of a secret, at least, that is replaced in a traceback. Shorter ones occur in ordinary words."""
_secrets: set[str] = set()


class OperationError(Exception):
    """An operation failed: ``Could not <what>: <reason>. <remedy>.``

    :param what: verb, kind and name of the object, as in ``create MachineConfigPool layered``
    :param reason: a fact, without a full stop
    :param remedy: what the user can do, beginning with an imperative verb, without a full stop
    :param result: what was done before, in the shape of a successful result
    """

    traceback = ""
    """The traceback of an unexpected exception, without secrets."""

    def __init__(self, what: str, reason: str, remedy: str, result: t.Mapping[str, t.Any] | None = None) -> None:
        self.what = one_line(what)
        self.reason = one_line(reason)
        self.remedy = one_line(remedy)
        self.result: t.Mapping[str, t.Any] = result or {}
        super().__init__(f"Could not {self.what}: {self.reason}. {self.remedy}.")

    def having(self, result: t.Mapping[str, t.Any]) -> OperationError:
        """Return the same error with more results; the results that it has already take precedence."""
        error = OperationError(self.what, self.reason, self.remedy, {**result, **self.result})
        error.traceback = self.traceback
        return error

    def as_result(self) -> dict[str, t.Any]:
        """Return the result of a failed module or plugin, with printable texts only."""
        result = attempt(partial(all_printable, self.result))
        known = {} if isinstance(result, OperationError) else t.cast("dict[str, t.Any]", result)
        shown = {"exception": printable(self.traceback)} if self.traceback else {}
        return {"changed": False, **known, **shown, "msg": str(self)}


class NotReached(Exception):
    """The first contact with the API server failed, before the module read or wrote anything.

    Its text is a line for the user.
    """


class Module(t.Protocol):
    """The two ways to leave an AnsibleModule."""

    def exit_json(self, **result: t.Any) -> t.NoReturn:
        """Leave with a result."""

    def fail_json(self, msg: str, **result: t.Any) -> t.NoReturn:
        """Leave with a failure."""


def finish(module: Module, work: t.Callable[[], t.Mapping[str, t.Any]]) -> t.NoReturn:
    """Run *work* and leave the module with its result or its failure.

    All texts of the result are printable, because Ansible writes them to the terminal unchanged. Nothing is written to
    the cluster after this.

    ``fail_json`` is called outside ``except``: ansible-core 2.16 would append a traceback of its own at -vvv.
    """
    outcome: OperationError | dict[str, t.Any]
    try:
        outcome = attempt(lambda: t.cast("dict[str, t.Any]", all_printable(work())), NotReached)
    except NotReached as error:
        outcome = {"changed": False, NOT_REACHED: str(error)}
    if isinstance(outcome, OperationError):
        result = outcome.as_result()
        shown = {TRACEBACK: result["exception"]} if "exception" in result else {}
        module.fail_json(**result, **shown)
    module.exit_json(**outcome)


def run_action(
    work: t.Callable[[], dict[str, t.Any]], show: t.Callable[[str], t.Any], *passed: type[Exception]
) -> dict[str, t.Any]:
    """Run *work* of an action plugin and return its result, or the result of a failure.

    :param show: prints the traceback of an unexpected exception at -vvv
    :param passed: exceptions that Ansible handles itself
    """
    outcome = attempt(work, *passed)
    if not isinstance(outcome, OperationError):
        return outcome
    if outcome.traceback:
        show(printable(outcome.traceback))
    return {"failed": True, **outcome.as_result()}


def attempt(work: t.Callable[[], T], *passed: type[Exception]) -> T | OperationError:
    """Run *work* and return its result, or any exception as an error.

    :param passed: exceptions that are raised
    """
    try:
        return work()
    except passed:
        raise
    except OperationError as error:
        return error
    except Exception as error:  # noqa: BLE001 - the message of any exception can quote a credential
        return _unexpected(error)


def _unexpected(error: Exception) -> OperationError:
    """Return the error for a bug: the message has only type and place, the traceback has the text without secrets."""
    unexpected = OperationError("finish", f"an unexpected {name_of(error)}", "Report this as a bug of the collection")
    unexpected.traceback = _traceback_of(error)
    return unexpected


def hide_in_tracebacks(*secrets: str) -> None:
    """Remember values that are replaced wherever a traceback quotes them."""
    _secrets.update(secret for secret in secrets if len(secret) >= _SHORTEST_SECRET)


def _traceback_of(error: Exception) -> str:
    """Return the traceback of an exception, without secrets."""
    try:
        text = "".join(traceback.TracebackException.from_exception(error).format())
        for secret in sorted(_secrets, key=len, reverse=True):
            text = text.replace(secret, HIDDEN)
        return masked(text)[-_LONGEST_TRACEBACK:]
    except Exception as second:  # noqa: BLE001 - an exception whose text cannot be made
        return f"The traceback cannot be shown ({type(second).__name__})."


def one_line(text: str) -> str:
    """Return *text* as one printable line without a full stop, cut where it is too long."""
    return as_line(text).rstrip(".")


def as_line(text: str) -> str:
    """Return *text* as one printable line, cut where it is too long."""
    line = printable(" ".join(text[: 4 * LONGEST].split()))
    if len(line) <= LONGEST and len(text) <= 4 * LONGEST:
        return line
    return f"{line[:LONGEST]}... (cut; it has {len(text)} characters)"
