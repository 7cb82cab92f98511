# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineconfigpool import WantedPool
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    MACHINE_CONFIG_POOL,
    MACHINE_OS_CONFIG,
    NODE,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.apply_pool import PoolRequest, apply_pool
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    OWN,
    all_pools,
    machine_config_pool,
    machine_os_config,
    node,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import LOSE_ANSWER, refusal

OURS = {OWN + "created-by": "imagemode.openshift"}
HELD = {**OURS, OWN + "paused-by": "imagemode.openshift"}


def ask(name: str = "layered", present: bool = True, check: bool = False, **wanted: t.Any) -> PoolRequest:
    return PoolRequest(present, WantedPool(name, **wanted), check)


def test_a_pool_that_is_missing_is_created(api, session):
    done = apply_pool(session, ask(max_unavailable="2"))
    assert done["changed"]
    assert done["pool"] == {
        "name": "layered",
        "paused": False,
        "paused_by_us": False,
        "created_by_us": True,
        "max_unavailable": "2",
        "rendered_config": None,
    }
    assert api.kept(MACHINE_CONFIG_POOL, "layered")["spec"]["maxUnavailable"] == 2


def test_a_pool_whose_creation_was_done_though_its_answer_was_lost_is_created_once_and_has_changed(api, session):
    api.fail("fieldManager", LOSE_ANSWER)
    done = apply_pool(session, ask(max_unavailable="2"))
    assert done["changed"]
    assert [request.method for request in api.writes] == ["POST", "POST"]  # the second was refused: it exists


def test_a_pool_that_somebody_else_has_just_created_as_wanted_has_not_changed(api, session):
    api.fail("fieldManager", refusal(409, "AlreadyExists", "it exists", name="layered"))
    api.fail("machineconfigpools/layered", refusal(404, "NotFound", "not yet", name="layered"))
    api.keep(MACHINE_CONFIG_POOL, machine_config_pool())
    assert not apply_pool(session, ask())["changed"]


def test_a_pool_that_is_as_wanted_costs_one_request(api, session):
    api.keep(MACHINE_CONFIG_POOL, machine_config_pool())
    assert not apply_pool(session, ask(paused=False))["changed"]
    assert len(api.requests) == 1


def test_a_name_that_is_too_long_is_refused(api, session):
    with pytest.raises(
        OperationError, match=r"^Could not create MachineConfigPool a-pool-with-a-long-name: .*23 characters"
    ):
        apply_pool(session, ask("a-pool-with-a-long-name"))
    assert api.writes == []


def test_a_pool_is_held_and_released(api, session):
    api.keep(MACHINE_CONFIG_POOL, machine_config_pool())
    held = apply_pool(session, ask(paused=True))["pool"]
    assert (held["paused"], held["paused_by_us"]) == (True, True)
    released = apply_pool(session, ask(paused=False))["pool"]
    assert (released["paused"], released["paused_by_us"]) == (False, False)


def test_a_pause_by_somebody_else_is_never_undone(api, session):
    api.keep(MACHINE_CONFIG_POOL, machine_config_pool(paused=True))
    with pytest.raises(OperationError, match="it was paused by another client"):
        apply_pool(session, ask(paused=False))
    assert api.writes == []


STATES_IT_TOO = {"manager": "argocd", "operation": "Apply", "fieldsV1": {"f:spec": {"f:paused": {}}}}


def stated_by_another(pool: dict[str, t.Any]) -> dict[str, t.Any]:
    """The pool once somebody else states by server-side apply that it is paused."""
    managers = [*pool["metadata"]["managedFields"], STATES_IT_TOO]
    return {**pool, "metadata": {**pool["metadata"], "managedFields": managers}}


def test_a_pause_that_somebody_else_states_by_server_side_apply_is_not_released_and_he_is_named(api, session):
    api.keep(MACHINE_CONFIG_POOL, stated_by_another(machine_config_pool(annotations=HELD, paused=True)))
    with pytest.raises(OperationError) as refused:
        apply_pool(session, ask(paused=False))
    assert str(refused.value) == (
        "Could not unpause MachineConfigPool layered: it was paused by this collection and by another client "
        "(argocd by Apply). Find out who paused it; when no other manager sets spec.paused, unpause it with oc."
    )
    assert api.writes == []
    assert apply_pool(session, ask(max_unavailable="2"))["pool"]["paused_by_us"] is False


def test_a_pause_that_somebody_else_states_between_our_look_and_our_write_is_not_released(api, session, monkeypatch):
    pool = machine_config_pool(annotations=HELD, paused=True)
    api.keep(MACHINE_CONFIG_POOL, pool)
    patch = session.patch

    def late(*arguments: t.Any, **more: t.Any) -> t.Any:
        api.keep(MACHINE_CONFIG_POOL, stated_by_another(pool))
        return patch(*arguments, **more)

    monkeypatch.setattr(session, "patch", late)
    with pytest.raises(OperationError, match=r"by another client \(argocd by Apply\)"):
        apply_pool(session, ask(paused=False))
    assert api.kept(MACHINE_CONFIG_POOL, "layered")["spec"]["paused"]


