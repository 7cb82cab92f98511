# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects import resources
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    ObjectRef,
    annotations_of,
    conditions_of,
    is_ours,
    labels_of,
    metadata_of,
    pruned,
    true_condition_text,
)
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (resources.NODE.path(), "/api/v1/nodes"),
        (resources.NODE.path("worker-0"), "/api/v1/nodes/worker-0"),
        (resources.SECRET.path("push", "ns"), "/api/v1/namespaces/ns/secrets/push"),
        (resources.SECRET.path(namespace="ns"), "/api/v1/namespaces/ns/secrets"),
        (resources.POD.path(), "/api/v1/pods"),
        (resources.POD.path("p", "ns", "exec"), "/api/v1/namespaces/ns/pods/p/exec"),
        (
            resources.MACHINE_OS_CONFIG.path("layered"),
            "/apis/machineconfiguration.openshift.io/v1/machineosconfigs/layered",
        ),
        # a namespace says nothing about a kind that has none
        (
            resources.MACHINE_CONFIG_POOL.path(namespace="ns"),
            "/apis/machineconfiguration.openshift.io/v1/machineconfigpools",
        ),
    ],
)
def test_every_object_has_a_fixed_path(path, expected):
    assert path == expected


def test_an_object_is_named_with_its_namespace_if_it_has_one():
    assert str(ObjectRef("Node", "worker-0")) == "Node worker-0"
    assert str(ObjectRef("Secret", "push", "ns")) == "Secret ns/push"


@pytest.mark.parametrize("obj", [{}, {"metadata": None}, {"metadata": {}}, {"metadata": {"annotations": None}}])
def test_an_object_without_metadata_has_none_of_it(obj):
    assert annotations_of(obj) == labels_of(obj) == {}
    assert not metadata_of(obj).get("name")
    assert not is_ours(obj)


@pytest.mark.parametrize(("by", "ours"), [("imagemode.openshift", True), ("somebody", False)])
def test_ours_is_what_says_so(by, ours):
    assert is_ours({"metadata": {"annotations": {"imagemode.openshift/created-by": by}}}) is ours


@pytest.mark.parametrize(
    ("status", "conditions"),
    [
        ({}, {}),
        ({"conditions": None}, {}),
        (
            {"conditions": [{"type": "A", "status": "True"}, {"type": "B", "status": "Unknown"}, {"type": "C"}]},
            {"A": True, "B": False, "C": False},
        ),
    ],
)
def test_only_the_status_true_makes_a_condition_true(status, conditions):
    assert conditions_of({"status": status}) == conditions


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"message": "no such\n  secret", "reason": "RenderConfigFailed"}, "no such secret"),
        ({"message": "", "reason": "RenderConfigFailed"}, "RenderConfigFailed"),
        ({}, "Degraded"),
        ({"status": "False", "message": "no such secret"}, ""),
    ],
)
def test_text_of_a_true_condition_is_the_most_that_is_known_of_it(fields, text):
    obj = {"status": {"conditions": [{"type": "Degraded", "status": "True", **fields}]}}
    assert true_condition_text(obj, "Degraded") == text


def test_text_is_the_one_of_the_first_type_that_is_true():
    conditions = [{"type": name, "status": "True", "message": name.lower()} for name in ("B", "A")]
    assert true_condition_text({"status": {"conditions": conditions}}, "C", "A", "B") == "a"
    assert true_condition_text({"status": {"conditions": None}}, "A") == ""


@pytest.mark.parametrize(
    ("paths", "kept"),
    [
        ((), {}),
        (("metadata.name",), {"metadata": {"name": "a"}}),
        (("metadata.name", "spec.paused"), {"metadata": {"name": "a"}, "spec": {"paused": False}}),
        (("spec.configuration.name",), {"spec": {"configuration": {"name": "r"}}}),
        (("spec.configuration.missing", "spec.missing.name", "missing.x"), {}),
        (("status.conditions",), {}),
        (("kind",), {"kind": "Pool"}),
    ],
)
def test_a_pruned_object_keeps_the_named_fields_and_no_empty_places(paths, kept):
    obj = {
        "kind": "Pool",
        "metadata": {"name": "a", "uid": "1"},
        "spec": {"paused": False, "configuration": {"name": "r", "source": [1]}},
        "status": None,
    }
    assert pruned(obj, *paths) == kept


_TREES = st.dictionaries(
    st.sampled_from("abc"), st.dictionaries(st.sampled_from("abc"), st.integers() | st.none(), min_size=1)
)
_PATHS = st.lists(st.builds("{}.{}".format, st.sampled_from("abc"), st.sampled_from("abc")))


@given(_TREES, _PATHS)
def test_a_field_reads_the_same_in_the_pruned_object(obj, paths):
    kept = pruned(obj, *paths)
    for path in paths:
        outer, inner = path.split(".")
        assert kept.get(outer, {}).get(inner) == obj.get(outer, {}).get(inner)
    assert pruned(kept, *paths) == kept
