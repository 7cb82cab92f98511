# SPDX-License-Identifier: GPL-3.0-or-later
"""The generation v1alpha1, seen through the real API: what its scripted parts make of each known case.

Every test has pools of its own. One worker runs the builds and belongs to no layered pool, because a drain ends them.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config
from started_lab import started_lab
from test_lab_scripted import eventually

from lab.facts import Facts
from lab.kube_rest import Api, ApiError, Change
from lab.node_annotations import NodeView
from lab.oci_registry import Credentials, ImageName, Registry
from lab.release import AUGUST_2024
from lab.supervision import Supervisor
from lab.v1alpha1.objects import (
    BUILDS,
    CLUSTER_OPERATORS,
    CONFIG_MAPS,
    CONFIGS,
    DAEMON_SETS,
    GROUP,
    MACHINE_CONFIGS,
    NODES,
    PODS,
    POOLS,
    SECRETS,
    build_name,
)

pytestmark = pytest.mark.lab

NAMESPACE = "openshift-machine-config-operator"
ROLE = "node-role.kubernetes.io"
COPY = "global-pull-secret-copy"
OLD_FORM = "builder-dockercfg-7lzwl"
LONG = "a-pool-of-22-character"


@dataclass(frozen=True)
class Seen:
    """A build at one moment, as a watch reported it."""

    name: str
    uid: str
    deleted: bool
    true: frozenset[str]


class History:
    """Every state of every build."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._seen: list[Seen] = []
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        for event in self._api.follow(BUILDS):
            conditions = event.object.get("status", {}).get("conditions", [])
            true = frozenset(item["type"] for item in conditions if item["status"] == "True")
            uid = event.object["metadata"]["uid"]
            self._seen.append(Seen(event.name, uid, event.change is Change.GONE, true))

    def of(self, uid: str) -> list[Seen]:
        """The states of one build, oldest first."""
        return [seen for seen in self._seen if seen.uid == uid]


