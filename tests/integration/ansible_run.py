# SPDX-License-Identifier: GPL-3.0-or-later
"""Run Ansible as a user does, in a process of its own, and read its results."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

from polling import wait_for_line

# .../ansible_collections/imagemode/openshift/tests/integration/ansible_run.py
TREE = Path(__file__).resolve().parents[5]
RECORD = "RECORD_RESULTS"
"""The environment variable with the file to which the callback writes results."""
CALLBACKS = Path(__file__).resolve().parent / "callback_plugins"


@dataclass(frozen=True)
class TaskResult:
    """The result of one task on one host."""

    task: str
    action: str
    host: str
    outcome: str
    result: dict[str, t.Any]

    @property
    def failed(self) -> bool:
        """Whether the task failed, also if the play continued."""
        return self.outcome in ("failed", "unreachable")

    @property
    def changed(self) -> bool:
        """Whether the task reports a change."""
        return bool(self.result.get("changed"))

    @property
    def msg(self) -> str:
        """The message of the task, or an empty string."""
        return str(self.result.get("msg", ""))

    def __getitem__(self, key: str) -> t.Any:
        """Return one value of the result."""
        return self.result[key]


@dataclass(frozen=True)
class Run:
    """A finished ansible-playbook: exit status, output, and the result of each task in order."""

    rc: int
    stdout: str
    stderr: str
    results: tuple[TaskResult, ...]

    @property
    def output(self) -> str:
        """Standard output and standard error."""
        return self.stdout + self.stderr

    @property
    def changed(self) -> int:
        """The number of tasks that changed something."""
        return sum(result.changed for result in self.results)

    @property
    def published(self) -> list[dict[str, t.Any]]:
        """The entries of the statistic image_mode_result, as Automation Platform keeps them."""
        stats = [result["ansible_stats"] for result in self.results if "ansible_stats" in result.result]
        return [entry for published in stats for entry in published["data"]["image_mode_result"]]

    def of(self, name: str) -> TaskResult:
        """Return the result of the task *name*, which ran once on one host."""
        found = [result for result in self.results if result.task == name or result.task.endswith(f" : {name}")]
        if len(found) != 1:
            known = ", ".join(result.task for result in self.results)
            raise LookupError(f"{len(found)} results of task {name!r}; there are: {known}\n{self.output}")
        return found[0]


@dataclass(frozen=True)
class StartedPlaybook:
    """A playbook that is running.

    :param output: the file of its output
    :param record: the file to which its callback writes the result of each task
    """

    process: subprocess.Popen[bytes]
    output: Path
    record: Path

    def text(self) -> str:
        """Return what it has printed."""
        return self.output.read_text(encoding="utf-8", errors="replace")

    def wait_for_line(self, line: str, timeout: float = 300) -> None:
        """Wait until it has printed *line*, a regular expression.

        :param timeout: seconds
        :raises RuntimeError: the playbook ended by itself, or did not print the line in time
        """
        wait_for_line(line, self.text, self.process, timeout)

    def kill(self) -> None:
        """Kill it with all processes that it started, as the end of a container does.

        Ansible starts its workers in sessions of their own, so that the module that runs does not end with the
        playbook. They are found by the environment of the run.
        """
        kill_all_with(f"{RECORD}={self.record}", self.process)

    def ended(self, timeout: float = 900) -> Run:
        """Wait until it has ended, and return the run.

        :param timeout: seconds
        """
        self.process.wait(timeout)
        return Run(self.process.returncode, self.text(), "", tuple(_read_results(self.record)))


@dataclass(frozen=True)
class Ansible:
    """An installed ansible-core, and the environment variables that name its cluster.

    :param programs: the folder of ansible-playbook
    :param scratch: the folder of playbooks, in which they also run
    """

    programs: Path
    scratch: Path
    variables: t.Mapping[str, str]

    def with_environment(self, **variables: str) -> Ansible:
        """Return Ansible with changed environment variables; an empty one is removed."""
        merged = {**self.variables, **variables}
        return Ansible(self.programs, self.scratch, {name: value for name, value in merged.items() if value})

    def run_module(self, module: str, arguments: t.Mapping[str, t.Any], *options: str) -> tuple[TaskResult, Run]:
        """Run one module of this collection by its short name, and return its result beside the run."""
        task = {"name": module, f"imagemode.openshift.{module}": dict(arguments)}
        run = self.run_tasks([task], *options)
        return run.of(module), run

    def run_tasks(self, tasks: t.Sequence[t.Mapping[str, t.Any]], *options: str, **keywords: t.Any) -> Run:
        """Run tasks in a play on localhost; *keywords* are more keywords of the play."""
        playbook = write_playbook(self.scratch, tasks, **keywords)
        return self.run_playbook(playbook, *options)

    def run_playbook(
        self, playbook: str | Path, *options: str, variables: t.Mapping[str, t.Any] | None = None, timeout: float = 900
    ) -> Run:
        """Run a playbook: a file, or one of the collection by its full name.

        :param variables: extra variables
        :param timeout: seconds after which the run is killed
        """
        record = self.scratch / "results.jsonl"
        record.unlink(missing_ok=True)
        extra = ["--extra-vars", json.dumps(variables)] if variables else []
        ended = subprocess.run(
            [self.programs / "ansible-playbook", str(playbook), *extra, *options],
            cwd=self.scratch,
            env=self.environment(record),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Run(ended.returncode, ended.stdout, ended.stderr, tuple(_read_results(record)))

    def list_inventory(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run ansible-inventory; a source that cannot be read is an error."""
        return subprocess.run(
            [self.programs / "ansible-inventory", *options],
            cwd=self.scratch,
            env={**self.environment(self.scratch / "none"), "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    @contextlib.contextmanager
    def started_playbook(
        self, playbook: str | Path, *options: str, variables: t.Mapping[str, t.Any] | None = None
    ) -> t.Iterator[StartedPlaybook]:
        """Start a playbook whose output goes to a file and not to a terminal, as in AWX. It ends with the context."""
        record, output = self.scratch / "started.jsonl", self.scratch / "started.log"
        record.unlink(missing_ok=True)
        extra = ["--extra-vars", json.dumps(variables)] if variables else []
        with output.open("wb") as file:
            process = subprocess.Popen(
                [self.programs / "ansible-playbook", str(playbook), *extra, *options],
                cwd=self.scratch,
                env={**self.environment(record), "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started = StartedPlaybook(process, output, record)
        try:
            yield started
        finally:
            started.kill()

    def kill_playbook(
        self,
        playbook: str | Path,
        line: str,
        variables: t.Mapping[str, t.Any],
        timeout: float = 300,
        by: signal.Signals = signal.SIGKILL,
    ) -> str:
        """Start a playbook, end it and its children when it has printed *line*, and return its output.

        :param line: a regular expression
        :param by: the signal; SIGKILL follows after a minute
        :raises RuntimeError: the playbook ended by itself, or did not print the line in time
        """
        with self.started_playbook(playbook, variables=variables) as started:
            started.wait_for_line(line, timeout)
            with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(started.process.pid, by)
                started.process.wait(60)
        return started.text()

    def environment(self, record: Path) -> dict[str, str]:
        """Return the environment of Ansible, whose callback writes the result of each task to *record*."""
        foreign = ("ANSIBLE_", "K8S_AUTH_", "KUBECONFIG")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        return {
            **kept,
            "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS),
            "ANSIBLE_CALLBACKS_ENABLED": "record_results",
            "ANSIBLE_COLLECTIONS_PATH": str(TREE),
            "ANSIBLE_HOME": str(self.scratch / "ansible"),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "ANSIBLE_NOCOLOR": "true",
            "LC_ALL": "C.UTF-8",
            "PATH": os.pathsep.join([str(self.programs), kept.get("PATH", os.defpath)]),
            RECORD: str(record),
            **self.variables,
        }


def write_playbook(folder: Path, tasks: t.Sequence[t.Mapping[str, t.Any]], **keywords: t.Any) -> Path:
    """Write a playbook of one play on localhost, and return the file; *keywords* are more keywords of the play."""
    play = {"name": "Test", "hosts": "localhost", "gather_facts": False, **keywords, "tasks": list(tasks)}
    playbook = folder / "playbook.yml"
    playbook.write_text(json.dumps([play], indent=2), encoding="utf-8")
    return playbook


def installed_beside_pytest() -> Path:
    """Return the folder of the Ansible that is installed with this Python."""
    return Path(sys.executable).parent


def kill_all_with(variable: str, process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all others that have an environment variable, as NAME=VALUE, in whatever session they are."""
    while pids := _processes_with(variable):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    process.wait(60)


def _processes_with(variable: str) -> list[int]:
    """Return the processes that have an environment variable, as NAME=VALUE. Those that have ended have none."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if variable.encode() in environment.read_bytes().split(b"\0"):
                found.append(int(environment.parent.name))
    return found


def _read_results(record: Path) -> t.Iterator[TaskResult]:
    if not record.exists():
        return
    for line in record.read_text(encoding="utf-8").splitlines():
        yield TaskResult(**json.loads(line))
