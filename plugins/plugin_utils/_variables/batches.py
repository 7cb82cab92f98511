# SPDX-License-Identifier: GPL-3.0-or-later
"""The batches of hosts that a play with ``serial`` handles one after the other."""

from __future__ import annotations

import re
import typing as t

from ansible.utils.helpers import pct_to_int

from ...module_utils._model.preflight.rejection import quoted
from .problem import Problem

ALL_HOSTS = "100%"
"""Size of the only batch of a play."""
_SIZE = re.compile(r"[1-9][0-9]{0,5}%?")


def check_batch_size(value: t.Any) -> None:
    """Check the number or percentage of the hosts of a batch.

    :raises Problem: it is neither, or it is zero
    """
    if isinstance(value, bool) or not _SIZE.fullmatch(str(value).strip()):
        raise Problem(
            f"{quoted(value)} is not a number or percentage of hosts", "Give a number from 1 on, or a percentage (25%)"
        )


def is_size_ignored(value: t.Any, batch: t.Sequence[str], hosts: t.Sequence[str]) -> bool:
    """Whether a batch has more hosts than a size allows, because Ansible does not know the size of the host's variable.

    :param value: a checked size
    :param batch: the hosts of the batch
    :param hosts: all hosts of the play
    """
    return len(batch) > t.cast("int", pct_to_int(str(value).strip(), len(hosts)))
