# SPDX-License-Identifier: GPL-3.0-or-later
"""Search the log of a build that succeeded for errors that can keep nodes from booting.

Programs that prepare a boot report an error, and the package manager or the script around them ignores it. The build
succeeds, and the image reaches the first node. The log is read as soon as the builder has pushed the image, because the
operator deletes the pod when the build succeeds (docs/operator-behavior.md, "Build logs").
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ..findings import Finding, FindingId
from ..objects.machineosbuild import MachineOSBuild
from ..objects.resources import MACHINE_OS_BUILD, ObjectRef
from ..observation import Need, Snapshot
from .log_lines import lines_of
from .log_needs import LogProgress, ReadLogText

MAX_SUSPICIOUS = 3
"""Lines that the finding quotes."""
_PROGRAM = r"(?:dracut|kernel-install|grub2-\w{1,40}|grubby|depmod|mkinitrd|weak-modules|bootupctl|ostree-prepare-root)"
_PREFIX = r"[\s\[*#>]{0,20}(?:\[RPM\] )?(?:[\w+-]{1,100}\.post\w{0,9}: )?"
"""What package managers print before the output of a scriptlet. Each repetition here and below is bounded, because the
log can be hostile."""
_PACKAGE = r"(?:kernel|dracut|grub2|systemd-boot)"
_START = rf"{_PREFIX}(?:/[\w./-]{{1,100}}/)?{_PROGRAM}"
_HARMLESS = r"WARNING: |.{0,200} will not be installed, because "
"""What dracut and depmod print in every container: modules of dracut whose programs the image does not have, and
indexes that do not exist yet."""
_SUSPICIOUS = (
    re.compile(rf"{_START}(?:\[[EF]\]|(?:-install)?: (?:.{{0,200}}: )?(?:ERROR|error|FATAL|FAILED|Failed|failed)\b)"),
    re.compile(rf"{_START}: (?!{_HARMLESS}).*\b(?:[Nn]o space left|[Cc]annot|[Cc]ould not|No such file)\b"),
    re.compile(rf"{_START}: .{{0,30}}[Cc]reation of \S{{1,200}} failed\b"),
    re.compile(r"grubby fatal error: "),
    re.compile(rf"{_PREFIX}(?:/usr/lib|/etc)/kernel/(?:postinst|install)\.d/[\w.-]{{1,100}}:? failed\b"),
    re.compile(rf"{_PREFIX}[Ee]rror in %?(?i:post)\w{{0,9}} scriptlet in rpm package {_PACKAGE}"),
    re.compile(rf"{_PREFIX}(?:warning: )?%post\w{{0,9}}\({_PACKAGE}[^)]{{0,200}}\) scriptlet failed"),
)


@dataclass(frozen=True)
class SuccessCheck:
    """Result of the search for one build."""

    build: str = ""
    """Identity of the build. Empty if no log was searched."""
    findings: tuple[Finding, ...] = ()

    def of(self, build: MachineOSBuild | None) -> tuple[Finding, ...]:
        """Return the findings of a build."""
        return self.findings if build is not None and build.identity == self.build else ()


def check_success(
    snapshot: Snapshot, build: MachineOSBuild, logs: LogProgress, check: SuccessCheck
) -> tuple[SuccessCheck, tuple[Need[t.Any], ...]]:
    """Return the result for a build whose builder has pushed its image, and what has to be read first."""
    if not logs.pushed or check.build == build.identity or snapshot.outage:
        return check, ()
    container = logs.attempts[-1].deciding_container
    if container is None:
        return check, ()
    need = ReadLogText(logs.attempts[-1], container)
    text = snapshot.result(need)
    if text is None:
        return check, (need,)
    return SuccessCheck(build.identity, _findings(build, text)), (need,)


def suspicious_lines(log: str) -> list[str]:
    """Return the first lines of a log that report an error of a program that prepares a boot."""
    found = (line.shown() for line in lines_of(log) if any(p.match(line.text) for p in _SUSPICIOUS))
    return [line for line, dummy in zip(found, range(MAX_SUSPICIOUS))]


def _findings(build: MachineOSBuild, log: str) -> tuple[Finding, ...]:
    lines = suspicious_lines(log)
    if not lines:
        return ()
    message = f"MachineOSBuild {build.name} pushed its image, and its log has an error of the boot files: {lines[0]}"
    ref = ObjectRef(MACHINE_OS_BUILD.name, build.name)
    return (Finding(FindingId.BUILD_SUSPICIOUS_SUCCESS, ref, message, "\n".join(lines)),)
