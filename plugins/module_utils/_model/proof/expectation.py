# SPDX-License-Identifier: GPL-3.0-or-later
"""Image that the cluster expects the nodes of a pool to boot.

In a layered pool it is the image of the MachineOSConfig, in other pools the image of the rendered MachineConfig. No
other object names the latter: ConfigMap machine-config-osimageurl names the image of the release, which a MachineConfig
can override and which changes before the pool is rendered (docs/operator-behavior.md, "Rendered MachineConfigs").
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ..build.pending_build import BuildProgress
from ..build.progress import bound_to_image, build_progress
from ..build.run_spec import ANY_RUN, RunSpec
from ..findings import FindingId
from ..objects.machineconfigpool import Pool
from ..objects.machineosbuild import MachineOSBuild
from ..objects.machineosconfig import MachineOSConfig
from ..objects.resources import POOL_LABEL, Object, labels_of
from ..observation import Outcome
from .built_content import BuiltContent, built_content
from .verdict import FORBIDDEN, Expected, Verdict

NO_EXPECTATION = Expected("", "", "none", current=False)
"""Expectation for a node in no pool or in two custom pools."""
NOT_RENDERED = Expected("", "", "machineconfig", current=False)
"""Expectation for a pool whose configuration is not rendered yet."""
EXPECTATION_FORBIDDEN = Expected("", "", FORBIDDEN, current=False)
"""Expectation for a pool without a MachineOSConfig if the account cannot read MachineConfigs."""

_NO_BUILD_FOLLOWS = (FindingId.BUILD_EDIT_NOT_BUILT, FindingId.BUILD_IMAGE_OF_OTHER_CONFIG)


@dataclass(frozen=True)
class PoolExpectation:
    """Image that the nodes of a pool should boot, and the Containerfile of the pool, from one read."""

    expected: Expected
    content: BuiltContent | None = None
    """None if the pool has no MachineOSConfig."""

    def content_for(self, expected: Expected, verdicts: t.Collection[Verdict]) -> BuiltContent | None:
        """Return the Containerfile, proven only if a node is proven to have booted the image that was built from it.

        :param expected: the image that the nodes were compared with, such as one that the user names
        :param verdicts: the verdicts on the nodes
        """
        if self.content is None:
            return None
        if expected.digest != self.expected.digest:
            image = self.expected.pull_spec or "no image"
            why_not = f"the nodes were compared with {expected.pull_spec}, and the MachineOSConfig has {image}"
            return self.content.unless(why_not)
        not_current = "" if expected.current else expected.why_not or "the expected image is not current"
        no_match = "" if Verdict.MATCH in verdicts else "no node is proven to have booted the expected image"
        return self.content.unless(not_current).unless(no_match)


def expected_of_config(
    config: MachineOSConfig, builds: t.Iterable[Object], pool: Pool, run: RunSpec = ANY_RUN
) -> Expected:
    """Return the image of a pool's MachineOSConfig. It is current only if it was built from the current spec.

    :param builds: MachineOSBuilds, perhaps of other pools too
    :param run: the image that the run built
    """
    return _expected(config, _progress(config, _own(builds, pool), pool, run))


def expectation_of_config(
    config: MachineOSConfig, builds: t.Iterable[Object], pool: Pool, run: RunSpec = ANY_RUN
) -> PoolExpectation:
    """Return the image of a pool's MachineOSConfig, and its Containerfile.

    :param builds: MachineOSBuilds, perhaps of other pools too
    :param run: the image that the run built
    """
    own = _own(builds, pool)
    progress = _progress(config, own, pool, run)
    return PoolExpectation(_expected(config, progress), built_content(config, own, progress))


def _own(builds: t.Iterable[Object], pool: Pool) -> list[MachineOSBuild]:
    return [MachineOSBuild.from_api(b) for b in builds if labels_of(b).get(POOL_LABEL) == pool.name]


def _progress(config: MachineOSConfig, own: list[MachineOSBuild], pool: Pool, run: RunSpec) -> BuildProgress:
    return bound_to_image(run, config, build_progress(config, own, pool.rendered_config))


def _expected(config: MachineOSConfig, progress: BuildProgress) -> Expected:
    doubt, why_not = _doubt(config, progress)
    image = config.current_image_pull_spec
    if not image:
        return Expected("", "", "machineosconfig", False, why_not, doubt)
    if progress.outcome is Outcome.SUCCEEDED:
        return Expected.of_pull_spec(image, "machineosconfig")
    return replace(Expected.of_pull_spec(image, "machineosconfig", current=False), why_not=why_not, doubt=doubt)


def _doubt(config: MachineOSConfig, progress: BuildProgress) -> tuple[FindingId, str]:
    """Return the finding for an image that is not current, and why it is not.

    As long as the status is one of an earlier generation, the operator may be about to build. A build in a single pod
    is not followed by another one.
    """
    if progress.if_it_lasts is None:
        return FindingId.CLUSTER_EXPECTATION_NOT_CURRENT, progress.line
    if progress.if_it_lasts.id in _NO_BUILD_FOLLOWS:
        return FindingId.CLUSTER_EXPECTATION_UNPROVEN, progress.if_it_lasts.message
    is_unverified = progress.if_it_lasts.id is FindingId.BUILD_IDENTITY_UNVERIFIED
    is_unproven = is_unverified and config.observed_generation == config.generation
    doubt = FindingId.CLUSTER_EXPECTATION_UNPROVEN if is_unproven else FindingId.CLUSTER_EXPECTATION_NOT_CURRENT
    return doubt, progress.if_it_lasts.message


def image_of_rendered_config(rendered: Object) -> str:
    """Return the image of a rendered MachineConfig, or an empty string."""
    return str((rendered.get("spec") or {}).get("osImageURL", ""))
