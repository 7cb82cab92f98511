# SPDX-License-Identifier: GPL-3.0-or-later
"""What the manifests of docs/docsite/rbac never grant. tests/integration shows that each is enough for its job."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml

_FOLDER = Path(__file__).resolve().parents[3] / "docs/docsite/rbac"
_MANIFESTS = {path.name: yaml.safe_load(path.read_text(encoding="utf-8"))["items"] for path in _FOLDER.iterdir()}
_GUIDE = _FOLDER.parent / "rst/guide_permissions.rst"
_READS = {"get", "list", "watch"}
_NAMED = {
    "clusterversions": ["version"],
    "infrastructures": ["cluster"],
    "clusteroperators": ["machine-config"],
    "daemonsets": ["machine-config-daemon"],
}
"""Resources of which each job reads one object."""


def _rules() -> t.Iterator[tuple[str, str, dict[str, t.Any]]]:
    """Yield every rule with its manifest, and the namespace that its role is limited to."""
    for name, objects in _MANIFESTS.items():
        for role in objects:
            for rule in role.get("rules", []):
                yield name, role["metadata"].get("namespace", ""), rule


def _granting(resource: str, *verbs: str) -> set[tuple[str, str]]:
    """Return which manifests grant one of the verbs on a resource, and in which namespace."""
    return {
        (name, namespace)
        for name, namespace, rule in _rules()
        if resource in rule["resources"] and set(verbs) & set(rule["verbs"])
    }


def test_only_the_manifest_of_its_own_reads_machineconfigs_which_contain_the_global_pull_secret():
    assert _granting("machineconfigs", *_READS) == {("rendered-configs.yaml", "")}


def test_no_manifest_reads_controllerconfigs_or_configmaps_which_contain_pull_secrets_too():
    assert not _granting("controllerconfigs", *_READS)
    assert not _granting("configmaps", *_READS)


def test_only_the_manifest_of_its_own_reads_virtual_machines_which_contain_passwords():
    assert _granting("virtualmachineinstances", *_READS) == {("virtual-machines.yaml", "")}


def test_secrets_are_granted_to_one_job_in_one_namespace_and_read_changed_and_deleted_by_name_only():
    verbs = ("get", "list", "watch", "create", "patch", "update", "delete", "deletecollection")
    namespace = "openshift-machine-config-operator"
    manifests = ("apply.yaml", "v1alpha1.yaml", "secret-removal.yaml")
    assert _granting("secrets", *verbs) == {(name, namespace) for name in manifests}
    assert _granting("secrets", "create", "patch") == {("apply.yaml", namespace)}
    assert _granting("secrets", "delete") == {("secret-removal.yaml", namespace)}
    assert not _granting("secrets", "list", "watch", "update", "deletecollection")
    for dummy, dummy_namespace, rule in _rules():
        if "secrets" in rule["resources"]:
            assert rule.get("resourceNames") or rule["verbs"] == ["create"]


def test_a_manifest_that_audits_writes_nothing_and_runs_nothing():
    granted = {verb for name, dummy, rule in _rules() if name == "audit.yaml" for verb in rule["verbs"]}
    assert granted <= _READS
    resources = {resource for name, dummy, rule in _rules() if name == "audit.yaml" for resource in rule["resources"]}
    assert not resources & {"pods", "pods/log", "pods/exec", "secrets", "configmaps", "machineconfigs"}


@pytest.mark.parametrize("part", ["apiGroups", "resources", "verbs", "resourceNames"])
def test_no_rule_has_a_wildcard(part):
    assert [name for name, dummy, rule in _rules() if any("*" in value for value in rule.get(part, []))] == []


def test_no_manifest_can_raise_its_own_rights():
    verbs = {"bind", "escalate", "impersonate"}
    assert [name for name, dummy, rule in _rules() if verbs & set(rule["verbs"])] == []
    assert [name for name, dummy, rule in _rules() if "rbac.authorization.k8s.io" in rule["apiGroups"]] == []
    assert not _granting("serviceaccounts/token", "create")


def test_only_the_manifest_for_v1alpha1_deletes_what_a_build_left_and_only_in_the_namespace_of_the_operator():
    place = {("v1alpha1.yaml", "openshift-machine-config-operator")}
    assert _granting("configmaps", "delete") == place
    assert _granting("pods", "delete") == place | {("debug.yaml", "")}


@pytest.mark.parametrize("name", ["v1alpha1.yaml", "secret-removal.yaml", "virtual-machines.yaml"])
def test_manifest_in_addition_to_apply_is_bound_to_its_account(name):
    subjects = [subject for obj in _MANIFESTS[name] for subject in obj.get("subjects", [])]
    assert {(subject["name"], subject["namespace"]) for subject in subjects} == {("apply", "imagemode")}


def test_commands_run_in_the_namespace_of_the_operator_only():
    manifests = {name for name, dummy in _granting("pods/exec", "get", "create")}
    assert manifests == {"apply.yaml", "verify.yaml"}
    assert {namespace for dummy, namespace in _granting("pods/exec", "get", "create")} == {
        "openshift-machine-config-operator"
    }


def test_an_object_whose_name_is_known_is_granted_by_its_name():
    for name, dummy, rule in _rules():
        for resource in _NAMED.keys() & set(rule["resources"]):
            assert rule.get("resourceNames") == _NAMED[resource], name


@pytest.mark.parametrize("name", sorted(_MANIFESTS))
def test_each_manifest_and_the_guide_state_what_an_account_can_reach_in_the_worst_case(name):
    assert "Worst case: " in (_FOLDER / name).read_text(encoding="utf-8")
    assert f"* - ``{name}``" in _GUIDE.read_text(encoding="utf-8")
