# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifests of docs/docsite/rbac: each is enough, holds nothing that is not used, and what is missing is named.

That apply is enough for the playbook is shown in test_playbooks.py, which runs it as that account.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from accounts import (
    CREATE_EXEC,
    EXPLAINS,
    OPTIONAL,
    Account,
    Permission,
    forbidden,
    granted,
    make_account,
    manifest,
    unused,
    without,
)
from oc_client import oc_beside
from pools import config_options, containerfile

if t.TYPE_CHECKING:
    from ansible_run import Ansible, TaskResult
    from audit_log import AuditLog
    from conftest import During
    from lab.facts import Facts
    from lab.kube_rest import Api
    from pools import BuiltPool

OPERATOR = "openshift-machine-config-operator"
MCO = "machineconfiguration.openshift.io"
VERIFY = "imagemode.openshift.verify"
OTHER = "sha256:" + "0" * 64

SECURITY = Permission("use", "securitycontextconstraints", "security.openshift.io")


def test_verification_by_asking_takes_what_its_manifest_grants(
    ansible: Ansible, audit: AuditLog, rolled_out: BuiltPool, account: t.Callable[[str], Account]
) -> None:
    verifier = account("verify")
    reader = ansible.with_environment(K8S_AUTH_KUBECONFIG=str(verifier.kubeconfig))
    with audit.recording() as recording:
        run = reader.run_playbook(VERIFY, variables={"image_mode_pool": rolled_out.name})
        module, dummy = reader.run_module("node_image_verify", {"pool": rolled_out.name})
    assert run.rc == 0, run.output
    assert (module["verdict"], module["transport"], module["account"]) == ("match", "pod_exec", verifier.user)
    assert not forbidden(recording, verifier)
    assert unused(granted(manifest("verify")), recording.by(user=verifier.user)) <= {CREATE_EXEC}
    assert not [r for r in recording.by(user=verifier.user) if r.is_write and r.subresource != "exec"]


def test_a_pool_without_a_machineosconfig_is_proven_with_a_manifest_of_its_own_and_unknown_without_it(
    ansible: Ansible, audit: AuditLog, api: Api, lab: Facts, account: t.Callable[[str], Account], tmp_path: Path
) -> None:
    plain = {"pool": "worker", "nodes": ["worker-5"]}
    without_it = ansible.with_environment(K8S_AUTH_KUBECONFIG=str(account("verify").kubeconfig))
    unknown, dummy = without_it.run_module("node_image_verify", plain)
    assert (unknown["verdict"], unknown.failed) == ("unknown", True)
    assert unknown["nodes"][0]["findings"][0]["id"] == "cluster.expectation_forbidden"
    assert unknown["nodes"][0]["booted"]["digest"] == lab.base_image.partition("@")[2]
    named, dummy = without_it.run_module("node_image_verify", {**plain, "expected_image": lab.base_image})
    assert named["verdict"] == "match", named.msg

    right = manifest("rendered-configs")
    right[-1]["subjects"][0]["name"] = "prover"
    prover = without(manifest("verify"), Permission("nothing", "at-all"), "prover")
    reader = make_account(api, lab, [*prover, *right], tmp_path)
    with_it = ansible.with_environment(K8S_AUTH_KUBECONFIG=str(reader.kubeconfig))
    with audit.recording() as recording:
        proven, dummy = with_it.run_module("node_image_verify", plain)
    assert proven["verdict"] == "match", proven.msg
    assert not forbidden(recording, reader)
    assert not unused(granted(manifest("rendered-configs")), recording.by(user=reader.user))