class OldLab:
    """A running lab of v1alpha1, and what these tests do with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts = Facts.load(folder)
        self.api = Api(self.facts.kubeconfigs.admin)
        self.history = History(self.api)

    def pool(self, name: str, **spec: Any) -> None:
        roles = {"key": f"{GROUP}/role", "operator": "In", "values": ["worker", name]}
        body = {"apiVersion": f"{GROUP}/v1", "kind": "MachineConfigPool", "metadata": {"name": name}}
        selectors = {
            "machineConfigSelector": {"matchExpressions": [roles]},
            "nodeSelector": {"matchLabels": {f"{ROLE}/{name}": ""}},
        }
        self.api.create(POOLS, {**body, "spec": {**selectors, **spec}})

    def config(self, name: str, run: str, pool: str = "", secret: str = "", **inputs: Any) -> dict[str, Any]:
        return {
            "apiVersion": f"{GROUP}/v1alpha1",
            "kind": "MachineOSConfig",
            "metadata": {"name": name},
            "spec": {
                "machineConfigPool": {"name": pool or name},
                "buildInputs": {
                    "baseImagePullSecret": {"name": secret or COPY},
                    "renderedImagePushSecret": {"name": secret or "push"},
                    "renderedImagePushspec": f"{self.facts.registry_host}/{NAMESPACE}/os-{pool or name}:latest",
                    "imageBuilder": {"imageBuilderType": "PodImageBuilder"},
                    "containerFile": [{"containerfileArch": "noarch", "content": content(run)}],
                    **inputs,
                },
                "buildOutputs": {"currentImagePullSecret": {"name": secret or COPY}},
            },
        }

    def create(self, name: str, run: str = "true", **options: Any) -> None:
        """Create a MachineOSConfig."""
        self.api.create(CONFIGS, self.config(name, run, **options))

    def edit(self, name: str, run: str) -> None:
        """Change the Containerfile."""
        files = [{"containerfileArch": "noarch", "content": content(run)}]
        self.api.patch(f"{CONFIGS}/{name}", {"spec": {"buildInputs": {"containerFile": files}}})

    def edit_without_effect(self, name: str, run: str) -> None:
        """Change the Containerfile, and wait until the builder has looked at it."""
        line = f"MachineOSConfig {name}: MachineOSBuild "
        before = self.builder_log().count(line)
        self.edit(name, run)
        eventually("the builder looked at the edit", lambda: self.builder_log().count(line) > before)

    def rendered(self, pool: str) -> str:
        def named() -> str:
            return str(self.api.get(f"{POOLS}/{pool}")["spec"].get("configuration", {}).get("name", ""))

        return eventually(f"pool {pool} is rendered", named)

    def build(self, pool: str) -> dict[str, Any]:
        """The build of a pool's current rendered config."""
        name = build_name(pool, self.rendered(pool))
        return eventually(f"pool {pool} has a build", lambda: self.api.find(BUILDS, name))

    def is_true(self, pool: str, condition: str) -> bool:
        conditions = self.build(pool).get("status", {}).get("conditions", [])
        return any(item["type"] == condition and item["status"] == "True" for item in conditions)

    def becomes(self, pool: str, condition: str) -> dict[str, Any]:
        """The build of a pool when a condition has become True."""
        eventually(f"the build of {pool} is {condition}", lambda: self.is_true(pool, condition))
        return self.build(pool)

    def image(self, pool: str) -> str:
        """The image that is published for a pool whose name its MachineOSConfig has."""

        def published() -> str:
            return str(self.api.get(f"{CONFIGS}/{pool}").get("status", {}).get("currentImagePullspec", ""))

        return eventually(f"pool {pool} has an image", published)

    def delete(self, path: str, name: str) -> None:
        """Delete an object, and wait until it is gone."""
        self.api.delete(f"{path}/{name}")
        eventually(f"{name} is gone", lambda: self.api.find(path, name) is None)

    def clean(self, pool: str) -> None:
        """Delete what a build leaves that did not succeed, and the build."""
        rendered = self.rendered(pool)
        if self.api.find(PODS, f"build-{rendered}"):
            self.delete(PODS, f"build-{rendered}")
        for prefix in ("mc", "dockerfile"):
            self.delete(CONFIG_MAPS, f"{prefix}-{rendered}")
        self.delete(BUILDS, build_name(pool, rendered))

    def node(self, name: str) -> NodeView:
        return NodeView.of(self.api.get(f"{NODES}/{name}"))

    def move(self, node: str, pool: str = "", out_of: str = "") -> None:
        """Take a node out of a custom pool and put it into another, in one write."""
        labels = {**({f"{ROLE}/{out_of}": None} if out_of else {}), **({f"{ROLE}/{pool}": ""} if pool else {})}
        self.api.patch(f"{NODES}/{node}", {"metadata": {"labels": labels}})

    def runs(self, node: str, image: str) -> bool:
        view = self.node(node)
        return view.current.image == image and view.settled

    def condition(self, pool: str, kind: str) -> tuple[str, str]:
        conditions = self.api.get(f"{POOLS}/{pool}").get("status", {}).get("conditions", [])
        found = [(item["status"], item["message"]) for item in conditions if item["type"] == kind]
        return found[0] if found else ("", "")

    def degraded(self) -> str:
        """The message of the degraded operator, or an empty string."""
        conditions = self.api.get(f"{CLUSTER_OPERATORS}/machine-config")["status"]["conditions"]
        (found,) = [item for item in conditions if item["type"] == "Degraded"]
        return str(found["message"]) if found["status"] == "True" else ""

    def operator_events(self) -> set[str]:
        """The messages of the events about the operator."""
        selector = {"fieldSelector": "involvedObject.name=machine-config"}
        return {item["message"] for item in self.api.get("/api/v1/namespaces/default/events", **selector)["items"]}

    def machine_config(self, pool: str) -> str:
        """Create a MachineConfig for a pool, and return the new rendered config."""
        before = self.rendered(pool)
        file = {"path": "/etc/lab-file", "mode": 420, "contents": {"source": "data:,new"}, "overwrite": True}
        body = {
            "apiVersion": f"{GROUP}/v1",
            "kind": "MachineConfig",
            "metadata": {"name": f"99-{pool}-file", "labels": {f"{GROUP}/role": pool}},
            "spec": {"config": {"ignition": {"version": "3.4.0"}, "storage": {"files": [file]}}},
        }
        self.api.create(MACHINE_CONFIGS, body)
        eventually(f"pool {pool} has another rendered config", lambda: self.rendered(pool) != before)
        return self.rendered(pool)

    def log(self, pod: str, container: str) -> str:
        core = client.CoreV1Api(config.new_client_from_config(str(self.facts.kubeconfigs.admin)))
        return str(core.read_namespaced_pod_log(pod, NAMESPACE, container=container))

    def daemon(self, node: str) -> dict[str, Any] | None:
        """The pod of the machine-config-daemon of a node, if there is one that stays."""
        found = self.api.get(PODS, labelSelector="k8s-app=machine-config-daemon", fieldSelector=f"spec.nodeName={node}")
        pods = [item for item in found["items"] if "deletionTimestamp" not in item["metadata"]]
        return pods[0] if pods else None

    def builder_log(self) -> str:
        return (self.facts.logs / "machine-os-builder.log").read_text(encoding="utf-8")

    def secret(self, name: str, password: str, old_form: bool = False) -> None:
        """Create or change a registry credential of the pusher."""
        login = base64.b64encode(f"pusher:{password}".encode()).decode()
        logins = {self.facts.registry_host: {"auth": login}}
        key, document = (".dockercfg", logins) if old_form else (".dockerconfigjson", {"auths": logins})
        data = {key: base64.b64encode(json.dumps(document).encode()).decode()}
        if self.api.find(SECRETS, name):
            self.api.patch(f"{SECRETS}/{name}", {"data": data})
            return
        kind = f"kubernetes.io/{key.removeprefix('.')}"
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": kind}
        self.api.create(SECRETS, {**body, "data": data})

    @property
    def password(self) -> str:
        return self.facts.registry_password_files.pusher.read_text(encoding="utf-8")


