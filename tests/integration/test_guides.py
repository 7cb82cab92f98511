# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of the guides, run in their order."""

from __future__ import annotations

import shutil
import typing as t
from pathlib import Path

import pytest
from ansible_run import TREE, Ansible
from guide_examples import Reader, read_examples
from lab.release import V1, V1ALPHA1
from oc_client import with_oc
from pools import OPERATOR_NAMESPACE, containerfile, variables_of

if t.TYPE_CHECKING:
    from lab.facts import Facts
    from pools import BuiltPool

PAGES = sorted((Path(__file__).resolve().parents[2] / "docs/docsite/rst").glob("*.rst"))
OPENSHIFT_4_16 = "guide_openshift_4_16"
OWN_POOL: t.Mapping[str, t.Mapping[str, str]] = {
    OPENSHIFT_4_16: {"worker-0": "worker-18"},
    "getting_started": {"worker-0": "worker-19"},
    "guide_platform_engineer": {"worker-0": "worker-23", "worker-1": "worker-24"},
}
"""Page that creates a pool -> nodes of its examples -> nodes of the lab."""
ON_V1 = [page.stem for page in PAGES if any(V1 in example.versions for example in read_examples(page))]


def reader(ansible: Ansible, lab: Facts, names: t.Mapping[str, str], pool: str) -> Reader:
    """Return a reader with the files that the guides assume."""
    kubeconfig, passwords = lab.kubeconfigs.admin, lab.registry_password_files
    files = {
        "pusher-password": passwords.pusher,
        "puller-password": passwords.puller,
        "ca.crt": lab.ca_cert,
        "prod.kubeconfig": kubeconfig,
        "stage.kubeconfig": kubeconfig,
    }
    for name, file in files.items():
        shutil.copyfile(file, ansible.scratch / name)
    of_lab = {
        # Where the lab has the name of the internal registry, an image is in a namespace that exists.
        "registry.example.com/os/": f"{lab.registry_host}/{OPERATOR_NAMESPACE}/",
        "registry.example.com": lab.registry_host,
        "https://api.cluster.example.com:6443": lab.api_url,
        "~/.ansible/collections": str(TREE),
        **names,
    }
    user = with_oc(ansible).with_environment(KUBECONFIG=str(kubeconfig), K8S_AUTH_KUBECONFIG="")
    return Reader(user, of_lab, variables_of(lab, pool))


def follow(page: str, version: str, reader: Reader) -> None:
    """Run all examples of a page for a version of MachineOSConfig."""
    (file,) = [path for path in PAGES if path.stem == page]
    for example in read_examples(file):
        wrong = reader.run(example) if version in example.versions else ""
        assert not wrong, f"{page}, line {example.line}: {wrong}"


@pytest.mark.lab_api(V1ALPHA1)
def test_procedure_of_4_16_works_by_hand_and_the_playbook_continues_it(ansible: Ansible, lab: Facts) -> None:
    follow(OPENSHIFT_4_16, V1ALPHA1, reader(ansible, lab, {"worker-0": "worker-15"}, "layered"))


@pytest.mark.parametrize("page", sorted(OWN_POOL))
def test_examples_of_a_page_that_creates_a_pool_work(page: str, ansible: Ansible, lab: Facts) -> None:
    follow(page, V1, reader(ansible, lab, OWN_POOL[page], "layered"))


@pytest.mark.parametrize("page", sorted(set(ON_V1) - OWN_POOL.keys()))
def test_examples_of_a_page_work(page: str, ansible: Ansible, lab: Facts, rolled_out: BuiltPool) -> None:
    text = containerfile(f"echo {rolled_out.name} > /etc/pool")
    (ansible.scratch / "Containerfile").write_text(text, encoding="utf-8")

    follow(page, V1, reader(ansible, lab, {"layered": rolled_out.name}, rolled_out.name))
