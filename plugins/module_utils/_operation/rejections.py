# SPDX-License-Identifier: GPL-3.0-or-later
"""Fail with the answer of a check that runs before anything is written."""

from __future__ import annotations

from .._errors import OperationError
from .._model.preflight.rejection import Rejection


def raise_rejection(what: str, rejection: Rejection | None) -> None:
    """Do nothing if there is none.

    :param what: verb, kind and name for errors
    :raises OperationError: there is one
    """
    if rejection:
        raise OperationError(what, rejection.reason, rejection.remedy)
