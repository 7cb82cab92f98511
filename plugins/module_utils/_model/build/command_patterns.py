# SPDX-License-Identifier: GPL-3.0-or-later
"""Patterns of what the command of a RUN instruction prints: the tables behind :mod:`command_output`.

Each pattern takes time in proportion to the length of the line, because a hostile build can write anything.
"""

from __future__ import annotations

import re
import typing as t

from ..findings import FindingId
from .diagnosis_patterns import Patterns, compiled

_MAKE = r"g?make(?:\[\d+\])?: "


def _any_line(words: t.Sequence[str]) -> t.Pattern[str]:
    return re.compile(rf"^(?:{'|'.join(words)})", re.IGNORECASE)


SUCCESS = _any_line(
    (
        r"Complete[.!]$",  # dnf, microdnf
        r"Nothing to do\.$",
        r"Dependencies resolved\.$",
        r"Transaction (?:check|test) succeeded\.$",
        r"Ignoring repositories: \S",
        r"Installing: \S",  # rpm-ostree
        r"Resolving dependencies\.\.\. ?done$",
        r"Writing (?:rpmdb|OSTree commit)\.\.\. ?done$",
        r"Changes queued for next boot",
        r"Setting up \S+ \(",  # apt
        r"Processing triggers for \S",
        r"\d+ upgraded, \d+ newly installed, ",
        r"Successfully (?:installed|uninstalled|built) ",  # pip
        r"Requirement already satisfied: ",
        r"(?:added|removed|changed) \d+ packages?\b",  # npm
        r"up to date\b",
        rf"{_MAKE}Nothing to be done for ",
        rf"{_MAKE}'[^']*' is up to date\.$",
        r"\s*Finished \S.* target\(s\) in ",  # cargo
        r"The system has been registered with ID",
    )
)
"""Line with which a program reports a success. Nothing that it printed before is the cause of a later failure."""
CHATTER = _any_line(
    (
        r"\[MIRROR\] ",
        r"Updating Subscription Management repositories",
        r"Unable to read consumer identity",
        r"This system is not registered\b",
        r"subscription-manager is operating in container mode",
    )
)
"""Line that a package manager prints about a problem that does not end it. It is no cause unless it is the last."""
BUILDER = _any_line(
    (
        r"Getting image source signatures$",
        r"Copying (?:blob|config) ",
        r"Writing manifest to image destination$",
        r"Storing signatures$",
        r"Trying to pull ",
        r"COMMIT\b",
        r"--> ",
        r"Successfully tagged ",
        r"subprocess exited with status \d+$",
    )
)
"""Line of the builder itself, which never names the cause."""
AFTERMATH = _any_line(
    (
        rf"{_MAKE}(?:Entering|Leaving) directory ",
        rf"{_MAKE}\*\*\* \[.*\] (?:Error|Killed|Terminated|Segmentation)",
        rf"{_MAKE}\*\*\* Waiting for unfinished jobs",
        rf"{_MAKE}Target .* not remade because of errors",
        r"compilation terminated\.$",
        r"\d+ (?:errors?|warnings?)(?: and \d+ errors?)? generated\.$",
        r"collect2: error: ld returned \d+ exit status$",
        r"ninja: build stopped",
        r"-- Configuring incomplete, errors occurred",
        r"error: (?:aborting due to|could not compile) ",
        r"\d+ \|",  # source in a message of rustc
        r"For more information about this error, try ",
        r"tar: (?:Error is not recoverable: exiting now|Exiting with failure status)",
        r"semodule: +Failed!$",
        r"warning: build failed, waiting for other jobs",
        r"error: Bad exit status from ",
        r"RPM build errors:$",
        r"Error: Transaction failed$",
        r"error: \S+: install failed$",
        r"Failed:$",
        r"Installed products updated\.$",
        r"Error: ?$",
        r"exit status \d+$",
        r"Checks (?:passed|skipped|failed): \d+$",
        r"Warnings: \d+$",
        r"npm (?:ERR!|error) A complete log of this run",
        r"\[notice\] ",
        r"WARNING: Running pip as ",
        r"\(.*\)$",  # hints
        r"(?:hint|note|help|tip)\b[:!]",
        r"(?:You can (?:use|try)|Please (?:install|refer|see|visit|check)) ",
        r"More details here: https?:",
        r"curl failed to verify the legitimacy of the server",  # and the lines that follow in the text of curl
        r"establish a secure connection to it\. To learn more",
        r"how to fix it, please visit ",
        r"Currently, most rpm-ostree commands only work",
        r"Try ['`\"].*--help",
        r"usage: ",
        r"(?:See|Run|For more information|For details)\b.*(?:https?:|--help|\bfor (?:more|details)|\bvisit\b)",
    )
)
"""Line that follows the line which names the cause: of make, a summary, or a hint."""
DETAIL = re.compile(r"^\s")
"""Line that only continues another one, such as one frame of a stack."""
COMMAND_CAUSES: Patterns = compiled(
    {
        FindingId.BUILD_NO_SPACE: [
            "no space left on device",
            "disk quota exceeded",
            "not enough free space",
            r"needs \S+ more space",
        ],
        FindingId.BUILD_SIGNATURE_NOT_VERIFIED: [
            r"public key for \S+ is not installed",
            r"\bgpg check failed",
            r"\bOpenPGP check (?:of|for) .{0,300}?failed",
            "gpg signature verification error",
            "signature verification failed",
            "signing key not found",
            r"cannot be verified and repo \S+ is gpg enabled",
            r"gpg keys listed for the .{0,300}? repository are already installed but they are not correct",
            r"failed to retrieve gpg key|curl error \(37\).{0,300}?gpg-key",
            r"\bNO_PUBKEY\b",
        ],
        FindingId.BUILD_IMAGE_LINT_FAILED: [r"^\W*error: linting\b", r"^failed lint: "],
        FindingId.BUILD_PACKAGE_NOT_FOUND: [
            r"^\W*error: unable to find a match",
            r"^\W*error: no package matches ",
            r"^\W*error: packages not found",
            r"^\W*no package \S+ available",
            "all matches were filtered out",
            "nothing provides ",
            r"^\[FAILED\] \S{1,300}: status code: (?:404|410) for \S+\.rpm\b",
            r"^\W*>>> status code: (?:404|410) for \S+\.rpm\b",
            r"skipping \S+ - transfer failed",
        ],
        FindingId.BUILD_PACKAGES_CONFLICT: [
            "conflicts between attempted installs of ",
            r"conflicts with file from package ",
            r"^\W*error: could not depsolve transaction",
            r"^\W*problem(?: \d+)?: ",
            r"installed package \S+ obsoletes ",
            r"^\W*error: failed dependencies:$",
        ],
        FindingId.BUILD_REPOSITORY_NOT_TRUSTED: [r"curl error \((?:51|53|60|66|77|80|82|83|90|91)\)"],
        FindingId.BUILD_REPOSITORY_UNREACHABLE: [r"curl error \((?:5|6|7|16|18|28|35|52|55|56|92|97)\)"],
        FindingId.BUILD_REPOSITORY_UNUSABLE: [
            "there are no enabled repo",
            "no enabled repositories",
            "no repositories available through subscriptions",
            r"status code: 40[1347] for \S*(?:repo|rpm)",
            r"curl error \(58\)",
            "failed to (?:download|synchronize|retrieve) (?:metadata|cache|repodata)",
            "cannot download repo(?:md|data)",
            "errors during downloading metadata",
            "cannot update repo",
            "cannot prepare internal mirrorlist",
            "error downloading packages",
            r"^\W*error: unknown repo: ",
        ],
    }
)
"""Causes in the output of a command in a RUN instruction."""
NO_MATCH = re.compile(r"^\W*no match for argument: ", re.IGNORECASE)
"""A package that does not exist. It ends an installation, but not a removal, so it counts only as the last message."""
NOT_STARTED = re.compile(
    "process failed to start.{0,300}?no such file or directory|executable file .{0,300}?not found", re.IGNORECASE
)
"""A command could not be started."""
NOT_FOUND = re.compile(rf"not found$|{NOT_STARTED.pattern}", re.IGNORECASE)
"""A command was not found."""


