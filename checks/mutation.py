# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure how many small changes of the code its tests detect: ``python -m checks.mutation [GROUP ...]``.

mutmut changes one place of the code at a time and runs the tests that execute it. A change that no test detects is a
line that could be wrong.
"""

from __future__ import annotations

import json
import shutil
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

from .commands import Setting, main
from .environment import CACHE, ROOT, ChecksError, find_interpreter_for_environment, make_venv
from .tree import NEWEST_TREE, Tree


@dataclass(frozen=True)
class Group:
    """Files that are changed, their tests, and the required share of detected changes in percent."""

    required: int
    files: tuple[str, ...]
    tests: tuple[str, ...]


GROUPS: t.Final[dict[str, Group]] = {
    "proof": Group(
        90,
        (
            "proof/verdict.py",
            "proof/deployment.py",
            "proof/deviation.py",
            "proof/coverage.py",
            "proof/built_content.py",
            "proof/paused_pool.py",
            "registry/image_reference.py",
        ),
        ("proof", "registry/test_image_reference.py"),
    ),
    "identity": Group(
        90,
        ("build/current.py", "build/edit_record.py", "build/run_spec.py", "objects/spec_edit.py"),
        (
            "build/test_current.py",
            "build/test_edit_record.py",
            "build/test_pod_build.py",
            "build/test_pod_progress.py",
            "build/test_run_spec.py",
            "objects/test_spec_edit.py",
            "objects/test_machineosconfig.py",
            "objects/test_v1alpha1.py",
        ),
    ),
    "build": Group(90, ("build/*.py",), ("build",)),
    "rollout": Group(85, ("rollout/*.py", "node_failure.py"), ("rollout", "test_node_failure.py")),
}

_MODEL = Path("plugins/module_utils/_model")
_TESTS = Path("tests/unit/plugins/module_utils/_model")
_SHARED = Path("tests/unit/plugins")
_NEEDED = (
    _MODEL,
    _TESTS,
    _SHARED / "api_objects.py",
    _SHARED / "complete_findings.py",
    _SHARED / "merge_patch.py",
    _SHARED / "pod_builds.py",
    _SHARED / "v1alpha1_objects.py",
    Path("tests/diagnosis"),
    Path("tests/recordings"),
)

# Without the conftest, which loads Ansible: the model needs the standard library only, and each change starts a
# process. The hypothesis profile "ci" has no deadline and uses the same examples for every change.
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
    -o
    markers=timeout
pytest_add_cli_args_test_selection =
{tests}
use_git_change_detection = false
"""


def mutation(setting: Setting, names: t.Sequence[str] = ()) -> bool:
    """Measure the given groups, or all, and return whether enough changes were detected.

    :raises ChecksError: a group is unknown
    """
    unknown = sorted(set(names) - set(GROUPS))
    if unknown:
        raise ChecksError(f"Could not measure {', '.join(unknown)}: unknown group. Choose from {', '.join(GROUPS)}.")
    venv = CACHE / "mutation"
    make_venv(venv, find_interpreter_for_environment(), [ROOT / "requirements/mutation.txt"])
    results = [_measure(Setting(setting.tree, venv), name) for name in names or GROUPS]
    return all(results)


def _measure(mutmut: Setting, name: str) -> bool:
    group, folder = GROUPS[name], CACHE / "mutants" / name
    _lay_out(mutmut.tree, group, folder)
    if not mutmut.run("mutmut", "run", folder=folder):
        return False
    print(mutmut.output("mutmut", "results", folder=folder).stdout)
    mutmut.output("mutmut", "export-cicd-stats", folder=folder)
    counted: dict[str, int] = json.loads((folder / "mutants/mutmut-cicd-stats.json").read_text(encoding="utf-8"))
    # A change that makes the tests run without end is detected as well.
    detected, total = counted["killed"] + counted["timeout"], counted["total"]
    share = 100 * detected / total if total else 0
    print(f"{name}: {detected} of {total} changes detected: {share:.1f} %, required {group.required} %", flush=True)
    return share >= group.required


def _lay_out(tree: Tree, group: Group, folder: Path) -> None:
    """Copy the model and its tests to where they can be imported by their full names."""
    shutil.rmtree(folder, ignore_errors=True)
    relative = tree.collection.relative_to(tree.root)
    for part in _NEEDED:
        source, target = tree.collection / part, folder / relative / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)
    settings = _SETTINGS.format(
        collection=relative,
        model=_MODEL,
        changed="\n".join(f"    */{_MODEL.name}/{file}" for file in group.files),
        tests="\n".join(f"    {relative / _TESTS / test}" for test in group.tests),
    )
    (folder / "setup.cfg").write_text(settings, encoding="utf-8")


if __name__ == "__main__":
    NEWEST_TREE.refresh()
    main(lambda: mutation(Setting(NEWEST_TREE), sys.argv[1:]))
