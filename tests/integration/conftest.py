# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures: a lab for each test process, Ansible to run against it, and the audit log of its API server.

The checks run several processes side by side, each with a lab of its own: most of a test is waiting. scheduling.py
distributes the tests to them.

``pytest tests/integration --lab NAME`` uses a lab that is already up, for short cycles during development.

The nodes of a lab are divided up, so that no test moves a node that another test needs:

========================  ============================================================
worker-0, worker-1        pool rolled-out: they have booted its image
worker-2                  test_playbooks.py
worker-3 to worker-5      in no custom pool; their answers can be scripted
worker-6                  test_machineconfigpool_wait.py, pool drained
worker-7                  test_apply_resumed.py
worker-8                  test_node_image_verify.py, pool paused
worker-9                  test_machineconfigpool_wait.py, pool superseding
worker-10 to worker-12    test_machineconfigpool_wait.py, pool changing
worker-13                 test_machineconfigpool_wait.py, pool held
worker-14                 test_machineconfigpool_wait.py, pool idle
========================  ============================================================
"""

from __future__ import annotations

import contextlib
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
from lab.scenarios.catalogue import SCENARIOS, in_scenario
from lab.scenarios.stage import Stage
from oc_client import build_oc
from pools import BuiltPool, Pools, join_task, rollout_wait_task
from scheduling import ByFixture


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options for developers and for the version matrix."""
    parser.addoption("--lab", metavar="NAME", help="use this lab, which is up, and leave it up")
    parser.addoption("--nodes", default="15", help="number of worker nodes of a new lab")
    parser.addoption(
        "--ansible", type=Path, default=installed_beside_pytest(), help="folder of the ansible-playbook to test with"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker of the tests that decide a case of a wait."""
    config.addinivalue_line("markers", "wait_case(case): the test decides this WaitCase")


SLOW = (
    "test_apply_resumed",
    "test_machineosbuild_wait",
    "test_permissions",
    "test_machineconfigpool_wait",
    "test_playbooks",
    "test_api_outages",
    "test_build_failures",
)
"""The files with the longest tests. They start first, so that no process is left alone with one at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put slow files first."""
    order = {name: place for place, name in enumerate(SLOW)}
    items.sort(key=lambda item: order.get(item.path.stem, len(SLOW)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: t.Any) -> ByFixture | None:
    """Distribute tests to processes for ``--dist=loadscope``."""
    return ByFixture(config, log) if config.getoption("dist") == "loadscope" else None


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> t.Iterator[Facts]:
    """A running lab: addresses, files, names. It ends with this process, however this process ends.

    Tests with a parameter for this fixture choose the release with it.
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
    """The API of the lab as its administrator, to prepare and to inspect objects."""
    return Api(lab.kubeconfigs.admin)


@pytest.fixture(scope="session")
def audit(lab: Facts, api: Api) -> AuditLog:
    """The audit log of the lab: ``with audit.recording() as recording``."""
    return AuditLog(lab.audit_log, api)


class NewAnsible(t.Protocol):
    """A factory of Ansible environments, each with a folder of its own, so that several can run at once."""

    def __call__(self, kubeconfig: Path | None = None) -> Ansible:
        """Return Ansible with a kubeconfig, that of the administrator unless another is given."""


@pytest.fixture(scope="session")
def new_ansible(request: pytest.FixtureRequest, lab: Facts, tmp_path_factory: pytest.TempPathFactory) -> NewAnsible:
    """Create Ansible environments: ``new_ansible()``."""

    def create(kubeconfig: Path | None = None) -> Ansible:
        return Ansible(
            programs=request.config.getoption("--ansible"),
            scratch=tmp_path_factory.mktemp("ansible"),
            variables={"K8S_AUTH_KUBECONFIG": str(kubeconfig or lab.kubeconfigs.admin)},
        )

    return create


@pytest.fixture
def ansible(request: pytest.FixtureRequest, lab: Facts, tmp_path: Path) -> Ansible:
    """Ansible as the administrator of the lab: ``ansible.run_module(...)``, ``run_tasks``, ``run_playbook``."""
    return Ansible(
        programs=request.config.getoption("--ansible"),
        scratch=tmp_path,
        variables={"K8S_AUTH_KUBECONFIG": str(lab.kubeconfigs.admin)},
    )


@pytest.fixture
def unprivileged_ansible(ansible: Ansible, lab: Facts) -> Ansible:
    """Ansible as a user that the API server authenticates and that has no permissions."""
    return ansible.with_environment(K8S_AUTH_KUBECONFIG=str(lab.kubeconfigs.nobody))


@pytest.fixture(scope="session")
def session_ansible(new_ansible: NewAnsible) -> Ansible:
    """Ansible as the administrator of the lab, for fixtures that several tests share."""
    return new_ansible()


@pytest.fixture(scope="session")
def pools(session_ansible: Ansible, lab: Facts) -> Pools:
    """The pools of the lab: ``pools.built("edited")`` returns one whose image is built."""
    created = Pools(session_ansible, lab)
    created.start("rolled-out")
    return created


@pytest.fixture(scope="session")
def rolled_out(session_ansible: Ansible, pools: Pools) -> BuiltPool:
    """A pool of two nodes, worker-0 and worker-1, that have booted its image."""
    pool, nodes = pools.built("rolled-out"), ["worker-0", "worker-1"]
    run = session_ansible.run_tasks([join_task(pool.name, *nodes), rollout_wait_task(pool.name, nodes=nodes)])
    if run.rc:
        raise RuntimeError(run.output)
    return pool


@pytest.fixture(scope="session")
def account(api: Api, lab: Facts, tmp_path_factory: pytest.TempPathFactory) -> t.Callable[[str], Account]:
    """Create the account with least privilege that a manifest of docs/docsite/rbac describes: ``account("verify")``."""
    folder = tmp_path_factory.mktemp("accounts")
    return lambda name: make_account(api, lab, manifest(name), folder)


@pytest.fixture(scope="session")
def oc() -> Path:
    """The OpenShift client, built if necessary."""
    return build_oc()


@pytest.fixture
def ansible_with_kubectl(ansible: Ansible, oc: Path) -> Ansible:
    """Ansible with ``kubectl`` in its PATH; oc does the work under that name."""
    shutil.copyfile(oc, ansible.scratch / "kubectl")
    (ansible.scratch / "kubectl").chmod(0o755)
    path = [str(ansible.scratch), str(ansible.programs), os.environ["PATH"]]
    return ansible.with_environment(PATH=os.pathsep.join(path))


class During(t.Protocol):
    """How a test plays a scenario of the lab for a time."""

    def __call__(self, name: str, pool: str, *nodes: str) -> contextlib.AbstractContextManager[None]:
        """Play a scenario on a pool, on each of the nodes in turn, and undo it when the context ends."""


@pytest.fixture(scope="session")
def during(lab: Facts, api: Api) -> During:
    """Play a scenario for a time: ``with during("exec-fails", POOL, "worker-0"):``."""

    def play(name: str, pool: str, *nodes: str) -> contextlib.AbstractContextManager[None]:
        return in_scenario(name, *(Stage(lab, api, pool, node) for node in nodes or ("",)))

    return play


@pytest.fixture(scope="session")
def play(lab: Facts, api: Api) -> t.Callable[..., str]:
    """Play a scenario that nothing undoes: ``play("build-again", POOL)``."""

    def play_once(name: str, pool: str, node: str = "") -> str:
        return SCENARIOS[name].play(Stage(lab, api, pool, node))

    return play_once


@pytest.fixture
def script_node(lab: Facts, request: pytest.FixtureRequest) -> t.Callable[..., None]:
    """Script the answers of a node for one test: ``script_node("worker-3", "--boots", DIGEST)``."""

    def script(name: str, *what: str) -> None:
        subprocess.run(["lab", "node", "--name", lab.name, name, *what], check=True, capture_output=True)
        if what != ("--reset",):
            request.addfinalizer(lambda: script(name, "--reset"))

    return script


def _run_lab(*arguments: str) -> None:
    """Run a command of the lab; its output is part of the error when it fails."""
    ended = subprocess.run(["lab", *arguments], capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"`lab {' '.join(arguments)}` ended with {ended.returncode}:\n{ended.stderr[-4000:]}")
