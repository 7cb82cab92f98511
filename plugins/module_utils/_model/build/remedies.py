# SPDX-License-Identifier: GPL-3.0-or-later
"""Remedies for failures whose finding has a more general one in the public table."""

from __future__ import annotations

import re

from ..findings import FindingId

_REBUILD = "delete the MachineOSBuild; the operator builds it again"
_BY_MIRROR = {
    FindingId.BUILD_BASE_IMAGE_NOT_FOUND: f"Mirror the image to the registry that the message names, then {_REBUILD}",
    FindingId.BUILD_BASE_IMAGE_DENIED: "Correct the credentials for the mirror registry in base_image_pull_secret "
    f"(without it, the global pull secret is used), then {_REBUILD}",
}
_URL = "Correct the URL of the package, or install the package from a repository, and apply again"
_DNF = (
    "Use dnf instead of rpm-ostree in the Containerfile, because rpm-ostree does not run on this base image, and apply "
    "again"
)
_RATE = (
    "Wait until the registry allows pulls again, or add credentials with a higher limit for it to "
    f"base_image_pull_secret, then {_REBUILD}"
)
_BY_SUMMARY = (
    (FindingId.BUILD_PACKAGE_NOT_FOUND, re.compile("https?://", re.IGNORECASE), _URL),
    (FindingId.BUILD_RUN_FAILED, re.compile("not booted via libostree", re.IGNORECASE), _DNF),
    (
        FindingId.BUILD_BASE_IMAGE_DENIED,
        re.compile("too ?many ?requests|rate limit|StatusCode: 429", re.IGNORECASE),
        _RATE,
    ),
)


POD_BUILD_FAILED = (
    "Read the evidence and the log in log_dir, correct the cause, and run module machineosconfig again with the wanted "
    "content. It deletes the failed pod and what is left of the build, and makes the operator build"
)
"""Remedy for a build in a single pod that failed for an unknown cause."""
_BUILD_AGAIN = (
    "run module machineosconfig again with the wanted content, which deletes the failed pod and what is left of the "
    "build, and makes the operator build"
)


def remedy_in_single_pods(cause: FindingId, remedy: str) -> str:
    """Return a remedy for a build in a single pod. The operator does not replace such a build if it is deleted."""
    if cause is FindingId.BUILD_FAILED:
        return POD_BUILD_FAILED
    return remedy.replace(_REBUILD, _BUILD_AGAIN)


def special_remedy(cause: FindingId, summary: str, by_mirror: bool) -> str:
    """Return the remedy for this failure, or an empty text if that of the finding is enough.

    :param by_mirror: whether the answer of a mirror is the cause
    """
    if by_mirror and cause in _BY_MIRROR:
        return _BY_MIRROR[cause]
    return next((remedy for known, pattern, remedy in _BY_SUMMARY if known is cause and pattern.search(summary)), "")
