# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds as later releases write them: scenarios write their objects, and the wait reads them."""

from __future__ import annotations

import typing as t

import pytest
from lab.scenarios.stage import CONFIGS
from pools import build_pools, build_wait_task, wait_for_build

if t.TYPE_CHECKING:
    from ansible_run import Ansible, TaskResult
    from conftest import During
    from lab.facts import Facts
    from lab.kube_rest import Api

POOL = "later"


@pytest.fixture(scope="session")
def built(session_ansible: Ansible, lab: Facts) -> str:
    """A pool without nodes whose image is built."""
    return build_pools(session_ansible, lab, POOL)[POOL].name


def wait_during(scenario: str, session_ansible: Ansible, during: During) -> TaskResult:
    """Return the result of a wait during a scenario, which begins after the current spec is built."""
    wait_for_build(session_ansible, POOL)
    with during(scenario, POOL):
        return session_ansible.run_tasks([build_wait_task(POOL)]).of("Build")


def test_seeded_build_without_a_job_is_the_current_build(
    session_ansible: Ansible, api: Api, during: During, built: str
) -> None:
    image = api.get(f"{CONFIGS}/{built}")["status"]["currentImagePullSpec"]
    seeded = wait_during("later-image-seeded", session_ansible, during)
    assert not seeded.failed, seeded.msg
    assert seeded["build"]["name"] == f"{built}-{'a' * 32}"
    assert seeded["build"]["attempts"] == []
    assert seeded["build"]["digested_image_push_spec"] == image
    assert seeded["build"]["seeded"] is True
    assert [finding["id"] for finding in seeded["findings"]] == ["build.seeded"]


def test_output_in_the_condition_explains_a_failure_without_a_log(
    session_ansible: Ansible, api: Api, during: During, built: str
) -> None:
    failed = wait_during("later-failure-told", session_ansible, during)
    assert failed.failed
    assert failed["build"]["name"] == f"{built}-{'c' * 32}"
    assert failed["build"]["state"] == "failed"
    assert "exit status 1" in failed.msg


def test_build_that_failed_without_a_job_ends_the_wait(
    session_ansible: Ansible, api: Api, during: During, built: str
) -> None:
    failed = wait_during("later-syntax-refused", session_ansible, during)
    assert failed.failed
    assert failed["build"]["name"] == f"{built}-{'b' * 32}"
    assert (failed["build"]["state"], failed["build"]["attempts"]) == ("failed", [])
