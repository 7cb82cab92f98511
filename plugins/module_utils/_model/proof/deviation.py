# SPDX-License-Identifier: GPL-3.0-or-later
"""What on a node departs from what its image brought, and what of it is allowed?

A deployment keeps the reference and the digest of its image whatever is layered on it, so a node with another kernel
looks the same but for these keys (node.md 0.3). The operator layers packages itself, extensions and kernel types, on
pools that are not layered: hence an allow-list.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import chain, islice

from ..findings import FindingId, legible

_NEVRA = re.compile(r"(?P<name>.+)-[^-]+-[^-]+\.[^-.]+")
"""A package with its version, release and architecture."""
_MOST = 5000
"""Deviations of one deployment; more than that no node has, and each costs time and memory."""
_LONGEST = 2048
"""Characters of a package with its version."""


@dataclass(frozen=True)
class Deviation:
    """One way in which a deployment is not the plain image.

    :ivar finding: the public id of its kind
    :ivar package: the package that it is about, without version; None when it is about none
    :ivar shown: what shows it
    """

    finding: FindingId
    package: str | None
    shown: str


@dataclass(frozen=True)
class Allowed:
    """Deviations that the caller knows of and accepts."""

    packages: tuple[str, ...] = ()
    """Shell patterns of package names."""
    findings: frozenset[FindingId] = frozenset()
    """Ids of whole kinds."""

    @classmethod
    def of(cls, entries: t.Iterable[str]) -> Allowed:
        """Read the caller's list: patterns of package names, and ids of kinds.

        :raises ValueError: an entry is neither
        """
        given = list(entries)
        known = {finding.value: finding for finding in DEVIATIONS}
        named = [e for e in given if e.startswith("node.")]
        unknown = sorted(set(named) - set(known))
        if unknown:
            raise ValueError(f"{unknown[0]} is not the id of a deviation")
        if not all(e.strip() for e in given):
            raise ValueError("an entry is empty")
        return cls(tuple(e for e in given if e not in named), frozenset(known[e] for e in named))

    def covers(self, deviation: Deviation) -> bool:
        """Whether a deviation is allowed."""
        if deviation.finding in self.findings:
            return True
        package = deviation.package
        return package is not None and any(fnmatchcase(package, pattern) for pattern in self.packages)


NOTHING_ALLOWED = Allowed()


class _Package(t.NamedTuple):
    """A package as one of the keys names it."""

    name: str
    shown: str


def _plain(item: t.Any) -> _Package | None:
    return _Package(item, item) if isinstance(item, str) else None


def _nevra(item: t.Any) -> _Package | None:
    if not isinstance(item, str):
        return None
    found = _NEVRA.fullmatch(item)
    return _Package(found["name"] if found else item, item)


def _resolved(item: t.Any) -> _Package | None:
    """A package in the tree: its NEVRA, its name, and the parts of its version."""
    if not isinstance(item, list) or len(item) < 2 or not all(isinstance(part, str) for part in item[:2]):
        return None
    return _Package(item[1], item[0])


def _replaced(item: t.Any) -> _Package | None:
    """A package in place of another: the new one and the old one."""
    return _resolved(item[0]) if isinstance(item, list) and item else None


_Reader = t.Callable[[t.Any], t.Optional[_Package]]

_LOCAL_PACKAGES = FindingId.NODE_LOCAL_PACKAGES
_REMOVALS = FindingId.NODE_PACKAGE_REMOVALS
_OVERRIDES = FindingId.NODE_PACKAGE_OVERRIDES
_LIVE_CHANGES = FindingId.NODE_LIVE_CHANGES
_UNLOCKED = FindingId.NODE_UNLOCKED
_INITRAMFS = FindingId.NODE_INITRAMFS_REGENERATED
_ASSEMBLED = FindingId.NODE_ASSEMBLED_ON_NODE

DEVIATIONS = frozenset(
    (_LOCAL_PACKAGES, _REMOVALS, _OVERRIDES, _LIVE_CHANGES, _UNLOCKED, _INITRAMFS, _ASSEMBLED),
)
"""The ids of all kinds."""

_PACKAGES: t.Mapping[str, tuple[FindingId, _Reader]] = {
    "requested-packages": (_LOCAL_PACKAGES, _plain),
    "requested-local-packages": (_LOCAL_PACKAGES, _nevra),
    "requested-local-fileoverride-packages": (_LOCAL_PACKAGES, _nevra),
    "packages": (_LOCAL_PACKAGES, _plain),
    "modules": (_LOCAL_PACKAGES, _plain),
    "requested-modules": (_LOCAL_PACKAGES, _plain),
    "requested-modules-enabled": (_LOCAL_PACKAGES, _plain),
    "requested-base-removals": (_REMOVALS, _plain),
    "base-removals": (_REMOVALS, _resolved),
    "requested-base-local-replacements": (_OVERRIDES, _nevra),
    "base-local-replacements": (_OVERRIDES, _replaced),
    "requested-base-remote-replacements": (_OVERRIDES, _plain),
    "base-remote-replacements": (_OVERRIDES, _replaced),
}

_STATES: t.Mapping[str, FindingId] = {
    "live-inprogress": _LIVE_CHANGES,
    "live-replaced": _LIVE_CHANGES,
    "regenerate-initramfs": _INITRAMFS,
    "initramfs-args": _INITRAMFS,
    "initramfs-etc": _INITRAMFS,
    "cliwrap": _ASSEMBLED,
}


def deviations_of(entry: t.Mapping[str, t.Any]) -> tuple[Deviation, ...]:
    """Return how a deployment, as rpm-ostree describes it, departs from its image; each package once.

    :raises ValueError: in more ways than are read; to leave some out would hide them
    """
    found = list(islice(chain(_package_deviations(entry), _state_deviations(entry)), _MOST + 1))
    if len(found) > _MOST:
        raise ValueError(f"a deployment departs from its image in more than {_MOST} ways")
    if entry.get("base-checksum") and all(d.finding in (_LIVE_CHANGES, _UNLOCKED) for d in found):
        # It was put together on the node, for a reason that none of the keys we know gives.
        found.append(Deviation(_ASSEMBLED, None, f"base-checksum: {_scalar(entry['base-checksum'])}"))
    return tuple(found)


def _package_deviations(entry: t.Mapping[str, t.Any]) -> t.Iterator[Deviation]:
    seen: set[tuple[FindingId, str]] = set()
    for key, (finding, read) in _PACKAGES.items():
        for item in _items(entry.get(key)):
            package = read(item)
            if package is None or max(map(len, package)) > _LONGEST:
                # Whatever it is, it is not nothing; no pattern of names can allow it.
                yield Deviation(finding, None, f"{key}: {_scalar(item)}")
            elif (finding, package.name) not in seen:
                seen.add((finding, package.name))
                yield Deviation(finding, package.name, f"{key}: {package.shown}")


def _state_deviations(entry: t.Mapping[str, t.Any]) -> t.Iterator[Deviation]:
    for key, finding in _STATES.items():
        if entry.get(key):
            yield Deviation(finding, None, f"{key}: {_scalar(entry[key])}")
    if entry.get("unlocked") not in (None, "", "none"):
        yield Deviation(_UNLOCKED, None, f"unlocked: {_scalar(entry['unlocked'])}")


def _items(value: t.Any) -> list[t.Any]:
    """Return what a key lists: a list's items, or those of all the lists that a mapping holds by their source."""
    if not value:
        return []
    if isinstance(value, dict):
        return [item for listed in value.values() for item in (listed if isinstance(listed, list) else [listed])]
    return value if isinstance(value, list) else [value]


def _scalar(value: t.Any) -> str:
    """Return a value's own words; of one with parts only the kind, for it may be nested without end."""
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return legible(" ".join(value), _LONGEST)
    if isinstance(value, str):
        return legible(value, _LONGEST)
    return legible(str(value), _LONGEST) if isinstance(value, (int, float)) else f"({type(value).__name__})"
