# SPDX-License-Identifier: GPL-3.0-or-later
"""apply that is killed and started again continues, and does nothing twice.

tests/benchmarks/outages.py kills it in every phase.
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


def test_killed_apply_continues_when_it_is_started_again(
    ansible: Ansible, lab: Facts, api: Api, audit: AuditLog
) -> None:
    """Kill it when the pool exists, when the image is being built, and when the node is updating."""
    variables = {
        "image_mode_pool": "resumed",
        "image_mode_create_pool": True,
        "image_mode_containerfile": containerfile("sleep 20; echo resumed > /etc/pool"),
        "image_mode_rendered_image_push_spec": push_spec(lab, "resumed"),
        "image_mode_rendered_image_push_secret": "push",
        "image_mode_nodes": ["worker-7"],
        "image_mode_build_timeout": BUILD_TIMEOUT,
        "image_mode_rollout_timeout": ROLLOUT_TIMEOUT,
    }
    with audit.recording() as recording:
        for line in (
            r"TASK \[imagemode.openshift.build_image : Build the image",
            r"build resumed-\w+: (?!succeeded)",
            r"pool resumed: 0/1 nodes updated",
        ):
            ansible.kill_playbook(APPLY, line, variables)
        last = ansible.run_playbook(APPLY, variables=variables)
    assert last.rc == 0, last.output
    (entry,) = last.published
    assert entry["verdict"] == "match"
    builds = api.get(f"{MACHINE_CONFIGURATION}/machineosbuilds")["items"]
    assert sum(build["metadata"]["name"].startswith("resumed-") for build in builds) == 1
    assert not api.get(f"{MACHINE_CONFIGURATION}/machineconfigpools/resumed")["spec"].get("paused")
    # Each object was created once, and the node was labelled once.
    written = sorted(
        (r.verb, r.resource) for r in recording.ours if r.is_write and "dryRun" not in r.uri and r.code < 400
    )
    assert written == [("create", "machineconfigpools"), ("create", "machineosconfigs"), ("patch", "nodes")]
