# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import tarfile
from fnmatch import fnmatch

import pytest

from checks.commands import Setting
from checks.environment import CACHE, ROOT, find_interpreter_for_environment, make_venv
from checks.tree import files_of

# What a user of the collection gets. A file that matches none of these needs a decision: here, or in build_ignore.
_ALLOWED = (
    "CHANGELOG.rst",
    "FILES.json",
    "LICENSE",
    "MANIFEST.json",
    "README.md",
    "changelogs/changelog.yaml",
    "changelogs/config.yaml",
    "docs/docsite/*",
    "docs/operator-behavior.md",
    "docs/security.md",
    "examples/*",
    "extensions/aap/*",
    "extensions/eda/*",
    "extensions/execution_environment/*",
    "meta/*",
    "playbooks/*",
    "plugins/*",
    "roles/*",
)
_SHIPPED = (
    "docs/docsite",
    "examples",
    "extensions/aap",
    "extensions/eda",
    "extensions/execution_environment",
    "meta",
    "playbooks",
    "plugins",
    "roles",
)

# The importer lints the collection where its own playbooks cannot be found by name, and warns of each import of one.
_NOT_SHIPPED = "extensions/aap/project"

# What Automation Hub requires. Galaxy requires less.
_IMPORTER_SETTINGS = """\
[galaxy-importer]
check_changelog = True
check_required_tags = True
offline_ansible_lint = True
require_v1_or_greater = True
run_ansible_doc = True
run_ansible_lint = True
"""


def _documented() -> list[tuple[str, str]]:
    modules = [("module", file.stem) for file in (ROOT / "plugins/modules").glob("*.py")]
    inventories = [("inventory", file.stem) for file in (ROOT / "plugins/inventory").glob("*.py")]
    roles = [("role", file.parents[1].name) for file in (ROOT / "roles").glob("*/meta/argument_specs.yml")]
    return sorted((kind, name) for kind, name in modules + inventories + roles if name != "__init__")


@pytest.fixture(scope="module")
def entries(tarball):
    with tarfile.open(tarball) as archive:
        return archive.getmembers()


@pytest.fixture(scope="module")
def names(entries):
    return [entry.name for entry in entries if not entry.isdir()]


def test_tarball_contains_only_files_of_the_collection(names):
    assert [name for name in names if not any(fnmatch(name, pattern) for pattern in _ALLOWED)] == []


def test_tarball_contains_every_file_of_the_collection(names):
    shipped = {str(file) for file in files_of(ROOT) if any(file.is_relative_to(folder) for folder in _SHIPPED)}
    missing = shipped - set(names)
    assert {file for file in missing if not file.startswith(f"{_NOT_SHIPPED}/")} == set()


def test_tarball_has_no_empty_folder(entries, names):
    folders = [entry.name for entry in entries if entry.isdir()]
    assert folders
    assert [folder for folder in folders if not any(name.startswith(f"{folder}/") for name in names)] == []


@pytest.mark.parametrize(("kind", "name"), _documented())
def test_installed_collection_has_documentation(run_installed, kind, name):
    full_name = f"imagemode.openshift.{name}"
    ended = run_installed("ansible-doc", "--json", "--type", kind, full_name)
    # ansible-doc exits with 0 for an unknown name.
    assert ended.returncode == 0, ended.stdout
    assert json.loads(ended.stdout[ended.stdout.index("{") :]).get(full_name), ended.stdout


@pytest.mark.parametrize("playbook", sorted(file.stem for file in (ROOT / "playbooks").glob("*.yml")))
def test_installed_playbook_has_correct_syntax(run_installed, playbook):
    ended = run_installed("ansible-playbook", "--syntax-check", f"imagemode.openshift.{playbook}")
    assert ended.returncode == 0, ended.stdout


def test_galaxy_importer_accepts_the_tarball_without_a_warning(setting, tarball, tmp_path):
    # Galaxy and Automation Hub run this on upload.
    venv = CACHE / "importer"
    make_venv(venv, find_interpreter_for_environment(), [ROOT / "requirements/importer.txt"])
    settings = tmp_path / "galaxy-importer.cfg"
    settings.write_text(_IMPORTER_SETTINGS, encoding="utf-8")
    copy = tmp_path / tarball.name
    copy.write_bytes(tarball.read_bytes())
    ended = Setting(setting.tree, venv).output(
        "python", "-m", "galaxy_importer.main", copy,
        folder=tmp_path, variables={"GALAXY_IMPORTER_CONFIG": str(settings)},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout
    # The importer logs documentation that it cannot read, and what its linter finds, and continues.
    assert "ansible-lint run complete" in ended.stdout, ended.stdout
    assert "ERROR" not in ended.stdout, ended.stdout
    assert "WARNING" not in ended.stdout, ended.stdout
