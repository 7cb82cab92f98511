# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs of failed builds with the right diagnosis of each: recordings of real builds, and written ones.

The unit tests check each case, and ``make bench`` prints the share of right diagnoses.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass
from pathlib import Path

import yaml

from ...plugins.module_utils._model.build.diagnosis import Diagnosis, diagnose
from ...plugins.module_utils._model.findings import FINDINGS

FOLDER = Path(__file__).parent
RECORDINGS = FOLDER.parent / "recordings"
STATUS_SIZE = 2048
"""Bytes of a log that the kubelet writes into the status of a pod."""
_STATUS_LINES = 80
_USER = "FROM configs AS final\nRUN activate\n"
_PUSH = 'Error: pushing image "registry.example.com/os/pool:1" to "docker://registry.example.com/os/pool:1":'


@dataclass(frozen=True)
class Case:
    """A log of a failed build, and the right diagnosis."""

    name: str
    log: bytes
    containerfile: str
    exit_code: int
    cause: str
    line: int | None = None
    checks_line: bool = False
    telling: str = ""
    not_telling: str = ""
    remedy: str = ""

    def diagnosis(self, end_only: bool = False) -> Diagnosis:
        """Return what the collection makes of the log, or of its end in the status of the pod."""
        log = b"".join(self.log.splitlines(keepends=True)[-_STATUS_LINES:])[-STATUS_SIZE:] if end_only else self.log
        return diagnose(log.decode("utf-8", "replace"), self.containerfile, self.exit_code, "Error")

    def faults(self, found: Diagnosis) -> list[str]:
        """Return what is wrong with a diagnosis of the whole log."""
        remedy = found.remedy or FINDINGS[found.cause].remedy
        checks = {
            f"cause {found.cause} instead of {self.cause}": found.cause.value == self.cause,
            f"line {found.line} instead of {self.line}": not self.checks_line or found.line == self.line,
            f"{self.telling!r} is not in {found.summary!r}": self.telling in found.summary,
            f"{self.not_telling!r} is in {found.summary!r}": not self.not_telling
            or self.not_telling not in found.summary,
            f"{self.remedy!r} is not in {remedy!r}": self.remedy in remedy,
        }
        return [fault for fault, is_right in checks.items() if not is_right]


def recorded_cases() -> list[Case]:
    """Return the recordings of real builds."""
    cases = []
    for folder, expected in _read("recorded.yml").items():
        ends = json.loads((RECORDINGS / folder / "ends.json").read_text(encoding="utf-8"))
        for name, right in expected.items():
            path = RECORDINGS / folder / name
            cases.append(
                Case(
                    name=f"{folder}/{name}",
                    log=path.with_suffix(".log").read_bytes(),
                    containerfile=path.with_suffix(".Containerfile").read_text(encoding="utf-8"),
                    exit_code=ends[name]["exit_code"],
                    cause=right["cause"],
                    line=right.get("line"),
                    checks_line=True,
                    telling=right["telling"],
                )
            )
    return cases


def written_cases() -> list[Case]:
    """Return the written logs."""
    return [_written(case) for case in _read("written.yml")]


def _written(case: t.Mapping[str, t.Any]) -> Case:
    containerfile = case.get("containerfile", _USER)
    exit_code = case.get("exit_code", 125 if "error" in case else 1)
    return Case(
        name=case["id"],
        log=_log(case, containerfile, exit_code).encode(),
        containerfile=containerfile,
        exit_code=exit_code,
        cause=case["cause"],
        line=case.get("line"),
        checks_line="line" in case,
        telling=case.get("telling", ""),
        not_telling=case.get("not_telling", ""),
        remedy=case.get("remedy", ""),
    )


def _log(case: t.Mapping[str, t.Any], containerfile: str, exit_code: int) -> str:
    """Return a log as the builder writes it: the last instruction fails, in three tries."""
    last = containerfile.splitlines()[-1]
    step = f"[3/3] STEP 2/2: {last}"
    if "log" in case:
        lines = case["log"]
    elif "error" in case:
        lines = [step, *case["error"].replace("$PUSH", _PUSH).splitlines()]
    else:
        error = f'Error: building at STEP "{last}": while running runtime: exit status {exit_code}'
        lines = [step, *case["output"], *[f"subprocess exited with status {exit_code}"] * 2, error]
    tries = [[*lines, f"+ exit={exit_code}", f"Retry {n}/3 exited {exit_code}"] for n in (1, 2, 3)]
    return "\n".join([line for one in tries for line in one] + [f"+ return {exit_code}", ""])


def _read(name: str) -> t.Any:
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
