# SPDX-License-Identifier: GPL-3.0-or-later
"""``make bench``: apply while the API server dies five times, while it is gone for minutes, and ended in every phase.

Prints what happened, and fails when a play did not end well or did something twice.

    python tests/benchmarks/outages.py LAB_JSON [JOB ...]
"""

from __future__ import annotations

import itertools
import json
import re
import signal
import sys
import tempfile
import time
import typing as t
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from ansible_run import Ansible, Run, installed_beside_pytest
from audit_log import AuditLog, Recording
from lab.facts import Facts
from lab.faults import kill_api_server, take_api_server_away
from lab.kube_rest import Api
from pools import containerfile, push_spec

APPLY = "imagemode.openshift.apply"
BUILDS = "/apis/machineconfiguration.openshift.io/v1/machineosbuilds"
AWAY = 300
KILLS = 5
PHASES: t.Mapping[str, str] = {
    "secrets": r"TASK \[imagemode.openshift.registry_access : ",
    "pool": r"TASK \[imagemode.openshift.build_image : Build the image",
    "waiting for the build": r"TASK \[imagemode.openshift.build_image : Build the image[^\n]*\n +\[",
    "building": r"build \S+: (?!succeeded)",
    "labelling": r"TASK \[imagemode.openshift.roll_out : Roll out the image",
    "rolling out": r"pool \S+: 0/1 nodes updated",
    "verifying": r"TASK \[imagemode.openshift.verify_nodes : ",
}
HELD_PHASES: t.Mapping[str, str] = {
    "held": r"TASK \[imagemode.openshift.build_image : Build the image",
    "building on hold": r"build \S+: (?!succeeded)",
    "releasing": r"TASK \[imagemode.openshift.roll_out : Roll out the image",
    "rolling out": r"pool \S+: 0/1 nodes updated",
}
ENDINGS = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)
HOLD_AND_RELEASE = ("patch", "machineconfigpools")
"""What each run of a play that holds a pool does again."""
ONCE = Counter(
    {
        ("create", "secrets"): 1,
        ("create", "machineconfigpools"): 1,
        ("create", "machineosconfigs"): 1,
        ("patch", "nodes"): 1,
    }
)
"""What one undisturbed apply writes."""


class Lab:
    """A lab, and Ansible in it."""

    def __init__(self, facts: Facts, scratch: Path) -> None:
        self.facts = facts
        self.api = Api(facts.kubeconfigs.admin)
        self.audit = AuditLog(facts.audit_log, self.api)
        variables = {"K8S_AUTH_KUBECONFIG": str(facts.kubeconfigs.admin)}
        self.ansible = Ansible(installed_beside_pytest(), scratch, variables)

    def variables_of(self, pool: str, node: str) -> dict[str, t.Any]:
        """Return the variables of apply."""
        secret = {
            "name": f"{pool}-push",
            "registry": self.facts.registry_host,
            "registry_username": "pusher",
            "registry_password_file": str(self.facts.registry_password_files.pusher),
        }
        return {
            "image_mode_pool": pool,
            "image_mode_secrets": [secret],
            "image_mode_create_pool": True,
            "image_mode_containerfile": containerfile(f"echo {pool} > /etc/pool"),
            "image_mode_rendered_image_push_spec": push_spec(self.facts, pool),
            "image_mode_rendered_image_push_secret": secret["name"],
            "image_mode_nodes": [node],
            "image_mode_build_timeout": 1800,
            "image_mode_rollout_timeout": 1800,
        }

    def builds_of(self, pool: str) -> int:
        """Return how many builds there are."""
        return sum(b["metadata"]["name"].startswith(f"{pool}-") for b in self.api.get(BUILDS)["items"])

    def wait_for_build(self, pool: str) -> None:
        """Return when a build has begun."""
        deadline = time.monotonic() + 180
        while not self.builds_of(pool):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no build of {pool}")
            time.sleep(0.5)

    def judge(
        self,
        what: str,
        pool: str,
        seconds: float,
        run: Run,
        recording: Recording,
        besides: tuple[str, str] | None = None,
    ) -> bool:
        """Print what came of it, and return whether it is what an undisturbed run would have come to.

        :param besides: a verb and a resource of which each run has writes of its own
        """
        done = Counter(
            (r.verb, r.resource) for r in recording.ours if r.is_write and "dryRun" not in r.uri and r.code < 400
        )
        builds = self.builds_of(pool)
        reports = re.findall(r"API server (away|back): ", run.stdout)
        once = Counter({key: count for key, count in done.items() if key != besides})
        green = run.rc == 0 and once == ONCE and builds == 1
        print(
            f"{what}: {'green' if green else 'RED'}, {seconds:.0f} s, {builds} build, outages reported "
            f"{reports.count('away')}, ends reported {reports.count('back')}, {len(recording.ours)} requests, writes: "
            + ", ".join(f"{verb} {resource} {count}" for (verb, resource), count in sorted(done.items())),
            flush=True,
        )
        if not green:
            print(run.output[-6000:], flush=True)
        return green