def test_an_audit_by_the_api_takes_what_its_manifest_grants_and_asks_no_node(
    ansible: Ansible, audit: AuditLog, rolled_out: BuiltPool, account: t.Callable[[str], Account]
) -> None:
    auditor = account("audit")
    reader = ansible.with_environment(K8S_AUTH_KUBECONFIG=str(auditor.kubeconfig))
    asked = {"image_mode_transport": "api", "image_mode_fail_on": ["mismatch"]}
    with audit.recording() as recording:
        run = reader.run_playbook(VERIFY, variables={"image_mode_pool": rolled_out.name, **asked})
        layered = {"pool": rolled_out.name, "transport": "api", "fail_on": ["mismatch"]}
        refuted, dummy = reader.run_module("node_image_verify", {**layered, "expected_image": OTHER})
        unsure, dummy = reader.run_module("node_image_verify", layered)
    assert run.rc == 0, run.output
    assert (refuted["verdict"], refuted.failed) == ("mismatch", True)
    assert (unsure["verdict"], unsure.failed) == ("unknown", False)
    assert not forbidden(recording, auditor)
    assert not unused(granted(manifest("audit")), recording.by(user=auditor.user))


def test_who_may_not_run_commands_is_told_so_and_what_is_said_of_the_nodes(
    ansible: Ansible, rolled_out: BuiltPool, account: t.Callable[[str], Account]
) -> None:
    reader = ansible.with_environment(K8S_AUTH_KUBECONFIG=str(account("audit").kubeconfig))
    told, run = reader.run_module("node_image_verify", {"pool": rolled_out.name})
    assert (told.failed, told["verdict"], told["transport"]) == (True, "unknown", "api")
    for right in ("list pods", "get pods/exec", "create pods/exec"):
        assert f"{right} in namespace {OPERATOR}" in run.output.replace("\n", " ")


def test_verification_by_oc_debug_takes_what_its_manifest_grants(
    ansible: Ansible, audit: AuditLog, account: t.Callable[[str], Account], rolled_out: BuiltPool
) -> None:
    debugger = account("debug")
    with_oc = oc_beside(ansible).with_environment(K8S_AUTH_KUBECONFIG=str(debugger.kubeconfig))
    with audit.recording() as recording:
        options = {"pool": rolled_out.name, "transport": "oc_debug"}
        proven, dummy = with_oc.run_module("node_image_verify", options)
        assert proven["verdict"] == "match", proven.msg
    # oc looks for the cluster's own image of tools and gets along without; OpenShift lets everybody read it.
    assert not [request for request in forbidden(recording, debugger) if not request.endswith("/imagestreams/tools")]
    assert unused(granted(manifest("debug")), recording.by(user=debugger.user)) == {SECURITY}


# What is missing --------------------------------------------------------------------------------------------------