def test_a_pause_is_not_released_once_the_proof_that_it_is_ours_was_removed(api, session):
    pool = machine_config_pool(annotations=HELD, paused=True)
    api.keep(MACHINE_CONFIG_POOL, {**pool, "metadata": {**pool["metadata"], "managedFields": []}})
    with pytest.raises(OperationError, match="managedFields does not show which client paused it"):
        apply_pool(session, ask(paused=False))
    assert api.writes == []


def test_a_pause_by_somebody_else_is_not_made_ours(api, session):
    api.keep(MACHINE_CONFIG_POOL, machine_config_pool(paused=True))
    done = apply_pool(session, ask(paused=True))
    assert (done["changed"], done["pool"]["paused_by_us"]) == (False, False)


@pytest.mark.parametrize("pool", ["worker", "master", "arbiter"])
def test_the_selector_of_a_built_in_pool_is_not_ours_to_change(pool, api, session):
    api.keep(MACHINE_CONFIG_POOL, *all_pools(), machine_config_pool("arbiter"))
    with pytest.raises(OperationError, match="built-in pool"):
        apply_pool(session, ask(pool, node_selector={"zone": "a"}))
    assert api.writes == []


def test_a_built_in_pool_can_be_held(api, session):
    api.keep(MACHINE_CONFIG_POOL, *all_pools())
    assert apply_pool(session, ask("worker", paused=True))["changed"]


def test_the_selector_of_a_pool_with_members_is_not_changed(api, session):
    api.keep(MACHINE_CONFIG_POOL, *all_pools())
    api.keep(NODE, node("worker-0"))
    with pytest.raises(OperationError, match=r"would move nodes \(worker-0\), which then drain and reboot"):
        apply_pool(session, ask(node_selector={"zone": "a"}))
    assert api.writes == []


def test_the_selector_of_an_empty_pool_is_replaced(api, session):
    api.keep(MACHINE_CONFIG_POOL, *all_pools())
    done = apply_pool(session, ask(node_selector={"zone": "a"}))
    assert done["resource"]["spec"]["nodeSelector"] == {"matchLabels": {"zone": "a"}}
    assert done["diff"]["before"]["spec"]["nodeSelector"] != done["diff"]["after"]["spec"]["nodeSelector"]


# Removal -------------------------------------------------------------------------------------------------------------


def test_a_pool_of_ours_is_removed(api, session):
    api.keep(MACHINE_CONFIG_POOL, machine_config_pool(annotations=OURS))
    done = apply_pool(session, ask(present=False))
    assert (done["changed"], done["pool"], done["diff"]["after"]) == (True, None, {})
    assert api.writes[0].body["preconditions"] == {"uid": "uid-of-layered"}


def test_a_pool_that_is_not_there_is_removed_without_a_write(api, session):
    assert not apply_pool(session, ask(present=False))["changed"]
    assert api.writes == []


def test_only_a_pool_that_we_created_is_removed(api, session):
    api.keep(MACHINE_CONFIG_POOL, *all_pools())
    with pytest.raises(OperationError, match="this collection did not create it"):
        apply_pool(session, ask(present=False))
    assert api.writes == []


def test_a_pool_with_members_is_not_removed(api, session):
    api.keep(MACHINE_CONFIG_POOL, *all_pools(), machine_config_pool(annotations=OURS))
    api.keep(NODE, node("worker-0"))
    with pytest.raises(OperationError, match="nodes are in it: worker-0"):
        apply_pool(session, ask(present=False))
    assert api.writes == []


def test_a_pool_that_a_machineosconfig_serves_is_not_removed(api, session):
    api.keep(MACHINE_CONFIG_POOL, machine_config_pool(annotations=OURS))
    api.keep(MACHINE_OS_CONFIG, machine_os_config("serving"))
    with pytest.raises(OperationError, match="it has MachineOSConfig serving"):
        apply_pool(session, ask(present=False))
    assert api.writes == []


@pytest.mark.parametrize(
    ("held", "asked"),
    [
        ([], ask(check=True)),
        ([machine_config_pool()], ask(paused=True, check=True)),
        ([machine_config_pool(annotations=HELD, paused=True)], ask(paused=False, check=True)),
        ([machine_config_pool(annotations=OURS)], ask(present=False, check=True)),
    ],
    ids=["create", "hold", "release", "remove"],
)
def test_check_mode_writes_nothing(held, asked, api, session):
    api.keep(MACHINE_CONFIG_POOL, *held)
    assert apply_pool(session, asked)["changed"]
    assert api.writes == []
    assert [r.query.get("dryRun") for r in api.requests if r.method != "GET"] == ["All"]
