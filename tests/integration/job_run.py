# SPDX-License-Identifier: GPL-3.0-or-later
"""Run jobs as AWX does: ansible-runner, a copy of the project, an inventory by a script, variables as files."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from ansible_run import TREE, kill_all_with
from polling import wait_for_line

COLLECTION = Path(__file__).resolve().parents[2]
AUTOMATION = COLLECTION / "extensions/aap"
PROJECT = AUTOMATION / "project"

SETTINGS_OF_AWX: t.Mapping[str, str] = {
    "ANSIBLE_FORCE_COLOR": "True",
    "ANSIBLE_HOST_KEY_CHECKING": "False",
    "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
    "ANSIBLE_RETRY_FILES_ENABLED": "False",
    "JOB_ID": "7",
}
VARIABLES_OF_AWX: t.Mapping[str, t.Any] = {"awx_job_id": 7, "awx_job_launch_type": "manual", "awx_user_name": "admin"}


class Unsafe(str):
    """A text that AWX marks as no template, as it does with all answers of a survey."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Writes texts that are no templates with their tag."""


_Dumper.add_representer(Unsafe, lambda dumper, text: dumper.represent_scalar("!unsafe", str(text)))


@dataclass(frozen=True)
class Job:
    """What a job template and its launch define.

    :param environment: the variables of its credentials
    :param variables: answers of the survey, and artifacts of earlier jobs
    :param inventory: an inventory in the form of ``ansible-inventory --list``
    :param options: what the launch adds: ``--check``, ``--limit``, ``--tags``
    """

    playbook: str
    environment: t.Mapping[str, str]
    variables: t.Mapping[str, t.Any] = field(default_factory=dict)
    inventory: t.Mapping[str, t.Any] = field(default_factory=dict)
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class JobResult:
    """What AWX keeps of a job."""

    rc: int
    status: str
    stdout: str
    artifacts: t.Mapping[str, t.Any]

    @property
    def entries(self) -> dict[str, dict[str, t.Any]]:
        """The entries of the artifact image_mode_result by their hosts."""
        return {entry["host"]: entry for entry in self.artifacts.get("image_mode_result", [])}


class Runner:
    """Runs jobs, each in a folder of its own.

    :param programs: the folder of ansible-playbook
    :param scratch: the folder of the jobs
    """

    def __init__(self, programs: Path, scratch: Path) -> None:
        self._programs = programs
        self._scratch = scratch

    def run(self, job: Job, timeout: float = 600) -> JobResult:
        """Run a job to its end.

        :param timeout: seconds
        """
        with self.started(job) as started:
            started.process.wait(timeout)
        return started.result()

    @contextlib.contextmanager
    def started(self, job: Job) -> t.Iterator[StartedJob]:
        """Start a job, which ends with the context."""
        folder = self._prepare(job)
        log = folder / "runner.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [Path(sys.executable).parent / "ansible-runner", "run", folder, "-p", job.playbook, "--ident", "1"],
                env=self._environment(folder),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started = StartedJob(process, folder, log)
        try:
            yield started
        finally:
            started.kill()

    def _environment(self, folder: Path) -> dict[str, str]:
        """Return the environment of ansible-runner: nothing of the user who runs the tests."""
        kept = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
        path = os.pathsep.join([str(self._programs), os.environ.get("PATH", os.defpath)])
        return {**kept, "HOME": str(folder), "LC_ALL": "C.UTF-8", "PATH": path}

    def _prepare(self, job: Job) -> Path:
        folder = self._scratch / f"job-{len(list(self._scratch.glob('job-*')))}"
        shutil.copytree(PROJECT, folder / "project")
        (folder / "inventory").mkdir()
        hosts = folder / "inventory/hosts"
        hosts.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(job.inventory)}\nEND\n", encoding="utf-8")
        hosts.chmod(0o700)
        env = folder / "env"
        env.mkdir()
        variables = {**VARIABLES_OF_AWX, **_unsafe(job.variables)}
        (env / "extravars").write_text(yaml.dump(variables, Dumper=_Dumper), encoding="utf-8")
        environment = {**SETTINGS_OF_AWX, "ANSIBLE_COLLECTIONS_PATH": str(TREE), **job.environment}
        (env / "envvars").write_text(json.dumps(environment), encoding="utf-8")
        (env / "settings").write_text(json.dumps({"idle_timeout": 600}), encoding="utf-8")
        (env / "cmdline").write_text(" ".join(job.options), encoding="utf-8")
        return folder


