# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user reads in each state of a build: the progress line, and the failure after the grace period."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.progress import (
    BuildProgress,
    BuildTracking,
    bound_to_image,
    build_progress,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.run_spec import RunSpec
from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import Finding
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosbuild import MachineOSBuild
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosconfig import MachineOSConfig
from ansible_collections.imagemode.openshift.plugins.module_utils._model.observation import Outcome
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    RENDERED,
    image_of,
    machine_os_build,
    machine_os_config,
)

MORNING = "2026-03-01T08:00:00Z"
LAYERED_A = "layered-a/uid-of-layered-a"
NEW = machine_os_config(build="layered-a")
CONFIG, BUILD = "MachineOSConfig layered", "MachineOSBuild layered-a"


def progress(config: dict[str, t.Any], *builds: dict[str, t.Any], pushed: str = "", before: str = "") -> BuildProgress:
    """Return the progress of the build of a MachineOSConfig."""
    read = [MachineOSBuild.from_api(build) for build in builds]
    return build_progress(
        MachineOSConfig.from_api(config), read, RENDERED, pushed, BuildTracking(before_rebuild=before)
    )


def edited(**record: t.Any) -> dict[str, t.Any]:
    """Return a MachineOSConfig in generation 2, with the record of our edit if there is one."""
    return machine_os_config(build="layered-a", generation=2, observed_generation=2, **record)


REPLACED: dict[str, tuple[BuildProgress, str, str, str, str]] = {
    "named build is deleted": (
        progress(NEW),
        "build layered-a: deleted, waiting for a replacement",
        "build.deleted",
        BUILD,
        "MachineOSBuild layered-a was deleted and not replaced",
    ),
    "build is interrupted": (
        progress(NEW, machine_os_build(state="Interrupted")),
        "build layered-a: interrupted, waiting for a replacement",
        "build.interrupted",
        BUILD,
        "MachineOSBuild layered-a was interrupted",
    ),
    "another client changed the spec": (
        progress(edited(edits=[("kubectl", MORNING)]), machine_os_build(state="Failed", created=MORNING)),
        "MachineOSConfig layered: waiting for the build of its present spec",
        "build.identity_unverified",
        BUILD,
        (
            "MachineOSBuild layered-a (failed) is not younger than the last change of MachineOSConfig layered by "
            "kubectl, so it may belong to an earlier spec"
        ),
    ),
    "no manager of the spec is known": (
        progress(edited(edits=[]), machine_os_build(created=MORNING)),
        "MachineOSConfig layered: waiting for the build of its present spec",
        "build.identity_unverified",
        BUILD,
        (
            "MachineOSBuild layered-a (succeeded) is not younger than the last change of MachineOSConfig layered, so "
            "it may belong to an earlier spec"
        ),
    ),
    "operator had not reacted to earlier specs": (
        progress(edited(builds_before=[], settled=False), machine_os_build()),
        "build layered-a: succeeded, waiting for a build that is certainly one of the present spec",
        "build.identity_unverified",
        BUILD,
        (
            "MachineOSBuild layered-a (succeeded) can belong to an earlier spec: the operator had not reacted to the "
            "specs before when MachineOSConfig layered was changed"
        ),
    ),
    "build has the image before the edit": (
        progress(edited(builds_before=["b/1"], image_before=image_of("a"), image=image_of("a")), machine_os_build()),
        "build layered-a: has the image of an earlier spec, waiting for a build",
        "build.identity_unverified",
        BUILD,
        (
            "MachineOSBuild layered-a has the image of an earlier spec of MachineOSConfig layered, which the operator "
            "took over without a build"
        ),
    ),
    "requested rebuild has not started": (
        progress(machine_os_config(build="layered-a", image=image_of("a")), machine_os_build(), before=LAYERED_A),
        "MachineOSConfig layered: waiting for the requested rebuild to start",
        "build.rebuild_not_started",
        CONFIG,
        "the requested rebuild of MachineOSBuild layered-a has not started",
    ),
    "another image is published": (
        progress(machine_os_config(build="layered-a", image=image_of("c")), machine_os_build()),
        "build layered-a: image pushed, waiting for the operator to publish it",
        "build.not_published",
        CONFIG,
        f"MachineOSBuild layered-a succeeded, and the status of MachineOSConfig layered has {image_of('c')}",
    ),
    "no image is published": (
        progress(NEW, machine_os_build()),
        "build layered-a: image pushed, waiting for the operator to publish it",
        "build.not_published",
        CONFIG,
        "MachineOSBuild layered-a succeeded, and the status of MachineOSConfig layered has no image",
    ),
    "operator does not record the push": (
        progress(NEW, machine_os_build(state="Building"), pushed=LAYERED_A),
        "build layered-a: image pushed, waiting for the operator to record it",
        "build.result_not_recorded",
        BUILD,
        "MachineOSBuild layered-a pushed its image and is still building",
    ),
}


