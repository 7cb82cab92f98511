# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifests of docs/docsite/rbac: each suffices, grants nothing unused, and a missing permission is named.

Each test runs in a lab of v1 and in a lab of v1alpha1. test_playbooks.py runs the playbook apply as the account of its
manifest with v1.
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
    manifests,
    unused,
    without,
)
from lab.release import V1, V1ALPHA1
from oc_client import with_oc
from pools import config_options, containerfile, variables_of

if t.TYPE_CHECKING:
    from ansible_run import Ansible, TaskResult
    from audit_log import AuditLog
    from conftest import During
    from lab.facts import Facts
    from lab.kube_rest import Api
    from pools import BuiltPool

pytestmark = pytest.mark.lab_api(V1, V1ALPHA1)

OPERATOR = "openshift-machine-config-operator"
MCO = "machineconfiguration.openshift.io"
VERIFY = "imagemode.openshift.verify"
PLAYBOOK = "imagemode.openshift.apply"
LOGIN = {"registry_username": "robot", "registry_password": "not-a-password", "registry": "other.example.com"}
APPLY = {V1: ("apply",), V1ALPHA1: ("apply", "v1alpha1")}
"""Version of MachineOSConfig -> the manifests for the playbook apply."""
PLAIN_NODE = {V1: "worker-5", V1ALPHA1: "worker-16"}
"""Version of MachineOSConfig -> a node in no custom pool."""
INTERNAL = "image-registry.openshift-image-registry.svc:5000/default/os:latest"
OTHER = "sha256:" + "0" * 64

SECURITY = Permission("use", "securitycontextconstraints", "security.openshift.io")
DAEMONS = Permission("get", "daemonsets", "apps", OPERATOR)
"""Used only before a Secret is deleted."""


