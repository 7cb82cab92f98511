# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.release import (
    Release,
    desired_version,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import cluster_version


@pytest.mark.parametrize(
    ("version", "follows"),
    [
        ("4.18.22", False),
        ("4.20.0", False),
        ("4.20.0-ec.5", False),
        ("4.20.0-0.okd-scos-2026-01-01-000000", False),
        ("4.21.0", True),
        ("4.200.0", True),
        ("14.20.0", True),
        ("5.0.0", True),
        ("", False),
        ("next", False),
        ("9" * 5000 + ".20.0", False),
    ],
)
def test_rollout_follows_the_current_build_from_421_on(version, follows):
    assert Release.from_version(version).follows_current_build is follows


@pytest.mark.parametrize(("version", "needs"), [("4.19.9", False), ("4.20.0", True), ("4.21.3", True), ("", False)])
def test_build_needs_a_settled_pool_from_420_on(version, needs):
    assert Release.from_version(version).needs_settled_pool is needs


@pytest.mark.parametrize(
    ("served", "version"),
    [(cluster_version("4.20.1"), "4.20.1"), ({}, ""), ({"status": {}}, ""), ({"status": {"desired": {}}}, "")],
)
def test_desired_version_is_read(served, version):
    assert desired_version(served) == version
