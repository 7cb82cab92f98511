# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab that serves MachineOSConfig v1alpha1 as OpenShift 4.16 does, and what its builds leave."""

from __future__ import annotations

import contextlib
import json
import threading
import typing as t
from dataclasses import dataclass

from lab.node_annotations import NodeView
from lab.oci_registry import Credentials, ImageName, Registry
from lab.v1alpha1.objects import (
    BUILDS,
    CONFIG_MAPS,
    CONFIGS,
    GROUP,
    MACHINE_CONFIGS,
    NODES,
    PODS,
    POOL_LABEL,
    POOLS,
    build_name,
    digest_map,
    image_of,
    is_true,
    pod_name,
    rendered_of,
)
from polling import wait_until
from pools import config_options, containerfile, variables_of

if t.TYPE_CHECKING:
    from pathlib import Path

    from ansible_run import Ansible, Run, StartedPlaybook
    from conftest import NewAnsible
    from lab.facts import Facts
    from lab.kube_rest import Api

APPLY = "imagemode.openshift.apply"
LOCALHOST = ("-i", "localhost,")
GLOBAL_PULL_SECRET = "global-pull-secret-copy"
BUILD_HOSTS = ("worker-0", "worker-1")
"""The nodes on which build pods run. A rollout drains its nodes, and a drain deletes build pods for good."""
PATIENCE = 600.0
"""Seconds in which a state is reached, also on a busy machine."""