@dataclass(frozen=True)
class StartedJob:
    """A job that is running.

    :param folder: the private data directory of ansible-runner, which is also its home
    """

    process: subprocess.Popen[bytes]
    folder: Path
    log: Path

    @property
    def artifacts(self) -> Path:
        """The folder in which ansible-runner writes events, output and status."""
        return self.folder / "artifacts/1"

    def kill(self) -> None:
        """Kill it with all processes that it started, as the end of a pod does."""
        kill_all_with(f"HOME={self.folder}", self.process)

    def kill_when(self, line: str, timeout: float = 300) -> str:
        """Kill it and its children when it has printed *line*, a regular expression, and return its output.

        :param timeout: seconds
        :raises RuntimeError: the job ended by itself, or did not print the line in time
        """
        wait_for_line(line, lambda: self._stdout() or self.log.read_text(encoding="utf-8"), self.process, timeout)
        self.kill()
        return self._stdout()

    def result(self) -> JobResult:
        """Return what AWX keeps of the job, which has ended."""
        if not (self.artifacts / "rc").exists():
            raise RuntimeError(self.log.read_text(encoding="utf-8"))
        events = [json.loads(file.read_text(encoding="utf-8")) for file in (self.artifacts / "job_events").glob("*")]
        stats = [event["event_data"] for event in events if event["event"] == "playbook_on_stats"]
        return JobResult(
            rc=int((self.artifacts / "rc").read_text(encoding="utf-8")),
            status=(self.artifacts / "status").read_text(encoding="utf-8"),
            stdout=self._stdout(),
            artifacts=stats[0].get("artifact_data", {}) if stats else {},
        )

    def _stdout(self) -> str:
        file = self.artifacts / "stdout"
        return file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""


def answers(template: str, **given: t.Any) -> dict[str, t.Any]:
    """Return the variables that AWX makes of the survey of a job template.

    A question without an answer has its default, a list if several choices can be selected, or an empty text.
    """
    content = yaml.safe_load((AUTOMATION / "configuration/job_templates.yml").read_text(encoding="utf-8"))
    (survey,) = [entry["survey_spec"] for entry in content["controller_templates"] if entry["name"] == template]
    values = {question["variable"]: _unanswered(question) for question in survey["spec"]}
    unknown = set(given) - set(values)
    if unknown:
        raise LookupError(f"{template} has no question for {unknown}")
    return {**values, **given}


def slice_of(inventory: t.Mapping[str, t.Any], number: int, count: int) -> dict[str, t.Any]:
    """Return the inventory of one job slice, as AWX divides the hosts.

    :param number: from 1 to *count*
    """
    hosts = sorted(inventory["_meta"]["hostvars"])[number - 1 :: count]
    groups = {
        name: {**group, "hosts": [host for host in group.get("hosts", ()) if host in hosts]}
        for name, group in inventory.items()
        if name != "_meta"
    }
    return {**groups, "_meta": {"hostvars": {host: inventory["_meta"]["hostvars"][host] for host in hosts}}}


def _unanswered(question: t.Mapping[str, t.Any]) -> t.Any:
    default = question.get("default", "")
    return default.split("\n") if question["type"] == "multiselect" and default else default


def _unsafe(value: t.Any) -> t.Any:
    if isinstance(value, str):
        return Unsafe(value)
    if isinstance(value, t.Mapping):
        return {key: _unsafe(content) for key, content in value.items()}
    return [_unsafe(entry) for entry in value] if isinstance(value, (list, tuple)) else value
