# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbook apply on OpenShift 4.16: a first image, an edit, a failed build, and a Secret that is missing or wrong."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

import pytest
from lab.v1alpha1.objects import CONFIGS, DAEMON_SETS, POOLS, SECRETS
from pools import containerfile

if t.TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

    from ansible_run import Run
    from v1alpha1_lab import BuiltImage, V1alpha1Lab

Object = t.Mapping[str, t.Any]
FIRST, REPAIRED, MENDED = "first", "repaired", "mended"
MOUNTS = "/run/secrets/os-image-pull-secrets"


def login(lab: V1alpha1Lab, name: str, user: str, password: str = "") -> dict[str, str]:
    """Return a Secret that apply creates, with a password file of the lab or with another one."""
    file = password or str(getattr(lab.facts.registry_password_files, user))
    registry = lab.facts.registry_host
    return {"name": name, "registry": registry, "registry_username": user, "registry_password_file": file}


def failure(run: Run) -> str:
    """Return the message of the one task that failed."""
    (failed,) = [result for result in run.results if result.failed]
    assert run.rc != 0
    assert "\n" not in failed.msg
    return failed.msg


def entry(run: Run) -> Object:
    """Return what a run has published, which succeeded."""
    assert run.rc == 0, run.output
    (published,) = run.published
    return published


# What the tests of this file evaluate ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Edited:
    """A new pool, the same request again, and an edit."""

    first: Run
    config: Object
    build: Object
    again: Run
    edit: Run
    second_build: Object
    image: BuiltImage


@dataclass(frozen=True)
class Repair:
    """A run that fails, what it left, and the run after the cause was removed."""

    failed: Run
    left: t.Sequence[str]
    repair: Run
    image: BuiltImage


@dataclass(frozen=True)
class Mended:
    """Runs with a pull Secret that does not exist, that is denied, and that is good."""

    missing: Run
    created: t.Sequence[str]
    """What exists after the first of them."""
    denied: Run
    good: Run


def edit(lab: V1alpha1Lab) -> Edited:
    """Apply three times: for a new pool, without a change, and with another Containerfile."""
    secrets = {
        "image_mode_secrets": [login(lab, "first-push", "pusher"), login(lab, "first-pull", "puller")],
        "image_mode_rendered_image_push_secret": "first-push",
        "image_mode_current_image_pull_secret": "first-pull",
    }
    first = lab.apply(FIRST, "echo first > /etc/pool", image_mode_nodes=["worker-2"], **secrets)
    config, build = lab.api.get(f"{CONFIGS}/{FIRST}"), lab.build(FIRST) or {}
    again = lab.apply(FIRST, "echo first > /etc/pool", image_mode_nodes=["worker-2"], **secrets)
    edited = lab.apply(FIRST, "echo second > /etc/pool", image_mode_allow_node_reboots=True, **secrets)
    return Edited(first, config, build, again, edited, lab.build(FIRST) or {}, lab.built_image(FIRST))


def repair_failed_build(lab: V1alpha1Lab) -> Repair:
    """Apply a Containerfile that fails, and then one that does not."""
    failed = lab.apply(REPAIRED, "echo no such luck >&2; exit 7", image_mode_nodes=["worker-3"])
    left = lab.left(REPAIRED)
    repair = lab.apply(REPAIRED, "echo repaired > /etc/pool", image_mode_nodes=["worker-3"])
    return Repair(failed, left, repair, lab.built_image(REPAIRED))


def mend_pull_secret(lab: V1alpha1Lab, wrong: str) -> Mended:
    """Apply with the name of a Secret that does not exist, then with one that is denied, and then with a good one.

    :param wrong: a file with a wrong password
    """
    request = {
        "image_mode_rendered_image_push_secret": "mended-push",
        "image_mode_current_image_pull_secret": "mended-pull",
        "image_mode_nodes": ["worker-4"],
    }
    run, push = "echo mended > /etc/pool", login(lab, "mended-push", "pusher")
    missing = lab.apply(MENDED, run, image_mode_secrets=[push], **request)
    objects = ((POOLS, MENDED), (CONFIGS, MENDED), (SECRETS, "mended-push"))
    created = [name for path, name in objects if lab.api.find(path, name)]
    denied = lab.apply(MENDED, run, image_mode_secrets=[push, login(lab, "mended-pull", "puller", wrong)], **request)
    good = lab.apply(MENDED, run, image_mode_secrets=[push, login(lab, "mended-pull", "puller")], **request)
    return Mended(missing, created, denied, good)


@pytest.fixture(scope="module")
def made(
    old_lab: V1alpha1Lab, side_by_side: ThreadPoolExecutor, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Future[t.Any]]:
    """The runs of this file by their pools, side by side."""
    wrong = tmp_path_factory.mktemp("secrets") / "wrong-password"
    wrong.write_text("expired\n", encoding="utf-8")
    return {
        FIRST: side_by_side.submit(edit, old_lab),
        MENDED: side_by_side.submit(mend_pull_secret, old_lab, str(wrong)),
        REPAIRED: side_by_side.submit(repair_failed_build, old_lab),
    }


