# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a variable cannot be used, and how a report says so."""

from __future__ import annotations

import difflib
import typing as t

from ...module_utils._model.preflight.rejection import Rejection


class Problem(Exception):
    """A value that cannot be used.

    :param reason: a fact, without a full stop
    :param remedy: what to do, in the imperative, without a full stop
    """

    def __init__(self, reason: str, remedy: str) -> None:
        self.reason = reason
        self.remedy = remedy
        super().__init__(f"{reason}. {remedy}.")

    @classmethod
    def check(cls, rejection: Rejection | None) -> None:
        """Do nothing if nothing is rejected.

        :raises Problem: the rejection, with the same text
        """
        if rejection:
            raise cls(rejection.reason, rejection.remedy)


def joined(names: t.Sequence[str]) -> str:
    """Return names as a sentence lists them, with the verb that follows: ``a is`` or ``a, b are``."""
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"


def nearest(name: str, known: t.Iterable[str]) -> str:
    """Return the known name that is most like *name*, or an empty text."""
    found = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.7)
    return found[0] if found else ""
