# SPDX-License-Identifier: GPL-3.0-or-later
"""``make demo``: build an image from a Containerfile, roll it out to two nodes, and verify that they booted it.

``make demo API=v1alpha1`` does the same on a cluster that serves image mode as OpenShift 4.16 and 4.17 do.
"""

from __future__ import annotations

import json
import sys
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
REPOSITORY = f"openshift-machine-config-operator/{POOL}"
"""Where pool.yml pushes the image."""
FILES = {"v1": ("pool.yml",), "v1alpha1": ("pool.yml", "pool-v1alpha1.yml")}
"""Version of MachineOSConfig -> the files with the variables."""


@dataclass(frozen=True)
class Outcome:
    """The result of a playbook."""

    changed: int
    """Number of tasks that changed something."""
    result: t.Mapping[str, t.Any]
    """The entry of image_mode_result."""

    @property
    def nodes(self) -> list[dict[str, t.Any]]:
        """The nodes in the report, each with its verdict."""
        (path,) = [report["path"] for report in self.result["reports"] if report["format"] == "json"]
        return list(json.loads(Path(path).read_text(encoding="utf-8"))["nodes"])


@dataclass(frozen=True)
class Stage:
    """Runs playbooks against one lab, as a user of the installed collection does."""

    setting: Setting
    lab: Facts

    def play(self, name: str, *options: str) -> Outcome:
        """Run one playbook of the collection and show its output.

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
            command = ("ansible-playbook", "-i", "localhost,", playbook, *options)
            began = time.monotonic()
            if not self.setting.run(*command, folder=FOLDER, variables=variables):
                raise ChecksError(f"Could not demonstrate {playbook}: it failed. Read its output above.")
            print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)
            recorded = json.loads(record.read_text(encoding="utf-8"))
        return Outcome(sum(recorded["changed"].values()), recorded["image_mode_result"][0])


def main(api: str) -> None:
    """Run the demonstration, and stop the lab at its end.

    :param api: version of MachineOSConfig
    """
    began = time.monotonic()
    if api not in FILES:
        raise ChecksError(f"Could not start the demonstration: there is no API {api}. Choose from {', '.join(FILES)}.")
    if keeper_pid(lab_folder(LAB)) is not None:
        raise ChecksError(
            f"Could not start the demonstration: lab {LAB} is running already. Stop it with `lab down --name {LAB}`."
        )
    provide_for_a_lab()
    NEWEST_TREE.refresh()
    setting = Setting(NEWEST_TREE)
    _announce("Start a cluster on this machine: the real Kubernetes API, OpenShift's controllers, and two worker nodes")
    with running_lab(setting, LAB, nodes=2, api=api) as lab, tempfile.TemporaryDirectory() as reports:
        proof = _demonstrate(Stage(setting, lab), reports)
        _announce("Stop the cluster")
    print(f"\n{proof}\nTotal time: {time.monotonic() - began:.0f} s", flush=True)


def _demonstrate(stage: Stage, reports: str) -> str:
    """Run all steps and return the proof.

    :param reports: a folder for the report
    """
    _announce(f"The request: an image for the new pool {POOL}, and two nodes that boot it")
    files = FILES[stage.lab.api]
    for name in ("Containerfile", *files):
        path = FOLDER / name
        print(f"--- {path.relative_to(ROOT)}\n{path.read_text(encoding='utf-8')}", flush=True)
    given = (
        *(option for name in files for option in ("-e", f"@{name}")),
        *("-e", f"registry={stage.lab.registry_host}"),
        *("-e", f"registry_password_file={stage.lab.registry_password_files.pusher}"),
        *("-e", f"registry_pull_password_file={stage.lab.registry_password_files.puller}"),
    )
    _announce("Apply: build the image, add the nodes to the pool, wait for their reboots, verify what they booted")
    stage.play("apply", *given)
    _announce("Apply again: everything is in the requested state, so nothing changes")
    second = stage.play("apply", *given)
    if second.changed:
        raise ChecksError(
            f"Could not demonstrate that a second apply changes nothing: {second.changed} tasks changed something. "
            "Read their output above."
        )
    _announce("Verify: read on every node which image it booted, and change nothing")
    verified = stage.play("verify", "-e", f"image_mode_pool={POOL}", "-e", f"image_mode_report_dir={reports}")
    return _proof(stage.lab, second.result["build"]["name"], verified.nodes)


def _proof(lab: Facts, build: str, nodes: t.Sequence[t.Mapping[str, t.Any]]) -> str:
    """Compare the images of the nodes with the image in the registry, and return the comparison as text.

    :param build: the name of the build, of which the operator makes the tag of the image
    :raises ChecksError: they differ
    """
    password = lab.registry_password_files.puller.read_text(encoding="utf-8").strip()
    # In v1alpha1 the tag is the name of the rendered config, and the build is named POOL-RENDERED-builder.
    tag = build if lab.api == "v1" else build.removeprefix(f"{POOL}-").removesuffix("-builder")
    image = Image(lab.registry_address, lab.ca_cert, REPOSITORY, tag, "puller", password)
    digest = image.digest()
    different = [node["name"] for node in nodes if node["booted"]["digest"] != digest]
    if different or len(nodes) != 2:
        reason = f"{', '.join(different)} booted another image" if different else f"{len(nodes)} nodes were verified"
        raise ChecksError(f"Could not prove that two nodes booted {image}: {reason}. Report it; it is a fault.")
    lines = [
        "=== Proof",
        f"{'node':10}{'booted':73}verdict",
        *(f"{node['name']:10}{node['booted']['digest']:73}{node['verdict']}" for node in nodes),
        f"\nThe registry has the same digest for {image}.",
        f"/etc/motd in this image: {image.file('etc/motd').strip()}",
        "The second apply reported changed=0.",
    ]
    return "\n".join(lines)


def _announce(text: str) -> None:
    print(f"\n=== {text}", flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1] if len(sys.argv) > 1 else "v1")
    except ChecksError as error:
        raise SystemExit(str(error)) from None
    except KeyboardInterrupt:
        raise SystemExit("\nStopped.") from None