@pytest.fixture(scope="module")
def edited(made: t.Mapping[str, Future[Edited]]) -> Edited:
    """The runs that create an image and edit it."""
    return made[FIRST].result()


# Tests ----------------------------------------------------------------------------------------------------------------


def test_new_pool_gets_an_image_built_by_a_pod_and_its_node_is_verified(edited: Edited) -> None:
    published = entry(edited.first)
    assert published["verdict"] == "match"
    assert published["changed"] == [
        "Secret first-push",
        "Secret first-pull",
        f"MachineConfigPool {FIRST}",
        f"MachineOSConfig {FIRST}",
        "Node worker-2",
    ]
    rendered = edited.build["spec"]["desiredConfig"]["name"]
    assert published["build"]["name"] == f"{FIRST}-{rendered}-builder"
    assert edited.build["status"]["builderReference"]["imageBuilderType"] == "PodImageBuilder"
    assert edited.build["status"]["finalImagePullspec"] == published["build"]["digested_image_push_spec"]
    (node,) = edited.first.of("Verify booted images")["nodes"]
    assert (node["name"], node["booted"]["pull_spec"]) == ("worker-2", edited.build["status"]["finalImagePullspec"])


def test_machineosconfig_has_the_fields_of_its_generation(edited: Edited) -> None:
    inputs = edited.config["spec"]["buildInputs"]
    assert inputs["imageBuilder"] == {"imageBuilderType": "PodImageBuilder"}
    assert inputs["renderedImagePushSecret"] == {"name": "first-push"}
    assert inputs["containerFile"][0]["content"] == containerfile("echo first > /etc/pool")
    assert edited.config["spec"]["buildOutputs"] == {"currentImagePullSecret": {"name": "first-pull"}}


def test_daemons_of_all_nodes_mount_the_pull_secret_of_the_pool(edited: Edited, old_lab: V1alpha1Lab) -> None:
    assert entry(edited.first)["verdict"] == "match"
    template = old_lab.api.get(f"{DAEMON_SETS}/machine-config-daemon")["spec"]["template"]["spec"]
    mounts = [mount for container in template["containers"] for mount in container.get("volumeMounts", [])]
    assert {mount["mountPath"]: mount["name"] for mount in mounts}[f"{MOUNTS}/{FIRST}"] == "first-pull"


def test_second_apply_changes_nothing(edited: Edited) -> None:
    published = entry(edited.again)
    assert (published["verdict"], published["changed"], edited.again.changed) == ("match", [], 0)
    assert edited.again.of("Build the image")["build"]["uid"] == edited.build["metadata"]["uid"]


def test_edit_is_built_and_the_node_boots_the_new_image(edited: Edited, old_lab: V1alpha1Lab) -> None:
    published = entry(edited.edit)
    assert (published["verdict"], published["changed"]) == ("match", [f"MachineOSConfig {FIRST}"])
    assert edited.second_build["metadata"]["name"] == edited.build["metadata"]["name"]
    assert edited.second_build["metadata"]["uid"] != edited.build["metadata"]["uid"]
    assert edited.edit.of("Build the image")["build"]["uid"] == edited.second_build["metadata"]["uid"]
    image = edited.second_build["status"]["finalImagePullspec"]
    assert image != edited.build["status"]["finalImagePullspec"]
    assert old_lab.node("worker-2").current.image == image
    assert "echo second > /etc/pool" in edited.image.last_instruction
    assert old_lab.left(FIRST) == []
    assert old_lab.pause_of(FIRST) == (False, [])


def test_failed_build_is_explained_and_repaired_by_the_next_apply(
    made: t.Mapping[str, Future[Repair]], old_lab: V1alpha1Lab
) -> None:
    done = made[REPAIRED].result()
    assert "no such luck" in failure(done.failed)
    assert {line.partition("-")[0] for line in done.left} == {"Pod build", "ConfigMap mc", "ConfigMap dockerfile"}
    published = entry(done.repair)
    assert (published["verdict"], published["changed"]) == ("match", [f"MachineOSConfig {REPAIRED}", "Node worker-3"])
    assert "echo repaired > /etc/pool" in done.image.last_instruction
    assert old_lab.left(REPAIRED) == []
    assert old_lab.pause_of(REPAIRED) == (False, [])


def test_missing_secret_is_rejected_before_anything_is_created(made: t.Mapping[str, Future[Mended]]) -> None:
    done = made[MENDED].result()
    assert "Secret openshift-machine-config-operator/mended-pull does not exist" in failure(done.missing)
    assert (done.created, done.missing.changed) == ([], 0)


def test_node_pulls_with_the_secret_of_its_pool(made: t.Mapping[str, Future[Mended]], old_lab: V1alpha1Lab) -> None:
    """The global pull secret allows the pull too, so a denied one shows that the node used the pool's."""
    done = made[MENDED].result()
    assert "Node worker-4 cannot pull the image: " in failure(done.denied)
    assert "unauthorized" in failure(done.denied)
    assert "the Secret that image_mode_current_image_pull_secret names" in failure(done.denied)
    published = entry(done.good)
    assert (published["verdict"], published["changed"]) == ("match", ["Secret mended-pull"])
    assert old_lab.node("worker-4").current.image == old_lab.image(MENDED)
