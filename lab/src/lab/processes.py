# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of a lab as the host sees them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.first_process import NAMESPACE_FILE

_PROC = Path("/proc")


@dataclass(frozen=True)
class LabProcess:
    """One process: its pid here, its pid inside the lab, and its command line."""

    pid: int
    inner_pid: int
    command: str


def lab_processes(folder: Path) -> list[LabProcess]:
    """Every process in the process namespace of the lab in ``folder``; none when the lab is down."""
    try:
        namespace = int((folder / NAMESPACE_FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return []
    found = []
    for entry in _PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if (entry / "ns" / "pid").stat().st_ino != namespace:
                continue
            status = (entry / "status").read_text(encoding="utf-8")
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
        inner = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[-1]
        found.append(LabProcess(int(entry.name), int(inner), command))
    return sorted(found, key=lambda process: process.pid)


def proportional_memory(pid: int) -> int:
    """Bytes of memory a process accounts for, shared pages by share; 0 when it is gone."""
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
