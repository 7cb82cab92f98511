# SPDX-License-Identifier: GPL-3.0-or-later
"""What releases after the lab's write of a build, as scenarios write it, and what a wait makes of it."""

from __future__ import annotations

import typing as t

import pytest
from lab.scenarios.catalogue import SCENARIOS
from lab.scenarios.stage import CONFIGS, Stage
from pools import build_pools, build_wait_task, wait_for_build

if t.TYPE_CHECKING:
    from ansible_run import Ansible, TaskResult
    from lab.facts import Facts
    from lab.kube_rest import Api

POOL = "later"


@pytest.fixture(scope="session")
def built(session_ansible: Ansible, lab: Facts) -> str:
    """A pool without nodes whose image is built."""
    return build_pools(session_ansible, lab, POOL)[POOL].name


def wait_while(scenario: str, session_ansible: Ansible, lab: Facts, api: Api) -> TaskResult:
    """Return what a wait says while a scenario is played, which begins when the present spec is built."""
    wait_for_build(session_ansible, POOL)
    played, stage = SCENARIOS[scenario], Stage(lab, api, POOL)
    assert played.undo is not None
    played.play(stage)
    try:
        return session_ansible.run_tasks([build_wait_task(POOL)]).of("Build")
    finally:
        played.undo(stage)


def test_a_build_that_was_seeded_and_never_had_a_job_is_the_answer(
    session_ansible: Ansible, lab: Facts, api: Api, built: str
) -> None:
    image = api.get(f"{CONFIGS}/{built}")["status"]["currentImagePullSpec"]
    seeded = wait_while("later-image-seeded", session_ansible, lab, api)
    assert not seeded.failed, seeded.msg
    assert seeded["build"]["name"] == f"{built}-{'a' * 32}"
    assert seeded["build"]["attempts"] == []
    assert seeded["build"]["digested_image_push_spec"] == image


def test_the_last_words_that_a_condition_carries_explain_a_failure_whose_log_is_gone(
    session_ansible: Ansible, lab: Facts, api: Api, built: str
) -> None:
    told = wait_while("later-failure-told", session_ansible, lab, api)
    assert told.failed
    assert told["build"]["name"] == f"{built}-{'c' * 32}"
    assert told["build"]["state"] == "failed"
    assert "exit status 1" in told.msg


def test_a_build_that_failed_without_any_job_ends_the_wait(
    session_ansible: Ansible, lab: Facts, api: Api, built: str
) -> None:
    refused = wait_while("later-syntax-refused", session_ansible, lab, api)
    assert refused.failed
    assert refused["build"]["name"] == f"{built}-{'b' * 32}"
    assert (refused["build"]["state"], refused["build"]["attempts"]) == ("failed", [])
