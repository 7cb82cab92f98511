# SPDX-License-Identifier: GPL-3.0-or-later
"""Every action plugin reports an unexpected exception as one line."""

from __future__ import annotations

import importlib
from pathlib import Path
from unittest import mock

import pytest
from ansible.plugins.action import ActionBase
from ansible_collections.imagemode.openshift.plugins.plugin_utils import _error_boundary

PACKAGE = "ansible_collections.imagemode.openshift.plugins.action"
PLUGINS = sorted(path.stem for path in (Path(_error_boundary.__file__).parents[1] / "action").glob("[!_]*.py"))


@pytest.mark.parametrize("name", PLUGINS)
def test_unexpected_exception_is_one_line_without_its_text(name):
    plugin = importlib.import_module(f"{PACKAGE}.{name}").ActionModule
    action = mock.MagicMock(spec=plugin)
    action.run_task.side_effect = RuntimeError("password=hunter2-of-the-registry")
    with mock.patch.object(ActionBase, "run"):
        result = plugin.run(action, None, {})
    assert result["failed"] is True
    assert result["msg"].startswith("Could not finish: an unexpected RuntimeError")
    assert "\n" not in result["msg"]
    assert "hunter2" not in str(result)