def test_manifest_verify_is_what_a_verification_needs(
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


def test_manifest_rendered_configs_is_what_a_pool_without_a_machineosconfig_needs(
    ansible: Ansible, audit: AuditLog, api: Api, lab: Facts, account: t.Callable[[str], Account], tmp_path: Path
) -> None:
    plain = {"nodes": [PLAIN_NODE[lab.api]]}
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
        matching, dummy = with_it.run_module("node_image_verify", plain)
    assert matching["verdict"] == "match", matching.msg
    assert not forbidden(recording, reader)
    assert not unused(granted(manifest("rendered-configs")), recording.by(user=reader.user))


def test_manifest_audit_is_what_a_verification_by_reported_state_needs(
    ansible: Ansible, audit: AuditLog, rolled_out: BuiltPool, account: t.Callable[[str], Account]
) -> None:
    auditor = account("audit")
    reader = ansible.with_environment(K8S_AUTH_KUBECONFIG=str(auditor.kubeconfig))
    options = {"image_mode_transport": "api", "image_mode_fail_on": ["mismatch"]}
    with audit.recording() as recording:
        run = reader.run_playbook(VERIFY, variables={"image_mode_pool": rolled_out.name, **options})
        layered = {"pool": rolled_out.name, "transport": "api", "fail_on": ["mismatch"]}
        mismatch, dummy = reader.run_module("node_image_verify", {**layered, "expected_image": OTHER})
        unknown, dummy = reader.run_module("node_image_verify", layered)
    assert run.rc == 0, run.output
    assert (mismatch["verdict"], mismatch.failed) == ("mismatch", True)
    assert (unknown["verdict"], unknown.failed) == ("unknown", False)
    assert not forbidden(recording, auditor)
    assert not unused(granted(manifest("audit")), recording.by(user=auditor.user))


def test_account_that_cannot_run_commands_gets_the_reported_state_and_the_missing_permissions(
    ansible: Ansible, rolled_out: BuiltPool, account: t.Callable[[str], Account]
) -> None:
    reader = ansible.with_environment(K8S_AUTH_KUBECONFIG=str(account("audit").kubeconfig))
    result, dummy = reader.run_module("node_image_verify", {"pool": rolled_out.name})
    assert (result.failed, result["verdict"], result["transport"]) == (True, "unknown", "api")
    for right in ("list pods", "get pods/exec", "create pods/exec"):
        assert f"{right} in namespace {OPERATOR}" in " ".join(result["warnings"])


def test_manifest_debug_is_what_a_verification_by_oc_debug_needs(
    ansible: Ansible, audit: AuditLog, account: t.Callable[[str], Account], rolled_out: BuiltPool
) -> None:
    debugger = account("debug")
    debugging = with_oc(ansible).with_environment(K8S_AUTH_KUBECONFIG=str(debugger.kubeconfig))
    with audit.recording() as recording:
        options = {"pool": rolled_out.name, "transport": "oc_debug"}
        matching, dummy = debugging.run_module("node_image_verify", options)
        assert matching["verdict"] == "match", matching.msg
    # oc tries to read the imagestream of the tools image and continues without it; on OpenShift every user can.
    assert not [request for request in forbidden(recording, debugger) if not request.endswith("/imagestreams/tools")]
    assert unused(granted(manifest("debug")), recording.by(user=debugger.user)) == {SECURITY}


@pytest.mark.lab_api(V1ALPHA1)
def test_manifests_of_v1alpha1_are_what_an_edit_and_the_repair_of_a_failed_build_need(
    ansible: Ansible, audit: AuditLog, api: Api, lab: Facts, rolled_out: BuiltPool, tmp_path: Path
) -> None:
    objects = without(manifests(*APPLY[lab.api]), Permission("nothing", "at-all"), "rebuilder")
    rebuilder = make_account(api, lab, objects, tmp_path)
    applier = ansible.with_environment(K8S_AUTH_KUBECONFIG=str(rebuilder.kubeconfig))
    edit = variables_of(lab, rolled_out.name, image_mode_allow_node_reboots=True)
    failing = {**edit, "image_mode_containerfile": containerfile("exit 7")}
    repaired = {**edit, "image_mode_containerfile": containerfile("echo repaired > /etc/pool")}
    with audit.recording() as recording:
        failed = applier.run_playbook(PLAYBOOK, variables=failing)
        repair = applier.run_playbook(PLAYBOOK, variables=repaired)
    assert ["RUN exit 7" in entry["failure"] for entry in failed.published] == [True], failed.output
    assert repair.rc == 0, repair.output
    assert [entry["verdict"] for entry in repair.published] == ["match"]
    # The extensions of the pool are not checked then, which is a warning.
    assert not [request for request in forbidden(recording, rebuilder) if "/machineconfigs/" not in request]
    used = recording.by(user=rebuilder.user)
    assert unused(granted(manifest("v1alpha1")), used) == {DAEMONS}


def test_manifest_secret_removal_is_what_the_deletion_of_a_secret_needs(
    ansible: Ansible, audit: AuditLog, api: Api, lab: Facts, tmp_path: Path
) -> None:
    names = (*APPLY[lab.api], "secret-removal")
    absent = {"name": "unused", "state": "absent"}
    created, run = ansible.run_module("registry_secret", {"name": "unused", **LOGIN})
    assert created.changed, run.output

    removal = {Permission("delete", "secrets", "", OPERATOR), Permission("list", "machineosconfigs", MCO)}
    removal |= {DAEMONS} if lab.api == V1ALPHA1 else set()
    tasks = dict.fromkeys(sorted(removal), module_task("registry_secret", **absent))
    for permission, result in run_without_each(names, tasks, ansible, api, lab, tmp_path).items():
        assert result.failed, permission
        assert result.msg.startswith(f"Could not delete Secret {OPERATOR}/unused: ")
        assert permission.refusal in result.msg
        assert result.msg.endswith("Grant the account that right, or use another account.")

    remover = make_account(api, lab, without(manifests(*names), Permission("nothing", "at-all"), "remover"), tmp_path)
    with audit.recording() as recording:
        removed, run = ansible.with_environment(K8S_AUTH_KUBECONFIG=str(remover.kubeconfig)).run_module(
            "registry_secret", absent
        )
    assert removed.changed, run.output
    assert not forbidden(recording, remover)
    assert not unused(granted(manifest("secret-removal")), recording.by(user=remover.user))


# Missing permissions ----------------------------------------------------------------------------------------------


def module_task(module: str, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
    """Return the task of a module."""
    return {f"imagemode.openshift.{module}": options, "check_mode": check}


def task_that_uses(permission: Permission, lab: Facts, pool: str) -> dict[str, t.Any]:
    """Return a task that uses a permission of the manifests for apply."""
    verify = module_task("node_image_verify", pool=pool, transport="pod_exec")
    # worker-5 never joins the pool, so the wait lasts. A forbidden watch ends it at once or, after the first progress
    # line, when the listed objects are a minute old. Without an optional permission it lasts until its timeout.
    seconds = 8 if permission in EXPLAINS else 120
    wait = module_task("machineconfigpool_wait", pool=pool, nodes=["worker-5"], fail_on_findings=[], timeout=seconds)
    wait["imagemode.openshift.machineconfigpool_wait"]["progress"] = "none"
    edit = {"containerfile": containerfile("echo another"), "allow_node_reboots": True}
    patch_config = module_task("machineosconfig", check=True, **config_options(lab, pool, **edit))
    if permission.verb == "delete" and lab.api == V1ALPHA1:
        return patch_config
    writes = {
        ("get", "machineconfigpools"): module_task("machineconfigpool", pool=pool),
        ("create", "machineconfigpools"): module_task("machineconfigpool", check=True, pool="unborn"),
        ("patch", "machineconfigpools"): module_task("machineconfigpool", check=True, pool=pool, max_unavailable="3"),
        ("get", "namespaces"): module_task(
            "machineosconfig", check=True, **config_options(lab, "unborn", rendered_image_push_spec=INTERNAL)
        ),
        ("create", "machineosconfigs"): module_task("machineosconfig", check=True, **config_options(lab, "unborn")),
        ("patch", "machineosconfigs"): patch_config,
        ("delete", "machineosbuilds"): module_task("machineosbuild_superseded", check=True, pool=pool),
        ("patch", "nodes"): module_task("machineconfigpool_nodes", check=True, pool=pool, nodes=[PLAIN_NODE[lab.api]]),
        ("get", "secrets"): module_task("registry_secret", check=True, name="push", **LOGIN),
        ("create", "secrets"): module_task("registry_secret", check=True, name="unborn", **LOGIN),
        ("patch", "secrets"): module_task("registry_secret", check=True, name="push", **LOGIN),
    }
    return writes.get((permission.verb, permission.resource)) or (wait if permission.verb == "watch" else verify)


def messages_of(result: TaskResult) -> str:
    """Return the message of a task and the messages of its findings."""
    found = [f["message"] for node in result.result.get("nodes") or [] for f in node.get("findings") or []]
    return "\n".join([result.msg, *found])


def is_named(permission: Permission, result: TaskResult) -> bool:
    """Whether the messages name a permission: by the refusal of the API server, or by a check before any write."""
    place = f" in namespace {permission.namespace}" if permission.namespace else ""
    checked = f"the account may not {permission.verb} {permission.resource}{place}. Grant the account that right"
    return any(text in messages_of(result) for text in (permission.refusal, checked))


def run_without_each(
    names: t.Sequence[str],
    tasks: t.Mapping[Permission, dict[str, t.Any]],
    ansible: Ansible,
    api: Api,
    lab: Facts,
    folder: Path,
) -> dict[Permission, TaskResult]:
    """Run each task as an account without one permission of some manifests."""
    listed = []
    for number, (permission, task) in enumerate(tasks.items()):
        objects = without(manifests(*names), permission, f"{names[-1]}-without-{number}")
        account = make_account(api, lab, objects, folder)
        (action,) = [key for key in task if "." in key]
        options = {**task[action], "kubeconfig": str(account.kubeconfig)}
        listed.append({**task, action: options, "name": str(number), "ignore_errors": True})
    run = ansible.run_tasks(listed)
    return {permission: run.of(str(number)) for number, permission in enumerate(tasks)}


@pytest.fixture
def superseded(during: During, rolled_out: BuiltPool) -> t.Iterator[None]:
    """An older build that apply deletes."""
    with during("older-build-first", rolled_out.name):
        yield


@pytest.mark.parametrize("name", ["verify", "audit", "apply"])
def test_missing_permission_is_named_and_a_missing_optional_one_is_not(
    name: str,
    request: pytest.FixtureRequest,
    ansible: Ansible,
    api: Api,
    lab: Facts,
    rolled_out: BuiltPool,
    tmp_path: Path,
) -> None:
    names = APPLY[lab.api] if name == "apply" else (name,)
    if name == "apply" and lab.api == V1:
        request.getfixturevalue("superseded")
    permissions = sorted(granted(manifests(*names)) - {CREATE_EXEC, DAEMONS})
    if lab.api == V1ALPHA1:
        # A wait without a right to watch takes a minute. Both versions have the same watches.
        permissions = [permission for permission in permissions if permission.verb != "watch"]
    tasks = {p: task_that_uses(p, lab, rolled_out.name) for p in permissions}
    if name != "apply":
        way = {"transport": "pod_exec"} if name == "verify" else {"transport": "api", "fail_on": ["mismatch"]}
        tasks = dict.fromkeys(permissions, module_task("node_image_verify", pool=rolled_out.name, **way))
    optional = OPTIONAL | EXPLAINS if name == "apply" else OPTIONAL
    # Granted in all namespaces for the drains and in one for the daemons: both go together.
    needed = [p for p in permissions if p not in optional or (p.resource == "pods" and p.verb == "list")]
    wrong = []
    for permission, result in run_without_each(names, tasks, ansible, api, lab, tmp_path).items():
        if permission in needed and not is_named(permission, result):
            wrong.append(f"{permission} is not named: {messages_of(result) or result.outcome}")
        if permission in needed and not result.failed:
            wrong.append(f"{permission} is not needed")
        if permission not in needed and is_named(permission, result):
            wrong.append(f"{permission} is reported: {messages_of(result)}")
        if permission not in needed and permission.verb != "watch" and result.failed:
            wrong.append(f"without {permission}: {result.msg}")
    assert not wrong, "\n".join(wrong)


def test_secret_that_may_not_be_read_is_a_warning_and_the_change_is_made(
    ansible: Ansible, api: Api, lab: Facts, rolled_out: BuiltPool, tmp_path: Path
) -> None:
    unread = Permission("get", "secrets", "", OPERATOR)
    blind = make_account(api, lab, without(manifests(*APPLY[lab.api]), unread, "blind"), tmp_path)
    edit = {"containerfile": containerfile("echo another"), "rendered_image_push_secret": "unborn"}
    options = config_options(lab, rolled_out.name, allow_node_reboots=True, **edit)
    changed, run = ansible.with_environment(K8S_AUTH_KUBECONFIG=str(blind.kubeconfig)).run_module(
        "machineosconfig", options, "--check"
    )
    assert changed.changed, run.output
    warnings = " ".join(changed["warnings"])
    assert f"Secret {OPERATOR}/unborn was not checked: " in warnings
    assert unread.refusal in warnings
