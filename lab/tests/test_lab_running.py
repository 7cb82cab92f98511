# SPDX-License-Identifier: GPL-3.0-or-later
"""Labs that really run: what they are, and that they end whatever happens to them.

The tests of a running lab share two labs, started at the same time. Those that end a lab come last, or use one of their
own that is cut off early.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config

from lab.bring_up import bring_up
from lab.build import Build, build
from lab.cache import lab_folder
from lab.cluster import Cluster
from lab.errors import LabError
from lab.facts import Facts
from lab.labs import keeper_pid
from lab.ports import choose_ports
from lab.processes import lab_processes
from lab.release import JULY_2025

pytestmark = pytest.mark.lab

LAB = (sys.executable, "-m", "lab")
PATIENCE = 60.0


def eventually(what: str, condition: Callable[[], bool], patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {patience:.0f} s: {what}")
        time.sleep(0.1)


@dataclass
class Lab:
    """A lab of these tests."""

    name: str
    companion: subprocess.Popen[bytes]

    @property
    def folder(self) -> Path:
        return lab_folder(self.name)

    @property
    def facts(self) -> Facts:
        return Facts.load(self.folder)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        verb, *rest = arguments
        return subprocess.run([*LAB, verb, "--name", self.name, *rest], capture_output=True, text=True, check=False)

    def status(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.command("status", "--json").stdout)
        return document

    def component(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(item for item in self.status()["components"] if item["name"] == name)
        return found

    def start(self) -> subprocess.Popen[str]:
        command = [*LAB, "up", "--name", self.name, "--nodes", "1", "--with-pid", str(self.companion.pid)]
        return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    def pids(self) -> set[int]:
        """Every process of the lab but its keeper; it must run."""
        found = {process.pid for process in lab_processes(self.folder)}
        assert found
        return found

    def is_gone(self, pids: set[int]) -> bool:
        return keeper_pid(self.folder) is None and not any(_runs(pid) for pid in pids)

    def mounts(self) -> list[str]:
        """Mounts in the lab's folder that the host sees."""
        return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(self.folder) in line]


