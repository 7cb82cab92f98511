# SPDX-License-Identifier: GPL-3.0-or-later
"""Deviations: local changes of a node that are not part of its image, and the list of allowed ones.

A deployment keeps the reference and the digest of its image, whatever is layered on it. Only the keys below show the
changes (docs/operator-behavior.md, "rpm-ostree status"). In pools without layering, the operator itself layers packages
(extensions and kernel types), so deviations can be allowed.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import chain, islice

from ..findings import FindingId
from ..text import legible

_NEVRA = re.compile(r"(?P<name>.+)-[^-]+-[^-]+\.[^-.]+")
"""Package name, version, release and architecture."""
_MAX_DEVIATIONS = 5000
"""Maximum deviations of one deployment. Each costs time and memory."""
_MAX_PACKAGE = 2048
"""Maximum characters of a package with its version."""


@dataclass(frozen=True)
class Deviation:
    """One local change of a deployment.

    :ivar finding: public id of the kind of change
    :ivar package: name of the package without version, or None
    :ivar shown: evidence
    """

    finding: FindingId
    package: str | None
    shown: str


@dataclass(frozen=True)
class Allowed:
    """Deviations that the user allows."""

    packages: tuple[str, ...] = ()
    """Shell patterns of package names."""
    findings: frozenset[FindingId] = frozenset()
    """Ids of kinds of changes that are allowed as a whole."""

    @classmethod
    def of(cls, entries: t.Iterable[str]) -> Allowed:
        """Parse the user's list of package name patterns and finding ids.

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
        """Whether the deviation is allowed."""
        if deviation.finding in self.findings:
            return True
        package = deviation.package
        return package is not None and any(fnmatchcase(package, pattern) for pattern in self.packages)


NOTHING_ALLOWED = Allowed()


class _Package(t.NamedTuple):
    """Package in a key of the status."""

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
    """Read an installed package: NEVRA, name, and parts of the version."""
    if not isinstance(item, list) or len(item) < 2 or not all(isinstance(part, str) for part in item[:2]):
        return None
    return _Package(item[1], item[0])


def _replaced(item: t.Any) -> _Package | None:
    """Read a replaced package: the new one and the old one."""
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
"""Ids of all kinds of changes."""

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
    """Return the local changes of a deployment in the status of rpm-ostree, each package once.

    :raises ValueError: there are too many; to ignore some would hide them
    """
    found = list(islice(chain(_package_deviations(entry), _state_deviations(entry)), _MAX_DEVIATIONS + 1))
    if len(found) > _MAX_DEVIATIONS:
        raise ValueError(f"a deployment has more than {_MAX_DEVIATIONS} local changes")
    if entry.get("base-checksum") and all(d.finding in (_LIVE_CHANGES, _UNLOCKED) for d in found):
        # The deployment was assembled on the node, for a reason that none of the known keys gives.
        found.append(Deviation(_ASSEMBLED, None, f"base-checksum: {_scalar(entry['base-checksum'])}"))
    return tuple(found)


def _package_deviations(entry: t.Mapping[str, t.Any]) -> t.Iterator[Deviation]:
    found: set[tuple[FindingId, str]] = set()
    for key, (finding, read) in _PACKAGES.items():
        for item in _items(entry.get(key)):
            package = read(item)
            if package is None or max(map(len, package)) > _MAX_PACKAGE:
                # An unknown form is reported as well, but no pattern of names can allow it.
                yield Deviation(finding, None, f"{key}: {_scalar(item)}")
            elif (finding, package.name) not in found:
                found.add((finding, package.name))
                yield Deviation(finding, package.name, f"{key}: {package.shown}")


def _state_deviations(entry: t.Mapping[str, t.Any]) -> t.Iterator[Deviation]:
    for key, finding in _STATES.items():
        if entry.get(key):
            yield Deviation(finding, None, f"{key}: {_scalar(entry[key])}")
    if entry.get("unlocked") not in (None, "", "none"):
        yield Deviation(_UNLOCKED, None, f"unlocked: {_scalar(entry['unlocked'])}")


def _items(value: t.Any) -> list[t.Any]:
    """Return the items of a list, or of all lists in a mapping of sources."""
    if not value:
        return []
    if isinstance(value, dict):
        return [item for listed in value.values() for item in (listed if isinstance(listed, list) else [listed])]
    return value if isinstance(value, list) else [value]


def _scalar(value: t.Any) -> str:
    """Return the text of a value. Of a nested value return the type only, because it can be of any depth."""
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return legible(" ".join(value), _MAX_PACKAGE)
    if isinstance(value, str):
        return legible(value, _MAX_PACKAGE)
    return legible(str(value), _MAX_PACKAGE) if isinstance(value, (int, float)) else f"({type(value).__name__})"
