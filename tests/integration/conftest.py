# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab for each process of the run, Ansible to run in it, and what its API server noted.

The checks run two processes side by side, each with a lab of its own and whole modules of tests: most of a test is
waiting for the operator's own pauses.

``pytest tests/integration --lab NAME`` takes a lab that runs already, for the inner loop.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
from accounts import Account, make_account, manifest
from ansible_run import Ansible, installed_beside_pytest
from audit_log import AuditLog
from lab.cache import lab_folder
from lab.facts import Facts
from lab.kube_rest import Api
from lab.release import JULY_2025
from oc_client import build_oc
from pools import ROLLOUT_TIMEOUT, BuiltPool, start_builds, wait_for_build


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options for developers and for the version matrix."""
    parser.addoption("--lab", metavar="NAME", help="take this running lab and leave it running")
    parser.addoption("--nodes", default="9", help="how many worker nodes a lab of our own gets")
    parser.addoption(
        "--ansible", type=Path, default=installed_beside_pytest(), help="folder of the ansible-playbook to test with"
    )


SLOW = ("test_wait_cases", "test_waits", "test_permissions", "test_playbooks", "test_api_outages", "test_apply_resumed")
"""The modules that take minutes: they are begun first, so that no process is left alone with one at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the slow modules before the others, whose order stays."""
    order = {name: place for place, name in enumerate(SLOW)}
    items.sort(key=lambda item: order.get(item.path.stem, len(SLOW)))


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> t.Iterator[Facts]:
    """A running lab: addresses, files, names. It ends with this process, however that ends.

    Its parameter, for tests that have one, is the release.
    """
    chosen = request.config.getoption("--lab")
    release = getattr(request, "param", JULY_2025.train)
    name = chosen or f"test-{release.replace('.', '-')}-{os.getpid()}"
    if not chosen:
        nodes = request.config.getoption("--nodes")
        _run_lab("up", "--name", name, "--release", release, "--nodes", nodes, "--with-pid", str(os.getpid()))
    yield Facts.load(lab_folder(name))
    if not chosen:
        _run_lab("down", "--name", name)


@pytest.fixture(scope="session")
def api(lab: Facts) -> Api:
    """The lab's API as its administrator sees it, to arrange things and to look at them."""
    return Api(lab.kubeconfigs.admin)


@pytest.fixture(scope="session")
def audit(lab: Facts, api: Api) -> AuditLog:
    """What the lab's API server was asked: ``with audit.recording() as recording``."""
    return AuditLog(lab.audit_log, api)


@pytest.fixture
def ansible(request: pytest.FixtureRequest, lab: Facts, tmp_path: Path) -> Ansible:
    """Ansible as the lab's administrator: ``ansible.run_module(...)``, ``run_tasks``, ``run_playbook``."""
    return Ansible(
        programs=request.config.getoption("--ansible"),
        scratch=tmp_path,
        variables={"K8S_AUTH_KUBECONFIG": str(lab.kubeconfigs.admin)},
    )


@pytest.fixture
def unprivileged_ansible(ansible: Ansible, lab: Facts) -> Ansible:
    """Ansible as somebody whom the API server knows and who may do nothing."""
    return ansible.with_environment(K8S_AUTH_KUBECONFIG=str(lab.kubeconfigs.nobody))


@pytest.fixture(scope="session")
def session_ansible(request: pytest.FixtureRequest, lab: Facts, tmp_path_factory: pytest.TempPathFactory) -> Ansible:
    """Ansible as the lab's administrator, for what more than one test stands on."""
    return Ansible(
        programs=request.config.getoption("--ansible"),
        scratch=tmp_path_factory.mktemp("session_ansible"),
        variables={"K8S_AUTH_KUBECONFIG": str(lab.kubeconfigs.admin)},
    )


@pytest.fixture(scope="session")
def begun() -> set[str]:
    """The SHARED_POOLS whose builds have been started in this lab."""
    return set()


@pytest.fixture(scope="module", autouse=True)
def pools_of_the_module(request: pytest.FixtureRequest, begun: set[str]) -> None:
    """Start, side by side and before its first test, the builds that a module names in BUILDS."""
    wanted = [pool for pool in getattr(request.module, "BUILDS", ()) if pool not in begun]
    if wanted:
        start_builds(request.getfixturevalue("session_ansible"), request.getfixturevalue("lab"), wanted)
        begun.update(wanted)


@pytest.fixture(scope="session")
def account(api: Api, lab: Facts, tmp_path_factory: pytest.TempPathFactory) -> t.Callable[[str], Account]:
    """The account of least privilege that a manifest of docs/docsite/rbac describes, by the manifest's name."""
    folder = tmp_path_factory.mktemp("accounts")
    return lambda name: make_account(api, lab, manifest(name), folder)


@pytest.fixture(scope="session")
def rolled_out(session_ansible: Ansible, lab: Facts, begun: set[str]) -> BuiltPool:
    """A pool of two nodes, worker-0 and worker-1, that have booted its image."""
    if "rolled-out" not in begun:
        start_builds(session_ansible, lab, ["rolled-out"])
        begun.add("rolled-out")
    pool = wait_for_build(session_ansible, "rolled-out")
    nodes = {"pool": pool.name, "nodes": ["worker-0", "worker-1"]}
    run = session_ansible.run_tasks(
        [
            {"name": "Join", "imagemode.openshift.machineconfigpool_nodes": nodes},
            {"name": "Roll", "imagemode.openshift.machineconfigpool_wait": {**nodes, "timeout": ROLLOUT_TIMEOUT}},
        ]
    )
    if run.rc:
        raise RuntimeError(run.output)
    return pool


@pytest.fixture(scope="session")
def oc() -> Path:
    """The client of OpenShift, built if it is not yet."""
    return build_oc()


@pytest.fixture
def ansible_with_kubectl(ansible: Ansible, oc: Path) -> Ansible:
    """Ansible with ``kubectl`` in its PATH, which ``oc`` is under that name."""
    shutil.copyfile(oc, ansible.scratch / "kubectl")
    (ansible.scratch / "kubectl").chmod(0o755)
    path = [str(ansible.scratch), str(ansible.programs), os.environ["PATH"]]
    return ansible.with_environment(PATH=os.pathsep.join(path))


@pytest.fixture
def node(lab: Facts, request: pytest.FixtureRequest) -> t.Callable[..., None]:
    """Script a node for one test: ``node("worker-3", "--boots", DIGEST)``."""

    def script(name: str, *what: str) -> None:
        subprocess.run(["lab", "node", "--name", lab.name, name, *what], check=True, capture_output=True)
        if what != ("--reset",):
            request.addfinalizer(lambda: script(name, "--reset"))

    return script


def _run_lab(*arguments: str) -> None:
    """Run the lab's command line, its progress to be seen with ``-s``, its last words when it fails."""
    ended = subprocess.run(["lab", *arguments], capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"`lab {' '.join(arguments)}` ended with {ended.returncode}:\n{ended.stderr[-4000:]}")
