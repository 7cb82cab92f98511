# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests by ansible-test sanity.

ansible-test reads the list of files from git: in a folder that git ignores it checks nothing and reports success. The
tests therefore run in a git tree of their own, and one of them adds a wrong file that must be found.
"""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from checks.environment import CACHE, ROOT, VERSIONS
from checks.tarball import unpack
from checks.tree import copy_files, files_of

# ansible-test downloads a script that installs pip, unless it finds the script under the name of its release. This one
# installs the pip of Python's own ensurepip.
_GET_PIP = """\
import subprocess, sys
# In a process of its own: ensurepip changes the configuration of pip in its process.
subprocess.check_call([sys.executable, "-m", "ensurepip"], stdout=subprocess.DEVNULL)
options = [option for option in sys.argv[1:] if option not in ("--no-setuptools", "--no-wheel")]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "--quiet", "install", *options]))
"""

_WRONG_MODULE = '''\
#!/usr/bin/python
"""A module with an undocumented option."""

from __future__ import annotations

DOCUMENTATION = r"""
module: planted
short_description: Planted
"""

from ansible.module_utils.basic import AnsibleModule

if __name__ == "__main__":
    AnsibleModule(argument_spec={"undocumented": {"type": "str"}})
'''


@pytest.fixture(scope="module")
def collection(setting, tarball, tmp_path_factory):
    """Unpack the tarball and the tests into a git tree, with kubernetes.core beside it."""
    root = tmp_path_factory.mktemp("sanity") / "ansible_collections"
    folder = root / "imagemode/openshift"
    unpack(tarball, folder)
    copy_files(ROOT / "tests", folder / "tests", files_of(ROOT / "tests"))
    shutil.copytree(setting.tree.kubernetes_core, root / "kubernetes/core")
    _git(folder, "init", "--quiet")
    _git(folder, "add", "--all", "--force")
    return folder


@pytest.fixture(scope="module")
def home():
    """Make a home for ansible-test, which stores its environments there, with the pip settings of this machine.

    ansible-test removes the environment variables of pip, so that its settings must be in a file.
    """
    folder = CACHE / "ansible-test"
    scripts = folder / ".ansible/test/cache"
    scripts.mkdir(parents=True, exist_ok=True)
    for version in VERSIONS["ansible_test_get_pip"]:
        (scripts / f"get_pip_{version.replace('.', '_')}.py").write_text(_GET_PIP, encoding="utf-8")
    pip_settings = folder / ".config/pip/pip.conf"
    pip_settings.parent.mkdir(parents=True, exist_ok=True)
    pip_settings.write_text(_pip_settings(), encoding="utf-8")
    return {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / ".config")}


def test_sanity_has_no_ignore_lines(collection):
    assert list((collection / "tests/sanity").glob("ignore*.txt")) == []


def test_all_sanity_tests_pass(setting, collection, home):
    assert setting.run("ansible-test", "sanity", "--color", "no", folder=collection, variables=home)


def test_sanity_finds_a_wrong_file(setting, collection, home):
    wrong = collection / "plugins/modules/planted.py"
    wrong.write_text(_WRONG_MODULE, encoding="utf-8")
    _git(collection, "add", "--all", "--force")
    ended = setting.output(
        "ansible-test", "sanity", "--color", "no", "--test", "validate-modules", folder=collection, variables=home
    )
    assert ended.returncode != 0
    assert "plugins/modules/planted.py" in ended.stdout, ended.stdout
    assert "undocumented" in ended.stdout, ended.stdout


def _pip_settings() -> str:
    pip = ("python3", "-m", "pip")
    listed = subprocess.run([*pip, "config", "list"], capture_output=True, text=True, check=False).stdout
    cache = subprocess.run([*pip, "cache", "dir"], capture_output=True, text=True, check=False).stdout.strip()
    settings = {"quiet": "1", **({"cache-dir": cache} if cache else {})}
    for line in listed.splitlines():
        name, equals, value = line.partition("=")
        if equals:
            settings[name.rpartition(".")[2]] = value.strip("'\"")
    return "[global]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items())


def _git(folder, *arguments):
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    subprocess.run(["git", *arguments], cwd=folder, env=own, check=True, stdout=subprocess.DEVNULL)
