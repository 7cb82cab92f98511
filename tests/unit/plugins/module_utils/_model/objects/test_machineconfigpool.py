# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects import machineconfigpool as model
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineconfigpool import (
    Pool,
    WantedPool,
    new_object,
    pool_patch,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    OWN,
    machine_config_pool,
    render_degraded,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.merge_patch import merged
from hypothesis import given
from hypothesis import strategies as st

ROLE = "node-role.kubernetes.io/"


def roles(*names: str) -> dict[str, str]:
    return {ROLE + name: "" for name in names}


@pytest.mark.parametrize(
    ("pool", "labels", "selected"),
    [
        (machine_config_pool(match_labels={"zone": "a"}), {"zone": "a"}, True),
        (machine_config_pool(match_labels={"zone": "a"}), {"zone": "b"}, False),
        (machine_config_pool(match_labels={"zone": "a", "gpu": ""}), {"zone": "a"}, False),
        (
            machine_config_pool(match_expressions=[{"key": "zone", "operator": "In", "values": ["a"]}]),
            {"zone": "a"},
            True,
        ),
        (machine_config_pool(match_expressions=[{"key": "zone", "operator": "Exists"}]), {}, False),
        (
            machine_config_pool(match_labels={"gpu": ""}, match_expressions=[{"key": "zone", "operator": "Exists"}]),
            {"gpu": "", "zone": "a"},
            True,
        ),
        (
            machine_config_pool(match_labels={"gpu": ""}, match_expressions=[{"key": "zone", "operator": "Exists"}]),
            {"gpu": ""},
            False,
        ),
    ],
)
def test_node_selector_decides_and_not_the_name_of_a_label(pool, labels, selected):
    assert Pool.from_api(pool).selects(labels) is selected


def test_empty_selector_selects_no_node():
    everybody = {**machine_config_pool(), "spec": {"nodeSelector": {}}}
    assert not Pool.from_api(everybody).selects({"zone": "a"})
    assert not Pool.from_api({"metadata": {"name": "bare"}}).selects({"zone": "a"})


@pytest.mark.parametrize(
    ("pool", "labels"),
    [
        (machine_config_pool(), roles("layered")),
        (machine_config_pool(match_labels={"zone": "a", "gpu": ""}), {"zone": "a", "gpu": ""}),
        (machine_config_pool(match_expressions=[{"key": "zone", "operator": "Exists"}]), None),
        (machine_config_pool(match_labels={"a": ""}, match_expressions=[{"key": "b", "operator": "Exists"}]), None),
        (machine_config_pool(match_labels={}), None),
    ],
)
def test_membership_labels_require_a_selector_of_labels_only(pool, labels):
    assert Pool.from_api(pool).membership_labels() == labels


def test_new_pool_includes_the_worker_configs_and_is_marked_as_ours():
    created = new_object(WantedPool("layered"))
    assert (created["apiVersion"], created["kind"]) == ("machineconfiguration.openshift.io/v1", "MachineConfigPool")
    assert created["spec"] == {
        "machineConfigSelector": {
            "matchExpressions": [
                {
                    "key": "machineconfiguration.openshift.io/role",
                    "operator": "In",
                    "values": ["worker", "layered"],
                }
            ]
        },
        "nodeSelector": {"matchLabels": roles("layered")},
    }
    assert Pool.from_api(created).created_by_us
    assert not Pool.from_api(created).paused


def written_by_us(pool: dict[str, t.Any]) -> dict[str, t.Any]:
    """The pool as the API server keeps it when we wrote its pause."""
    noted = [{"manager": "imagemode.openshift", "fieldsV1": {"f:spec": {"f:paused": {}}}}]
    return {**pool, "metadata": {**pool["metadata"], "managedFields": noted}}


def test_pool_created_paused_is_paused_by_us():
    created = Pool.from_api(written_by_us(new_object(WantedPool("layered", paused=True))))
    assert (created.paused, created.paused_by_us) == (True, True)


def test_pause_by_another_client_under_our_old_annotation_is_not_ours():
    pool = machine_config_pool(paused=True, annotations={OWN + "paused-by": "imagemode.openshift"})
    pool["metadata"]["managedFields"] = [{"manager": "kubectl-edit", "fieldsV1": {"f:spec": {"f:paused": {}}}}]
    assert not Pool.from_api(pool).paused_by_us


def entry(manager: str = "imagemode.openshift", operation: str = "Update", **more: t.Any) -> dict[str, t.Any]:
    """An entry of managedFields as the API server writes it."""
    fields = {"f:spec": {".": {}, "f:paused": {}}}
    return {"manager": manager, "operation": operation, "fieldsType": "FieldsV1", "fieldsV1": fields, **more}


def paused_by(*entries: dict[str, t.Any], mark: str = "imagemode.openshift") -> dict[str, t.Any]:
    """A paused pool with our mark and these managers."""
    pool = machine_config_pool(paused=True, annotations={OWN + "paused-by": mark})
    return {**pool, "metadata": {**pool["metadata"], "managedFields": list(entries)}}


OF_STATUS = {"manager": "machine-config-controller", "operation": "Update", "fieldsV1": {"f:status": {}}}
OF_SELECTOR = entry("argocd", "Apply", fieldsV1={"f:spec": {"f:nodeSelector": {}}})


@pytest.mark.parametrize(
    "entries",
    [
        [entry()],
        [entry(), entry(apiVersion="machineconfiguration.openshift.io/v2")],
        [OF_STATUS, OF_SELECTOR, entry(), {"manager": "nothing"}],
    ],
)
def test_pause_is_ours_if_no_other_manager_owns_it(entries):
    assert Pool.from_api(paused_by(*entries)).paused_by_us


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (entry("argocd-controller", "Apply"), "argocd-controller by Apply"),
        (entry("kubectl-edit"), "kubectl-edit by Update"),
        (entry(operation="Apply"), "imagemode.openshift by Apply"),
        (entry(subresource="scale"), "imagemode.openshift by Update"),
        (entry("whole", "Apply", fieldsV1={"f:spec": {}}), "whole by Apply"),
        (entry(""), "unnamed by Update"),
    ],
)
def test_pause_that_another_manager_sets_as_well_is_not_ours(other, named):
    for entries in ([entry(), other], [other, entry()]):
        pool = paused_by(*entries)
        assert not Pool.from_api(pool).paused_by_us
        assert model.reason_to_keep_pause(pool).endswith(f"by another client ({named})")
        assert not Pool.from_api(model.reduced(pool)).paused_by_us


