# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module's main() in this process and catch what it prints as its result."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import typing as t
from unittest import mock

import pytest
from ansible.module_utils import basic

MODULES = "ansible_collections.imagemode.openshift.plugins.modules."


def run_module(name: str, arguments: t.Mapping[str, t.Any], check_mode: bool = False) -> dict[str, t.Any]:
    """Return the result of a module; ``failed`` is in it when it failed."""
    module = importlib.import_module(MODULES + name)
    output = io.StringIO()
    given = {**arguments, "_ansible_check_mode": check_mode}
    with _given(given), contextlib.redirect_stdout(output), pytest.raises(SystemExit) as left:
        module.main()
    result = t.cast("dict[str, t.Any]", json.loads(output.getvalue()))
    assert bool(left.value.code) is bool(result.get("failed"))
    return result


@contextlib.contextmanager
def _given(arguments: t.Mapping[str, t.Any]) -> t.Iterator[None]:
    try:
        from ansible.module_utils.testing import patch_module_args  # from ansible-core 2.19 on
    except ImportError:
        content = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()
        with mock.patch.object(basic, "_ANSIBLE_ARGS", content):
            yield
    else:
        with patch_module_args(dict(arguments)):
            yield
