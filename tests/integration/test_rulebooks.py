# SPDX-License-Identifier: GPL-3.0-or-later
"""The rulebooks of extensions/eda, run by the real ansible-rulebook."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import typing as t
from pathlib import Path

import pytest
from polling import wait_for_watches, wait_until
from pools import PoolPlan, containerfile, create_tasks, join_task, leave_task

if t.TYPE_CHECKING:
    from ansible_run import Ansible
    from lab.facts import Facts
    from lab.faults import FaultProxy
    from pools import Pools

COLLECTION = Path(__file__).resolve().parents[2]
NODE = "worker-21"
SUBJECTS = 4
"""Watches of a source. They start after its first observation."""
STARTED_WITHIN = 180
"""Seconds. ansible-rulebook starts a Java process first."""


class Rulebook:
    """A rulebook that runs in ansible-rulebook."""

    def __init__(self, output: Path) -> None:
        self._output = output

    def text(self) -> str:
        """Return the output so far, without colors, in one line."""
        text = self._output.read_text(encoding="utf-8", errors="replace")
        return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", text).split())

    def wait_for(self, pattern: str, timeout: float = 900) -> None:
        """Wait until the output matches a regular expression."""

        def found() -> bool:
            return re.search(pattern, self.text()) is not None

        try:
            wait_until(found, timeout)
        except AssertionError:
            raise AssertionError(f"the output does not match {pattern!r}: {self.text()[-4000:]}") from None


class RunRulebook(t.Protocol):
    """Runs a rulebook of the collection with variables until the context ends."""

    def __call__(self, name: str, **variables: str) -> contextlib.AbstractContextManager[Rulebook]:
        """Run it: ``with run_rulebook("notify") as rulebook:``."""


@pytest.fixture
def run_rulebook(request: pytest.FixtureRequest, lab: Facts, ansible: Ansible, proxy: FaultProxy) -> RunRulebook:
    """Run rulebooks as the administrator of the lab, through the fault proxy, which tells when the source watches."""
    programs = request.config.getoption("--rulebook")
    if programs is None:
        pytest.fail("Give --rulebook with the folder of ansible-rulebook. `make integration` makes the environment.")
    scratch = ansible.scratch
    hosts = {"all": {"hosts": {"localhost": {"ansible_connection": "local"}}}}
    (scratch / "inventory.yml").write_text(json.dumps(hosts), encoding="utf-8")
    environment = {
        **ansible.environment(scratch / "results.jsonl"),
        "K8S_AUTH_KUBECONFIG": str(lab.kubeconfig_through_faults),
        "PATH": os.pathsep.join([str(programs), os.environ["PATH"]]),
        "PYTHONUNBUFFERED": "1",
    }

    @contextlib.contextmanager
    def run(name: str, **variables: str) -> t.Iterator[Rulebook]:
        (scratch / "variables.yml").write_text(json.dumps(variables), encoding="utf-8")
        output = scratch / f"{name}.log"
        command = [
            str(programs / "ansible-rulebook"),
            f"--rulebook=imagemode.openshift.{name}",
            "--inventory=inventory.yml",
            "--vars=variables.yml",
        ]
        with output.open("wb") as file:
            process = subprocess.Popen(
                command, cwd=scratch, env=environment, stdin=subprocess.DEVNULL, stdout=file,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        try:
            wait_for_watches(proxy, SUBJECTS, STARTED_WITHIN)
            yield Rulebook(output)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    return run


def test_failed_build_is_a_notification_with_cause_and_remedy(
    run_rulebook: RunRulebook, ansible: Ansible, lab: Facts
) -> None:
    pool = "notified"
    failing = PoolPlan(config={"containerfile": containerfile("exit 7")})
    with run_rulebook("notify") as rulebook:
        created = ansible.run_tasks(create_tasks(lab, pool, failing))
        assert created.rc == 0, created.output
        rulebook.wait_for(rf"Build failed in pool {pool} \(\S+\): MachineOSBuild {pool}-\w+ failed at line 2 .*exit 7")
        rulebook.wait_for(r"Correct the command and apply again\.")


def test_node_that_joins_a_pool_is_verified_and_reported_at_the_end_of_the_rollout(
    run_rulebook: RunRulebook, ansible: Ansible, pools: Pools, tmp_path: Path
) -> None:
    pool, reports = "verified-by-events", tmp_path / "reports"
    pools.built(pool)
    with run_rulebook("verify_pools", image_mode_report_dir=str(reports)) as rulebook:
        joined = ansible.run_tasks([join_task(pool, NODE)])
        assert joined.rc == 0, joined.output
        rulebook.wait_for(rf"Result: pool {pool}: .* Node {NODE}: ")
        rulebook.wait_for(rf"Result: pool {pool}: 1 of 1 nodes match .* Report: {re.escape(str(reports))}")
    (report,) = reports.glob("*.json")
    assert json.loads(report.read_text(encoding="utf-8"))["verdict"] == "match"
    left = ansible.run_tasks([leave_task(pool, NODE)])
    assert left.rc == 0, left.output


def test_rulebook_for_automation_platform_fits_the_schema_of_ansible_rulebook(request: pytest.FixtureRequest) -> None:
    programs = request.config.getoption("--rulebook")
    (file,) = (COLLECTION / "extensions/aap/project/rulebooks").glob("*.yml")
    statements = (
        "import sys, yaml",
        "from ansible_rulebook.validators import Validate",
        "Validate.rulebook(yaml.safe_load(sys.stdin))",
    )
    command = [str(programs / "python"), "-c", "; ".join(statements)]
    with file.open("rb") as rulebook:
        ended = subprocess.run(command, stdin=rulebook, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, ended.stderr
