# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.run_spec import (
    ANY_RUN,
    RunSpec,
    run_spec_of,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosconfig import MachineOSConfig
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    LATER,
    NOON,
    digest_of,
    image_of,
    machine_os_config,
)

CONFIG = MachineOSConfig.from_api(machine_os_config(edits=[("imagemode.openshift", NOON), ("argocd", LATER)]))
RUN = RunSpec(CONFIG.spec_hash, image_of("a"))


def test_same_spec_is_no_change():
    assert RUN.changed_by_other("layered", CONFIG) == ""


def test_change_names_the_client():
    other = replace(CONFIG, spec_hash="sha256:other")
    assert RUN.changed_by_other("layered", other) == (
        "MachineOSConfig layered was changed by argocd after this run wrote it"
    )
    assert "by another client after" in RUN.changed_by_other("layered", replace(other, spec_changed_by=""))


def test_deleted_config_is_a_change():
    assert RUN.changed_by_other("layered", None) == (
        "the MachineOSConfig of MachineConfigPool layered was deleted after this run wrote it"
    )


@pytest.mark.parametrize("config", [CONFIG, None])
def test_run_that_wrote_no_spec_accepts_any(config):
    assert ANY_RUN.changed_by_other("layered", config) == ""
    assert ANY_RUN.other_image(image_of("b")) == ""


@pytest.mark.parametrize("image", [image_of("a"), f"mirror.example.com/os@{digest_of('a')}"])
def test_image_with_the_same_digest_is_the_image_of_the_run(image):
    assert RUN.other_image(image) == ""


def test_image_with_another_digest_is_not_the_image_of_the_run():
    assert RUN.other_image(image_of("b")) == (
        f"the build of this run has the image {image_of('a')}, and the MachineOSConfig has {image_of('b')}"
    )
    assert RUN.other_image("").endswith("and the MachineOSConfig has no image")


RESULT = {
    "machineosconfig": {"pool": "layered", "spec_hash": "sha256:s"},
    "build": {"digested_image_push_spec": image_of("a")},
}


def test_run_is_read_from_the_result_of_its_wait():
    assert run_spec_of(RESULT, "layered") == RunSpec("sha256:s", image_of("a"))
    assert run_spec_of({**RESULT, "build": None}, "layered") == RunSpec("sha256:s", "")


@pytest.mark.parametrize("result", [None, {}, "text", {"machineosconfig": None}, {"machineosconfig": "text"}])
def test_result_without_a_spec_binds_to_nothing(result):
    assert run_spec_of(result, "layered") == ANY_RUN


def test_result_for_another_pool_binds_to_nothing():
    assert run_spec_of(RESULT, "infra") == ANY_RUN
