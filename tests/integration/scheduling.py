# SPDX-License-Identifier: GPL-3.0-or-later
"""Distribution of tests to processes: what shares a fixture of its file stays together, all else runs anywhere."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

from lab.release import EVERY_RELEASE
from xdist.scheduler import LoadScopeScheduling


class ByFixture(LoadScopeScheduling):  # type: ignore[misc]
    """Keep the tests that use a module-scoped fixture in one process, and the tests of one release of the lab."""

    def _split_scope(self, nodeid: str) -> str:
        path, dummy, test = nodeid.partition("::")
        name, dummy, parameters = test.partition("[")
        release = next((release for release in EVERY_RELEASE if parameters.rstrip("]").split("-")[0] == release), "")
        if release:
            return release
        return path if name in _tests_that_share(Path(self.config.rootpath, path)) else nodeid


@functools.cache
def _tests_that_share(file: Path) -> frozenset[str]:
    """Return the tests of a file that use one of its module-scoped fixtures, directly or through other fixtures."""
    functions = [node for node in ast.parse(file.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)]
    sharing = {function.name for function in functions if 'scope="module"' in _decorators(function)}
    fixtures = [function for function in functions if "pytest.fixture" in _decorators(function)]
    while more := {f.name for f in fixtures if f.name not in sharing and sharing & _arguments(f)}:
        sharing |= more
    return frozenset(f.name for f in functions if f.name.startswith("test_") and sharing & _arguments(f))


def _decorators(function: ast.FunctionDef) -> str:
    return "\n".join(ast.unparse(decorator).replace("'", '"') for decorator in function.decorator_list)


def _arguments(function: ast.FunctionDef) -> set[str]:
    return {argument.arg for argument in function.args.args}
