# SPDX-License-Identifier: GPL-3.0-or-later
"""Does what would be published hold the collection and nothing else, install, and explain itself?"""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
import tempfile
import typing as t
from fnmatch import fnmatch
from pathlib import Path

from .commands import Setting
from .environment import CACHE, ROOT, NotPossible, find_interpreter_for_environment, make_venv
from .outcome import Count

# What a user of the collection gets. A file that fits none of these needs a decision: here, or in build_ignore.
_MAY_HOLD = (
    "CHANGELOG.rst",
    "FILES.json",
    "LICENSE",
    "MANIFEST.json",
    "README.md",
    "changelogs/changelog.yaml",
    "changelogs/config.yaml",
    "docs/docsite/*",
    "docs/security.md",
    "meta/*",
    "playbooks/*",
    "plugins/*",
    "roles/*",
)

_IMPORTER_SETTINGS = """\
[galaxy-importer]
check_required_tags = True
run_ansible_lint = False
"""


def tarball(setting: Setting) -> Count:
    """Build it, look into it, install it into an empty tree, and have everything in it explained from there."""
    with tempfile.TemporaryDirectory() as scratch:
        built = build(setting, Path(scratch))
        return _holds_only_the_collection(built) + _installed(setting, built, Path(scratch)) + _imported(setting, built)


def build(setting: Setting, folder: Path) -> Path:
    """Build the tarball of the repository as it is into *folder*."""
    built = setting.output("ansible-galaxy", "collection", "build", "--output-path", folder, folder=ROOT)
    found = list(folder.glob("imagemode-openshift-*.tar.gz"))
    if built.returncode or len(found) != 1:
        raise NotPossible(f"Could not build the tarball: {built.stdout.strip()}. Mend galaxy.yml.")
    return found[0]


def _holds_only_the_collection(built: Path) -> Count:
    print("\n$ look for what does not belong into the tarball", flush=True)
    with tarfile.open(built) as archive:
        strangers = [
            member.name
            for member in archive
            if not member.isdir() and not any(fnmatch(member.name, pattern) for pattern in _MAY_HOLD)
        ]
    for stranger in strangers:
        print(f"does not belong into the tarball: {stranger}")
    return Count.of(not strangers)


def _installed(setting: Setting, built: Path, scratch: Path) -> Count:
    """Install offline beside kubernetes.core into an empty tree, and ask from there, as a user would."""
    empty = scratch / "installed"
    seen = {"ANSIBLE_COLLECTIONS_PATH": str(empty), "HOME": str(scratch)}
    install = ("ansible-galaxy", "collection", "install", "--offline", "--collections-path", empty)
    installed = setting.run(*install, setting.tree.kubernetes_core, folder=scratch, variables=seen) + setting.run(
        *install, built, folder=scratch, variables=seen
    )
    collection = empty / "ansible_collections/imagemode/openshift"
    if not installed.ok or not collection.is_dir():
        return installed + Count.of(collection.is_dir())
    for name in _plugins(collection, "modules"):
        installed += _explained(setting, scratch, name, "module", seen)
    for name in _plugins(collection, "inventory"):
        installed += _explained(setting, scratch, name, "inventory", seen)
    for role in sorted((collection / "roles").glob("*/meta/argument_specs.yml")):
        installed += _explained(setting, scratch, f"imagemode.openshift.{role.parents[1].name}", "role", seen)
    for playbook in sorted((collection / "playbooks").glob("*.yml")):
        installed += setting.run(
            "ansible-playbook", "--syntax-check", f"imagemode.openshift.{playbook.stem}", folder=scratch, variables=seen
        )
    return installed


def _plugins(collection: Path, kind: str) -> list[str]:
    files = sorted((collection / "plugins" / kind).glob("*.py"))
    return [f"imagemode.openshift.{file.stem}" for file in files if file.stem != "__init__"]


def _explained(setting: Setting, folder: Path, name: str, kind: str, seen: t.Mapping[str, str]) -> Count:
    """Ask ansible-doc; it ends with 0 when it knows nothing, so its answer is read."""
    print(f"\n$ ansible-doc --type {kind} {name}", flush=True)
    asked = setting.output("ansible-doc", "--json", "--type", kind, name, folder=folder, variables=seen)
    try:
        answer: t.Any = json.loads(asked.stdout[asked.stdout.index("{") :])
    except ValueError:
        answer = {}
    explained = asked.returncode == 0 and bool(answer.get(name))
    if not explained:
        print(asked.stdout)
    return Count.of(explained)


def _imported(setting: Setting, built: Path) -> Count:
    """Read the tarball as Galaxy and Automation Hub do on upload. Their linters have run before, in the lint step."""
    venv = CACHE / "importer"
    make_venv(venv, find_interpreter_for_environment(), [ROOT / "requirements/importer.txt"])
    importer = Setting(setting.tree, venv)
    with tempfile.TemporaryDirectory() as scratch:
        settings = Path(scratch) / "galaxy-importer.cfg"
        settings.write_text(_IMPORTER_SETTINGS, encoding="utf-8")
        copy = shutil.copy(built, scratch)
        command = ("python", "-m", "galaxy_importer.main", copy)
        print(f"\n$ {' '.join(map(str, command))}", flush=True)
        imported = importer.output(*command, folder=Path(scratch), variables={"GALAXY_IMPORTER_CONFIG": str(settings)})
        print(imported.stdout)
        # It calls documentation that it could not read an error, and imports all the same.
        return Count.of(imported.returncode == 0 and "ERROR" not in imported.stdout)


def unpack(built: Path, folder: Path) -> None:
    """Unpack the tarball *built* into *folder*."""
    folder.mkdir(parents=True)
    subprocess.run(["tar", "--extract", "--gzip", "--file", built, "--directory", folder], check=True)
