# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of the guides: which there are, and how one is run.

A comment before each example states where it is run: ``.. Run: v1`` (versions of MachineOSConfig, separated by commas),
or ``.. Not run: REASON``. An example with a caption is a file of that name. Any other one is commands of a console, the
tasks of a play, or variables of the playbook ``apply``. What a command has to print stands below it, with ``...`` for
any text.
"""

from __future__ import annotations

import doctest
import re
import subprocess
import typing as t
from dataclasses import dataclass

import yaml

if t.TYPE_CHECKING:
    from pathlib import Path

    from ansible_run import Ansible

_BLOCK = re.compile(r"(?P<indent> *)\.\. code-block:: (?P<language>\S+)")
_RUN = re.compile(r" *\.\. Run: (?P<versions>.+)")
_OPTION = re.compile(r" +:(?P<name>\w+): (?P<value>.*)")
_PROMPT = "$ "
_END = "\x1e"
"""Printed after each command. No command prints it."""
_TIMEOUT = 900
"""Seconds for all commands of an example."""


@dataclass(frozen=True)
class Command:
    """A command of a console, and what it has to print. Empty if the example does not show that."""

    text: str
    expected: str


@dataclass(frozen=True)
class Example:
    """One example of a guide.

    :ivar line: its line in the guide
    :ivar file: the name of the file whose content it is, or empty
    :ivar versions: the versions of MachineOSConfig with which it is run
    """

    line: int
    language: str
    file: str
    text: str
    versions: tuple[str, ...]

    def commands(self) -> list[Command]:
        """Return the commands of a console."""
        commands: list[tuple[list[str], list[str]]] = []
        for line in self.text.splitlines():
            if line.startswith(_PROMPT):
                commands.append(([line[len(_PROMPT) :]], []))
            elif commands[-1][0][-1].endswith("\\"):
                commands[-1][0].append(line)
            else:
                commands[-1][1].append(line)
        return [Command("\n".join(text), "\n".join(output)) for text, output in commands]


def read_examples(guide: Path) -> list[Example]:
    """Return the examples of a guide in their order."""
    lines = guide.read_text(encoding="utf-8").splitlines()
    starts = [(number, found) for number, line in enumerate(lines) if (found := _BLOCK.fullmatch(line))]
    return [_example(lines, number, found) for number, found in starts]


def _example(lines: t.Sequence[str], number: int, found: re.Match[str]) -> Example:
    marker = next((line for line in reversed(lines[:number]) if line.strip()), "")
    run = _RUN.fullmatch(marker)
    versions = tuple(version.strip() for version in run["versions"].split(",")) if run else ()
    body = _body(lines[number + 1 :], len(found["indent"]))
    options = {option["name"]: option["value"] for line in body if (option := _OPTION.fullmatch(line))}
    content = body[len(options) :]
    indent = min((len(line) - len(line.lstrip()) for line in content if line.strip()), default=0)
    text = "\n".join(line[indent:] for line in content).strip("\n") + "\n"
    return Example(number + 1, found["language"], options.get("caption", ""), text, versions)


def _body(lines: t.Sequence[str], indent: int) -> list[str]:
    """Return the lines that are indented deeper."""
    body = []
    for line in lines:
        if line.strip() and not line.startswith(" " * (indent + 1)):
            break
        body.append(line)
    return body


@dataclass(frozen=True)
class Reader:
    """Runs examples in the folder of *ansible*.

    :ivar names: names in the examples -> names in the lab
    :ivar variables: of the playbook ``apply``, beside those of an example
    """

    ansible: Ansible
    names: t.Mapping[str, str]
    variables: t.Mapping[str, t.Any]

    def run(self, example: Example) -> str:
        """Run an example, and return why it does not work, or an empty text."""
        if example.file:
            (self.ansible.scratch / example.file).write_text(self._named(example.text), encoding="utf-8")
            return ""
        if example.language == "console":
            return self._console(example)
        content = yaml.safe_load(self._named(example.text))
        if isinstance(content, list):
            run = self.ansible.run_tasks(content)
        else:
            given = {**self.variables, **content}
            run = self.ansible.run_playbook("imagemode.openshift.apply", "--check", variables=given)
        return run.output if run.rc else ""

    def _console(self, example: Example) -> str:
        commands = example.commands()
        script = "".join(f"{self._named(command.text)}\nprintf '{_END}'\n" for command in commands)
        ended = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script],
            cwd=self.ansible.scratch,
            env=self.ansible.environment(self.ansible.scratch / "none"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
        if ended.returncode:
            return f"exit status {ended.returncode}:\n{ended.stdout}"
        outputs = ended.stdout.split(_END)
        wrong = [(command, got) for command, got in zip(commands, outputs) if not self._prints(command, got)]
        return "\n".join(f"$ {command.text}\n{command.expected}\nbut it printed:\n{got}" for command, got in wrong)

    def _prints(self, command: Command, got: str) -> bool:
        options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        expected = self._named(command.expected)
        return not expected or doctest.OutputChecker().check_output(f"{expected}\n", got, options)

    def _named(self, text: str) -> str:
        for name, actual in self.names.items():
            text = text.replace(name, actual)
        return text
