# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.superseded import (
    mark_patch,
    marked,
    taken_instead,
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
    return [build.name for build in taken_instead(CONFIG, map(MachineOSBuild.from_api, builds), RENDERED)]


def test_every_build_that_comes_before_the_one_that_answers_is_in_its_way_in_the_order_they_would_be_taken():
    assert names(*map(machine_os_build, ("layered-b", "layered-d", "layered-c", "layered-a"))) == [
        "layered-a",
        "layered-b",
    ]


def test_a_build_that_comes_after_it_or_is_alone_is_in_nobodys_way():
    assert names(machine_os_build("layered-c"), machine_os_build("layered-d")) == []
    assert names(machine_os_build("layered-c")) == []


def test_a_build_of_the_same_image_lets_the_rollout_go_on_and_so_do_those_behind_it():
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
def test_a_build_that_the_controller_does_not_take_is_in_nobodys_way(other):
    assert names(other, machine_os_build("layered-c")) == []


@given(st.sets(st.sampled_from("abcdefgh")), st.sampled_from("abcdefgh"))
def test_without_what_is_in_the_way_the_first_build_has_the_image(others, answering):
    config = MachineOSConfig.from_api(machine_os_config(build=f"layered-{answering}", image=image_of(answering)))
    builds = [MachineOSBuild.from_api(machine_os_build(f"layered-{letter}")) for letter in {*others, answering}]
    instead = taken_instead(config, builds, RENDERED)
    left = sorted(build.name for build in builds if build not in instead)
    assert left[0] == f"layered-{answering}"
    assert taken_instead(config, [build for build in builds if build not in instead], RENDERED) == []


def test_the_mark_reads_back_and_the_patch_without_builds_takes_it_off():
    pool = merged(machine_config_pool(), mark_patch(["layered-b/2", "layered-a/1"]))
    assert marked(pool) == ["layered-a/1", "layered-b/2"]
    assert marked(merged(pool, mark_patch([]))) == []
    assert marked(machine_config_pool()) == []
