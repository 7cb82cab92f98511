# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build_progress import (
    BuildProgress,
    Outcome,
    build_progress,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.machineosbuild import (
    BuildState,
    MachineOSBuild,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.machineosconfig import (
    MachineOSConfig,
    reduced,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    RENDERED,
    STATES,
    image_of,
    machine_os_build,
    machine_os_config,
)

MORNING = "2026-03-01T08:00:00Z"


def progress(config: dict, *builds: dict, rendered: str = RENDERED) -> BuildProgress:
    return build_progress(MachineOSConfig.from_api(config), [MachineOSBuild.from_api(b) for b in builds], rendered)


def ids(seen: BuildProgress) -> list[str]:
    return [finding.id for finding in seen.findings]


NEW = machine_os_config(build="layered-a")


@pytest.mark.parametrize(
    ("state", "line"),
    [
        ("", "build layered-a: waiting for its Job"),
        ("Prepared", "build layered-a: preparing"),
        ("Building", "build layered-a: building"),
        ("Succeeded", "build layered-a: succeeded, waiting for the MachineOSConfig to carry its digest"),
    ],
)
def test_a_build_under_way_is_waited_for_and_says_where_it_is(state, line):
    seen = progress(NEW, machine_os_build(state=state))
    assert (seen.outcome, seen.line, seen.findings) == (Outcome.WAITING, line, ())


@pytest.mark.parametrize(("state", "finding"), [("Failed", "build.failed"), ("Interrupted", "build.interrupted")])
def test_the_build_that_answers_ends_the_wait_when_it_ends_badly(state, finding):
    seen = progress(NEW, machine_os_build(state=state))
    assert (seen.outcome, ids(seen)) == (Outcome.FAILED, [finding])
    assert seen.findings[0].fatal
    assert seen.findings[0].object.name == "layered-a"


def test_success_is_the_digest_on_the_config():
    config = machine_os_config(build="layered-a", image=image_of("a"), observed_generation=1)
    seen = progress(config, machine_os_build())
    assert (seen.outcome, seen.state, seen.findings) == (Outcome.SUCCEEDED, BuildState.SUCCEEDED, ())
    assert image_of("a") in seen.line


def test_an_older_digest_on_the_config_is_no_success():
    config = machine_os_config(build="layered-b", image=image_of("a"), generation=1)
    assert progress(config, machine_os_build("layered-b")).outcome is Outcome.WAITING


def test_before_the_first_build_the_operator_is_waited_for():
    seen = progress(machine_os_config())
    assert (seen.outcome, seen.state, seen.build) == (Outcome.WAITING, BuildState.PENDING, None)
    assert ids(seen) == ["build.not_started"]
    assert "MachineOSConfig layered" in seen.line


def test_a_pool_that_is_not_rendered_is_said_to_be_the_reason():
    assert "not rendered yet" in progress(machine_os_config(), rendered="").line


@pytest.mark.parametrize("state", ["", *STATES])
def test_a_build_that_may_be_the_one_before_the_edit_ends_nothing(state):
    edited = machine_os_config(
        build="layered-a", generation=2, observed_generation=1, image=image_of("a"), edits=[("kubectl", MORNING)]
    )
    seen = progress(edited, machine_os_build(state=state, created=MORNING))
    assert (seen.outcome, seen.build, ids(seen)) == (Outcome.WAITING, None, ["build.identity_unproven"])
    assert not seen.findings[0].fatal


def rebuild_asked(config: dict) -> dict:
    """Return a MachineOSConfig whose rebuild was asked for and has not begun."""
    config["metadata"]["annotations"]["machineconfiguration.openshift.io/rebuild"] = ""
    return config


@pytest.mark.parametrize("state", ["Succeeded", "Failed", "Interrupted"])
def test_the_build_before_a_rebuild_that_was_asked_for_ends_nothing(state):
    config = rebuild_asked(machine_os_config(build="layered-a", image=image_of("a"), observed_generation=1))
    seen = progress(config, machine_os_build(state=state, image=image_of("a")))
    assert (seen.outcome, ids(seen)) == (Outcome.WAITING, ["build.identity_unproven"])
    assert "before the rebuild" in seen.findings[0].message


def test_a_rebuild_that_has_begun_says_where_it_is():
    config = rebuild_asked(machine_os_config(build="layered-a", image=image_of("a"), observed_generation=1))
    assert progress(config, machine_os_build(state="Building")).line == "build layered-a: building"


def test_a_wait_remembers_that_a_rebuild_was_asked_for():
    config = rebuild_asked(machine_os_config(build="layered-a"))
    assert MachineOSConfig.from_api(reduced(config)).rebuild_asked
