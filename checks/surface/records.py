# SPDX-License-Identifier: GPL-3.0-or-later
"""The records of the public surface, one for each release, and the list of deprecations."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from ..environment import ROOT, ChecksError
from .compatibility import Deprecation, Release, version_key
from .facts import Facts

FOLDER = Path(__file__).resolve().parent / "records"
DEPRECATIONS = Path(__file__).resolve().parent / "deprecations.yml"


def present_version() -> str:
    """Return the version of galaxy.yml, which is released or being prepared."""
    return str(yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["version"])


def released_versions() -> list[str]:
    """Return the versions in the changelog, the oldest first."""
    changelog = yaml.safe_load((ROOT / "changelogs/changelog.yaml").read_text(encoding="utf-8"))
    return sorted(changelog["releases"], key=version_key)


def record_file(version: str) -> Path:
    """Return the file of the record of a version."""
    return FOLDER / f"{version}.json"


def read_record(version: str) -> Release:
    """Return the record of a version.

    :raises ChecksError: the version has no record
    """
    file = record_file(version)
    if not file.exists():
        raise ChecksError(
            f"Could not read the public surface of {version}: {file.name} is missing. Run `make surface`."
        )
    return Release(version, json.loads(file.read_text(encoding="utf-8")))


def write_record(release: Release) -> Path:
    """Write the record of a version that is being prepared, and return its file.

    :raises ChecksError: the version is released, and its surface changed
    """
    file = record_file(release.version)
    text = record_text(release.facts)
    is_same = file.exists() and file.read_text(encoding="utf-8") == text
    if release.version in released_versions() and not is_same:
        raise ChecksError(
            f"Could not record the public surface of {release.version}: it is released. Set a new version in "
            "galaxy.yml."
        )
    FOLDER.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def record_text(facts: Facts) -> str:
    """Return the content of a record: one line for each fact, so that a diff shows what changed."""
    lines = [f"  {json.dumps(name)}: {json.dumps(promise)}" for name, promise in sorted(facts.items())]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def read_deprecations() -> list[Deprecation]:
    """Return the facts that are deprecated."""
    return [Deprecation(**entry) for entry in yaml.safe_load(DEPRECATIONS.read_text(encoding="utf-8"))]
