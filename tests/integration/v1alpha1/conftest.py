# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the tests in a lab that serves MachineOSConfig v1alpha1, as OpenShift 4.16 does.

A build and a rollout take 22 s each, most of which is waiting. So the runs of a file are made side by side, each on a
pool of its own, and each test evaluates one of them:

========================  ============================================================
worker-0, worker-1        in no custom pool; they run the builds
worker-2 to worker-4      test_v1alpha1_apply.py
worker-5 to worker-7      test_v1alpha1_disturbed_builds.py
worker-8 to worker-12     test_v1alpha1_killed_runs.py
========================  ============================================================
"""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest
from lab.cache import lab_folder
from lab.facts import Facts
from lab.release import AUGUST_2024, V1ALPHA1
from v1alpha1_lab import V1alpha1Lab

if t.TYPE_CHECKING:
    from conftest import NewAnsible
    from lab.kube_rest import Api

AT_ONCE = 4
"""Runs of Ansible side by side."""


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Leave this folder out if the chosen lab serves another version."""
    chosen = config.getoption("--lab")
    return True if chosen and Facts.load(lab_folder(chosen)).api != V1ALPHA1 else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize the fixture ``lab`` with the release that serves v1alpha1."""
    if "lab" in metafunc.fixturenames:
        metafunc.parametrize("lab", [AUGUST_2024.train], indirect=True, scope="session")


@pytest.fixture(scope="session")
def old_lab(lab: Facts, api: Api, new_ansible: NewAnsible) -> V1alpha1Lab:
    """The lab, in which builds run on nodes that no rollout drains."""
    prepared = V1alpha1Lab(lab, api, new_ansible)
    prepared.keep_builds_off_layered_nodes()
    return prepared


@pytest.fixture(scope="session")
def side_by_side() -> t.Iterator[ThreadPoolExecutor]:
    """Threads for runs of Ansible that do not depend on each other."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        yield threads