def _in_order(*words: str) -> t.Sequence[t.Pattern[str]]:
    return [re.compile(word, re.IGNORECASE) for word in words]


TELLING: t.Mapping[FindingId, t.Sequence[t.Pattern[str]]] = {
    FindingId.BUILD_IMAGE_LINT_FAILED: _in_order(
        r"^failed lint: ", r"^lint error: ", r"^lint warning: ", r"\blinting\b"
    ),
    FindingId.BUILD_PACKAGES_CONFLICT: _in_order(
        r"^\W*problem(?: \d+)?: (?!conflicting requests$)",
        "but none of the providers can be installed",
        r"conflicts (?:between attempted installs|with file from package)|conflicts with \S+ provided by",
        r"^\s.* is needed by \S",
        r"^\W*problem(?: \d+)?: ",
    ),
    FindingId.BUILD_REPOSITORY_UNUSABLE: _in_order(
        r"(?<!\[MIRROR\] )status code: [45]", r"curl error \(58\)", r"^\W*cannot download ", "no more mirrors to try"
    ),
    FindingId.BUILD_COMMAND_NOT_FOUND: (NOT_FOUND,),
}
"""Cause -> patterns of the line that names it, the best first. The patterns of the cause itself are wider."""
ENTITLEMENT = re.compile("unable to read consumer identity|this system is not registered", re.IGNORECASE)
"""The package manager has no entitlement. It says so even if it needs none."""
KILLED_IN_RUN = re.compile(r"^subprocess exited on killed$")
"""A command in a RUN instruction was killed."""
