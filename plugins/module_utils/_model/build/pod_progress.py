# SPDX-License-Identifier: GPL-3.0-or-later
"""Evaluate the current build by its conditions where the operator builds in single pods (OpenShift 4.16 and 4.17).

These conditions are not reliable: a pod that was left from another build marks the current build as failed, an edit
clears a failure, and nothing reports that the pod was deleted. So an image that was published once is a success, and
other states count only if they last. The pod of the build decides earlier (``own_pod.py``). See
docs/operator-behavior.md ("Builds in single pods").
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ..findings import REBUILD_POD_BUILD, Finding, FindingId
from ..objects.machineosbuild import BuildState, MachineOSBuild
from ..objects.machineosconfig import MachineOSConfig
from ..objects.resources import MACHINE_OS_BUILD, MACHINE_OS_CONFIG, OPERATOR_NAMESPACE, ObjectRef
from ..objects.v1alpha1 import build_name
from ..observation import Outcome
from .current import BuildMatch, CurrentBuild
from .pending_build import BuildProgress, pending_progress
from .pod_build import is_older_than_config
from .remedies import POD_BUILD_FAILED

MOMENTARY = 10.0
"""Seconds for which a state can be momentary. The operator handles each event of a pod 5 s later."""
START_TIME = 30.0
"""Seconds after which a start has failed. It takes less than one, and some more if several builds start at once. Before
that, a missing Secret is reported as the cause (``not_started.py``)."""
UNCONFIRMED_FAILURE = 30.0
"""Seconds after which a failure counts that the pod does not confirm, because it cannot be read."""


def evaluate_pod_build(
    config: MachineOSConfig, current: CurrentBuild, builds: t.Collection[MachineOSBuild]
) -> BuildProgress:
    """Evaluate the build of the pool's rendered config by its conditions.

    :param current: has the build
    :param builds: all builds of the pool
    """
    build = t.cast(MachineOSBuild, current.build)
    if build.config != config.name:
        return _other_config(config, build)
    if current.match is BuildMatch.UNPROVEN:
        return _edit_not_built(config, build)
    if build.is_published_by(config):
        return _succeeded(build)
    if build.digested_image_push_spec:
        return _other_image(config, build, builds)
    if not (build.pod and build.has_all_conditions):
        return _start_failed(config, build)
    if build.state is BuildState.FAILED:
        return unconfirmed_failure(build)
    if build.state is BuildState.INTERRUPTED:
        return _interrupted(build)
    if build.state is BuildState.PENDING:
        return _failure_hidden(build)
    return running(build)


def deleted_pod_build(config: MachineOSConfig, rendered_config: str) -> BuildProgress:
    """Return that the build, which was observed before, does not exist. The operator does not replace it."""
    name = build_name(config.pool, rendered_config)
    ref = ObjectRef(MACHINE_OS_BUILD.name, name)
    message = f"MachineOSBuild {name} was deleted and not replaced"
    finding = Finding(FindingId.BUILD_DELETED, ref, message, own_remedy=REBUILD_POD_BUILD)
    progress = pending_progress(BuildState.PENDING, None, finding, f"build {name}: deleted, waiting for a replacement")
    return replace(progress, longest_grace=START_TIME)


def ref_of(build: MachineOSBuild) -> ObjectRef:
    """Return the reference to a build."""
    return ObjectRef(MACHINE_OS_BUILD.name, build.name)


def pending_pod_build(build: MachineOSBuild, finding: Finding, state: str, grace: float = MOMENTARY) -> BuildProgress:
    """Return that a build has a state that is a failure if it lasts.

    :param state: the state for the progress line
    """
    progress = pending_progress(build.state, build, finding, f"build {build.name}: {state}", build)
    return replace(progress, longest_grace=grace)


def running(build: MachineOSBuild, detail: str = "", findings: tuple[Finding, ...] = ()) -> BuildProgress:
    """Return that a build runs."""
    state = BuildState.PREPARING if build.state is BuildState.PREPARING else BuildState.BUILDING
    return BuildProgress(Outcome.WAITING, state, build, findings, f"build {build.name}: {state.value}{detail}")


def success_hidden(build: MachineOSBuild, left_pods: t.Sequence[str] = ()) -> Finding:
    """Return the finding about a build that succeeded and is no longer marked so.

    :param left_pods: the failed pods of other builds
    """
    message = (
        f"MachineOSBuild {build.name} succeeded and its image is published, but its condition Succeeded is not True "
        "any more, so the node controller updates no further node"
    )
    if not left_pods:
        return Finding(FindingId.BUILD_SUCCESS_HIDDEN, ref_of(build), message)
    message = f"{message}. The cause is pod {', '.join(left_pods)}, which failed and is left from another build"
    remedy = (
        f"Delete the pod (oc delete pod -n {OPERATOR_NAMESPACE} {' '.join(left_pods)}). If nodes still wait for the "
        "image, run module machineosconfig again with the wanted content, which builds it again"
    )
    return Finding(FindingId.BUILD_SUCCESS_HIDDEN, ref_of(build), message, own_remedy=remedy)


def unconfirmed_failure(build: MachineOSBuild, detail: str = "", grace: float = UNCONFIRMED_FAILURE) -> BuildProgress:
    """Return that a build is marked as failed."""
    return pending_pod_build(build, failure(build, detail), "marked as failed", grace)


def failure(build: MachineOSBuild, detail: str = "") -> Finding:
    """Return the finding of a failed build whose cause is not known."""
    message = f"MachineOSBuild {build.name} failed{detail}"
    return Finding(FindingId.BUILD_FAILED, ref_of(build), message, own_remedy=POD_BUILD_FAILED)


def _succeeded(build: MachineOSBuild) -> BuildProgress:
    """Return a success. It stays one, whatever the conditions report later."""
    line = f"build {build.name}: succeeded, {build.digested_image_push_spec}"
    findings = () if build.state is BuildState.SUCCEEDED else (success_hidden(build),)
    return BuildProgress(Outcome.SUCCEEDED, BuildState.SUCCEEDED, build, findings, line)


def _other_config(config: MachineOSConfig, build: MachineOSBuild) -> BuildProgress:
    message = (
        f"MachineOSBuild {build.name} was started for MachineOSConfig {build.config}, not for {config.name}, and the "
        "operator builds each rendered config of a pool once"
    )
    ref = ObjectRef(MACHINE_OS_CONFIG.name, config.name)
    finding = Finding(FindingId.BUILD_OTHER_MACHINEOSCONFIG, ref, message)
    return pending_pod_build(build, finding, f"belongs to MachineOSConfig {build.config}")


def _edit_not_built(config: MachineOSConfig, build: MachineOSBuild) -> BuildProgress:
    name = f"MachineOSBuild {build.name} ({build.state.value})"
    by = f" by {config.spec_changed_by}" if config.spec_changed_by and not config.edit else ""
    if is_older_than_config(config, build):
        message = f"{name} is older than MachineOSConfig {config.name}, so it belongs to a deleted one of this name"
    elif not config.edit and config.spec_changed_at == build.created:
        message = (
            f"{name} and the last change of MachineOSConfig {config.name}{by} have the same time, so it may have been "
            "built from an earlier spec"
        )
    else:
        message = f"{name} is older than the last change of MachineOSConfig {config.name}{by}, which started no build"
    finding = Finding(FindingId.BUILD_EDIT_NOT_BUILT, ref_of(build), message)
    return pending_pod_build(build, finding, f"{build.state.value}, not built from the present spec")


def _other_image(config: MachineOSConfig, build: MachineOSBuild, builds: t.Iterable[MachineOSBuild]) -> BuildProgress:
    """Evaluate a build that succeeded while the nodes get another image."""
    image = config.current_image_pull_spec
    other = next((b for b in builds if image and b.digested_image_push_spec == image), None)
    ref = ObjectRef(MACHINE_OS_CONFIG.name, config.name)
    message = f"MachineOSBuild {build.name} succeeded, and the status of MachineOSConfig {config.name} has "
    if other is None:
        message += image or "no image"
        finding = Finding(FindingId.BUILD_NOT_PUBLISHED, ref, message, own_remedy=REBUILD_POD_BUILD)
        return pending_pod_build(build, finding, "image pushed, not published")
    message += (
        f"the image of MachineOSBuild {other.name}. The nodes get rendered config {build.rendered_config} with the "
        f"image of {other.rendered_config}"
    )
    finding = Finding(FindingId.BUILD_IMAGE_OF_OTHER_CONFIG, ref, message)
    return pending_pod_build(build, finding, f"the image of {other.rendered_config} is published instead")


def _start_failed(config: MachineOSConfig, build: MachineOSBuild) -> BuildProgress:
    message = f"The operator could not start MachineOSBuild {build.name} of MachineOSConfig {config.name}"
    finding = Finding(FindingId.BUILD_START_FAILED, ref_of(build), message)
    return pending_pod_build(build, finding, "starting", START_TIME)


def _interrupted(build: MachineOSBuild) -> BuildProgress:
    message = f"MachineOSBuild {build.name} was interrupted"
    finding = Finding(FindingId.BUILD_INTERRUPTED, ref_of(build), message, own_remedy=REBUILD_POD_BUILD)
    return pending_pod_build(build, finding, "interrupted")


def _failure_hidden(build: MachineOSBuild) -> BuildProgress:
    message = (
        f"MachineOSBuild {build.name} failed: no condition of it is True. An edit of the MachineOSConfig, or a restart "
        "of machine-os-builder, cleared the condition Failed"
    )
    finding = Finding(FindingId.BUILD_FAILURE_HIDDEN, ref_of(build), message)
    return pending_pod_build(build, finding, "no condition is True")
