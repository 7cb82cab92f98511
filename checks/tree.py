# SPDX-License-Identifier: GPL-3.0-or-later
"""The ``ansible_collections`` tree that all tests use: kubernetes.core, and a copy of this collection.

A copy and not a link: Ansible, ansible-test and molecule resolve links and would work on the repository.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
import sys
import tempfile
import typing as t
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .environment import CACHE, LOCKED, ROOT, VERSIONS, ChecksError

# kubernetes.core is unpacked from the `ansible` package of the Python index. This folder has a file for each version of
# kubernetes.core that pins the package.
_WHEELS = ROOT / "requirements/kubernetes-core"
NEWEST: t.Final[str] = VERSIONS["kubernetes_core"]
# The package requires this Python; kubernetes.core itself does not.
_DOWNLOAD = ("-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--python-version=3.12")

# Linters check the collection and its tests, not the programs that build and check it.
_LEFT_OUT = frozenset({"lab", "checks", "demo", "requirements", ".ci", ".github"})


@dataclass(frozen=True)
class Tree:
    """Folder that contains ``ansible_collections``, as in ANSIBLE_COLLECTIONS_PATH."""

    root: Path

    @property
    def collection(self) -> Path:
        """This collection in the tree."""
        return self.root / "ansible_collections/imagemode/openshift"

    @property
    def kubernetes_core(self) -> Path:
        """The collection kubernetes.core in the tree."""
        return self.root / "ansible_collections/kubernetes/core"

    def refresh(self, kubernetes_core: str = NEWEST) -> None:
        """Update kubernetes.core and the copy of the repository, including uncommitted changes."""
        self.root.mkdir(parents=True, exist_ok=True)
        with self._locked():
            _provide_kubernetes_core(self.kubernetes_core, kubernetes_core)
            copy_files(ROOT, self.collection, [file for file in files_of(ROOT) if file.parts[0] not in _LEFT_OUT])

    @contextmanager
    def _locked(self) -> t.Iterator[None]:
        with (self.root / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


NEWEST_TREE = Tree(CACHE / "collections")


def files_of(repository: Path) -> list[Path]:
    """Return the relative paths of all files of a git work tree, committed or not, without ignored files."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode:
        raise ChecksError(
            f"Could not list the files of {repository}: {listing.stderr.strip()}. Run this in a clone made by git."
        )
    return [Path(name) for name in listing.stdout.split("\0") if name and (repository / name).is_file()]


def copy_files(source: Path, target: Path, files: t.Sequence[Path]) -> None:
    """Make *target* contain exactly *files* of *source*, and their compiled files. Write only files that differ."""
    for file in files:
        _copy_file(source / file, target / file)
    wanted = set(files)
    for found in sorted(target.rglob("*"), reverse=True):
        relative = found.relative_to(target)
        if "__pycache__" in relative.parts or relative in wanted:
            continue
        if not found.is_dir():
            found.unlink()
        elif not any(found.iterdir()) or all(child.name == "__pycache__" for child in found.iterdir()):
            shutil.rmtree(found)


def _copy_file(source: Path, target: Path) -> None:
    try:
        before, now = target.stat(), source.stat()
        if (before.st_size, before.st_mtime_ns, before.st_mode) == (now.st_size, now.st_mtime_ns, now.st_mode):
            return
    except FileNotFoundError:
        target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.new")
    shutil.copy2(source, unfinished)
    unfinished.replace(target)


def _provide_kubernetes_core(folder: Path, version: str) -> None:
    if _version_in(folder) == version:
        return
    shutil.rmtree(folder, ignore_errors=True)
    requirement = _WHEELS / f"{version}.txt"
    with tempfile.TemporaryDirectory() as scratch:
        download = subprocess.run(
            [sys.executable, *_DOWNLOAD, *LOCKED, "--dest", scratch, "--requirement", requirement],
            check=False,
        )
        if download.returncode:
            raise ChecksError(
                f"Could not fetch kubernetes.core {version}: pip could not download {requirement}. "
                "See its output above."
            )
        prefix = "ansible_collections/kubernetes/core/"
        with zipfile.ZipFile(next(Path(scratch).glob("ansible-*.whl"))) as wheel:
            wanted = [name for name in wheel.namelist() if name.startswith(prefix)]
            wheel.extractall(folder.parents[2], wanted)
    if _version_in(folder) != version:
        raise ChecksError(
            f"Could not fetch kubernetes.core {version}: {requirement} names a package with {_version_in(folder)}. "
            "Correct the version of ansible in the .in file beside it."
        )


def _version_in(folder: Path) -> str | None:
    manifest = folder / "MANIFEST.json"
    if not manifest.exists():
        return None
    version: str = json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"]
    return version
