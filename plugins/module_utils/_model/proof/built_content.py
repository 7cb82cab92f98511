# SPDX-License-Identifier: GPL-3.0-or-later
"""Containerfile of a MachineOSConfig, and whether the image in its status is proven to be built from it.

An auditor compares the hash. The text is for readers: without credentials, printable, and not longer than the API
allows. Sources: docs/operator-behavior.md ("Build identity", "Build states").
"""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import dataclass, replace

from ..build.current import Origin, origin
from ..build.pending_build import BuildProgress
from ..objects.machineosbuild import MachineOSBuild
from ..objects.machineosconfig import MAX_CHARACTERS, MachineOSConfig
from ..observation import Outcome
from ..registry.masking import masked_instructions
from ..text import printable


@dataclass(frozen=True)
class BuiltContent:
    """Containerfile of a MachineOSConfig."""

    config: str
    """Name of the MachineOSConfig."""
    sha256: str = ""
    """SHA-256 of the exact text as the API serves it, in hexadecimal digits. Empty if there is no Containerfile."""
    text: str = ""
    """The text without credentials, printable and cut at MAX_CHARACTERS."""
    is_exact: bool = False
    """Whether ``text`` is the exact text, so that its hash is ``sha256``."""
    why_not: str = ""
    """Why it is not proven that the expected image was built from it. Empty if it is proven."""

    @property
    def is_proven(self) -> bool:
        """Whether it is proven that the expected image was built from it."""
        return not self.why_not

    def unless(self, why_not: str) -> BuiltContent:
        """Return it as not proven if there is a reason. The first reason stays."""
        return replace(self, why_not=self.why_not or why_not)


def built_content(config: MachineOSConfig, builds: t.Iterable[MachineOSBuild], progress: BuildProgress) -> BuiltContent:
    """Return the Containerfile of a MachineOSConfig, proven if the image in the status was built from it.

    :param builds: the MachineOSBuilds of the MachineOSConfig
    :param progress: state of its current build
    """
    exact = config.containerfile
    if not exact:
        return BuiltContent(config.name, why_not=f"MachineOSConfig {config.name} has no Containerfile")
    text = _shown(exact)
    # A text from JSON can have surrogates without their pair, which are not valid in UTF-8.
    sha256 = hashlib.sha256(exact.encode("utf-8", "surrogatepass")).hexdigest()
    return BuiltContent(config.name, sha256, text, text == exact, _why_not(config, builds, progress))


def _why_not(config: MachineOSConfig, builds: t.Iterable[MachineOSBuild], progress: BuildProgress) -> str:
    """Return why it is not proven that the image in the status was built from the Containerfile, or an empty text.

    The operator creates builds without a Job for images that it takes over, so a Job has to show that it built. An
    operator that builds in single pods takes over no image.
    """
    if progress.outcome is not Outcome.SUCCEEDED or progress.build is None:
        return progress.if_it_lasts.message if progress.if_it_lasts else progress.line
    if progress.build.seeded:
        return f"MachineOSBuild {progress.build.name} was seeded with an existing image"
    image = config.current_image_pull_spec
    if any(_has_built(config, build, image) for build in builds):
        return ""
    return f"no MachineOSBuild of the current spec has a Job that built {image}"


def _has_built(config: MachineOSConfig, build: MachineOSBuild, image: str) -> bool:
    """Whether a build of the present spec ran and pushed the image."""
    pushed = build.is_of(config) and build.digested_image_push_spec == image
    has_run = bool(build.job) or build.is_pod_build
    return pushed and has_run and not build.seeded and origin(config, build) is not Origin.OLDER


def _shown(text: str) -> str:
    """Return a text for readers. A text that is too long ends with a complete line, so that no half of a credential
    is shown.
    """
    if len(text) > MAX_CHARACTERS:
        text = text[: text.rfind("\n", 0, MAX_CHARACTERS) + 1]
    return printable(masked_instructions(text))