class V1alpha1Lab:
    """The lab, its pools, and runs of playbook apply, each with an environment of its own."""

    def __init__(self, facts: Facts, api: Api, new_ansible: NewAnsible) -> None:
        self.facts = facts
        self.api = api
        self._new_ansible = new_ansible
        self._lock = threading.Lock()

    def new_ansible(self, kubeconfig: Path | None = None) -> Ansible:
        """Return Ansible with a folder of its own. Threads may call it side by side."""
        with self._lock:
            return self._new_ansible(kubeconfig)

    def keep_builds_off_layered_nodes(self) -> None:
        """Let build pods run on the build hosts only."""
        taint = {"key": "lab-test", "effect": "NoSchedule"}
        for node in self.api.get(NODES)["items"]:
            name = node["metadata"]["name"]
            if name.startswith("worker-") and name not in BUILD_HOSTS:
                self.api.patch(f"{NODES}/{name}", {"spec": {"taints": [taint]}})

    # What a user does

    def variables(self, pool: str, run: str, **variables: t.Any) -> dict[str, t.Any]:
        """Return the variables of apply for a new pool whose Containerfile has one instruction RUN."""
        usual = {
            "image_mode_create_pool": True,
            "image_mode_containerfile": containerfile(run),
            "image_mode_current_image_pull_secret": GLOBAL_PULL_SECRET,
        }
        return variables_of(self.facts, pool, **{**usual, **variables})

    def apply(self, pool: str, run: str, **variables: t.Any) -> Run:
        """Run playbook apply."""
        return self.new_ansible().run_playbook(APPLY, *LOCALHOST, variables=self.variables(pool, run, **variables))

    @contextlib.contextmanager
    def started_apply(self, pool: str, run: str, **variables: t.Any) -> t.Iterator[StartedPlaybook]:
        """Start playbook apply. It ends with the context."""
        given = self.variables(pool, run, **variables)
        with self.new_ansible().started_playbook(APPLY, *LOCALHOST, variables=given) as started:
            yield started

    def config_options(self, pool: str, run: str) -> dict[str, t.Any]:
        """Return the options of module machineosconfig for the same."""
        secret = {"current_image_pull_secret": GLOBAL_PULL_SECRET}
        return config_options(self.facts, pool, containerfile=containerfile(run), allow_node_reboots=True, **secret)

    def add_node(self, pool: str, node: str) -> None:
        """Label a node for a pool."""
        self.api.patch(f"{NODES}/{node}", {"metadata": {"labels": {f"node-role.kubernetes.io/{pool}": ""}}})

    def add_machine_config(self, pool: str) -> str:
        """Create a MachineConfig for a pool, and return the new rendered config."""
        before = self.rendered(pool)
        file = {"path": "/etc/lab-file", "mode": 420, "contents": {"source": f"data:,{pool}"}, "overwrite": True}
        metadata = {"name": f"99-{pool}-file", "labels": {f"{GROUP}/role": pool}}
        spec = {"config": {"ignition": {"version": "3.4.0"}, "storage": {"files": [file]}}}
        body = {"apiVersion": f"{GROUP}/v1", "kind": "MachineConfig", "metadata": metadata, "spec": spec}
        self.api.create(MACHINE_CONFIGS, body)
        wait_until(lambda: self.rendered(pool) != before, PATIENCE)
        return self.rendered(pool)

    def remove_machine_config(self, pool: str, back_to: str) -> None:
        """Delete the MachineConfig, and return when the pool is back on a rendered config."""
        self.api.delete(f"{MACHINE_CONFIGS}/99-{pool}-file")
        wait_until(lambda: self.rendered(pool) == back_to, PATIENCE)

    def evict_build_pod(self, pool: str) -> None:
        """Evict the build pod, as a drain of its node does, and return when it is gone."""
        pod = pod_name(self.rendered(pool))
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
        self.api.create(f"{PODS}/{pod}/eviction", eviction)
        wait_until(lambda: self.api.find(PODS, pod) is None, PATIENCE)

    # What there is

    def rendered(self, pool: str) -> str:
        """Return the rendered config of a pool, or an empty string."""
        return rendered_of(self.api.get(f"{POOLS}/{pool}"))

    def build(self, pool: str) -> dict[str, t.Any] | None:
        """Return the build of the pool's rendered config, or None."""
        return self.api.find(BUILDS, build_name(pool, self.rendered(pool)))

    def build_becomes(self, pool: str, condition: str) -> dict[str, t.Any]:
        """Return the build of the pool's rendered config when a condition of it is True."""

        def found() -> dict[str, t.Any] | None:
            config = self.api.find(POOLS, pool)
            build = self.api.find(BUILDS, build_name(pool, rendered_of(config))) if config else None
            return build if build and is_true(build, condition) else None

        return t.cast("dict[str, t.Any]", wait_until(found, PATIENCE))

    def image(self, pool: str) -> str:
        """Return the image that the MachineOSConfig of a pool publishes, or an empty string."""
        return image_of(self.api.get(f"{CONFIGS}/{pool}"))

    def node(self, name: str) -> NodeView:
        """Return what the daemon of a node reports."""
        return NodeView.of(self.api.get(f"{NODES}/{name}"))

    def left(self, pool: str) -> list[str]:
        """Return the pods and ConfigMaps of the builds of a pool, for any rendered config."""
        labelled = [
            f"{kind} {item['metadata']['name']}"
            for kind, path in (("Pod", PODS), ("ConfigMap", CONFIG_MAPS))
            for item in self.api.get(path, labelSelector=f"{POOL_LABEL}={pool}")["items"]
        ]
        if self.api.find(CONFIG_MAPS, digest_map(self.rendered(pool))):
            labelled.append(f"ConfigMap {digest_map(self.rendered(pool))}")
        return labelled

    def pause_of(self, pool: str) -> tuple[bool, list[str]]:
        """Return whether a pool is paused, and the annotations of this collection about it."""
        found = self.api.get(f"{POOLS}/{pool}")
        annotations = found["metadata"].get("annotations") or {}
        ours = [name for name in annotations if name.startswith("imagemode.openshift/paused")]
        return bool(found["spec"].get("paused")), ours

    def built_image(self, pool: str) -> BuiltImage:
        """Return what the registry has of the image of a pool."""
        name = ImageName.parse(self.image(pool))
        address = ImageName(self.facts.registry_address, name.repository, digest=name.digest)
        password = self.facts.registry_password_files.puller.read_text(encoding="utf-8").strip()
        fetched = Registry(self.facts.ca_cert).fetch(address, Credentials({address.host: f"puller:{password}"}))
        history = [str(layer.get("created_by", "")) for layer in json.loads(fetched.config)["history"]]
        return BuiltImage(fetched.labels.get("machineconfig", ""), history[-1])


@dataclass(frozen=True)
class BuiltImage:
    """What an image was built from."""

    rendered_config: str
    last_instruction: str
    """The last instruction of its Containerfile, as the builder recorded it."""
