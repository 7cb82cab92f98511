# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster that serves MachineOSConfigs in no version."""

from __future__ import annotations

import typing as t

import pytest
from lab.kube_rest import ApiError
from lab.v1alpha1.objects import CONFIGS
from polling import wait_until
from v1alpha1_lab import APPLY

if t.TYPE_CHECKING:
    from ansible_run import Ansible
    from lab.kube_rest import Api
    from v1alpha1_lab import V1alpha1Lab

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
PLURALS = ("machineosconfigs", "machineosbuilds")


def serve(api: Api, is_served: bool) -> None:
    """Let the API server serve the kinds of image mode, or not, and return when it does."""
    for plural in PLURALS:
        path = f"{DEFINITIONS}/{plural}.machineconfiguration.openshift.io"
        (version,) = api.get(path)["spec"]["versions"]
        api.patch(path, {"spec": {"versions": [{**version, "served": is_served}]}})
    wait_until(lambda: all(responds(api, CONFIGS.replace(PLURALS[0], plural)) is is_served for plural in PLURALS))


def responds(api: Api, path: str) -> bool:
    """Whether the API server serves a list."""
    try:
        api.get(path)
    except ApiError as error:
        return error.status != 404
    return True


@pytest.fixture
def unserved(old_lab: V1alpha1Lab) -> t.Iterator[V1alpha1Lab]:
    """The lab without the kinds of image mode."""
    serve(old_lab.api, False)
    yield old_lab
    serve(old_lab.api, True)


def test_apply_fails_with_one_clear_error(unserved: V1alpha1Lab, ansible: Ansible) -> None:
    run = ansible.run_playbook(APPLY, variables=unserved.variables("unserved", "true"))
    (failed,) = [result for result in run.results if result.failed]
    assert run.rc != 0
    assert (
        "does not serve machineosconfigs.machineconfiguration.openshift.io, neither as v1 nor as v1alpha1" in failed.msg
    )
    assert run.changed == 0