def five_deaths(lab: Lab) -> bool:
    """Kill the API server five times during one apply."""
    return _beside(lab, f"API server killed {KILLS} times during one apply", "killed", "worker-1", _kill)


def long_absence(lab: Lab) -> bool:
    """Take the API server away for minutes while the image is built."""

    def take_away(lab: Lab, pool: str, running: Future[Run]) -> None:
        lab.wait_for_build(pool)
        take_api_server_away(lab.facts, AWAY)

    return _beside(lab, f"API server gone for {AWAY} s during one apply", "absent", "worker-2", take_away)


def every_phase(lab: Lab) -> bool:
    """End one apply in every phase, by one signal after the other, and start it again."""
    variables = lab.variables_of("phases", "worker-3")
    with lab.audit.recording() as recording:
        began = time.monotonic()
        _end_in_each(lab, APPLY, PHASES, variables)
        run = lab.ansible.run_playbook(APPLY, variables=variables, timeout=1800)
        seconds = time.monotonic() - began
    return lab.judge(f"apply ended in {len(PHASES)} phases", "phases", seconds, run, recording)


def on_hold(lab: Lab) -> bool:
    """End a play that holds the pool while the image is built and then rolls out, and start it again."""
    variables = {**lab.variables_of("on-hold", "worker-0"), "image_mode_allow_node_reboots": True}
    hold = {"name": "Hold", "imagemode.openshift.machineconfigpool": {"pool": "on-hold", "paused": True}}
    plays = [
        {"name": "Hold", "hosts": "localhost", "gather_facts": False, "tasks": [hold]},
        {"name": "Apply", "import_playbook": APPLY},
    ]
    playbook = lab.ansible.scratch / "on-hold.yml"
    playbook.write_text(json.dumps(plays), encoding="utf-8")
    with lab.audit.recording() as recording:
        began = time.monotonic()
        _end_in_each(lab, playbook, HELD_PHASES, variables)
        run = lab.ansible.run_playbook(playbook, variables=variables, timeout=1800)
        seconds = time.monotonic() - began
    green = lab.judge(
        f"apply on hold, ended in {len(HELD_PHASES)} phases",
        "on-hold",
        seconds,
        run,
        recording,
        besides=HOLD_AND_RELEASE,
    )
    pool = lab.api.get("/apis/machineconfiguration.openshift.io/v1/machineconfigpools/on-hold")
    if pool["spec"].get("paused"):
        print("WRONG: the pool is still paused", flush=True)
    return green and not pool["spec"].get("paused")


def _end_in_each(lab: Lab, playbook: str | Path, phases: t.Mapping[str, str], variables: t.Mapping[str, t.Any]) -> None:
    for (phase, line), ending in zip(phases.items(), itertools.cycle(ENDINGS)):
        lab.ansible.kill_playbook(playbook, line, variables, timeout=600, by=ending)
        print(f"  {ending.name}: {phase}", flush=True)


def _kill(lab: Lab, pool: str, running: Future[Run]) -> None:
    lab.wait_for_build(pool)
    for dummy in range(KILLS):
        if running.done():
            raise RuntimeError("The play was over before the API server had died often enough.")
        kill_api_server(lab.facts)
        time.sleep(4)


def _beside(lab: Lab, what: str, pool: str, node: str, trouble: t.Callable[[Lab, str, Future[Run]], None]) -> bool:
    with lab.audit.recording() as recording, ThreadPoolExecutor(1) as threads:
        began = time.monotonic()
        running = threads.submit(lab.ansible.run_playbook, APPLY, variables=lab.variables_of(pool, node), timeout=1800)
        trouble(lab, pool, running)
        run = running.result()
        seconds = time.monotonic() - began
    return lab.judge(what, pool, seconds, run, recording)


JOBS: t.Mapping[str, t.Callable[[Lab], bool]] = {
    "five_deaths": five_deaths,
    "every_phase": every_phase,
    "on_hold": on_hold,
    "long_absence": long_absence,
}


def main(facts_file: str, *jobs: str) -> int:
    """Do the jobs, all of them unless some are named."""
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(Facts.load(Path(facts_file).parent), Path(folder))
        outcomes = [JOBS[job](lab) for job in jobs or JOBS]  # all of them, also after one that went wrong
        return 0 if all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
