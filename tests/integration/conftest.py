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
worker-15 to worker-17    test_forecast.py, pool foreseen
worker-18, worker-19      test_guides.py, pools layered and started
worker-20                 test_event_source.py
worker-21                 test_rulebooks.py
worker-22                 test_molecule.py
worker-23, worker-24      test_guides.py, pool operated
========================  ============================================================

In the lab of v1alpha1, worker-16 is in no custom pool, and worker-17 has booted the image of pool rolled-out.
worker-15 is for test_guides.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from accounts import Account, make_account, manifest
from ansible_run import Ansible, installed_beside_pytest
from audit_log import AuditLog
from lab.cache import lab_folder
from lab.facts import Facts
from lab.faults import FaultProxy
from lab.kube_rest import Api
from lab.release import AUGUST_2024, JULY_2025, V1, V1ALPHA1
from lab.scenarios.catalogue import SCENARIOS, in_scenario
from lab.scenarios.stage import Stage
from oc_client import build_oc
from pools import BuiltPool, Pools, join_task, rollout_wait_task
from scheduling import ByFixture


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options for developers and for the version matrix."""
    parser.addoption("--lab", metavar="NAME", help="use this lab, which is up, and leave it up")
    parser.addoption("--nodes", default="25", help="number of worker nodes of a new lab")
    parser.addoption("--rulebook", type=Path, help="folder of the ansible-rulebook to test with")
    parser.addoption(
        "--ansible", type=Path, default=installed_beside_pytest(), help="folder of the ansible-playbook to test with"
    )
    parser.addoption("--interpreter", type=Path, help="Python that runs modules on localhost, by default Ansible's own")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker of the tests that decide a case of a wait."""
    config.addinivalue_line("markers", "wait_case(case): the test decides this WaitCase")
    config.addinivalue_line("markers", "lab_api(*versions): the test runs in a lab of each version of MachineOSConfig")


_LABS = {V1: pytest.param(None, id=V1), V1ALPHA1: AUGUST_2024.train}
"""Version of MachineOSConfig -> parameter of the fixture ``lab``. Without one it is the lab of all other tests."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize the fixture ``lab`` for the marker ``lab_api``."""
    marker = metafunc.definition.get_closest_marker("lab_api")
    if marker is None:
        return
    chosen = metafunc.config.getoption("--lab")
    served = [Facts.load(lab_folder(chosen)).api] if chosen else list(_LABS)
    labs = [_LABS[version] for version in marker.args if version in served]
    metafunc.parametrize("lab", labs, indirect=True, scope="session")


SLOW = (
    # One process runs these four in a lab of their own, which the tests that follow there replace.
    "test_v1alpha1_apply",
    "test_v1alpha1_disturbed_builds",
    "test_v1alpha1_killed_runs",
    "test_v1alpha1_not_served",
    "test_v1alpha1_proof",
    "test_guides",
    "test_apply_resumed",
    "test_machineosbuild_wait",
    "test_permissions",
    "test_machineconfigpool_wait",
    "test_playbooks",
    "test_rulebooks",
    "test_molecule",
    "test_event_source",
    "test_forecast",
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
    if chosen:
        yield Facts.load(lab_folder(chosen))
        return
    release = getattr(request, "param", None) or JULY_2025.train
    name = f"test-{release.replace('.', '-')}-{os.getpid()}"
    with started_lab(name, "--release", release, "--nodes", request.config.getoption("--nodes")) as facts:
        yield facts


@pytest.fixture(scope="session")
def api(lab: Facts) -> Api:
    """The API of the lab as its administrator, to prepare and to inspect objects."""
    return Api(lab.kubeconfigs.admin)


@pytest.fixture
def proxy(lab: Facts) -> t.Iterator[FaultProxy]:
    """The fault proxy of the lab, without faults."""
    proxy = FaultProxy(lab)
    yield proxy
    proxy.clear()


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
            variables={
                "K8S_AUTH_KUBECONFIG": str(kubeconfig or lab.kubeconfigs.admin),
                **python_of_modules(request.config, tmp_path_factory),
            },
        )

    return create


def python_of_modules(config: pytest.Config, folders: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment variable that makes localhost run modules with the Python of ``--interpreter``."""
    interpreter = config.getoption("--interpreter")
    if interpreter is None:
        return {}
    inventory = folders.mktemp("inventory") / "localhost.yml"
    host = {"ansible_connection": "local", "ansible_python_interpreter": str(interpreter)}
    inventory.write_text(json.dumps({"all": {"hosts": {"localhost": host}}}), encoding="utf-8")
    return {"ANSIBLE_INVENTORY": str(inventory)}


@pytest.fixture
def ansible(new_ansible: NewAnsible, tmp_path: Path) -> Ansible:
    """Ansible as the administrator of the lab: ``ansible.run_module(...)``, ``run_tasks``, ``run_playbook``."""
    return replace(new_ansible(), scratch=tmp_path)


@pytest.fixture
def ansible_without_cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Ansible:
    """Ansible without a cluster, for what a playbook decides before it needs one."""
    return Ansible(
        programs=request.config.getoption("--ansible"),
        scratch=tmp_path,
        variables={"K8S_AUTH_KUBECONFIG": str(tmp_path / "no-kubeconfig")},
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
def rolled_out(session_ansible: Ansible, lab: Facts, pools: Pools) -> BuiltPool:
    """A pool whose nodes have booted its image: worker-0 and worker-1, or worker-17 in the lab of v1alpha1."""
    pool = pools.built("rolled-out")
    nodes = ["worker-17"] if lab.api == V1ALPHA1 else ["worker-0", "worker-1"]
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


@contextlib.contextmanager
def started_lab(name: str, *options: str) -> t.Iterator[Facts]:
    """Start a lab, which ends with the context, and with this process, however this process ends."""
    _run_lab("up", "--name", name, *options, "--with-pid", str(os.getpid()))
    try:
        yield Facts.load(lab_folder(name))
    finally:
        _run_lab("down", "--name", name)


@pytest.fixture(scope="module")
def second_lab() -> t.Iterator[Facts]:
    """Another running lab of three nodes in no custom pool, for tests of several clusters."""
    with started_lab(f"test-second-{os.getpid()}", "--nodes", "3") as facts:
        yield facts


def _run_lab(*arguments: str) -> None:
    """Run a command of the lab; its output is part of the error when it fails."""
    ended = subprocess.run(["lab", *arguments], capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"`lab {' '.join(arguments)}` ended with {ended.returncode}:\n{ended.stderr[-4000:]}")
