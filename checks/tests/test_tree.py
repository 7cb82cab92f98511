# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from checks.environment import ChecksError
from checks.tree import copy_files, files_of


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    (folder / "plugins").mkdir(parents=True)
    (folder / ".gitignore").write_text("*.log\n", encoding="utf-8")
    (folder / "plugins/one.py").write_text("1\n", encoding="utf-8")
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    subprocess.run(["git", "add", "."], cwd=folder, check=True)
    return folder


def test_uncommitted_files_belong_to_the_collection_and_ignored_files_do_not(repository):
    (repository / "plugins/two.py").write_text("2\n", encoding="utf-8")
    (repository / "plugins/noise.log").write_text("", encoding="utf-8")
    (repository / "plugins/one.py").unlink()
    assert sorted(map(str, files_of(repository))) == [".gitignore", "plugins/two.py"]


def test_error_names_a_folder_without_git(tmp_path):
    with pytest.raises(ChecksError, match=r"^Could not list the files of .*\. Run this in a clone made by git\.$"):
        files_of(tmp_path)


def test_copy_follows_changes_and_removals_and_keeps_compiled_files(repository, tmp_path):
    copy = tmp_path / "copy"
    copy_files(repository, copy, files_of(repository))
    compiled = copy / "plugins/__pycache__/one.cpython-312.pyc"
    compiled.parent.mkdir()
    compiled.write_bytes(b"")
    (repository / "plugins/one.py").write_text("changed\n", encoding="utf-8")
    (repository / "plugins/two.py").write_text("2\n", encoding="utf-8")
    copy_files(repository, copy, files_of(repository))
    assert (copy / "plugins/one.py").read_text(encoding="utf-8") == "changed\n"

    (repository / "plugins/two.py").unlink()
    (copy / "stray").mkdir()
    (copy / "stray/file").write_text("", encoding="utf-8")
    copy_files(repository, copy, files_of(repository))
    assert _files(copy) == [".gitignore", "plugins/__pycache__/one.cpython-312.pyc", "plugins/one.py"]


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
