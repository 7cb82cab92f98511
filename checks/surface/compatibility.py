# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide which changes of the public surface a release may make.

The rules are those of docs/docsite/rst/guide_versions.rst: an addition needs a minor release. An incompatible change
needs a major release, and a removal a deprecation in an earlier release as well.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from dataclasses import dataclass

from .facts import Facts, Promise

_UNCHANGED = ("type", "elements", "default", "severity", "pattern")
"""Attributes of which every change is incompatible."""
_NAMES = ("aliases", "env", "vars")
"""Other names under which a user may set an option."""
_LIMITS = ("types", "values")
"""Limits of what a user receives."""


@dataclass(frozen=True)
class Deprecation:
    """A fact that a later major release removes."""

    fact: str
    since: str
    """Release that announced it."""
    removed_in: str
    """Release that may remove it."""
    instead: str
    """What to use in its place."""


@dataclass(frozen=True)
class Change:
    """A difference between two surfaces."""

    fact: str
    what: str
    is_removal: bool = False


@dataclass(frozen=True)
class Release:
    """A release and its surface."""

    version: str
    facts: Facts


def version_key(version: str) -> tuple[int, ...]:
    """Return a key that sorts versions of the form ``1.2.3``."""
    return tuple(int(number) for number in version.split("."))


def problems(last: Release, present: Release, deprecations: t.Sequence[Deprecation] = ()) -> list[str]:
    """Return what the release *present* may not change of the release *last*, each as a sentence with its remedy."""
    before, now = version_key(last.version), version_key(present.version)
    found = []
    for change in incompatible_changes(last.facts, present.facts):
        if now[0] == before[0]:
            found.append(f"{change.fact}: {change.what}. Undo this, or set a new major version in galaxy.yml.")
        elif change.is_removal and not _is_deprecated(change.fact, last, present, deprecations):
            found.append(
                f"{change.fact}: {change.what}, and {last.version} did not deprecate it. Deprecate it in a minor "
                "release first."
            )
    if now[:2] == before[:2]:
        added = sorted(present.facts.keys() - last.facts.keys())
        found += [f"{name}: was added after {last.version}. Set a new minor version in galaxy.yml." for name in added]
    return found


def incompatible_changes(old: Facts, new: Facts) -> list[Change]:
    """Return the changes that can break a user, in the order of their facts."""
    changes = [Change(name, "was removed", is_removal=True) for name in old.keys() - new.keys()]
    for name in old.keys() & new.keys():
        changes += [Change(name, what) for what in _changes_of(name, old[name], new[name])]
    for name in new.keys() - old.keys():
        owner = _owner(name, old)
        if new[name].get("required") and owner and not _is_received(name):
            changes.append(Change(name, f"is new and required, so that {owner} no longer works without it"))
        elif owner and old[owner].get("closed"):
            changes.append(Change(name, f"is new, and {owner} allows no further properties"))
    return sorted(changes, key=lambda change: (change.fact, change.what))


def _changes_of(name: str, old: Promise, new: Promise) -> Iterator[str]:
    for attribute in _UNCHANGED:
        if old.get(attribute) != new.get(attribute):
            yield f"{attribute} changed from {_shown(old, attribute)} to {_shown(new, attribute)}"
    yield from (_changes_of_received if _is_received(name) else _changes_of_given)(old, new)


def _changes_of_given(old: Promise, new: Promise) -> Iterator[str]:
    """Return how what a user may give has become less."""
    for attribute in _NAMES:
        lost = _missing(old, attribute, new)
        if lost:
            yield f"{attribute} no longer contains {lost}"
    # Without choices every value is accepted.
    if "choices" in new:
        lost = _missing(old, "choices", new)
        if lost or "choices" not in old:
            yield f"choices no longer contains {lost or 'all values'}"
    if new.get("required") and not old.get("required"):
        yield "is required"


def _changes_of_received(old: Promise, new: Promise) -> Iterator[str]:
    """Return how what a user may receive has become more, or can be absent."""
    for attribute in _LIMITS:
        gained = _missing(new, attribute, old)
        if attribute in old and (gained or attribute not in new):
            yield f"{attribute} also contains {gained or 'all values'}"
    if old.get("required") and not new.get("required"):
        yield "can be absent"
    if new.get("closed") and not old.get("closed"):
        yield "allows no further properties"


def _missing(old: Promise, attribute: str, new: Promise) -> str:
    """Return the values of *old* that *new* does not have."""
    return ", ".join(str(value) for value in old.get(attribute, ()) if value not in new.get(attribute, ()))


def _is_received(name: str) -> bool:
    """Return whether users read this value, and do not set it."""
    return name.startswith("report ") or " return " in name


def _owner(name: str, facts: Facts) -> str | None:
    """Return the nearest fact that contains the new fact *name*, or None if its owner is new too."""
    head, dot, dummy = name.rpartition(".")
    if dot and head in facts:
        return head
    words = name.split(" ")
    for end in range(len(words) - 1, 0, -1):
        shorter = " ".join(words[:end])
        if shorter in facts:
            return shorter
    return None


def _is_deprecated(fact: str, last: Release, present: Release, deprecations: t.Sequence[Deprecation]) -> bool:
    return any(
        (fact == entry.fact or fact.startswith((f"{entry.fact} ", f"{entry.fact}.")))
        and version_key(entry.since) <= version_key(last.version)
        and version_key(entry.removed_in) <= version_key(present.version)
        for entry in deprecations
    )


def _shown(promise: Promise, attribute: str) -> str:
    return repr(promise[attribute]) if attribute in promise else "none"