def content(run: str) -> str:
    return f"FROM configs AS final\nRUN {run}\n"


RUNS = {
    "hidden": "exit 7",
    "marked": "exit 7",
    "bad": "exit 7",
    "good": "true",
    "leaver": "true",
    "back": "true",
    "old-secret": "true",
    "edited": "true",
    "double": "true",
    "paused": "true",
    "denied": "true",
    "evicted": "sleep 300",
    "cut-off": "sleep 300",
    "overtaken": "sleep 300",
    LONG: "true",
}
LAYERED = {"good": "worker-0", "leaver": "worker-1", "back": "worker-2", "old-secret": "worker-3"}


@pytest.fixture(scope="module")
def lab() -> Iterator[OldLab]:
    with started_lab("v1alpha1", AUGUST_2024, nodes=5) as folder:
        lab = OldLab(folder)
        set_up(lab)
        yield lab


def set_up(lab: OldLab) -> None:
    """Start nearly every build at once, because each takes half a minute."""
    lab.pool("host")
    lab.move("worker-4", "host")
    taint = {"key": "lab-test", "effect": "NoSchedule"}
    for name, old_form in ((OLD_FORM, True), ("denied", False)):
        lab.secret(name, lab.password, old_form)
    for pool, node in LAYERED.items():
        lab.pool(pool)
        lab.api.patch(f"{NODES}/{node}", {"spec": {"taints": [taint]}})
        lab.move(node, pool)
    for pool, run in RUNS.items():
        if pool not in LAYERED:
            lab.pool(pool, paused=pool == "paused")
        lab.create(pool, run, secret={"old-secret": OLD_FORM, "denied": "denied"}.get(pool, ""))
    for pool in ("hidden", "marked"):
        lab.becomes(pool, "Failed")
        lab.edit_without_effect(pool, "true")
    lab.machine_config("marked")


# The API


def test_only_v1alpha1_of_the_build_api_is_served(lab: OldLab) -> None:
    assert lab.facts.api == "v1alpha1"
    for version, served in (("v1", False), ("v1alpha1", True)):
        resources = {item["name"] for item in lab.api.get(f"/apis/{GROUP}/{version}")["resources"]}
        assert ({"machineosconfigs", "machineosbuilds"} <= resources) is served
    gate = lab.api.get("/apis/config.openshift.io/v1/featuregates/cluster")
    assert gate["spec"]["featureSet"] == "TechPreviewNoUpgrade"
    cluster = lab.api.get("/apis/config.openshift.io/v1/clusterversions/version")
    assert cluster["status"]["desired"]["version"] == "4.16.0"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"imageBuilder": {"imageBuilderType": "Job"}},
            'Unsupported value: "Job": supported values: "PodImageBuilder"',
        ),
        ({"baseImagePullSecret": None}, "Required value"),
        ({"renderedImagePushspec": "h.example.com/org/os"}, "must end with a valid :<tag>"),
        ({"renderedImagePushspec": "h.example.com/a/b/os:t"}, "should follow the host"),
        ({"renderedImagePushspec": "h.example.com:5000/org/os:t"}, "should follow the host"),
    ],
)
def test_the_api_refuses_what_its_rules_forbid(lab: OldLab, change: dict[str, Any], message: str) -> None:
    body = lab.config("refused", "true", **change)
    with pytest.raises(ApiError, match=message) as refused:
        lab.api.create(f"{CONFIGS}?dryRun=All", body)
    assert refused.value.status == 422


