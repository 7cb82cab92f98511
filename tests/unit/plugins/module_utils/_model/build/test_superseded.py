# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.superseded import (
    builds_being_deleted,
    deletion_patch,
    superseded_builds,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosbuild import MachineOSBuild
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosconfig import MachineOSConfig
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    OLD_RENDERED,
    RENDERED,
    image_of,
    machine_config_pool,
    machine_os_build,
    machine_os_config,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.merge_patch import merged
from hypothesis import given
from hypothesis import strategies as st

CONFIG = MachineOSConfig.from_api(machine_os_config(build="layered-c", image=image_of("c")))


def names(*builds: dict[str, t.Any]) -> list[str]:
    return [build.name for build in superseded_builds(CONFIG, map(MachineOSBuild.from_api, builds), RENDERED)]


def test_every_build_before_the_current_one_is_superseded_in_the_order_of_use():
    assert names(*map(machine_os_build, ("layered-b", "layered-d", "layered-c", "layered-a"))) == [
        "layered-a",
        "layered-b",
    ]


def test_build_after_the_current_one_is_not_superseded():
    assert names(machine_os_build("layered-c"), machine_os_build("layered-d")) == []
    assert names(machine_os_build("layered-c")) == []


def test_build_with_the_same_image_and_those_after_it_are_not_superseded():
    same = machine_os_build("layered-a", image=image_of("c"))
    assert names(same, machine_os_build("layered-b"), machine_os_build("layered-c")) == []


@pytest.mark.parametrize(
    "other",
    [
        machine_os_build("layered-a", rendered=OLD_RENDERED),
        machine_os_build("layered-a", config="other"),
        machine_os_build("layered-a", state="Failed"),
        machine_os_build("layered-a", state="Building"),
        machine_os_build("layered-a", state=""),
    ],
    ids=["another rendered config", "another MachineOSConfig", "failed", "building", "without a state"],
)
def test_build_that_the_controller_does_not_use_is_not_superseded(other):
    assert names(other, machine_os_build("layered-c")) == []


@given(st.sets(st.sampled_from("abcdefgh")), st.sampled_from("abcdefgh"))
def test_without_superseded_builds_the_first_build_has_the_image(others, current):
    config = MachineOSConfig.from_api(machine_os_config(build=f"layered-{current}", image=image_of(current)))
    builds = [MachineOSBuild.from_api(machine_os_build(f"layered-{letter}")) for letter in {*others, current}]
    superseded = superseded_builds(config, builds, RENDERED)
    left = sorted(build.name for build in builds if build not in superseded)
    assert left[0] == f"layered-{current}"
    assert superseded_builds(config, [build for build in builds if build not in superseded], RENDERED) == []


def test_recorded_deletion_is_read_back_and_removed_by_an_empty_patch():
    pool = merged(machine_config_pool(), deletion_patch(["layered-b/2", "layered-a/1"]))
    assert builds_being_deleted(pool) == ["layered-a/1", "layered-b/2"]
    assert builds_being_deleted(merged(pool, deletion_patch([]))) == []
    assert builds_being_deleted(machine_config_pool()) == []
