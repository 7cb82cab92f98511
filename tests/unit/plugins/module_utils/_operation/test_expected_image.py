# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.plugins.module_utils._model.inventory import node_variables
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineconfigpool import Pool
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    MACHINE_CONFIG,
    MACHINE_OS_BUILD,
    MACHINE_OS_CONFIG,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.proof.verdict import Expected
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.expected_image import (
    expectation_of_pool,
    expected_by_inventory,
    expected_by_option,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    OLD_RENDERED,
    RENDERED,
    digest_of,
    image_of,
    machine_config_pool,
    machine_os_build,
    machine_os_config,
    node,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import forbidden, refusal

POOL = Pool.from_api(machine_config_pool())
BUILT = machine_os_config(build="layered-a", image=image_of("a"), observed_generation=1)


def expected(session, pool: Pool = POOL) -> Expected:
    return expectation_of_pool(session, pool, session.list(MACHINE_OS_CONFIG).items).expected


def test_the_callers_word_is_taken_with_a_digest_only():
    assert expected_by_option(digest_of("a"), "try").digest == digest_of("a")
    with pytest.raises(OperationError, match=r"^Could not try: expected_image: quay.io/os:t has no digest"):
        expected_by_option("quay.io/os:t", "try")


def test_the_image_of_the_build_that_answers_is_expected(api, session):
    api.keep(MACHINE_OS_CONFIG, BUILT)
    api.keep(MACHINE_OS_BUILD, machine_os_build("layered-a"))
    assert expected(session) == Expected(image_of("a"), digest_of("a"), "machineosconfig", True)


@pytest.mark.parametrize(
    ("config", "build"),
    [
        (BUILT, machine_os_build("layered-a", rendered=OLD_RENDERED)),
        (BUILT, machine_os_build("layered-b")),
        (
            machine_os_config(
                build="layered-a", image=image_of("a"), generation=2, observed_generation=1, edits=[("oc", "9999")]
            ),
            machine_os_build("layered-a"),
        ),
        (machine_os_config(build="layered-b", image=image_of("a")), machine_os_build("layered-b", state="Building")),
        (machine_os_config(build="layered-b", image=image_of("a")), machine_os_build("layered-b", state="Failed")),
    ],
    ids=["another rendered config", "its build is gone", "edited since", "being built", "failed"],
)
def test_an_image_that_does_not_answer_for_the_present_spec_is_not_current(config, build, api, session):
    api.keep(MACHINE_OS_CONFIG, config)
    api.keep(MACHINE_OS_BUILD, build)
    image = expected(session)
    assert (image.digest, image.current) == (digest_of("a"), False)


def test_before_the_first_image_nothing_is_expected(api, session):
    api.keep(MACHINE_OS_CONFIG, machine_os_config())
    assert expected(session) == Expected(
        "", "", "machineosconfig", False, "MachineOSConfig layered: the operator has started no build yet"
    )


def rendered(image: str) -> dict:
    return {"kind": "MachineConfig", "metadata": {"name": RENDERED}, "spec": {"osImageURL": image}}


def test_a_pool_that_is_not_layered_expects_its_rendered_configs_image(api, session):
    api.keep(MACHINE_CONFIG, rendered(image_of("a")))
    assert expected(session) == Expected(image_of("a"), digest_of("a"), "machineconfig", True)


def test_without_the_right_on_machineconfigs_the_image_is_not_known_and_that_is_no_error(api, session):
    api.always_fail("/machineconfigs/", forbidden("machineconfigs"))
    image = expected(session)
    assert image == Expected("", "", "forbidden", current=False)
    said = node_variables(node(), "layered", image, None)["image_mode_expected"]
    assert expected_by_inventory(said, "try") == image


@pytest.mark.parametrize("status", [401, 404, 422])
def test_a_machineconfig_that_cannot_be_read_for_another_reason_is_an_error(status, api, session):
    api.always_fail("/machineconfigs/", refusal(status, "Other", "no", name=RENDERED))
    with pytest.raises(OperationError, match=f"^Could not get MachineConfig {RENDERED}: "):
        expected(session)


@pytest.mark.parametrize("image", ["", "quay.io/os:t"])
def test_a_rendered_config_without_a_digest_expects_nothing(image, api, session):
    api.keep(MACHINE_CONFIG, rendered(image))
    with pytest.raises(OperationError, match=f"the image of MachineConfig {RENDERED} has no digest"):
        expected(session)


@pytest.mark.parametrize("pool", [machine_config_pool(rendered=""), {"metadata": {"name": "bare"}}])
def test_a_pool_that_is_not_rendered_expects_nothing(pool, api, session):
    with pytest.raises(OperationError, match="is not rendered yet"):
        expected(session, Pool.from_api(pool))