def test_the_api_accepts_a_port_in_the_service_form_and_missing_outputs(lab: OldLab) -> None:
    body = lab.config("accepted", "true", renderedImagePushspec="a.b.svc:5000/x/y:t", imageBuilder={})
    del body["spec"]["buildOutputs"]
    made = lab.api.create(f"{CONFIGS}?dryRun=All", body)
    assert made["spec"]["buildInputs"]["imageBuilder"] == {"imageBuilderType": "PodImageBuilder"}


# Builds


def test_a_build_succeeds_with_its_image_in_both_statuses_and_removes_its_objects(lab: OldLab) -> None:
    done = lab.becomes("good", "Succeeded")
    image, rendered = lab.image("good"), lab.rendered("good")
    assert done["status"]["finalImagePullspec"] == image
    assert image.startswith(f"{lab.facts.registry_host}/{NAMESPACE}/os-good@sha256:")
    assert lab.api.find(PODS, f"build-{rendered}") is None
    left = [item["metadata"]["name"] for item in lab.api.get(CONFIG_MAPS)["items"]]
    assert not [name for name in left if name.endswith(rendered)]
    assert [seen.true for seen in lab.history.of(done["metadata"]["uid"]) if seen.true][:3] == [
        {"Prepared"},
        {"Building"},
        {"Succeeded"},
    ]
    sources = lab.api.get(f"{POOLS}/good")["spec"]["configuration"]["source"]
    assert {source.get("kind") for source in sources} == {"MachineConfig"}


