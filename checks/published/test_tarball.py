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
    "meta/*",
    "playbooks/*",
    "plugins/*",
    "roles/*",
)
_SHIPPED = ("docs/docsite", "meta", "playbooks", "plugins", "roles")

_IMPORTER_SETTINGS = """\
[galaxy-importer]
check_required_tags = True
run_ansible_lint = False
"""


def _documented() -> list[tuple[str, str]]:
    modules = [("module", file.stem) for file in (ROOT / "plugins/modules").glob("*.py")]
    inventories = [("inventory", file.stem) for file in (ROOT / "plugins/inventory").glob("*.py")]
    roles = [("role", file.parents[1].name) for file in (ROOT / "roles").glob("*/meta/argument_specs.yml")]
    return sorted((kind, name) for kind, name in modules + inventories + roles if name != "__init__")


@pytest.fixture(scope="module")
def names(tarball):
    with tarfile.open(tarball) as archive:
        return [entry.name for entry in archive if not entry.isdir()]


@pytest.fixture(scope="module")
def installed(setting, tarball, tmp_path_factory):
    """Install offline beside kubernetes.core into an empty tree; return a function that runs Ansible there."""
    folder = tmp_path_factory.mktemp("installed")
    variables = {"ANSIBLE_COLLECTIONS_PATH": str(folder), "HOME": str(folder)}
    for source in (setting.tree.kubernetes_core, tarball):
        install = ("ansible-galaxy", "collection", "install", "--offline", "--collections-path", folder, source)
        ended = setting.output(*install, folder=folder, variables=variables)
        assert ended.returncode == 0, ended.stdout

    def run(*command):
        return setting.output(*command, folder=folder, variables=variables)

    return run


def test_tarball_contains_only_files_of_the_collection(names):
    assert [name for name in names if not any(fnmatch(name, pattern) for pattern in _ALLOWED)] == []


def test_tarball_contains_every_file_of_the_collection(names):
    shipped = {str(file) for file in files_of(ROOT) if any(file.is_relative_to(folder) for folder in _SHIPPED)}
    assert shipped - set(names) == set()


@pytest.mark.parametrize(("kind", "name"), _documented())
def test_installed_collection_has_documentation(installed, kind, name):
    full_name = f"imagemode.openshift.{name}"
    ended = installed("ansible-doc", "--json", "--type", kind, full_name)
    # ansible-doc exits with 0 for an unknown name.
    assert ended.returncode == 0, ended.stdout
    assert json.loads(ended.stdout[ended.stdout.index("{") :]).get(full_name), ended.stdout


@pytest.mark.parametrize("playbook", sorted(file.stem for file in (ROOT / "playbooks").glob("*.yml")))
def test_installed_playbook_has_correct_syntax(installed, playbook):
    ended = installed("ansible-playbook", "--syntax-check", f"imagemode.openshift.{playbook}")
    assert ended.returncode == 0, ended.stdout


def test_galaxy_importer_accepts_the_tarball(setting, tarball, tmp_path):
    # Galaxy and Automation Hub run this on upload. Its linters are sessions of noxfile.py.
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
    # The importer logs documentation that it cannot read as an error and continues.
    assert "ERROR" not in ended.stdout, ended.stdout
