# SPDX-License-Identifier: GPL-3.0-or-later
"""The molecule scenarios for users, in a project of a user, with the lab as the cluster of KUBECONFIG."""

from __future__ import annotations

import json
import os
import subprocess
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_run import TREE, installed_beside_pytest
from pools import containerfile, variables_of

if t.TYPE_CHECKING:
    from audit_log import AuditLog
    from lab.facts import Facts
    from lab.kube_rest import Api
    from pools import BuiltPool

SCENARIOS = Path(__file__).resolve().parents[2] / "examples/molecule"
IMAGE_MODE = "/apis/machineconfiguration.openshift.io/v1"
SECRETS = "/api/v1/namespaces/openshift-machine-config-operator/secrets"


@dataclass(frozen=True)
class Project:
    """A folder with a pool file and a Containerfile."""

    folder: Path
    lab: Facts

    def write(self, pool: str, **variables: t.Any) -> None:
        """Write the pool file and its Containerfile."""
        named = variables_of(self.lab, pool, **variables)
        text = named.pop("image_mode_containerfile")
        (self.folder / "Containerfile").write_text(text, encoding="utf-8")
        content = json.dumps({**named, "image_mode_containerfile_path": "Containerfile"})
        (self.folder / "pool.yml").write_text(content, encoding="utf-8")

    def molecule(self, *arguments: str, **environment: str) -> tuple[int, str]:
        """Run molecule, and return its exit status and its output. An empty variable is removed."""
        foreign = ("ANSIBLE_", "K8S_AUTH_", "MOLECULE_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        variables = {
            **kept,
            "ANSIBLE_COLLECTIONS_PATH": str(TREE),
            "HOME": str(self.folder),
            "KUBECONFIG": str(self.lab.kubeconfigs.admin),
            "LC_ALL": "C.UTF-8",
            "MOLECULE_GLOB": str(SCENARIOS / "*/molecule.yml"),
            "NO_COLOR": "1",
            # A test with older versions of Ansible has no molecule: it is not part of the collection.
            "PATH": os.pathsep.join([str(installed_beside_pytest()), os.environ["PATH"]]),
            **environment,
        }
        ended = subprocess.run(
            ["molecule", *arguments, "--no-command-borders"],
            cwd=self.folder,
            env={name: value for name, value in variables.items() if value},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=1500,
            check=False,
        )
        return ended.returncode, ended.stdout


@pytest.fixture
def project(tmp_path: Path, lab: Facts) -> Project:
    """A project of a user, without a pool file."""
    return Project(tmp_path, lab)


def test_acceptance_applies_twice_verifies_and_removes_everything(project: Project, lab: Facts, api: Api) -> None:
    secret = {
        "name": "accepted",
        "registry": lab.registry_host,
        "registry_username": "pusher",
        "registry_password_file": str(lab.registry_password_files.pusher),
    }
    project.write(
        "accepted",
        image_mode_create_pool=True,
        image_mode_nodes=["worker-22"],
        image_mode_secrets=[secret],
        image_mode_rendered_image_push_secret="accepted",
    )
    status, output = project.molecule("test", "-s", "acceptance", ACCEPTANCE_CLUSTER=lab.api_url)
    assert status == 0, output
    assert "acceptance > idempotence: Executed: Successful" in output
    # Once each: apply, apply again, verify.
    assert output.count("pool accepted: 1 of 1 nodes match") == 3
    assert api.find(f"{IMAGE_MODE}/machineconfigpools", "accepted") is None
    assert api.find(f"{IMAGE_MODE}/machineosconfigs", "accepted") is None
    assert api.find(SECRETS, "accepted") is None
    assert "node-role.kubernetes.io/accepted" not in api.get("/api/v1/nodes/worker-22")["metadata"]["labels"]


def test_acceptance_changes_no_cluster_that_the_user_does_not_name(
    project: Project, lab: Facts, audit: AuditLog
) -> None:
    project.write("accepted")
    with audit.recording() as recording:
        status, output = project.molecule(
            "test", "-s", "acceptance", ACCEPTANCE_CLUSTER="https://api.other.example.com:6443"
        )
    assert status != 0
    assert (
        f"Could not start the acceptance test: it reboots nodes of {lab.api_url} and deletes the pool at its end, and "
        f"ACCEPTANCE_CLUSTER is not this address. If the cluster is disposable, set ACCEPTANCE_CLUSTER={lab.api_url}."
    ) in output
    assert recording.stored == []


def test_default_forecasts_and_verifies_the_pool_file_and_writes_nothing(
    project: Project, rolled_out: BuiltPool, audit: AuditLog
) -> None:
    project.write(rolled_out.name)
    with audit.recording() as recording:
        status, output = project.molecule("test")
    assert status == 0, output
    assert "Would change: nothing" in output
    assert f"pool {rolled_out.name}: 2 of 2 nodes match" in output
    assert [uri for _verb, uri in recording.stored if "/exec" not in uri] == []


def test_default_names_the_nodes_that_an_edit_would_reboot(project: Project, rolled_out: BuiltPool) -> None:
    project.write(rolled_out.name, image_mode_containerfile=containerfile("echo edited"))
    status, output = project.molecule("check")
    assert status != 0
    assert "worker-0, worker-1" in output
    assert "image_mode_allow_node_reboots" in output


def test_converge_of_default_does_not_apply_the_pool_file(project: Project) -> None:
    project.write("accepted")
    status, output = project.molecule("converge")
    assert status != 0
    assert "Could not forecast the pool file: this run would change the cluster." in output


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({"KUBECONFIG": ""}, "Could not reach the cluster: no cluster is set, and the default kubeconfig"),
        ({"KUBECONFIG": "{folder}/no"}, "{folder}/no: the file does not exist"),
        ({"POOL_FOLDER": "{folder}/no"}, "Could not find or access '{folder}/no/pool.yml'"),
    ],
    ids=["no-kubeconfig", "missing-kubeconfig", "missing-pool-file"],
)
def test_wrong_environment_is_an_error_in_one_line(project: Project, environment: dict[str, str], line: str) -> None:
    project.write("accepted")
    here = {"folder": str(project.folder)}
    given = {name: value.format(**here) for name, value in environment.items()}
    status, output = project.molecule("check", **given)
    assert status != 0
    assert line.format(**here) in output