def _runs(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


@contextlib.contextmanager
def own_lab(suffix: str) -> Iterator[Lab]:
    with subprocess.Popen(["sleep", "infinity"]) as companion:
        lab = Lab(f"test-{os.getpid()}-{suffix}", companion)
        try:
            yield lab
        finally:
            companion.kill()
            lab.command("down")
            shutil.rmtree(lab.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def two_labs() -> Iterator[tuple[Lab, Lab]]:
    build(print)
    with own_lab("one") as one, own_lab("two") as two:
        starts = [one.start(), two.start()]
        outputs = [start.communicate()[1] for start in starts]
        assert [start.returncode for start in starts] == [0, 0], outputs
        yield one, two


@pytest.fixture(scope="module")
def one(two_labs: tuple[Lab, Lab]) -> Lab:
    return two_labs[0]


@pytest.fixture(scope="module")
def two(two_labs: tuple[Lab, Lab]) -> Lab:
    return two_labs[1]


def core_api(kubeconfig: Path) -> client.CoreV1Api:
    return client.CoreV1Api(config.new_client_from_config(str(kubeconfig)))


def test_two_labs_run_side_by_side_and_know_nothing_of_each_other(one: Lab, two: Lab) -> None:
    assert one.status()["ready"]
    assert two.status()["ready"]
    assert set(vars(one.facts.ports).values()).isdisjoint(vars(two.facts.ports).values())
    for lab, node in ((one, "worker-0"), (two, "worker-0")):
        assert node in Cluster(lab.facts).ready_nodes()
    core_api(one.facts.kubeconfigs.admin).create_namespace({"metadata": {"name": "only-in-one"}})
    with pytest.raises(client.ApiException, match="only-in-one"):
        core_api(two.facts.kubeconfigs.admin).read_namespace("only-in-one")


def test_pools_count_the_worker_and_the_node_of_the_control_plane(one: Lab) -> None:
    pools = Cluster(one.facts).pools()

    assert {name: (pool.machines, pool.updated) for name, pool in pools.items()} == {"master": (1, 1), "worker": (1, 1)}


def test_nobody_is_known_and_may_do_nothing(one: Lab) -> None:
    nobody = core_api(one.facts.kubeconfigs.nobody)

    with pytest.raises(client.ApiException, match='User \\\\"nobody\\\\" cannot list resource') as refused:
        nobody.list_node()
    assert refused.value.status == 403


def test_requests_stand_in_the_audit_log_with_who_sent_them(one: Lab) -> None:
    core_api(one.facts.kubeconfigs.admin).list_namespaced_config_map("kube-public")

    def seen() -> bool:
        entries = (json.loads(line) for line in one.facts.audit_log.read_text().splitlines())
        return any(
            entry["user"]["username"] == "admin" and entry.get("objectRef", {}).get("namespace") == "kube-public"
            for entry in entries
        )

    eventually("the request is in the audit log", seen)


def test_run_sets_kubeconfig_and_hands_the_exit_status_on(one: Lab) -> None:
    result = one.command("run", "--", "sh", "-c", "echo $KUBECONFIG; exit 7")

    assert result.returncode == 7
    assert result.stdout == f"{one.facts.kubeconfigs.admin}\n"


def test_a_lab_that_is_up_is_not_started_again(one: Lab) -> None:
    keeper = keeper_pid(one.folder)

    again = one.command("up")

    assert again.returncode == 0
    assert "is up already" in again.stderr
    assert keeper_pid(one.folder) == keeper


def test_mounts_stay_inside(one: Lab) -> None:
    assert one.mounts() == []
    assert not Path("/etc/containers/registries.conf").read_text().count(one.facts.registry_host)


def test_a_component_that_dies_is_started_again_and_counted(one: Lab) -> None:
    before = {name: one.component(name) for name in ("kube-scheduler", "kwok")}

    for component in before.values():
        os.kill(component["pid"], signal.SIGKILL)

    def restarted() -> bool:
        now = {name: one.component(name) for name in before}
        return all(
            now[name]["state"] == "running" and now[name]["pid"] not in (0, old["pid"]) for name, old in before.items()
        )

    eventually("both run again", restarted)
    assert {name: one.component(name)["restarts"] for name in before} == {"kube-scheduler": 1, "kwok": 1}


def test_the_controller_works_again_soon_though_its_predecessor_kept_the_lease(one: Lab) -> None:
    os.kill(one.component("machine-config-controller")["pid"], signal.SIGKILL)
    cluster = Cluster(one.facts)
    selector = {"key": "machineconfiguration.openshift.io/role", "operator": "In", "values": ["worker", "late"]}
    cluster.create(
        {
            "apiVersion": "machineconfiguration.openshift.io/v1",
            "kind": "MachineConfigPool",
            "metadata": {"name": "late"},
            "spec": {
                "machineConfigSelector": {"matchExpressions": [selector]},
                "nodeSelector": {"matchLabels": {"node-role.kubernetes.io/late": ""}},
            },
        }
    )

    # The lease would last more than two minutes.
    eventually("a new pool is rendered", lambda: bool(cluster.pools()["late"].rendered), 60)


@pytest.fixture
def broken_etcd(tmp_path: Path, request: pytest.FixtureRequest) -> Build:
    """A build whose etcd only ever says why it cannot run."""
    real = build(print)
    words = getattr(request, "param", "the disk is made of cheese")
    shutil.copytree(real.binaries, tmp_path / "bin", symlinks=False, copy_function=os.symlink)
    (tmp_path / "bin" / "etcd").unlink()
    (tmp_path / "bin" / "etcd").write_text(f"#!/bin/sh\necho {words}\nexit 1\n")
    (tmp_path / "bin" / "etcd").chmod(0o755)
    return Build(tmp_path / "bin", real.manifests)


def test_a_component_that_does_not_come_up_is_named_with_its_log_and_nothing_stays(broken_etcd: Build) -> None:
    with own_lab("broken") as lab:
        with pytest.raises(LabError, match=r"(?s)component etcd.*logs/etcd\.log.*made of cheese"):
            bring_up(lab.folder, broken_etcd, JULY_2025, 1, None, print)

        assert keeper_pid(lab.folder) is None
        assert lab_processes(lab.folder) == []


@pytest.mark.parametrize("broken_etcd", ["bind: address already in use"], indirect=True)
def test_a_port_that_was_taken_meanwhile_is_changed_and_not_for_ever(
    broken_etcd: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    with own_lab("ports") as lab:
        choices = [choose_ports() for _ in range(3)]
        monkeypatch.setattr("lab.preparation.choose_ports", lambda: choices.pop(0))

        with pytest.raises(LabError, match="taken three times"):
            bring_up(lab.folder, broken_etcd, JULY_2025, 1, None, said.append)

        assert choices == []
        assert sum("a port was taken" in line for line in said) == 3
        assert keeper_pid(lab.folder) is None


def test_killing_lab_up_while_it_starts_leaves_nothing() -> None:
    with own_lab("cut") as lab, lab.start() as start:
        eventually("the API server runs", lambda: _has(lab, "kube-apiserver"))
        pids = lab.pids()

        start.kill()

        eventually("nothing of the lab runs", lambda: lab.is_gone(pids))
        assert lab.mounts() == []


def test_when_the_supervisor_dies_during_the_start_lab_up_says_so_and_nothing_stays() -> None:
    with own_lab("headless") as lab, lab.start() as start:
        eventually("the API server runs", lambda: _has(lab, "kube-apiserver"))
        pids = lab.pids()

        os.kill(next(process.pid for process in lab_processes(lab.folder) if process.inner_pid == 1), signal.SIGKILL)

        error = start.communicate()[1]
        assert start.returncode == 1
        assert "its supervisor has ended" in error
        eventually("nothing of the lab runs", lambda: lab.is_gone(pids))


def _has(lab: Lab, program: str) -> bool:
    return any(f"/{program} " in process.command for process in lab_processes(lab.folder))


def test_the_lab_ends_with_the_process_it_was_to_run_with(two: Lab) -> None:
    pids = two.pids()

    two.companion.kill()

    eventually("nothing of the lab runs", lambda: two.is_gone(pids))
    assert two.command("status").returncode == 3
    assert (two.facts.logs / "kube-apiserver.log").stat().st_size


def test_killing_the_keeper_leaves_nothing(one: Lab) -> None:
    pids = one.pids()
    keeper = keeper_pid(one.folder)
    assert keeper

    os.kill(keeper, signal.SIGKILL)

    eventually("nothing of the lab runs", lambda: one.is_gone(pids))
    assert one.mounts() == []
    assert "down" in one.command("status").stdout
