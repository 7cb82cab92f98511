# SPDX-License-Identifier: GPL-3.0-or-later
"""Real builds that fail: the cause, the line of the Containerfile, and the logs."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from pools import PoolPlan, build_wait_task, containerfile, create_tasks

if t.TYPE_CHECKING:
    from ansible_run import Ansible, TaskResult
    from lab.facts import Facts

FAILING = ("fails-run", "fails-push", "fails-base")
SEVERAL_LINES = (
    "# the first line\nFROM configs AS final\n\nRUN true && \\\n    true\nRUN echo one >&2 && \\\n    exit 7\n"
)


@pytest.fixture(scope="module")
def waits(session_ansible: Ansible, lab: Facts, tmp_path_factory: pytest.TempPathFactory) -> t.Mapping[str, TaskResult]:
    """The results of the waits for three builds that fail side by side; the waits save the logs."""
    wrong = {
        "name": "wrong",
        "registry": lab.registry_host,
        "registry_username": "pusher",
        "registry_password": "hunter2",
    }
    differing = {
        "fails-run": {"containerfile": SEVERAL_LINES},
        "fails-push": {"rendered_image_push_secret": "wrong"},
        "fails-base": {"base_image_pull_secret": "wrong"},
    }
    tasks: list[dict[str, t.Any]] = [{"name": "Secret", "imagemode.openshift.registry_secret": wrong}]
    for pool in FAILING:
        plan = PoolPlan(config={"containerfile": containerfile(f"echo {pool}"), **differing[pool]})
        tasks += create_tasks(lab, pool, plan)
    for pool in FAILING:
        wait = build_wait_task(pool, log_dir=str(tmp_path_factory.mktemp("logs")))
        tasks.append({**wait, "name": f"Build {pool}", "ignore_errors": True})
    run = session_ansible.run_tasks(tasks)
    assert run.rc == 0, run.output
    assert "hunter2" not in run.output
    return {pool: run.of(f"Build {pool}") for pool in FAILING}


@pytest.mark.parametrize(
    ("pool", "finding", "words"),
    [
        (
            "fails-run",
            "build.run_failed",
            "at line 6 of the Containerfile (RUN echo one >&2 && exit 7): exit status 7: one",
        ),
        ("fails-push", "build.push_denied", "unauthorized: authentication required"),
        ("fails-base", "build.base_image_denied", "unauthorized: authentication required"),
    ],
)
def test_cause_of_the_failure_is_reported(
    pool: str, finding: str, words: str, waits: t.Mapping[str, TaskResult]
) -> None:
    failed = waits[pool]
    assert failed.failed
    assert failed["build"]["state"] == "failed"
    assert failed["findings"][0]["id"] == failed["build"]["failure"]["finding"] == finding
    assert words in failed.msg
    assert "\n" not in failed.msg


@pytest.mark.parametrize("pool", FAILING)
def test_log_of_each_attempt_is_saved_in_full(pool: str, waits: t.Mapping[str, TaskResult]) -> None:
    build = waits[pool]["build"]
    assert len(build["attempts"]) == 4
    assert all(attempt["exit_code"] for attempt in build["attempts"])
    logs = [Path(path) for path in build["log_paths"] if path.endswith("_image-build.log")]
    assert len(logs) == 4
    for log in logs:
        content = log.read_text(encoding="utf-8")
        assert build["uid"] in log.name
        assert log.stat().st_mode & 0o777 == 0o600
        # The builder retries three times and prints each retry: no line is missing or printed twice.
        lines = [line.partition(" ")[2] for line in content.splitlines()]
        retries = [line for line in lines if line.startswith("Retry ")]
        assert [line.split()[1] for line in retries] == ["1/3", "2/3", "3/3"]
        assert lines[-1].startswith(("+ return ", "Retry 3/3"))


def test_line_and_instruction_are_part_of_the_result(waits: t.Mapping[str, TaskResult]) -> None:
    failure = waits["fails-run"]["build"]["failure"]
    assert (failure["containerfile_line"], failure["instruction"]) == (6, "RUN echo one >&2 && exit 7")