@pytest.mark.parametrize("case", REPLACED)
def test_state_that_may_pass_has_a_line_and_becomes_a_failure(case: str) -> None:
    seen, line, finding, ref, message = REPLACED[case]
    assert (seen.outcome, seen.line, seen.findings) == (Outcome.WAITING, line, ())
    before_the_end = seen.after(9.9, grace=10.0)
    assert before_the_end == seen
    late = seen.after(10.0, grace=10.0)
    assert (late.outcome, late.line) == (Outcome.FAILED, message)
    assert [(f.id.value, str(f.object), f.message) for f in late.findings] == [(finding, ref, message)]
    assert late.pending == seen.pending


def test_pending_reasons_name_the_build_that_is_there_instead() -> None:
    subjects = {case: (seen.pending.subject if seen.pending else "") for case, (seen, *dummy) in REPLACED.items()}
    assert subjects.pop("named build is deleted") == "layered-a"
    assert set(subjects.values()) == {LAYERED_A}


def test_push_that_the_operator_cannot_record_fails_at_once() -> None:
    config = machine_os_config(build="layered-a", renderedImagePushSpec="registry.example.com/a/b/layered:1")
    seen = progress(config, machine_os_build(state="Building"), pushed=LAYERED_A)
    assert seen.outcome is Outcome.FAILED
    (finding,) = seen.findings
    assert finding.message.startswith("MachineOSBuild layered-a pushed its image and is still building: ")
    assert "registry.example.com/a/b/layered:1 has 2 namespace segments" in finding.message


def published(**build: t.Any) -> tuple[dict[str, t.Any], BuildProgress]:
    """Return a MachineOSConfig whose build succeeded, and its progress."""
    config = machine_os_config(build="layered-a", image=image_of("a"), observed_generation=1)
    obj = machine_os_build()
    obj["metadata"]["labels"].update(build)
    return config, progress(config, obj)


def test_image_of_the_run_is_a_success() -> None:
    config, seen = published()
    read = MachineOSConfig.from_api(config)
    assert seen.line == f"build layered-a: succeeded, {image_of('a')}"
    assert bound_to_image(RunSpec(image=image_of("a")), read, seen) == seen
    assert bound_to_image(RunSpec(), read, seen) == seen


def test_another_image_than_the_one_of_the_run_is_no_success() -> None:
    config, seen = published()
    bound = bound_to_image(RunSpec(image=image_of("b")), MachineOSConfig.from_api(config), seen)
    assert (bound.outcome, bound.findings) == (Outcome.WAITING, ())
    assert bound.line == "MachineOSConfig layered: has another image than this run built"
    late = bound.after(120)
    why = f"the build of this run has the image {image_of('b')}, and the MachineOSConfig has {image_of('a')}"
    assert [(f.id.value, str(f.object), f.message) for f in late.findings] == [
        ("build.identity_unverified", CONFIG, why)
    ]


def test_seeded_image_is_said_to_be_seeded() -> None:
    dummy, seen = published(**{"machineconfiguration.openshift.io/pre-built-image": "true"})
    assert seen.line == f"build layered-a: seeded, not built from the Containerfile, {image_of('a')}"
    messages = [(f.id.value, str(f.object), f.message) for f in seen.findings]
    assert messages == [
        (
            "build.seeded",
            BUILD,
            (
                f"MachineOSBuild layered-a was seeded with {image_of('a')}; nothing was built from the Containerfile "
                "of MachineOSConfig layered"
            ),
        )
    ]


def test_pool_that_is_not_rendered_has_no_build() -> None:
    read = MachineOSConfig.from_api(machine_os_config())
    for rendered, line in (
        (RENDERED, "MachineOSConfig layered: the operator has started no build yet"),
        ("", "MachineOSConfig layered: its pool is not rendered yet"),
    ):
        seen = build_progress(read, [], rendered)
        assert seen.line == line
        assert seen.findings == (Finding(seen.findings[0].id, seen.findings[0].object, line),)
        assert (seen.findings[0].id.value, str(seen.findings[0].object)) == ("build.not_started", CONFIG)
        assert seen.not_started
