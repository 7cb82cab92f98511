# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages name what the user sets where he is."""

from __future__ import annotations

import re

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import FINDINGS
from ansible_collections.imagemode.openshift.plugins.plugin_utils._variables.specification import specification
from ansible_collections.imagemode.openshift.plugins.plugin_utils._variables.validation import Caller
from ansible_collections.imagemode.openshift.plugins.plugin_utils._wording import wording_of

APPLY = Caller(playbook="apply")
VERIFY = Caller(playbook="verify")


@pytest.mark.parametrize(
    ("role", "text", "worded"),
    [
        ("build_image", "Raise timeout", "Raise image_mode_build_timeout"),
        ("roll_out", "Raise timeout", "Raise image_mode_rollout_timeout"),
        ("roll_out", "Raise stall_timeout", "Raise image_mode_rollout_stall_timeout"),
        ("roll_out", "Set allow_node_reboots=true, or", "Set image_mode_allow_node_reboots=true, or"),
        ("verify_nodes", "or set transport to pod_exec", "or set image_mode_transport to pod_exec"),
        ("verify_nodes", "Check the node, or raise node_timeout", "Check the node, or raise image_mode_node_timeout"),
        ("verify_nodes", "allowed_deviations: no", "image_mode_allowed_deviations: no"),
        ("roll_out", "remove it from nodes", "remove it from image_mode_nodes"),
        ("roll_out", "Add nodes to it (machineconfigpool_nodes)", "Add nodes to it (image_mode_nodes)"),
        ("roll_out", "remove (machineconfigpool_nodes with state=absent)", None),
        (
            "build_image",
            "Create it, for example with registry_secret",
            "Create it, for example with image_mode_secrets",
        ),
        (
            "roll_out",
            "Run machineosbuild_superseded (image_mode_delete_superseded=true in the playbooks). It",
            "Set image_mode_delete_superseded=true. It",
        ),
        (
            "build_image",
            "create the pool (machineconfigpool, or image_mode_create_pool in the playbooks)",
            "create the pool (image_mode_create_pool)",
        ),
        ("build_image", "Set ca_cert (K8S_AUTH_SSL_CA_CERT) to the file", "Set K8S_AUTH_SSL_CA_CERT to the file"),
        ("build_image", "or set kubeconfig to another one", "or set K8S_AUTH_KUBECONFIG to another one"),
        ("build_image", "Could not read kubeconfig /one: no", None),
        ("build_image", "the nodes of the pool reach a timeout", None),
        ("build_image", "image_mode_expected_image is set", None),
        ("build_image", "docs/docsite/rbac/rendered_image_push_spec", None),
    ],
)
def test_message_in_a_playbook_names_its_variables(role, text, worded):
    wording = wording_of(APPLY, role)
    assert wording.text(text) == (worded or text)
    assert wording.text(wording.text(text)) == (worded or text)


def test_message_names_no_variable_that_the_playbook_does_not_read():
    text = "Add nodes (machineconfigpool_nodes), or set allow_empty_pool (image_mode_allow_empty_pool in the playbooks)"
    assert wording_of(APPLY, "verify_nodes").text(text).endswith(" in the playbooks)")
    assert wording_of(VERIFY, "verify_nodes").text(text) == (
        "Add nodes (machineconfigpool_nodes), or set image_mode_allow_empty_pool"
    )


@pytest.mark.parametrize(
    ("role", "text", "worded"),
    [
        ("roll_out", "Raise timeout", "Raise roll_out_timeout"),
        ("verify_nodes", "or set expected_image", "or set verify_nodes_expected_image"),
        ("roll_out", "or set expected_image", "or set image_mode_expected_image"),
        ("roll_out", "Set ca_cert (K8S_AUTH_SSL_CA_CERT) to the file", None),
    ],
)
def test_message_in_a_role_names_its_options(role, text, worded):
    assert wording_of(Caller(role=role)).text(text) == (worded or text)


@pytest.mark.parametrize("finding", [pytest.param(entry, id=str(name)) for name, entry in FINDINGS.items()])
def test_remedy_of_a_finding_in_apply_names_no_option(finding):
    options = {option for v in specification().of_playbook("apply") for option in v.roles.values() if "_" in option}
    remedy = wording_of(APPLY, "build_image").text(finding.remedy)
    assert not options & set(re.findall(r"\w+", remedy))


def test_forecast_is_worded_in_its_lines_and_in_remedies():
    finding = {"id": "pool.older_build_selected", "message": "no", "remedy": "Set delete_superseded=true"}
    forecast = {"lines": ["Set delete_superseded=true to delete it", 1], "findings": [finding], "complete": False}
    assert wording_of(APPLY, "build_image").result({"forecast": forecast})["forecast"] == {
        "lines": ["Set image_mode_delete_superseded=true to delete it", 1],
        "findings": [{**finding, "remedy": "Set image_mode_delete_superseded=true"}],
        "complete": False,
    }


def test_result_is_worded_in_its_message_and_in_remedies_only():
    finding = {"id": "node.no_response", "message": "within node_timeout", "remedy": "Raise node_timeout"}
    worded = {**finding, "remedy": "Raise image_mode_node_timeout"}
    result = {"msg": "Raise node_timeout.", "nodes": [{"findings": [finding]}], "findings": [finding], "other": "pool"}
    assert wording_of(VERIFY, "verify_nodes").result(result) == {
        "msg": "Raise image_mode_node_timeout.",
        "nodes": [{"findings": [worded]}],
        "findings": [worded],
        "other": "pool",
    }


@pytest.mark.parametrize(
    "result",
    [{}, {"msg": 1}, {"findings": "x"}, {"findings": [1, {"remedy": 2}]}, {"nodes": [1]}, {"lines": 1, "forecast": []}],
)
def test_result_of_another_shape_is_kept(result):
    assert wording_of(VERIFY, "verify_nodes").result(result) == result