@pytest.mark.parametrize(
    ("entries", "named"),
    [
        ([], ""),
        ([OF_STATUS], ""),
        ([entry()], "this collection"),
        ([entry("kubectl-edit")], "kubectl-edit"),
        ([entry("oc"), entry(), entry("argocd", "Apply"), entry("oc", "Apply")], "argocd and oc and this collection"),
        ([entry("")], "an unnamed client"),
    ],
)
def test_managers_of_a_pause_are_named(entries, named):
    pool = paused_by(*entries)
    assert Pool.from_api(pool).paused_by == Pool.from_api(model.reduced(pool)).paused_by == named


def test_pool_that_is_not_paused_has_no_manager_of_a_pause():
    pool = paused_by(entry("oc"))
    assert Pool.from_api({**pool, "spec": {**pool["spec"], "paused": False}}).paused_by == ""


@pytest.mark.parametrize(
    ("pool", "reason"),
    [
        (paused_by(), "metadata.managedFields does not show which client paused it"),
        (paused_by(OF_STATUS), "metadata.managedFields does not show which client paused it"),
        (paused_by(entry("oc")), "it was paused by another client (oc by Update)"),
        (paused_by(entry(), mark="me"), "it was paused by another client"),
        (paused_by(entry(), entry("oc"), mark="me"), "it was paused by another client (oc by Update)"),
    ],
)
def test_pause_without_proof_of_our_ownership_is_not_ours(pool, reason):
    assert not Pool.from_api(pool).paused_by_us
    assert model.reason_to_keep_pause(pool) == reason


