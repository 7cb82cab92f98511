# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether ``--tags`` selects any task of a playbook of this collection."""

from __future__ import annotations

import typing as t

_ALWAYS = "always"


def selects_nothing(tags: t.Iterable[str], requested: t.Iterable[str]) -> bool:
    """Return whether none of the tasks of a play runs but those with the tag ``always``.

    :param tags: tags of the task that validates, those of the play and of the import included
    :param requested: the value of ``--tags``
    """
    own, wanted = set(tags) - {_ALWAYS}, set(requested)
    if "all" in wanted or own & wanted:
        return False
    return not (("tagged" in wanted and own) or ("untagged" in wanted and not own))
