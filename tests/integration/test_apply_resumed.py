# SPDX-License-Identifier: GPL-3.0-or-later
"""apply, killed in the middle and started again: it goes on where it was, and does nothing twice.

Every phase is killed in tests/benchmarks/outages.py.
"""

from __future__ import annotations

import typing as t

from pools import BUILD_TIMEOUT, ROLLOUT_TIMEOUT, containerfile, push_spec

if t.TYPE_CHECKING:
    from ansible_run import Ansible
    from audit_log import AuditLog
    from lab.facts import Facts
    from lab.kube_rest import Api

APPLY = "imagemode.openshift.apply"
MACHINE_CONFIGURATION = "/apis/machineconfiguration.openshift.io/v1"


def test_a_run_that_is_killed_and_started_again_ends_like_one_that_was_not(
    ansible: Ansible, lab: Facts, api: Api, audit: AuditLog
) -> None:
    """Killed when the pool is there, when the image is being built, and when the node is on its way."""
    variables = {
        "image_mode_pool": "resumed",
        "image_mode_create_pool": True,
        "image_mode_containerfile": containerfile("echo resumed > /etc/pool"),
        "image_mode_rendered_image_push_spec": push_spec(lab, "resumed"),
        "image_mode_rendered_image_push_secret": "push",
        "image_mode_nodes": ["worker-7"],
        "image_mode_build_timeout": BUILD_TIMEOUT,
        "image_mode_rollout_timeout": ROLLOUT_TIMEOUT,
    }
    with audit.recording() as recording:
        for told in (
            r"TASK \[imagemode.openshift.build_image : Say which image",
            r"build resumed-\w+: (preparing|building)",
            r"pool resumed: 0 of 1 nodes done",
        ):
            ansible.kill_playbook(APPLY, told, variables)
        last = ansible.run_playbook(APPLY, variables=variables)
    assert last.rc == 0, last.output
    published = [result["ansible_stats"]["data"] for result in last.results if result.action.endswith("set_stats")]
    (entry,) = published[-1]["image_mode_result"]
    assert entry["verdict"] == "match"
    builds = api.get(f"{MACHINE_CONFIGURATION}/machineosbuilds")["items"]
    assert sum(build["metadata"]["name"].startswith("resumed-") for build in builds) == 1
    assert not api.get(f"{MACHINE_CONFIGURATION}/machineconfigpools/resumed")["spec"].get("paused")
    # The operator's MachineOSBuild is there once; of ours, each object was created once and the node labelled once.
    done = sorted((r.verb, r.resource) for r in recording.ours if r.is_write and "dryRun" not in r.uri and r.code < 400)
    assert done == [("create", "machineconfigpools"), ("create", "machineosconfigs"), ("patch", "nodes")]