def test_an_edit_builds_nothing_until_the_build_is_deleted_before_it(lab: OldLab) -> None:
    before, image = lab.becomes("edited", "Succeeded"), lab.image("edited")
    lab.edit_without_effect("edited", "echo first > /etc/edited")
    assert lab.build("edited")["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert lab.image("edited") == image

    lab.delete(BUILDS, before["metadata"]["name"])
    lab.edit("edited", "echo second > /etc/edited")

    again = lab.becomes("edited", "Succeeded")
    assert again["metadata"]["uid"] != before["metadata"]["uid"]
    assert lab.image("edited") == again["status"]["finalImagePullspec"] != image
    name = ImageName(f"127.0.0.1:{lab.facts.ports.registry}", f"{NAMESPACE}/os-edited", lab.rendered("edited"))
    puller = Credentials({name.host: f"pusher:{lab.password}"})
    assert lab.image("edited").endswith(Registry(lab.facts.ca_cert).fetch(name, puller).digest)


def test_a_failing_run_leaves_its_pod_running_and_says_why_only_in_its_log(lab: OldLab) -> None:
    failed = lab.becomes("bad", "Failed")
    pod = f"build-{lab.rendered('bad')}"
    status = lab.api.get(f"{PODS}/{pod}")["status"]
    states = {item["name"]: item["state"] for item in status["containerStatuses"]}
    assert status["phase"] == "Running"
    assert states["image-build"]["terminated"]["exitCode"] == 7
    assert "message" not in states["image-build"]["terminated"]
    assert "running" in states["wait-for-done"]
    (condition,) = [item for item in failed["status"]["conditions"] if item["type"] == "Failed"]
    assert condition["message"] == "Failed to build configuration for pool bad: BuildFailed"
    assert 'building at STEP "RUN exit 7"' in lab.log(pod, "image-build")
    assert lab.condition("bad", "Updated")[0] == "True"


def test_an_edit_after_a_failure_hides_it_until_the_left_pod_is_looked_at_again(lab: OldLab) -> None:
    uid = lab.build("hidden")["metadata"]["uid"]

    def turns() -> list[bool]:
        failed = ["Failed" in seen.true for seen in lab.history.of(uid)]
        return [now for before, now in zip([False, *failed], failed, strict=False) if now != before]

    eventually("the failure was hidden and is back", lambda: turns()[:3] == [True, False, True])

    # The leftovers block the next build.
    lab.delete(BUILDS, lab.build("hidden")["metadata"]["name"])
    lab.edit("hidden", "true && true")
    blocked = eventually("there is a build with a status", lambda: with_status(lab.build("hidden")))
    assert "builderReference" not in blocked["status"]
    assert f'configmaps "mc-{lab.rendered("hidden")}" already exists' in lab.builder_log()

    lab.clean("hidden")
    lab.edit("hidden", "true")
    assert "builderReference" in lab.becomes("hidden", "Succeeded")["status"]


def with_status(found: dict[str, Any]) -> dict[str, Any] | None:
    return found if found.get("status") else None


def test_a_pod_that_failed_before_marks_the_build_of_the_next_rendered_config(lab: OldLab) -> None:
    uid = lab.build("marked")["metadata"]["uid"]

    def ends() -> list[frozenset[str]]:
        true = [seen.true for seen in lab.history.of(uid)]
        return true[true.index(frozenset({"Succeeded"})) :] if {"Succeeded"} in true else []

    eventually("the success became a failure", lambda: {"Failed"} in ends())
    assert lab.build("marked")["status"]["finalImagePullspec"] == lab.image("marked")


def test_a_missing_secret_leaves_a_build_with_one_condition_and_degrades_the_operator(lab: OldLab) -> None:
    lab.image("good")
    lab.pool("unsecret")
    lab.create("unsecret", secret="late-secret")
    stuck = eventually("there is a build with a status", lambda: with_status(lab.build("unsecret")))
    assert [(item["type"], item["reason"]) for item in stuck["status"]["conditions"]] == [("Failed", "MOSCAvailable")]
    message = eventually("the operator is degraded", lab.degraded)
    assert message.startswith("Failed to resync 4.16.0 because: invalid MachineOSConfig unsecret: could not validate ")
    assert "secret late-secret from unsecret is not found. Did you use the right secret name?" in message

    eventually("there is an event", lambda: message in lab.operator_events())

    lab.secret("late-secret", lab.password)

    eventually("the operator is well", lambda: not lab.degraded())
    assert lab.build("unsecret")["metadata"]["resourceVersion"] == stuck["metadata"]["resourceVersion"]
    lab.delete(BUILDS, stuck["metadata"]["name"])
    lab.edit("unsecret", "true && true")
    lab.becomes("unsecret", "Succeeded")


def test_one_secret_of_the_old_form_is_copied_once_and_rewritten_in_the_inputs_only(lab: OldLab) -> None:
    lab.image("old-secret")
    found = lab.api.get(f"{CONFIGS}/old-secret")
    inputs, outputs = found["spec"]["buildInputs"], found["spec"]["buildOutputs"]
    assert {inputs[key]["name"] for key in ("baseImagePullSecret", "renderedImagePushSecret")} == {
        f"{OLD_FORM}-canonical"
    }
    assert outputs["currentImagePullSecret"]["name"] == OLD_FORM
    assert found["metadata"]["generation"] == 2
    copy = lab.api.get(f"{SECRETS}/{OLD_FORM}-canonical")
    assert copy["metadata"]["labels"][f"{GROUP}/originalSecretName"] == OLD_FORM


def test_a_config_is_built_when_its_pool_is_created_later(lab: OldLab) -> None:
    lab.create("late")
    eventually("the operator misses the pool", lambda: '"late" not found' in lab.degraded())

    lab.pool("late")

    lab.becomes("late", "Succeeded")


def test_a_pool_name_of_22_characters_gets_no_build(lab: OldLab) -> None:
    eventually("the API refused the build", lambda: f"{LONG}-rendered-{LONG}" in lab.builder_log())

    assert "spec.desiredConfig.name" in lab.builder_log()
    assert lab.api.find(BUILDS, build_name(LONG, lab.rendered(LONG))) is None


def test_a_deleted_pod_leaves_its_build_building(lab: OldLab) -> None:
    uid = lab.becomes("evicted", "Building")["metadata"]["uid"]
    pod = f"build-{lab.rendered('evicted')}"
    lab.delete(PODS, pod)

    lab.edit_without_effect("evicted", "true")

    assert lab.build("evicted")["metadata"]["uid"] == uid
    assert lab.is_true("evicted", "Building")
    assert lab.api.find(PODS, pod) is None
    assert lab.api.find(CONFIG_MAPS, f"mc-{lab.rendered('evicted')}")


def test_a_killed_builder_goes_on_with_its_builds(lab: OldLab) -> None:
    lab.pool("killed")
    lab.create("killed", "sleep 5")
    uid = lab.becomes("killed", "Building")["metadata"]["uid"]

    Supervisor.of(lab.facts).kill("openshift:machine-os-builder")

    assert lab.becomes("killed", "Succeeded")["metadata"]["uid"] == uid


def test_a_config_deleted_during_its_build_interrupts_it_and_blocks_the_next(lab: OldLab) -> None:
    uid = lab.becomes("cut-off", "Building")["metadata"]["uid"]
    rendered = lab.rendered("cut-off")
    lab.delete(CONFIGS, "cut-off")
    eventually("the build is gone", lambda: lab.history.of(uid)[-1].deleted)
    assert any(seen.true == {"Interrupted"} for seen in lab.history.of(uid))
    assert lab.api.find(PODS, f"build-{rendered}") is None
    assert lab.api.find(CONFIG_MAPS, f"mc-{rendered}")
    assert lab.api.find(CONFIG_MAPS, f"dockerfile-{rendered}")

    lab.create("cut-off")

    again = eventually("there is a build with a status", lambda: with_status(lab.build("cut-off")))
    assert "builderReference" not in again["status"]


def test_a_new_rendered_config_leaves_the_running_build_building(lab: OldLab) -> None:
    first = lab.becomes("overtaken", "Building")
    old = lab.rendered("overtaken")
    # The running build keeps its text.
    lab.edit_without_effect("overtaken", "true")
    lab.machine_config("overtaken")

    lab.becomes("overtaken", "Succeeded")

    left = lab.api.get(f"{BUILDS}/{first['metadata']['name']}")
    assert [item["type"] for item in left["status"]["conditions"] if item["status"] == "True"] == ["Building"]
    assert lab.api.find(CONFIG_MAPS, f"mc-{old}")


def test_of_two_configs_for_a_pool_only_the_first_is_built(lab: OldLab) -> None:
    first = lab.becomes("double", "Succeeded")
    line = "MachineOSConfig second: MachineOSBuild "

    lab.create("second", pool="double")

    eventually("the builder looked at the second", lambda: line in lab.builder_log())
    assert lab.build("double")["metadata"]["uid"] == first["metadata"]["uid"]
    assert not lab.api.get(f"{CONFIGS}/second").get("status")


def test_a_paused_pool_is_built_and_says_what_it_will_not_do(lab: OldLab) -> None:
    image = lab.image("paused")
    lab.move("worker-4", "paused", out_of="host")

    expected = f"Pool is paused; will not update to MachineConfig {lab.rendered('paused')} / Image {image}"
    eventually("the pool says so", lambda: lab.condition("paused", "Updating") == ("False", expected))

    assert lab.node("worker-4").desired.image == ""
    lab.move("worker-4", "host", out_of="paused")


# Nodes


def test_a_rollout_drains_and_reboots_and_leaves_the_taint(lab: OldLab) -> None:
    eventually("the node runs the image", lambda: lab.runs("worker-2", lab.image("back")))
    image = lab.image("back")
    assert lab.node("worker-2").current.config == lab.rendered("back")
    expected = f"All nodes are updated with MachineConfig {lab.rendered('back')} / Image {image}"
    eventually("the pool says so", lambda: lab.condition("back", "Updated") == ("True", expected))
    taints = [taint["key"] for taint in lab.api.get(f"{NODES}/worker-2")["spec"]["taints"]]
    assert taints.count("UpdateInProgress") == 1
    assert lab.node("worker-2").last_applied_drain.startswith("uncordon-")
    events = lab.api.get(f"/api/v1/namespaces/{NAMESPACE}/events", fieldSelector="involvedObject.name=back")["items"]
    targeted = [item["message"] for item in events if item["reason"] == "SetDesiredConfigAndOSImage"]
    assert f"Targeted node worker-2 to MachineConfig: {lab.rendered('back')} / Image: {image}" in targeted


def test_a_removed_machine_config_brings_the_newest_image_under_the_older_config(lab: OldLab) -> None:
    eventually("the node runs the image", lambda: lab.runs("worker-2", lab.image("back")))
    first_image, first_config = lab.image("back"), lab.rendered("back")
    lab.machine_config("back")
    lab.becomes("back", "Succeeded")
    second_image = lab.image("back")
    assert second_image != first_image

    lab.delete(MACHINE_CONFIGS, "99-back-file")

    eventually("the pool is back", lambda: lab.rendered("back") == first_config)
    eventually(
        "the node has the older config with the newest image",
        lambda: lab.runs("worker-2", second_image) and lab.node("worker-2").current.config == first_config,
    )


def test_a_deleted_config_degrades_the_first_node_after_the_next_event_and_is_undone_by_another(lab: OldLab) -> None:
    eventually("the node runs the image", lambda: lab.runs("worker-0", lab.image("good")))
    eventually("the pool is settled", lambda: lab.condition("good", "Updated")[0] == "True")
    name = lab.build("good")["metadata"]["name"]
    lab.delete(CONFIGS, "good")
    eventually("its build is deleted too", lambda: lab.api.find(BUILDS, name) is None)

    lab.api.patch(f"{POOLS}/good", {"metadata": {"labels": {"touched": ""}}})

    eventually("the node is degraded", lambda: lab.node("worker-0").state == "Degraded")
    node = lab.node("worker-0")
    assert node.reason == "rolling back from a layered to non-layered configuration is not currently supported"
    assert node.desired.image == ""
    assert node.current.image
    assert not lab.api.get(f"{NODES}/worker-0")["spec"].get("unschedulable")
    eventually("the pool is degraded", lambda: lab.condition("good", "Degraded")[0] == "True")

    lab.create("good")

    eventually("the node runs the new image", lambda: lab.runs("worker-0", lab.image("good")))
    eventually("the pool is well", lambda: lab.condition("good", "Degraded")[0] == "False")


def test_a_node_that_leaves_is_degraded_until_its_new_pool_has_a_config_of_any_name(lab: OldLab) -> None:
    eventually("the node runs the image", lambda: lab.runs("worker-1", lab.image("leaver")))

    lab.move("worker-1", out_of="leaver")

    eventually("the node is degraded", lambda: lab.node("worker-1").state == "Degraded")
    assert lab.node("worker-1").reason.startswith("rolling back from a layered")

    lab.create("workers", pool="worker")

    eventually("the node runs the image", lambda: lab.runs("worker-1", lab.image("workers")))
    assert lab.build("worker")["spec"]["machineOSConfig"]["name"] == "workers"


def test_a_node_whose_pull_secret_is_denied_names_the_cause_only_in_the_log_of_its_daemon(lab: OldLab) -> None:
    eventually("the node runs the image", lambda: lab.runs("worker-3", lab.image("old-secret")))
    before = lab.image("old-secret")
    image = lab.image("denied")
    lab.secret("denied", "expired")

    lab.move("worker-3", "denied", out_of="old-secret")

    eventually("the node is degraded", lambda: lab.node("worker-3").state == "Degraded")
    reason = f"Failed to update OS to {image} after retries: timed out waiting for the condition"
    assert lab.node("worker-3").reason == reason
    assert lab.node("worker-3").current.image == before
    assert lab.api.get(f"{NODES}/worker-3")["spec"]["unschedulable"]
    daemon = eventually("worker-3 has a daemon", lambda: lab.daemon("worker-3"))
    log = lab.log(daemon["metadata"]["name"], "machine-config-daemon")
    assert "unauthorized: authentication required" in log

    lab.secret("denied", lab.password)

    eventually("the node runs the image", lambda: lab.runs("worker-3", image))


# The operator


def test_each_config_mounts_its_secret_into_the_daemons_of_all_nodes(lab: OldLab) -> None:
    lab.pool("mounted")
    path = "/run/secrets/os-image-pull-secrets/mounted"

    def template() -> dict[str, Any]:
        return dict(lab.api.get(f"{DAEMON_SETS}/machine-config-daemon")["spec"]["template"]["spec"])

    def mounted(pod: dict[str, Any]) -> bool:
        return path in {mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}

    def mounting_daemon() -> str | None:
        # Until the controller replaces it, the node has the daemon of the template before, which stays after a delete.
        daemon = lab.daemon("worker-4")
        return daemon["metadata"]["name"] if daemon and mounted(daemon["spec"]) else None

    lab.create("mounted")
    eventually("the secret is mounted", lambda: mounted(template()))
    before = eventually("the daemon of worker-4 mounts it", mounting_daemon)

    lab.delete(CONFIGS, "mounted")

    eventually("the mount is gone", lambda: not mounted(template()))
    eventually("the daemon is another pod", lambda: lab.api.find(PODS, before) is None)
    assert COPY in {volume["name"] for volume in template()["volumes"]}
