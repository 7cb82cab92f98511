# SPDX-License-Identifier: GPL-3.0-or-later
"""registry_secret against the real API: what it writes, what it keeps, and what it never prints."""

from __future__ import annotations

import base64
import json
import typing as t

if t.TYPE_CHECKING:
    from ansible_run import Ansible
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
