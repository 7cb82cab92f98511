# SPDX-License-Identifier: GPL-3.0-or-later
"""Verification, inventory and report with MachineOSConfig v1alpha1, as on OpenShift 4.16."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_run import write_playbook
from jsonschema import Draft202012Validator
from lab.faults import Fault, FaultProxy
from lab.release import V1ALPHA1
from oc_client import with_oc
from polling import wait_until
from pools import PoolPlan, rollout_wait_task
from test_inventory import SCHEMA, THROUGH_DAEMON_PODS, VERIFY_HOSTS, source
from test_transports import DAEMONS, leftovers

if t.TYPE_CHECKING:
    from ansible_run import Ansible
    from lab.facts import Facts
    from lab.kube_rest import Api
    from pools import BuiltPool, Pools

pytestmark = pytest.mark.lab_api(V1ALPHA1)

NODE = "worker-17"
"""The node of the pool rolled-out."""
OTHER = "sha256:" + "0" * 64


def daemons(api: Api) -> dict[str, str]:
    """Return the running daemon pod of each node."""
    pods = api.get(DAEMONS, labelSelector="k8s-app=machine-config-daemon")["items"]
    kept = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"] and pod["status"]["phase"] == "Running"]
    return {pod["spec"]["nodeName"]: pod["metadata"]["name"] for pod in kept}


def booted(result: t.Mapping[str, t.Any]) -> dict[str, tuple[str, str]]:
    """Return node -> verdict and booted digest."""
    return {node["name"]: (node["verdict"], node["booted"]["digest"]) for node in result["nodes"]}


def test_pod_exec_distinguishes_the_image_of_the_pool_from_another(
    ansible: Ansible, rolled_out: BuiltPool, script_node: t.Callable[..., None]
) -> None:
    matching, dummy = ansible.run_module("node_image_verify", {"pool": rolled_out.name, "transport": "pod_exec"})
    script_node(NODE, "--boots", OTHER)
    mismatch, dummy = ansible.run_module("node_image_verify", {"pool": rolled_out.name, "transport": "pod_exec"})

    assert not matching.failed, matching.msg
    assert {node["expected"]["source"] for node in matching["nodes"]} == {"machineosconfig"}
    assert booted(matching.result) == {NODE: ("match", rolled_out.digest)}
    assert booted(mismatch.result) == {NODE: ("mismatch", OTHER)}
    assert mismatch.failed


def test_oc_debug_verifies_the_nodes_and_leaves_nothing_behind(
    ansible: Ansible, api: Api, rolled_out: BuiltPool
) -> None:
    arguments = {"pool": rolled_out.name, "transport": "oc_debug"}
    verified, dummy = with_oc(ansible).run_module("node_image_verify", arguments)

    assert not verified.failed, verified.msg
    assert booted(verified.result) == {NODE: ("match", rolled_out.digest)}
    wait_until(lambda: not leftovers(api))


def test_taint_that_stays_on_updated_nodes_is_no_sign_of_an_update(
    ansible: Ansible, api: Api, rolled_out: BuiltPool
) -> None:
    taints = [taint["key"] for taint in api.get(f"/api/v1/nodes/{NODE}")["spec"]["taints"]]
    assert "UpdateInProgress" in taints

    rolled = ansible.run_tasks([rollout_wait_task(rolled_out.name)]).of("Roll")
    verified, dummy = ansible.run_module("node_image_verify", {"pool": rolled_out.name})

    assert (rolled["rollout"]["done"], rolled["findings"]) == (1, [])
    assert [finding["id"] for node in verified["nodes"] for finding in node["findings"]] == []


def test_report_of_verify_proves_the_containerfile(ansible: Ansible, rolled_out: BuiltPool) -> None:
    variables = {"image_mode_pool": rolled_out.name, "image_mode_report_dir": "reports"}
    run = ansible.run_playbook("imagemode.openshift.verify", variables=variables)

    assert run.rc == 0, run.output
    (written,) = (ansible.scratch / "reports").glob("*.json")
    report = json.loads(written.read_text(encoding="utf-8"))
    Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(report)
    assert booted(report) == {NODE: ("match", rolled_out.digest)}
    assert report["containerfile"]["proven"] is True, report["containerfile"]["why_not"]
    assert f"echo {rolled_out.name} > /etc/pool" in report["containerfile"]["text"]
    (entry,) = run.published
    assert (entry["verdict"], entry["containerfile"]["proven"]) == ("match", True)


def plain(value: t.Any) -> t.Any:
    """Return a value of ``ansible-inventory --list``, which marks texts that are no templates."""
    return value["__ansible_unsafe"] if isinstance(value, dict) else value


def test_inventory_names_the_image_and_verify_hosts_proves_it_through_the_daemon_pods(
    ansible_with_kubectl: Ansible, rolled_out: BuiltPool
) -> None:
    file = source(ansible_with_kubectl, daemon_pods=True, compose=THROUGH_DAEMON_PODS)
    listed = ansible_with_kubectl.list_inventory("-i", file, "--list")
    assert listed.returncode == 0, listed.stderr
    inventory = json.loads(listed.stdout)
    group = f"pool_{rolled_out.name.replace('-', '_')}"
    assert inventory[group]["hosts"] == [NODE]
    expected = inventory["_meta"]["hostvars"][NODE]["image_mode_expected"]
    assert (plain(expected["pull_spec"]), expected["current"]) == (rolled_out.image, True)

    variables = {"image_mode_hosts": group, "image_mode_report_dir": "reports"}
    run = ansible_with_kubectl.run_playbook(VERIFY_HOSTS, "-i", file, variables=variables)

    assert run.rc == 0, run.output
    assert run.of("Summarize the verdicts of all hosts")["summary"]["match"] == 1
    (written,) = (ansible_with_kubectl.scratch / "reports").glob("*.json")
    assert booted(json.loads(written.read_text(encoding="utf-8"))) == {NODE: ("match", rolled_out.digest)}


def test_node_is_verified_in_the_new_pod_if_its_daemon_is_replaced_during_the_verification(
    ansible: Ansible, api: Api, lab: Facts, pools: Pools, rolled_out: BuiltPool
) -> None:
    proxy, before = FaultProxy(lab), daemons(api)
    arguments = {"pool": rolled_out.name, "transport": "pod_exec", "node_timeout": 300}
    playbook = write_playbook(ansible.scratch, [{"name": "Verify", "imagemode.openshift.node_image_verify": arguments}])
    through_proxy = ansible.with_environment(K8S_AUTH_KUBECONFIG=str(lab.kubeconfig_through_faults))

    with proxy.having(Fault("silence", path="/exec")), through_proxy.started_playbook(playbook) as verification:
        wait_until(lambda: proxy.faults()[0]["hits"])
        # Another pull secret of a pool makes the operator replace the daemons of all nodes.
        pools.start(other=PoolPlan(config={"current_image_pull_secret": "push"}))
        wait_until(lambda: before.keys() == daemons(api).keys() and not _common(before, daemons(api)))
        proxy.clear()
        run = verification.ended()

    assert run.rc == 0, run.output
    assert booted(run.of("Verify").result) == {NODE: ("match", rolled_out.digest)}


def _common(before: t.Mapping[str, str], after: t.Mapping[str, str]) -> set[str]:
    return set(before.values()) & set(after.values())
