# SPDX-License-Identifier: GPL-3.0-or-later
"""Would a test notice if the verdict were decided otherwise?

Changes the code of the verdict, one place at a time, and runs its tests on each change. A change that no test notices
is a line that could be wrong.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from .commands import Setting
from .environment import CACHE, ROOT, find_interpreter_for_environment, make_venv
from .tree import Tree

LEAST_KILLED = 90
"""Per cent of the changes that the tests have to notice."""

_MODEL = Path("plugins/module_utils/_model")
_TESTS = Path("tests/unit/plugins/module_utils/_model")
_CHANGED = ("proof/verdict", "proof/deployment", "registry/image_reference", "proof/deviation")
_NEEDED = (_MODEL, _TESTS, Path("tests/unit/plugins/api_objects.py"))

# Without the conftest, which brings all of Ansible along: the model is standard library, and a change costs a process.
# The profile is hypothesis's own for such a use: no clock, the same examples for every change.
_SETTINGS = """\
[mutmut]
source_paths =
    {collection}/{model}
only_mutate =
{changed}
also_copy =
    ansible_collections
pytest_add_cli_args =
    --noconftest
    --hypothesis-profile=ci
    -p
    no:cacheprovider
pytest_add_cli_args_test_selection =
{tests}
use_git_change_detection = false
"""


def mutation(setting: Setting) -> bool:
    """Change, test, print what was noticed and what was not, and return whether enough was."""
    venv = CACHE / "mutation"
    make_venv(venv, find_interpreter_for_environment(), [ROOT / "requirements/mutation.txt"])
    folder = CACHE / "mutants"
    _lay_out(setting.tree, folder)
    mutmut = Setting(setting.tree, venv)
    if not mutmut.run("mutmut", "run", folder=folder).ok:
        return False
    print(mutmut.output("mutmut", "results", folder=folder).stdout)
    mutmut.output("mutmut", "export-cicd-stats", folder=folder)
    counted: dict[str, int] = json.loads((folder / "mutants/mutmut-cicd-stats.json").read_text(encoding="utf-8"))
    # A change that makes the tests run without end was noticed as well.
    noticed, total = counted["killed"] + counted["timeout"], counted["total"]
    print(f"{noticed} of {total} changes noticed: {100 * noticed / total:.1f} %, {LEAST_KILLED} % wanted")
    return 100 * noticed >= LEAST_KILLED * total > 0


def _lay_out(tree: Tree, folder: Path) -> None:
    """Put the model and its tests where they can be imported by their full names, and nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    collection = folder / tree.collection.relative_to(tree.root)
    for part in _NEEDED:
        source, target = tree.collection / part, collection / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)
    settings = _SETTINGS.format(
        collection=tree.collection.relative_to(tree.root),
        model=_MODEL,
        changed="\n".join(f"    */{_MODEL.name}/{name}.py" for name in _CHANGED),
        tests="\n".join(f"    {tree.collection.relative_to(tree.root)}/{_test_of(name)}" for name in _CHANGED),
    )
    (folder / "setup.cfg").write_text(settings, encoding="utf-8")


def _test_of(name: str) -> Path:
    folder, file = name.split("/")
    return _TESTS / folder / f"test_{file}.py"
