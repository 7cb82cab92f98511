# SPDX-License-Identifier: GPL-3.0-or-later
"""The decisions of the scripted machine-config-operator of v1alpha1, without a lab."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from v1alpha1_objects import config

from lab.kube_rest import ApiError
from lab.v1alpha1.operator_checks import (
    daemon_mounts,
    daemon_template_change,
    daemons_are_replaced,
    degraded_event,
    first_failure,
    operator_conditions,
    validation_failure,
)
from lab.v1alpha1.work_queue import RetryLater, WorkQueue

ALL_SECRETS = {"base", "push", "pull"}
NOW = "2024-08-30T00:01:00Z"


def daemon_set(*mounts: dict[str, str], volumes: tuple[str, ...] = ()) -> dict[str, Any]:
    root = {"name": "rootfs", "mountPath": "/rootfs"}
    spec = {
        "containers": [{"name": "machine-config-daemon", "volumeMounts": [root, *mounts]}, {"name": "kube-rbac-proxy"}],
        "volumes": [{"name": "rootfs"}, *({"name": name, "secret": {"secretName": name}} for name in volumes)],
    }
    return {"metadata": {"generation": 2}, "spec": {"template": {"spec": spec}}}


def mount(pool: str, secret: str) -> dict[str, str]:
    return {"name": secret, "mountPath": f"/run/secrets/os-image-pull-secrets/{pool}"}


def test_a_valid_config_is_no_failure() -> None:
    assert first_failure([config()], {"layered"}, ALL_SECRETS) == ""


@pytest.mark.parametrize(
    ("missing", "field"),
    [("base", "baseImagePullSecret"), ("push", "renderedImagePushSecret"), ("pull", "currentImagePullSecret")],
)
def test_a_missing_secret_is_named_with_its_field(missing: str, field: str) -> None:
    failure = first_failure([config()], {"layered"}, ALL_SECRETS - {missing})

    assert failure == (
        f'invalid MachineOSConfig layered: could not validate {field} "{missing}" for MachineOSConfig layered: '
        f"secret {missing} from layered is not found. Did you use the right secret name?"
    )


def test_build_outputs_are_required_in_fact() -> None:
    one = config()
    del one["spec"]["buildOutputs"]

    assert validation_failure(one, {"layered"}, ALL_SECRETS) == (
        'could not validate currentImagePullSecret "" for MachineOSConfig layered: no secret name provided'
    )


def test_a_missing_pool_is_a_failure() -> None:
    assert '"layered" not found' in first_failure([config()], set(), ALL_SECRETS)


def test_the_cluster_operator_is_degraded_by_a_failure_and_keeps_the_time() -> None:
    good = operator_conditions("4.16.0", "", [], "earlier")
    bad = {item["type"]: item for item in operator_conditions("4.16.0", "invalid", good, NOW)}

    assert (bad["Degraded"]["status"], bad["Degraded"]["reason"]) == ("True", "RenderConfigFailed")
    assert bad["Degraded"]["message"] == "Failed to resync 4.16.0 because: invalid"
    assert (bad["Available"]["lastTransitionTime"], bad["Degraded"]["lastTransitionTime"]) == ("earlier", NOW)


def test_each_new_failure_is_an_event_once() -> None:
    good = operator_conditions("4.16.0", "", [], NOW)
    bad = operator_conditions("4.16.0", "invalid", good, NOW)

    event = degraded_event(bad, good)

    assert event is not None
    assert (event.reason, event.is_warning) == ("OperatorDegraded: RenderConfigFailed", True)
    assert degraded_event(bad, bad) is None
    assert degraded_event(good, bad) is None


def test_the_daemons_mount_the_secret_of_each_pool() -> None:
    mounts = daemon_mounts([config(), config("second", pool="second")])

    change = daemon_template_change(daemon_set(), mounts)

    assert change is not None
    spec = change["spec"]["template"]["spec"]
    assert spec["containers"][0]["volumeMounts"][1:] == [mount("layered", "pull"), mount("second", "pull")]
    assert [volume["name"] for volume in spec["volumes"]] == ["rootfs", "pull"]
    assert spec["containers"][1] == {"name": "kube-rbac-proxy"}


def test_a_deleted_config_leaves_its_volume_behind() -> None:
    change = daemon_template_change(daemon_set(mount("layered", "pull"), volumes=("pull",)), {})

    assert change is not None
    spec = change["spec"]["template"]["spec"]
    assert [item["name"] for item in spec["containers"][0]["volumeMounts"]] == ["rootfs"]
    assert [volume["name"] for volume in spec["volumes"]] == ["rootfs", "pull"]


def test_the_same_pools_and_secrets_change_nothing() -> None:
    present = daemon_set(mount("layered", "pull"), volumes=("pull",))

    assert daemon_template_change(present, {"layered": "pull"}) is None


@pytest.mark.parametrize(("observed", "updated", "replaced"), [(2, 3, True), (1, 3, False), (2, 2, False)])
def test_the_daemons_are_replaced_when_all_run_with_the_present_template(
    observed: int, updated: int, replaced: bool
) -> None:
    present = daemon_set()
    present["status"] = {
        "observedGeneration": observed,
        "desiredNumberScheduled": 3,
        "updatedNumberScheduled": updated,
        "numberAvailable": 3,
    }

    assert daemons_are_replaced(present) is replaced


class Worker:
    """Work of a queue that fails a given number of times."""

    def __init__(self, failures: int, error: Exception, enough: int) -> None:
        self.keys: list[str] = []
        self.done = threading.Event()
        self._failures = failures
        self._error = error
        self._enough = enough

    def __call__(self, key: str) -> None:
        self.keys.append(key)
        if len(self.keys) == self._enough:
            self.done.set()
        if len(self.keys) <= self._failures:
            raise self._error


def serve(queue: WorkQueue[str], worker: Worker) -> None:
    threading.Thread(target=queue.serve, daemon=True).start()
    assert worker.done.wait(timeout=30)


@pytest.mark.parametrize("error", [RetryLater("no"), ApiError(404, "no")])
def test_failed_work_is_repeated_until_it_succeeds(error: Exception) -> None:
    worker = Worker(failures=3, error=error, enough=5)
    queue = WorkQueue[str](worker, tries=2, pause=0.01)
    queue.add("a")
    queue.add("b", delay=0.2)

    serve(queue, worker)

    assert worker.keys == ["a", "a", "a", "a", "b"]


def test_a_key_that_is_added_again_is_worked_on_once_at_the_earlier_time() -> None:
    worker = Worker(failures=0, error=RetryLater("no"), enough=2)
    queue = WorkQueue[str](worker, tries=2, pause=0.01)
    queue.add("a", delay=0.1)
    queue.add("a")
    queue.add("b", delay=0.2)

    serve(queue, worker)

    assert worker.keys == ["a", "b"]
