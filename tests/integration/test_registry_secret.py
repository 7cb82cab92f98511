# SPDX-License-Identifier: GPL-3.0-or-later
"""registry_secret against the real API: what it writes, what it keeps, and what it never prints."""

from __future__ import annotations

import base64
import json
import typing as t

import pytest
from lab.release import V1, V1ALPHA1
from lab.scenarios.stage import CONFIGS
from lab.v1alpha1.objects import CONFIGS as OLDER_CONFIGS
from lab.v1alpha1.objects import DAEMON_SETS
from polling import wait_until
from pools import config_options

if t.TYPE_CHECKING:
    from ansible_run import Ansible
    from lab.facts import Facts
    from lab.kube_rest import Api

NAMESPACE = "openshift-machine-config-operator"
SECRETS = f"/api/v1/namespaces/{NAMESPACE}/secrets"
PASSWORD = "correct-horse-battery"
LOGIN = {"registry": "registry.example.com", "registry_username": "robot", "registry_password": PASSWORD}


def test_secret_is_written_once_and_its_password_is_never_printed(ansible: Ansible, api: Api) -> None:
    options = {"name": "robot", **LOGIN}
    created, run = ansible.run_module("registry_secret", options, "-vvv", "--diff")
    assert created.changed, created.msg
    assert PASSWORD not in run.stdout.split("playbook.yml")[-1]
    assert PASSWORD not in json.dumps(created.result)
    content = base64.b64decode(api.get(f"{SECRETS}/robot")["data"][".dockerconfigjson"]).decode()
    assert json.loads(content)["auths"]["registry.example.com"]["auth"]
    again, dummy = ansible.run_module("registry_secret", options)
    assert not again.changed
    other, dummy = ansible.run_module("registry_secret", {**options, "registry_password": "another"})
    assert other.changed
    removed, dummy = ansible.run_module("registry_secret", {"name": "robot", "state": "absent"})
    assert removed.changed, removed.msg


def test_other_content_of_a_secret_of_another_user_stays_as_it_is(ansible: Ansible, api: Api) -> None:
    helpers = '"credHelpers" : {"a.example.com": "helper"}'
    theirs = f'{{{helpers}, "auths": {{"b.example.com": {{}}, "c.example.com": {{"auth": "%"}}}}}}'
    data = {".dockerconfigjson": base64.b64encode(theirs.encode()).decode(), "another": "a2V5"}
    kind = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson"}
    api.create(SECRETS, {**kind, "metadata": {"name": "shared", "namespace": NAMESPACE}, "data": data})

    changed, dummy = ansible.run_module("registry_secret", {"name": "shared", **LOGIN})
    assert changed.changed, changed.msg
    now = api.get(f"{SECRETS}/shared")["data"]
    text = base64.b64decode(now[".dockerconfigjson"]).decode()
    assert now["another"] == "a2V5"
    assert text.startswith('{"credHelpers":{"a.example.com": "helper"},"auths":{"b.example.com":{},"c.example.com":')

    whole = json.dumps({"auths": {"registry.example.com": {"auth": "dTpw"}}})
    failed, dummy = ansible.run_module("registry_secret", {"name": "shared", "dockerconfigjson": whole})
    assert failed.failed
    assert "the credentials for b.example.com, c.example.com and credHelpers would be lost" in failed.msg


def test_invalid_dockerconfigjson_is_an_error_that_does_not_quote_it(ansible: Ansible) -> None:
    failed, dummy = ansible.run_module("registry_secret", {"name": "robot", "dockerconfigjson": f"{{{PASSWORD}"})
    assert failed.failed
    assert "dockerconfigjson is not valid: it is not JSON" in failed.msg
    assert PASSWORD not in json.dumps(failed.result)


@pytest.mark.lab_api(V1, V1ALPHA1)
def test_secret_that_a_machineosconfig_names_is_not_deleted(ansible: Ansible, api: Api, lab: Facts) -> None:
    secret = {"name": "Secret", "imagemode.openshift.registry_secret": {"name": "owned", **LOGIN}}
    pool = {"name": "Pool", "imagemode.openshift.machineconfigpool": {"pool": "owner"}}
    named = config_options(lab, "owner", rendered_image_push_secret="owned", base_image_pull_secret="owned")
    config = {"name": "Config", "imagemode.openshift.machineosconfig": named}
    absent = {"imagemode.openshift.registry_secret": {"name": "owned", "state": "absent"}, "ignore_errors": True}
    tries = [{"name": "Check", "check_mode": True, **absent}, {"name": "Delete", **absent}]
    run = ansible.run_tasks([secret, pool, config, *tries])
    api.delete(f"{CONFIGS if lab.api == V1 else OLDER_CONFIGS}/owner")
    for name in ("Check", "Delete"):
        assert run.of(name).msg == (
            f"Could not delete Secret {NAMESPACE}/owned: MachineOSConfig owner (rendered_image_push_secret, "
            "base_image_pull_secret) uses it. Delete the MachineOSConfig first, or set base_image_pull_secret and "
            "rendered_image_push_secret to another Secret."
        )
    removed, dummy = ansible.run_module("registry_secret", {"name": "owned", "state": "absent"})
    assert removed.changed, removed.msg
    assert api.find(SECRETS, "owned") is None


@pytest.mark.lab_api(V1ALPHA1)
def test_secret_with_which_nodes_pulled_is_not_deleted_because_the_daemons_mount_it(
    ansible: Ansible, api: Api, lab: Facts
) -> None:
    secret = {"name": "Secret", "imagemode.openshift.registry_secret": {"name": "mounted", **LOGIN}}
    pool = {"name": "Pool", "imagemode.openshift.machineconfigpool": {"pool": "mounter"}}
    options = config_options(lab, "mounter", current_image_pull_secret="mounted")
    config = {"name": "Config", "imagemode.openshift.machineosconfig": options}
    run = ansible.run_tasks([secret, pool, config])
    assert run.rc == 0, run.output
    absent = {"name": "mounted", "state": "absent"}
    named, dummy = ansible.run_module("registry_secret", absent, "--check")
    assert "MachineOSConfig mounter (current_image_pull_secret) uses it" in named.msg

    def is_mounted() -> bool:
        daemons = api.get(f"{DAEMON_SETS}/machine-config-daemon")["spec"]["template"]["spec"]
        return "mounted" in [volume["name"] for volume in daemons.get("volumes", [])]

    wait_until(is_mounted)
    api.delete(f"{OLDER_CONFIGS}/mounter")
    for flags in ([], ["--check"]):
        mounted, dummy = ansible.run_module("registry_secret", absent, *flags)
        assert mounted.failed
        assert "DaemonSet machine-config-daemon still mounts it" in mounted.msg
        assert "Keep it. To withdraw its credentials" in mounted.msg
    assert api.find(SECRETS, "mounted") is not None
