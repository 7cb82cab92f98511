# SPDX-License-Identifier: GPL-3.0-or-later
"""Deviations: local changes of a node that are not part of its image, and the list of allowed ones.

A deployment keeps the reference and the digest of its image, whatever is layered on it. Only the keys below show the
changes (docs/operator-behavior.md, "rpm-ostree status"). In pools without layering, the operator itself layers packages
(extensions and kernel types), so deviations can be allowed.

A request is no deviation: rpm-ostree keeps requests that the image satisfies already, and they change nothing. What is
applied is listed in other keys, or shows in the deployment having a base commit that it was assembled from.
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
        return any(True for dummy in self.entries_for(deviation))

    def entries_for(self, deviation: Deviation) -> t.Iterator[str]:
        """Return the entries that allow the deviation."""
        if deviation.finding in self.findings:
            yield str(deviation.finding)
        package = deviation.package
        if package is not None:
            yield from (pattern for pattern in self.packages if fnmatchcase(package, pattern))

    def unused(self, used: t.Iterable[t.Collection[str] | None]) -> list[str] | None:
        """Return the entries that allowed nothing, or None if that is not known.

        :param used: for each node the entries that allowed a change, or None if its changes are not known
        """
        known = [entries for entries in used if entries is not None]
        if not known:
            return None
        all_used = frozenset().union(*known)
        entries = dict.fromkeys((*self.packages, *sorted(finding.value for finding in self.findings)))
        return [entry for entry in entries if entry not in all_used]


NOTHING_ALLOWED = Allowed()


@dataclass(frozen=True)
class LocalChanges:
    """Local changes of a deployment.

    :ivar applied: changes of the deployment or of the running system
    :ivar inactive: requests that changed nothing
    """

    applied: tuple[Deviation, ...] = ()
    inactive: tuple[Deviation, ...] = ()


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
    """Read a replaced package: a list of the new one and the old one, or a flat list that begins with the new one."""
    if not isinstance(item, list) or not item:
        return None
    return _resolved(item[0]) or _resolved(item)


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

_APPLIED: t.Mapping[str, tuple[FindingId, _Reader]] = {
    "packages": (_LOCAL_PACKAGES, _plain),
    "modules": (_LOCAL_PACKAGES, _plain),
    "base-removals": (_REMOVALS, _resolved),
    "base-local-replacements": (_OVERRIDES, _replaced),
    "base-remote-replacements": (_OVERRIDES, _replaced),
}
"""Keys of what is applied to the deployment."""

_REQUESTED: t.Mapping[str, tuple[FindingId, _Reader, str]] = {
    "requested-packages": (_LOCAL_PACKAGES, _plain, "packages"),
    "requested-local-packages": (_LOCAL_PACKAGES, _nevra, ""),
    "requested-local-fileoverride-packages": (_LOCAL_PACKAGES, _nevra, ""),
    "requested-modules": (_LOCAL_PACKAGES, _plain, "modules"),
    "requested-modules-enabled": (_LOCAL_PACKAGES, _plain, ""),
    "requested-base-removals": (_REMOVALS, _plain, "base-removals"),
    "requested-base-local-replacements": (_OVERRIDES, _nevra, "base-local-replacements"),
    "requested-base-remote-replacements": (_OVERRIDES, _plain, "base-remote-replacements"),
}
"""Keys of requests, and the key that lists which of them are applied, if there is one."""

_REQUESTED_STATES: t.Mapping[str, FindingId] = {
    "regenerate-initramfs": _INITRAMFS,
    "initramfs-args": _INITRAMFS,
    "initramfs-etc": _INITRAMFS,
    "cliwrap": _ASSEMBLED,
}
"""Keys of requests that no other key lists. rpm-ostree assembles a deployment to apply them."""

_RUNNING_STATES: t.Mapping[str, FindingId] = {"live-inprogress": _LIVE_CHANGES, "live-replaced": _LIVE_CHANGES}
"""Keys of changes of the running system, whatever its deployment is."""

_WITH_SOURCES = ("requested-base-remote-replacements", "base-remote-replacements")
"""Keys whose packages are listed by source."""

_BASE = ("base-checksum", "layered-commit-meta")
"""Keys that only a deployment has that was assembled on the node."""


def local_changes_of(entry: t.Mapping[str, t.Any]) -> LocalChanges:
    """Return the local changes of a deployment in the status of rpm-ostree, each package once.

    :raises ValueError: there are too many; to ignore some would hide them
    """
    found = list(islice(chain(_listed(entry), _requested(entry), _states(entry)), _MAX_DEVIATIONS + 1))
    if len(found) > _MAX_DEVIATIONS:
        raise ValueError(f"a deployment has more than {_MAX_DEVIATIONS} local changes")
    applied = [deviation for deviation, is_applied in found if is_applied]
    base = _base_of(entry)
    if base and all(d.finding in (_LIVE_CHANGES, _UNLOCKED) for d in applied):
        # The deployment was assembled on the node, for a reason that none of the known keys gives.
        applied.append(Deviation(_ASSEMBLED, None, f"{base}: {_scalar(entry[base])}"))
    return LocalChanges(tuple(applied), tuple(deviation for deviation, is_applied in found if not is_applied))


def _base_of(entry: t.Mapping[str, t.Any]) -> str:
    """Return the key that shows that the deployment was assembled on the node, or an empty string."""
    return next((key for key in _BASE if entry.get(key) not in (None, "", {})), "")


def _listed(entry: t.Mapping[str, t.Any]) -> t.Iterator[tuple[Deviation, bool]]:
    """Yield what is listed as applied."""
    for key, (finding, read) in _APPLIED.items():
        for item, package in _packages(entry, key, read):
            yield _deviation(finding, key, item, package), True


def _requested(entry: t.Mapping[str, t.Any]) -> t.Iterator[tuple[Deviation, bool]]:
    """Yield each request that is not listed as applied, and whether it is applied nevertheless.

    Where no key lists what is applied, a request is applied if the deployment was assembled on the node.
    """
    is_assembled = bool(_base_of(entry))
    for key, (finding, read, applied_key) in _REQUESTED.items():
        listed = _names_in(entry, applied_key)
        for item, package in _packages(entry, key, read):
            if package is None:
                yield _deviation(finding, key, item, None), is_assembled
            elif package.name not in listed and package.shown not in listed:
                is_listed_elsewhere = bool(applied_key) and entry.get(applied_key) is not None
                yield _deviation(finding, key, item, package), is_assembled and not is_listed_elsewhere


def _names_in(entry: t.Mapping[str, t.Any], key: str) -> set[str]:
    """Return the names of the applied packages that a key lists, with and without their versions."""
    if not key:
        return set()
    dummy, read = _APPLIED[key]
    return {text for dummy, package in _packages(entry, key, read) if package for text in package}


def _packages(entry: t.Mapping[str, t.Any], key: str, read: _Reader) -> t.Iterator[tuple[t.Any, _Package | None]]:
    """Yield each package of a key once, with its item. The package is None if the item has an unknown form."""
    found: set[str] = set()
    items = _of_sources(entry.get(key)) if key in _WITH_SOURCES else _items(entry.get(key))
    for item in items:
        package = read(item)
        if package is None or max(map(len, package)) > _MAX_PACKAGE:
            yield item, None
        elif package.name not in found:
            found.add(package.name)
            yield item, package


def _deviation(finding: FindingId, key: str, item: t.Any, package: _Package | None) -> Deviation:
    """Return a deviation. One of an unknown form is reported as well, but no pattern of names can allow it."""
    if package is None:
        return Deviation(finding, None, f"{key}: {_scalar(item)}")
    return Deviation(finding, package.name, f"{key}: {package.shown}")


def _states(entry: t.Mapping[str, t.Any]) -> t.Iterator[tuple[Deviation, bool]]:
    is_assembled = bool(_base_of(entry))
    for key, finding in _REQUESTED_STATES.items():
        if entry.get(key):
            yield Deviation(finding, None, f"{key}: {_scalar(entry[key])}"), is_assembled
    for key, finding in _RUNNING_STATES.items():
        if entry.get(key):
            yield Deviation(finding, None, f"{key}: {_scalar(entry[key])}"), True
    if entry.get("unlocked") not in (None, "", "none"):
        yield Deviation(_UNLOCKED, None, f"unlocked: {_scalar(entry['unlocked'])}"), True


def _items(value: t.Any) -> list[t.Any]:
    """Return the items of a list, or of all lists in a mapping of sources."""
    if not value:
        return []
    if isinstance(value, dict):
        return [item for listed in value.values() for item in (listed if isinstance(listed, list) else [listed])]
    return value if isinstance(value, list) else [value]


def _of_sources(value: t.Any) -> list[t.Any]:
    """Return the items of all sources, in a mapping or in a list of pairs such as ``["repo=updates", ["podman"]]``."""
    if not isinstance(value, list):
        return _items(value)
    return [item for entry in value for item in (entry[1] if _is_source(entry) else [entry])]


def _is_source(entry: t.Any) -> bool:
    return isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str) and isinstance(entry[1], list)


def _scalar(value: t.Any) -> str:
    """Return the text of a value. Of a nested value return the type only, because it can be of any depth."""
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return legible(" ".join(value), _MAX_PACKAGE)
    if isinstance(value, str):
        return legible(value, _MAX_PACKAGE)
    return legible(str(value), _MAX_PACKAGE) if isinstance(value, (int, float)) else f"({type(value).__name__})"
