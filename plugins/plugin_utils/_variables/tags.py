# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tasks of a playbook of this collection the options ``--tags`` and ``--skip-tags`` select.

A playbook has two kinds of tasks. One has the tag ``always``: it validates. The others have none. All of them inherit
the tags of an import.
"""

from __future__ import annotations

import typing as t

_ALWAYS = "always"
_SKIP_ALWAYS = frozenset((_ALWAYS, "tagged"))


def selects_nothing(tags: t.Iterable[str], requested: t.Iterable[str], skipped: t.Iterable[str] = ()) -> bool:
    """Return whether none of the tasks of a play runs but those with the tag ``always``.

    :param tags: tags of the task that validates, those of the play and of the import included
    :param requested: the value of ``--tags``
    :param skipped: the value of ``--skip-tags``
    """
    own = set(tags) - {_ALWAYS}
    wanted = set(requested)
    if "never" in own and own.isdisjoint(wanted):
        return True
    return not _matches(own, wanted) or _matches(own, set(skipped))


def skips_validation(skipped: t.Iterable[str]) -> bool:
    """Return whether the task that validates is skipped, whatever tags its import has."""
    return not _SKIP_ALWAYS.isdisjoint(skipped)


def _matches(own: t.Collection[str], wanted: t.Collection[str]) -> bool:
    """Return whether *wanted*, of which some words have a meaning, names a task with the tags *own*."""
    if "all" in wanted or not set(own).isdisjoint(wanted):
        return True
    return ("tagged" in wanted and bool(own)) or ("untagged" in wanted and not own)
