# SPDX-License-Identifier: GPL-3.0-or-later
"""``make demo``: a Containerfile becomes an image, two nodes drain, reboot and boot it, and that is proven."""

from __future__ import annotations

import json
import tempfile
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

from lab.cache import lab_folder
from lab.facts import Facts
from lab.labs import keeper_pid

from checks.cluster import running_lab
from checks.commands import Setting
from checks.environment import ROOT, ChecksError
from checks.machine import provide_for_a_lab
from checks.tree import NEWEST_TREE

from .registry import Image

FOLDER = Path(__file__).resolve().parent
LAB = "demo"
POOL = "layered"


@dataclass(frozen=True)
class Outcome:
    """What a playbook came to."""

    changed: int
    result: t.Mapping[str, t.Any]

    @property
    def nodes(self) -> list[dict[str, t.Any]]:
        """The nodes that were asked, each with its verdict."""
        return list(self.result["nodes"])


@dataclass(frozen=True)
class Stage:
    """Where the playbooks run: against one lab, as a user of the installed collection would run them."""

    setting: Setting
    lab: Facts

    def play(self, name: str, *options: str) -> Outcome:
        """Show and run one playbook of the collection.

        :raises ChecksError: it failed
        """
        with tempfile.TemporaryDirectory() as scratch:
            record = Path(scratch) / "outcome.json"
            variables = {
                "ANSIBLE_CALLBACK_PLUGINS": str(FOLDER / "callback_plugins"),
                "ANSIBLE_CALLBACKS_ENABLED": "record_outcome",
                "K8S_AUTH_KUBECONFIG": str(self.lab.kubeconfigs.admin),
                "RECORD_OUTCOME": str(record),
            }
            playbook = f"imagemode.openshift.{name}"
            began = time.monotonic()
            if not self.setting.run("ansible-playbook", playbook, *options, folder=FOLDER, variables=variables):
                raise ChecksError(f"Could not show {playbook}: it failed. Its own words stand above.")
            print(f"That took {time.monotonic() - began:.0f} s.", flush=True)
            recorded = json.loads(record.read_text(encoding="utf-8"))
        return Outcome(sum(recorded["changed"].values()), recorded["image_mode_result"][0])


def main() -> None:
    """Show it, and stop everything at the end, however it ends."""
    began = time.monotonic()
    if keeper_pid(lab_folder(LAB)) is not None:
        raise ChecksError(
            f"Could not start the demonstration: lab {LAB} runs already. End it with `lab down --name {LAB}`."
        )
    provide_for_a_lab()
    NEWEST_TREE.refresh()
    setting = Setting(NEWEST_TREE)
    _say("A cluster on this machine: the real Kubernetes API, OpenShift's own controllers, and two worker nodes")
    with running_lab(setting, LAB, nodes=2) as lab:
        proven = _show(Stage(setting, lab))
        _say("Stop everything")
    print(f"\n{proven}\nAll of it took {time.monotonic() - began:.0f} s.", flush=True)


def _show(stage: Stage) -> str:
    """Show the collection's whole job and return what was proven."""
    _say(f"What is asked for: an image for a new pool, {POOL}, and two nodes to boot it")
    for name in ("Containerfile", "pool.yml"):
        path = FOLDER / name
        print(f"--- {path.relative_to(ROOT)}\n{path.read_text(encoding='utf-8')}", flush=True)
    given = (
        *("-e", "@pool.yml"),
        *("-e", f"registry={stage.lab.registry_host}"),
        *("-e", f"registry_password_file={stage.lab.registry_password_files.pusher}"),
    )
    _say("Apply: build the image, bring the nodes into the pool, wait until they have rebooted, ask what they booted")
    stage.play("apply", *given)
    _say("Apply again: everything is as it should be, so nothing may change")
    second = stage.play("apply", *given)
    if second.changed:
        raise ChecksError(f"Could not show that apply changes nothing twice: {second.changed} tasks changed something.")
    _say("Verify: ask every node what it booted, and change nothing")
    verified = stage.play("verify", "-e", f"image_mode_pool={POOL}")
    return _proof(stage.lab, second.result["build"]["name"], verified.nodes)


def _proof(lab: Facts, build: str, nodes: t.Sequence[t.Mapping[str, t.Any]]) -> str:
    """Hold what the nodes booted against what the registry has, and return it for people to read.

    :param build: the build's name, which the operator makes the image's tag

    :raises ChecksError: they differ
    """
    password = lab.registry_password_files.puller.read_text(encoding="utf-8").strip()
    image = Image(lab.registry_host, lab.ca_cert, f"imagemode/{POOL}", build, "puller", password)
    digest = image.digest()
    strangers = [node["name"] for node in nodes if node["booted"]["digest"] != digest]
    if strangers or len(nodes) != 2:
        names = ", ".join(strangers) or "nobody else"
        raise ChecksError(f"Could not prove that two nodes booted {image}: {names} booted something else.")
    lines = [
        "=== Proven",
        f"{'node':10}{'booted':73}verdict",
        *(f"{node['name']:10}{node['booted']['digest']:73}{node['verdict']}" for node in nodes),
        f"\nThe registry gives the same digest to {image},",
        f"in which /etc/motd says: {image.file('etc/motd').strip()}",
        "The second apply reported changed=0.",
    ]
    return "\n".join(lines)


def _say(text: str) -> None:
    print(f"\n=== {text}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except ChecksError as refusal:
        raise SystemExit(str(refusal)) from None
    except KeyboardInterrupt:
        raise SystemExit("\nStopped.") from None
