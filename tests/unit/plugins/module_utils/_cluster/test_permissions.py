# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.permissions import Right, missing_rights
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import forbidden

PODS = Right("delete", "pods", "operators")
BUILDS = Right("delete", "machineosbuilds", "", "machineconfiguration.openshift.io")


def test_right_that_the_api_server_denies_is_missing(api, session):
    api.denied.add("delete pods")
    assert missing_rights(session, [PODS, BUILDS]) == [PODS]


def test_review_names_the_group_of_a_resource_that_has_one(api, session):
    missing_rights(session, [PODS, BUILDS])
    of_pods, of_builds = (request.body["spec"]["resourceAttributes"] for request in api.requests)
    assert "group" not in of_pods
    assert (of_builds["group"], of_builds["namespace"]) == ("machineconfiguration.openshift.io", "")


def test_review_that_fails_counts_as_a_right(api, session):
    api.always_fail("selfsubjectaccessreviews", forbidden("selfsubjectaccessreviews"))
    assert missing_rights(session, [PODS]) == []


@pytest.mark.parametrize(
    ("right", "text"), [(PODS, "delete pods in namespace operators"), (BUILDS, "delete machineosbuilds")]
)
def test_right_is_named_with_its_namespace(right, text):
    assert str(right) == text