def test_unpause_applies_only_to_the_pool_version_that_was_read():
    pool = paused_by(entry())
    pool["metadata"]["resourceVersion"] = "7"
    assert pool_patch(pool, WantedPool("layered", paused=False))["metadata"]["resourceVersion"] == "7"
    assert "resourceVersion" not in pool_patch(machine_config_pool(), WantedPool("layered", paused=True))["metadata"]


@pytest.mark.parametrize(("asked", "written"), [("2", 2), ("0", 0), ("25%", "25%")])
def test_max_unavailable_is_written_as_the_api_requires(asked, written):
    assert new_object(WantedPool("layered", max_unavailable=asked))["spec"]["maxUnavailable"] == written
    assert pool_patch(machine_config_pool(), WantedPool("layered", max_unavailable=asked)) == {
        "spec": {"maxUnavailable": written}
    }


@pytest.mark.parametrize(
    ("current", "wanted"),
    [
        (machine_config_pool(), WantedPool("layered")),
        (machine_config_pool(), WantedPool("layered", node_selector=roles("layered"), paused=False)),
        (machine_config_pool(maxUnavailable=2), WantedPool("layered", max_unavailable="2")),
        (machine_config_pool(maxUnavailable="10%"), WantedPool("layered", max_unavailable="10%")),
        (machine_config_pool(paused=True), WantedPool("layered", paused=True)),
    ],
)
def test_pool_that_matches_the_request_is_not_written(current, wanted):
    assert pool_patch(current, wanted) == {}


def test_pause_sets_our_annotation_and_unpause_removes_it():
    patch = pool_patch(machine_config_pool(), WantedPool("layered", paused=True))
    held = written_by_us(merged(machine_config_pool(), patch))
    assert Pool.from_api(held).paused_by_us
    released = merged(held, pool_patch(held, WantedPool("layered", paused=False)))
    assert not Pool.from_api(released).paused
    assert OWN + "paused-by" not in released["metadata"]["annotations"]


_LABELS = st.dictionaries(st.sampled_from(["zone", "tier", "gpu"]), st.sampled_from(["", "a", "b"]), min_size=1)
_EXPRESSIONS = st.lists(st.just({"key": "zone", "operator": "Exists"}), max_size=1)
_PAUSED: st.SearchStrategy[t.Any] = st.none() | st.booleans()


@given(_LABELS, _EXPRESSIONS, st.booleans(), _LABELS, _PAUSED, st.none() | st.sampled_from(["1", "5", "20%"]))
def test_patched_pool_matches_the_request(labels, expressions, paused, wanted_labels, wanted_paused, unavailable):
    current = machine_config_pool(match_labels=labels, match_expressions=expressions, paused=paused)
    wanted = WantedPool("layered", wanted_labels, wanted_paused, unavailable)
    patched = merged(current, pool_patch(current, wanted))
    pool = Pool.from_api(patched)
    assert pool.node_selector == {"matchLabels": wanted_labels}
    assert pool.paused is (paused if wanted_paused is None else wanted_paused)
    assert pool.max_unavailable == (unavailable or "")
    assert pool_patch(patched, wanted) == {}


@given(
    _LABELS,
    _EXPRESSIONS,
    st.booleans(),
    st.dictionaries(
        st.sampled_from([OWN + "paused-by", OWN + "created-by"]), st.sampled_from(["imagemode.openshift", "me"])
    ),
    st.sampled_from(["", "MachineConfig 99-x: unknown field"]),
)
def test_reduced_pool_reads_as_the_full_pool(labels, expressions, paused, annotations, error):
    pool = machine_config_pool(
        match_labels=labels, match_expressions=expressions, paused=paused, annotations=annotations, maxUnavailable=3
    )
    pool = render_degraded(pool, error) if error else pool
    assert Pool.from_api(model.reduced(pool)) == Pool.from_api(pool)