def asked_of(module: str, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
    """Return the task of a module."""
    return {f"imagemode.openshift.{module}": options, "check_mode": check}


def what_takes(permission: Permission, lab: Facts, pool: str) -> dict[str, t.Any]:
    """Return a task that cannot be done without a permission of apply, or one that gets along without it."""
    verify = asked_of("node_image_verify", pool=pool, transport="pod_exec")
    # worker-5 never comes into the pool, so there is something to watch. A refused watch ends the wait at once or,
    # where the refusal comes behind the first line of progress, after the minute that it gives what it has listed.
    # What is only good to know lets it last to its end.
    seconds = 8 if permission in EXPLAINS else 120
    wait = asked_of("machineconfigpool_wait", pool=pool, nodes=["worker-5"], fail_on_findings=[], timeout=seconds)
    wait["imagemode.openshift.machineconfigpool_wait"]["progress"] = "none"
    login = {"registry_username": "robot", "registry_password": "not-a-password", "registry": "other.example.com"}
    edit = {"containerfile": containerfile("echo another"), "allow_node_reboots": True}
    writes = {
        ("get", "machineconfigpools"): asked_of("machineconfigpool", pool=pool),
        ("create", "machineconfigpools"): asked_of("machineconfigpool", check=True, pool="unborn"),
        ("patch", "machineconfigpools"): asked_of("machineconfigpool", check=True, pool=pool, max_unavailable="3"),
        ("create", "machineosconfigs"): asked_of("machineosconfig", check=True, **config_options(lab, "unborn")),
        ("patch", "machineosconfigs"): asked_of("machineosconfig", check=True, **config_options(lab, pool, **edit)),
        ("delete", "machineosbuilds"): asked_of("machineosbuild_superseded", check=True, pool=pool),
        ("patch", "nodes"): asked_of("machineconfigpool_nodes", check=True, pool=pool, nodes=["worker-5"]),
        ("get", "secrets"): asked_of("registry_secret", check=True, name="push", **login),
        ("create", "secrets"): asked_of("registry_secret", check=True, name="unborn", **login),
        ("patch", "secrets"): asked_of("registry_secret", check=True, name="push", **login),
    }
    return writes.get((permission.verb, permission.resource)) or (wait if permission.verb == "watch" else verify)


def told_by(result: TaskResult) -> str:
    """Return everything that a result says went wrong."""
    found = [f["message"] for node in result.result.get("nodes") or [] for f in node.get("findings") or []]
    return "\n".join([result.msg, *found])


def run_without_each(
    name: str, tasks: t.Mapping[Permission, dict[str, t.Any]], ansible: Ansible, api: Api, lab: Facts, folder: Path
) -> dict[Permission, TaskResult]:
    """Run each task as an account that lacks one permission of a manifest."""
    listed = []
    for number, (permission, task) in enumerate(tasks.items()):
        objects = without(manifest(name), permission, f"{name}-without-{number}")
        account = make_account(api, lab, objects, folder)
        (action,) = [key for key in task if "." in key]
        options = {**task[action], "kubeconfig": str(account.kubeconfig)}
        listed.append({**task, action: options, "name": str(number), "ignore_errors": True})
    run = ansible.run_tasks(listed)
    return {permission: run.of(str(number)) for number, permission in enumerate(tasks)}


@pytest.fixture
def superseded(during: During, rolled_out: BuiltPool) -> t.Iterator[None]:
    """Something for apply to delete: a build that comes before the one that answers."""
    with during("older-build-first", rolled_out.name):
        yield


@pytest.mark.parametrize("name", ["verify", "audit", "apply"])
def test_a_missing_permission_is_named_and_an_optional_one_is_not_missed(
    name: str,
    request: pytest.FixtureRequest,
    ansible: Ansible,
    api: Api,
    lab: Facts,
    rolled_out: BuiltPool,
    tmp_path: Path,
) -> None:
    if name == "apply":
        request.getfixturevalue("superseded")
    permissions = sorted(granted(manifest(name)) - {CREATE_EXEC})
    tasks = {p: what_takes(p, lab, rolled_out.name) for p in permissions}
    if name != "apply":
        way = {"transport": "pod_exec"} if name == "verify" else {"transport": "api", "fail_on": ["mismatch"]}
        tasks = dict.fromkeys(permissions, asked_of("node_image_verify", pool=rolled_out.name, **way))
    optional = OPTIONAL | EXPLAINS if name == "apply" else OPTIONAL
    # Granted in all namespaces for the drains and in one for the daemons: both go together.
    needed = [p for p in permissions if p not in optional or (p.resource == "pods" and p.verb == "list")]
    wrong = []
    for permission, result in run_without_each(name, tasks, ansible, api, lab, tmp_path).items():
        if permission in needed and permission.refusal not in told_by(result):
            wrong.append(f"{permission} is not named: {told_by(result) or result.outcome}")
        if permission in needed and not result.failed:
            wrong.append(f"{permission} is not missed")
        if permission not in needed and permission.refusal in told_by(result):
            wrong.append(f"{permission} is missed: {told_by(result)}")
        if permission not in needed and permission.verb != "watch" and result.failed:
            wrong.append(f"without {permission}: {result.msg}")
    assert not wrong, "\n".join(wrong)
