# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error that users see, and the one place that turns it into a module's failure."""

from __future__ import annotations

import typing as t
from functools import partial

from ._model.fault import name_of
from ._model.printable import all_printable, printable

T = t.TypeVar("T")

LONGEST = 2000
"""Characters of a reason or a remedy: an API server, or a node, can send a message of any length."""


class OperationError(Exception):
    """Something asked for could not be done: ``Could not <what>: <reason>. <remedy>.``

    :param what: verb, kind and name of the object, as in ``create MachineConfigPool layered``
    :param reason: what stood in the way, without a full stop
    :param remedy: what the reader can do about it, without a full stop
    :param result: how far it got, in the shape of a success
    """

    def __init__(self, what: str, reason: str, remedy: str, result: t.Mapping[str, t.Any] | None = None) -> None:
        self.what = one_line(what)
        self.reason = one_line(reason)
        self.remedy = one_line(remedy)
        self.result: t.Mapping[str, t.Any] = result or {}
        super().__init__(f"Could not {self.what}: {self.reason}. {self.remedy}.")

    def having(self, result: t.Mapping[str, t.Any]) -> OperationError:
        """Return the same refusal with *result* beside it; what it carried already stays."""
        return OperationError(self.what, self.reason, self.remedy, {**result, **self.result})


class Module(t.Protocol):
    """The two ways out of an AnsibleModule."""

    def exit_json(self, **result: t.Any) -> t.NoReturn:
        """Leave with a result."""

    def fail_json(self, msg: str, **result: t.Any) -> t.NoReturn:
        """Leave with a failure."""


def finish(module: Module, work: t.Callable[[], t.Mapping[str, t.Any]]) -> t.NoReturn:
    """Run *work* and leave the module with its result or its refusal.

    All that leaves is printable here, because Ansible writes texts of results to the terminal as they are. Nothing is
    written to the cluster after this.

    ``fail_json`` is called outside ``except``: ansible-core 2.16 appends a traceback at -vvv inside it.
    """
    outcome = attempt(lambda: t.cast("dict[str, t.Any]", all_printable(work())))
    if not isinstance(outcome, OperationError):
        module.exit_json(**outcome)
    result = attempt(partial(all_printable, outcome.result))
    module.fail_json(msg=str(outcome), **{"changed": False, **({} if isinstance(result, OperationError) else result)})


def attempt(work: t.Callable[[], T]) -> T | OperationError:
    """Run *work* and return its result or its refusal, whatever it raises."""
    try:
        return work()
    except OperationError as refused:
        return refused
    except Exception as error:  # noqa: BLE001 - whatever a library raises can quote a credential, a traceback too
        return _unexpected(error)


def _unexpected(error: Exception) -> OperationError:
    """Return the refusal for a fault of ours: its type and place, never its text."""
    return OperationError("finish", f"an unexpected {name_of(error)}", "Report it; it is a fault of the collection")


def one_line(text: str) -> str:
    """Return *text* as one printable line without a full stop, cut where it is too long."""
    return as_line(text).rstrip(".")


def as_line(text: str) -> str:
    """Return *text* as one printable line, cut where it is too long."""
    line = printable(" ".join(text[: 4 * LONGEST].split()))
    if len(line) <= LONGEST and len(text) <= 4 * LONGEST:
        return line
    return f"{line[:LONGEST]}... (cut; it has {len(text)} characters)"