def test_render_error_is_the_message_of_the_condition():
    assert Pool.from_api(render_degraded(machine_config_pool(), "no such field")).render_error == "no such field"
    assert Pool.from_api(machine_config_pool()).render_error == ""


def test_message_of_a_false_condition_is_no_render_error():
    condition = {"type": "RenderDegraded", "status": "False", "message": "no such field"}
    over = {**machine_config_pool(), "status": {"conditions": [{"type": "Updated", "status": "True"}, condition]}}
    assert Pool.from_api(over).render_error == ""


def test_reduced_pool_has_no_foreign_annotations():
    pool = machine_config_pool(annotations={"kubectl.kubernetes.io/last-applied-configuration": "long" * 1000})
    assert "long" not in str(model.reduced(pool))


def test_diff_shows_the_fields_that_a_user_sets():
    pool = machine_config_pool(maxUnavailable=2)
    assert model.shown(None) == {}
    assert model.shown(pool) == {
        "metadata": {"name": "layered"},
        "spec": {"nodeSelector": {"matchLabels": roles("layered")}, "paused": False, "maxUnavailable": 2},
    }


# The pause of a rebuild -----------------------------------------------------------------------------------------------

REBUILD_MARK = {OWN + "paused-by": "imagemode.openshift", OWN + "paused-for": "rebuild"}


def paused_for_rebuild() -> dict[str, t.Any]:
    return machine_config_pool(paused=True, annotations=REBUILD_MARK)


def test_pause_of_a_rebuild_names_its_purpose_in_the_same_patch():
    current = {**machine_config_pool(), "metadata": {"name": "layered", "resourceVersion": "7"}}
    assert model.rebuild_pause(current) == {
        "metadata": {"resourceVersion": "7", "annotations": REBUILD_MARK},
        "spec": {"paused": True},
    }


def test_pause_of_a_rebuild_is_one_only_while_no_other_client_relies_on_it():
    pool = paused_for_rebuild()
    assert Pool.from_api(pool).paused_for_rebuild
    assert not Pool.from_api({**pool, "spec": {**pool["spec"], "paused": False}}).paused_for_rebuild
    assert not Pool.from_api({**pool, "metadata": {**pool["metadata"], "managedFields": []}}).paused_for_rebuild
    mark = {OWN + "paused-by": "imagemode.openshift"}
    assert not Pool.from_api(machine_config_pool(paused=True, annotations=mark)).paused_for_rebuild


def test_end_of_the_pause_of_a_rebuild_removes_what_marks_it():
    marks = {OWN + "paused-by": None, OWN + "paused-for": None}
    pool = paused_for_rebuild()
    pool["metadata"]["resourceVersion"] = "7"
    ended = {"metadata": {"resourceVersion": "7", "annotations": marks}, "spec": {"paused": False}}
    assert model.end_of_rebuild_pause(pool) == ended


def test_pause_of_another_client_stays_when_a_rebuild_ends():
    pool = {**paused_for_rebuild(), "metadata": {"name": "layered", "annotations": REBUILD_MARK}}
    patch = model.end_of_rebuild_pause(pool)
    assert patch["metadata"]["annotations"] == {OWN + "paused-for": None}
    assert "spec" not in patch


@pytest.mark.parametrize("wanted", [True, False])
def test_pause_that_the_user_requests_is_no_longer_that_of_a_rebuild(wanted):
    patch = pool_patch(paused_for_rebuild(), WantedPool("layered", paused=wanted))
    assert patch["metadata"]["annotations"][OWN + "paused-for"] is None
    assert ("spec" in patch) is not wanted


def test_pool_options_that_are_no_pause_keep_the_one_of_a_rebuild():
    assert pool_patch(paused_for_rebuild(), WantedPool("layered")) == {}
