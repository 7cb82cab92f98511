# SPDX-License-Identifier: GPL-3.0-or-later
"""The project of extensions/aap, run by ansible-runner as a job of AWX or Automation Platform runs it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from job_run import PROJECT, Job, JobResult, Runner, answers, slice_of
from lab.faults import Fault, FaultProxy
from lab.kube_rest import Api
from pools import BUILD_TIMEOUT, ROLLOUT_TIMEOUT, containerfile, push_spec

if t.TYPE_CHECKING:
    from lab.facts import Facts
    from pools import BuiltPool

POOL = "layered"
NODES = ("worker-0", "worker-1")
EMPTY_INVENTORY: t.Mapping[str, t.Any] = {"_meta": {"hostvars": {}}}
SECRETS = """
- name: robot
  registry: {registry}
  registry_username: pusher
  registry_password_env: IMAGE_MODE_REGISTRY_PASSWORD
"""
MACHINE_CONFIGURATION = "/apis/machineconfiguration.openshift.io/v1"


@pytest.fixture
def runner(request: pytest.FixtureRequest, tmp_path: Path) -> Runner:
    """ansible-runner with the Ansible that is tested."""
    return Runner(request.config.getoption("--ansible"), tmp_path)


def token_of(lab: Facts, **more: str) -> dict[str, str]:
    """Return what the credential type "OpenShift or Kubernetes API Bearer Token" puts into the environment."""
    token = lab.admin_token_file.read_text(encoding="utf-8").strip()
    return {"K8S_AUTH_HOST": lab.api_url, "K8S_AUTH_API_KEY": token, **more}


@pytest.mark.parametrize("verify", ["True", "False"])
def test_job_needs_no_more_than_the_token_credential(
    verify: str, runner: Runner, lab: Facts, rolled_out: BuiltPool
) -> None:
    trust = {"K8S_AUTH_SSL_CA_CERT": str(lab.ca_cert)} if verify == "True" else {}
    credential = token_of(lab, K8S_AUTH_VERIFY_SSL=verify, **trust)
    variables = answers("Image mode verify", image_mode_pool=rolled_out.name)
    job = runner.run(Job("verify.yml", credential, variables, EMPTY_INVENTORY))
    assert (job.rc, job.status) == (0, "successful"), job.stdout
    assert {host: entry["verdict"] for host, entry in job.entries.items()} == {"localhost": "match"}
    assert job.entries["localhost"]["message"] == f"pool {rolled_out.name}: 2 of 2 nodes match"
    assert credential["K8S_AUTH_API_KEY"] not in job.stdout


def test_job_without_the_certificate_authority_fails_with_the_name_of_the_variable(runner: Runner, lab: Facts) -> None:
    variables = answers("Image mode verify", image_mode_pool="worker")
    job = runner.run(Job("verify.yml", token_of(lab, K8S_AUTH_VERIFY_SSL="True"), variables, EMPTY_INVENTORY))
    assert (job.rc != 0, job.status) == (True, "failed")
    assert "K8S_AUTH_SSL_CA_CERT" in job.entries["localhost"]["message"]


@dataclass(frozen=True)
class Rollout:
    """A workflow: its forecast, the output of a job that was killed, the job in its place, and the verification."""

    forecast: JobResult
    killed: str
    applied: JobResult
    verified: JobResult


@pytest.fixture(scope="module")
def rollout(request: pytest.FixtureRequest, second_lab: Facts, tmp_path_factory: pytest.TempPathFactory) -> Rollout:
    """Run the workflow for a new pool in the second lab; each job gets the artifacts of those before it."""
    runner = Runner(request.config.getoption("--ansible"), tmp_path_factory.mktemp("rollout"))
    credential = {
        "K8S_AUTH_KUBECONFIG": str(second_lab.kubeconfigs.admin),
        "IMAGE_MODE_REGISTRY_PASSWORD": second_lab.registry_password_files.pusher.read_text(encoding="utf-8").strip(),
    }
    asked = answers(
        "Image mode apply",
        image_mode_pool=POOL,
        image_mode_create_pool="true",
        image_mode_max_unavailable="2",
        image_mode_containerfile=containerfile("sleep 10; echo '{{ no }}' > /etc/pool"),
        image_mode_rendered_image_push_spec=push_spec(second_lab, POOL),
        image_mode_rendered_image_push_secret="robot",
        image_mode_secrets=SECRETS.format(registry=second_lab.registry_host),
        image_mode_nodes="\n".join(NODES) + "\n",
        image_mode_build_timeout=BUILD_TIMEOUT,
        image_mode_rollout_timeout=ROLLOUT_TIMEOUT,
    )
    forecast = runner.run(Job("apply.yml", credential, asked, EMPTY_INVENTORY, ("--check", "--diff")))
    apply = Job("apply.yml", credential, {**asked, **forecast.artifacts}, EMPTY_INVENTORY)
    with runner.started(apply) as started:
        killed = started.kill_when(rf"build {POOL}-\w+: (?!succeeded)")
    applied = runner.run(apply)
    verify = {**answers("Image mode verify", image_mode_pool=POOL), **forecast.artifacts, **applied.artifacts}
    verified = runner.run(Job("verify.yml", credential, verify, EMPTY_INVENTORY))
    return Rollout(forecast, killed, applied, verified)


def test_forecast_of_a_workflow_is_its_artifact_and_changes_nothing(rollout: Rollout) -> None:
    assert rollout.forecast.rc == 0, rollout.forecast.stdout
    (entry,) = rollout.forecast.entries.values()
    assert entry["verdict"] == "none"
    assert entry["forecast"]["reboots"] == 2
    assert entry["message"].startswith(f"pool {POOL}: forecast: ")


def test_relaunched_job_completes_the_rollout_of_the_killed_one(rollout: Rollout, second_lab: Facts) -> None:
    assert rollout.applied.rc == 0, rollout.applied.stdout
    (entry,) = rollout.applied.entries.values()
    assert (entry["verdict"], entry["counts"]["match"]) == ("match", 2)
    assert entry["forecast"] is None
    builds = Api(second_lab.kubeconfigs.admin).get(f"{MACHINE_CONFIGURATION}/machineosbuilds")["items"]
    assert [build["metadata"]["name"].rpartition("-")[0] for build in builds] == [POOL]
    assert f"MachineConfigPool {POOL}" not in entry["changed"]


def test_workflow_ends_with_the_verification_and_not_with_an_earlier_result(rollout: Rollout) -> None:
    assert rollout.verified.rc == 0, rollout.verified.stdout
    (entry,) = rollout.verified.entries.values()
    assert (entry["verdict"], entry["forecast"], entry["build"]) == ("match", None, None)
    assert entry["message"] == f"pool {POOL}: 2 of 2 nodes match"


def test_artifact_of_a_workflow_is_small_and_holds_no_secret(rollout: Rollout, second_lab: Facts) -> None:
    password = second_lab.registry_password_files.pusher.read_text(encoding="utf-8").strip()
    for job in (rollout.forecast, rollout.applied, rollout.verified):
        assert list(job.artifacts) == ["image_mode_result"]
        assert len(json.dumps(job.artifacts)) < 20_000
        assert password not in job.stdout + json.dumps(job.artifacts)
    assert password not in rollout.killed


@dataclass(frozen=True)
class Fleet:
    """Two pools in each of two clusters, as the example inventory of the project describes them."""

    credential: t.Mapping[str, str]
    inventory: t.Mapping[str, t.Any]
    proxy: FaultProxy

    def verify(self, inventory: t.Mapping[str, t.Any], *options: str) -> Job:
        """Return a job that verifies the pools of an inventory."""
        return Job("verify.yml", self.credential, answers("Image mode verify (inventory)"), inventory, options)


@pytest.fixture(scope="module")
def fleet(
    request: pytest.FixtureRequest,
    lab: Facts,
    second_lab: Facts,
    rolled_out: BuiltPool,
    rollout: Rollout,
    tmp_path_factory: pytest.TempPathFactory,
) -> Fleet:
    """The example inventory with pools of the labs, read by ansible-inventory as AWX reads it at a sync.

    The second lab is behind its fault proxy.
    """
    assert rollout.applied.rc == 0
    folder = tmp_path_factory.mktemp("fleet")
    kubeconfig = folder / "kubeconfig"
    clusters = {"prod": lab.kubeconfigs.admin, "stage": second_lab.kubeconfig_through_faults}
    kubeconfig.write_text(json.dumps(merged(clusters)), encoding="utf-8")
    pools = {"layered.prod": rolled_out.name, "layered.stage": POOL, "edge.prod": "master", "edge.stage": "master"}
    inventory = read_inventory(request.config.getoption("--ansible"), folder)
    for host, pool in pools.items():
        inventory["_meta"]["hostvars"][host]["image_mode_pool"] = pool
    credential = {"K8S_AUTH_KUBECONFIG": str(kubeconfig)}
    return Fleet(credential, inventory, FaultProxy(second_lab))


def read_inventory(programs: Path, folder: Path) -> dict[str, t.Any]:
    """Return the example inventory of the project, as ``ansible-inventory --list`` prints it."""
    ended = subprocess.run(
        [programs / "ansible-inventory", "--list", "-i", PROJECT / "inventory/hosts"],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=True,
    )
    return t.cast("dict[str, t.Any]", json.loads(ended.stdout))


def merged(kubeconfigs: t.Mapping[str, Path]) -> dict[str, t.Any]:
    """Return one kubeconfig with a context for each of several, whose files are part of it."""
    whole: dict[str, t.Any] = {"apiVersion": "v1", "kind": "Config", "clusters": [], "users": [], "contexts": []}
    for name, path in kubeconfigs.items():
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        whole["clusters"].append({"name": name, "cluster": _embedded(content["clusters"][0]["cluster"])})
        whole["users"].append({"name": name, "user": _embedded(content["users"][0]["user"])})
        whole["contexts"].append({"name": name, "context": {"cluster": name, "user": name}})
    return whole


def _embedded(entry: t.Mapping[str, str]) -> dict[str, str]:
    files = ("certificate-authority", "client-certificate", "client-key")
    data = {f"{n}-data": base64.b64encode(Path(entry[n]).read_bytes()).decode() for n in files if n in entry}
    return {**{name: value for name, value in entry.items() if name not in files}, **data}


def test_slices_of_a_job_verify_all_pools_of_both_clusters(runner: Runner, fleet: Fleet) -> None:
    slices = [slice_of(fleet.inventory, number, 2) for number in (1, 2)]
    with ThreadPoolExecutor(2) as pool:
        jobs = list(pool.map(lambda part: runner.run(fleet.verify(part)), slices))
    assert [sorted(job.entries) for job in jobs] == [["edge.prod", "layered.prod"], ["edge.stage", "layered.stage"]]
    for job in jobs:
        assert job.rc == 0, job.stdout
        assert {entry["verdict"] for entry in job.entries.values()} == {"match"}


def test_cluster_that_is_down_is_reported_and_hides_no_other(runner: Runner, fleet: Fleet, tmp_path: Path) -> None:
    reported = {"image_mode_report_dir": str(tmp_path / "reports")}
    hosts = {host: {**variables, **reported} for host, variables in fleet.inventory["_meta"]["hostvars"].items()}
    fleet.proxy.add(Fault("refuse"))
    try:
        job = runner.run(fleet.verify({**fleet.inventory, "_meta": {"hostvars": hosts}}))
    finally:
        fleet.proxy.clear()
    assert (job.rc != 0, job.status) == (True, "failed")
    assert {host: entry["verdict"] for host, entry in job.entries.items()} == {
        "edge.prod": "match",
        "edge.stage": "unknown",
        "layered.prod": "match",
        "layered.stage": "unknown",
    }
    for host in ("edge.stage", "layered.stage"):
        assert "Connection refused" in job.entries[host]["message"]
        assert job.entries[host]["failure"] == job.entries[host]["message"]
    index = (tmp_path / "reports/image-mode-index.html").read_text(encoding="utf-8")
    assert "2 of 4 pools booted the expected image." in index
    assert all(f"host {host}" in index for host in job.entries)


def test_limit_of_a_launch_verifies_these_pools_only(runner: Runner, fleet: Fleet) -> None:
    job = runner.run(fleet.verify(fleet.inventory, "--limit", "layered:&prod"))
    assert job.rc == 0, job.stdout
    assert {host: entry["verdict"] for host, entry in job.entries.items()} == {"layered.prod": "match"}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--limit", "elsewhere"), "--limit elsewhere leaves no host of image_mode_hosts (pools)"),
        (("--limit", "production"), "leaves us with no hosts to target"),
        (("--tags", "deploy"), "--tags deploy selects none of its tasks"),
    ],
)
def test_job_that_would_do_nothing_fails(
    options: tuple[str, ...], reason: str, request: pytest.FixtureRequest, runner: Runner, tmp_path: Path
) -> None:
    """It fails before it needs a cluster."""
    inventory = read_inventory(request.config.getoption("--ansible"), tmp_path)
    inventory["others"] = {"hosts": ["elsewhere"]}
    nowhere = {"K8S_AUTH_KUBECONFIG": str(tmp_path / "no-kubeconfig")}
    variables = answers("Image mode verify (inventory)")
    job = runner.run(Job("verify.yml", nowhere, variables, inventory, options))
    assert (job.rc != 0, job.status) == (True, "failed")
    assert reason in " ".join(job.stdout.split())
