# SPDX-License-Identifier: GPL-3.0-or-later
"""Does ansible-test find nothing, and would it find something?

ansible-test takes its files from git: in a folder that git ignores it skips everything and says that all is well. So it
runs in a git tree of its own, and a wrong file is planted to see it found.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import typing as t
from contextlib import contextmanager
from pathlib import Path

from .commands import Setting
from .environment import CACHE, ROOT
from .outcome import Count
from .tarball import build, unpack
from .tree import copy_files, files_of

# ansible-test fetches a script that puts pip into its environments from a host of its own, unless it lies here under
# the name that each release of ansible-core looks for. Python brings pip along: this one takes that.
_STAND_INS = ("get_pip_23_1_2.py", "get_pip_24_2.py", "get_pip_25_2.py")
_STAND_IN = """\
import subprocess, sys
# A process of its own: ensurepip switches off pip's configuration where it runs.
subprocess.check_call([sys.executable, "-m", "ensurepip"], stdout=subprocess.DEVNULL)
options = [option for option in sys.argv[1:] if option not in ("--no-setuptools", "--no-wheel")]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "--quiet", "install", *options]))
"""

_WRONG_MODULE = '''\
#!/usr/bin/python
"""A module with an option that its documentation does not know."""

from __future__ import annotations

DOCUMENTATION = r"""
module: planted
short_description: Planted
"""

from ansible.module_utils.basic import AnsibleModule

if __name__ == "__main__":
    AnsibleModule(argument_spec={"undocumented": {"type": "str"}})
'''


def sanity(setting: Setting) -> Count:
    """Run every sanity test without ignore lines, then one of them on a wrong file, which has to be found."""
    with _tree_of_its_own(setting) as collection:
        return _no_ignore_lines(collection) + _run_all(setting, collection) + _finds_a_wrong_file(setting, collection)


@contextmanager
def _tree_of_its_own(setting: Setting) -> t.Iterator[Path]:
    """Give the tarball's content and the tests, in a git tree outside every other, kubernetes.core beside it."""
    with tempfile.TemporaryDirectory(prefix="sanity-") as scratch:
        root = Path(scratch) / "ansible_collections"
        collection = root / "imagemode/openshift"
        unpack(build(setting, Path(scratch)), collection)
        copy_files(ROOT / "tests", collection / "tests", files_of(ROOT / "tests"))
        shutil.copytree(setting.tree.kubernetes_core, root / "kubernetes/core")
        _git(collection, "init", "--quiet")
        _git(collection, "add", "--all", "--force")
        yield collection


def _no_ignore_lines(collection: Path) -> Count:
    ignored = sorted((collection / "tests/sanity").glob("ignore*.txt"))
    for file in ignored:
        print(f"not wanted: {file.relative_to(collection)}")
    return Count.of(not ignored)


def _run_all(setting: Setting, collection: Path) -> Count:
    return setting.run("ansible-test", "sanity", "--color", "no", folder=collection, variables=_private_home())


def _finds_a_wrong_file(setting: Setting, collection: Path) -> Count:
    planted = collection / "plugins/modules/planted.py"
    planted.write_text(_WRONG_MODULE, encoding="utf-8")
    _git(collection, "add", "--all", "--force")
    print("\n$ ansible-test sanity --test validate-modules, with a wrong file planted", flush=True)
    ran = setting.output(
        "ansible-test",
        "sanity",
        "--color",
        "no",
        "--test",
        "validate-modules",
        folder=collection,
        variables=_private_home(),
    )
    found = ran.returncode != 0 and "plugins/modules/planted.py" in ran.stdout and "undocumented" in ran.stdout
    if not found:
        print(f"A planted wrong module was not found: sanity looks at nothing.\n{ran.stdout}")
    return Count.of(found)


def _private_home() -> dict[str, str]:
    """Make a home for ansible-test, which keeps environments there, and hand on how this machine installs packages.

    ansible-test drops pip's environment variables, so that they have to stand in a file.
    """
    home = CACHE / "ansible-test"
    stand_ins = home / ".ansible/test/cache"
    stand_ins.mkdir(parents=True, exist_ok=True)
    for name in _STAND_INS:
        (stand_ins / name).write_text(_STAND_IN, encoding="utf-8")
    pip_settings = home / ".config/pip/pip.conf"
    pip_settings.parent.mkdir(parents=True, exist_ok=True)
    pip_settings.write_text(_pip_settings(), encoding="utf-8")
    return {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config")}


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


def _git(folder: Path, *arguments: str) -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    subprocess.run(["git", *arguments], cwd=folder, env=own, check=True, stdout=subprocess.DEVNULL)
