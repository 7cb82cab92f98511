# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosconfig import (
    MachineOSConfig,
    WantedConfig,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    MACHINE_CONFIG_POOL,
    MACHINE_OS_BUILD,
    MACHINE_OS_CONFIG,
    NAMESPACE,
    NODE,
    SECRET,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.spec_edit import (
    SpecEdit,
    read_spec_edit,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.apply_machineosconfig import (
    MachineOSConfigRequest,
    apply_machineosconfig,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    OWN,
    all_pools,
    machine_config_pool,
    machine_os_build,
    machine_os_config,
    node,
    secret,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import LOSE_ANSWER, forbidden, refusal

PUSH = "registry.example.com/lab/os-layered:latest"
CONTAINERFILE = "FROM configs AS final\nRUN true\n"


def ask(
    present: bool = True, name: str = "", consent: bool = False, check: bool = False, **wanted: t.Any
) -> MachineOSConfigRequest:
    return MachineOSConfigRequest(present, name, WantedConfig(**{"pool": "layered", **wanted}), consent, check)


def create(**more: t.Any) -> MachineOSConfigRequest:
    wanted = {
        "containerfile": CONTAINERFILE,
        "rendered_image_push_spec": PUSH,
        "rendered_image_push_secret": "push",
    }
    return ask(**{**wanted, **more})


class Apply:
    """Applies, and keeps what was warned of."""

    def __init__(self, session: t.Any) -> None:
        self.session = session
        self.warnings: list[str] = []

    def __call__(self, asked: MachineOSConfigRequest) -> dict[str, t.Any]:
        return apply_machineosconfig(self.session, asked, self.warnings.append)


@pytest.fixture
def apply(session) -> Apply:
    return Apply(session)


@pytest.fixture
def cluster(api):
    """A custom pool without members, and a push secret."""
    api.keep(MACHINE_CONFIG_POOL, *all_pools())
    api.keep(NODE, node("worker-0", roles=["worker"]), node("worker-1", roles=["worker"]))
    api.keep(SECRET, secret("push"))
    return api


@pytest.fixture
def configured(cluster):
    """The pool has a MachineOSConfig and a build already."""
    cluster.keep(MACHINE_OS_CONFIG, machine_os_config(build="layered-a"))
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", uid="1"))
    return cluster


MEMBERS = (node("worker-0"), node("worker-1"))


def test_a_new_one_takes_the_name_of_its_pool(cluster, apply):
    done = apply(create())
    assert done["changed"]
    assert done["machineosconfig"]["name"] == "layered"
    assert cluster.kept(MACHINE_OS_CONFIG, "layered")["spec"]["renderedImagePushSpec"] == PUSH
    assert done["resource"]["kind"] == "MachineOSConfig"
    assert done["diff"]["before"] == {}
    assert done["diff"]["after"]["spec"]["renderedImagePushSpec"] == PUSH
    assert [r.method for r in cluster.writes] == ["POST"]


def test_an_unchanged_one_costs_one_request_and_no_write(configured, apply):
    done = apply(create())
    assert not done["changed"]
    assert len(configured.requests) == 1
    assert configured.writes == []
    assert done["diff"]["before"] == done["diff"]["after"]


def test_the_one_that_serves_the_pool_is_meant_whatever_its_name(cluster, apply):
    cluster.keep(MACHINE_OS_CONFIG, machine_os_config("old-name"))
    done = apply(create(containerfile="FROM x"))
    assert done["machineosconfig"]["name"] == "old-name"
    assert [r.path.rpartition("/")[2] for r in cluster.writes] == ["old-name"]


def record(of: dict) -> SpecEdit:
    edit = read_spec_edit(of["metadata"]["annotations"][OWN + "edit"])
    assert edit is not None
    return edit


def test_an_edit_records_the_builds_before_it_in_the_same_patch(configured, apply):
    done = apply(create(containerfile="FROM x"))
    (write,) = configured.writes
    assert record(write.body).builds == {"layered-a/1"}
    assert write.body["metadata"]["resourceVersion"], "the record is valid only for the version that was read"
    assert write.body["spec"] == {"containerFile": [{"containerfileArch": "NoArch", "content": "FROM x"}]}
    assert record(configured.kept(MACHINE_OS_CONFIG, "layered")).spec_hash == done["machineosconfig"]["spec_hash"]


def test_an_edit_before_any_build_records_none(cluster, apply):
    cluster.keep(MACHINE_OS_CONFIG, machine_os_config())
    apply(create(containerfile="FROM x"))
    assert record(cluster.writes[0].body).builds == frozenset()


def test_a_creation_is_recorded(cluster, apply):
    done = apply(create())
    created = record(cluster.kept(MACHINE_OS_CONFIG, "layered"))
    assert (created.generation, created.spec_hash) == (1, done["machineosconfig"]["spec_hash"])


def test_a_build_that_is_created_during_the_edit_is_added_to_the_record(configured, apply):
    def build_again(request):
        if request.method == "PATCH" and len(configured.writes) == 1:
            configured.keep(MACHINE_OS_BUILD, machine_os_build("layered-b", uid="2"))

    configured.before_each(build_again)
    apply(create(containerfile="FROM x"))
    assert [w.method for w in configured.writes] == ["PATCH", "PATCH"]
    assert record(configured.kept(MACHINE_OS_CONFIG, "layered")).builds == {"layered-a/1", "layered-b/2"}


def test_spec_that_the_server_completed_is_recorded_though_the_response_was_lost(configured, apply):
    def complete(request):
        edited = configured.kept(MACHINE_OS_CONFIG, "layered")
        if request.method == "GET" and edited["metadata"]["generation"] == 2:
            configured.keep(MACHINE_OS_CONFIG, {**edited, "spec": {**edited["spec"], "defaulted": True}})

    configured.before_each(complete)
    configured.fail("/machineosconfigs/layered?fieldManager=", LOSE_ANSWER)
    done = apply(create(containerfile="FROM x"))
    assert done["changed"]
    assert record(configured.kept(MACHINE_OS_CONFIG, "layered")).spec_hash == done["machineosconfig"]["spec_hash"]


def test_record_of_an_edit_by_another_client_after_a_lost_response_stays(configured, apply):
    def edit_again(request):
        edited = configured.kept(MACHINE_OS_CONFIG, "layered")
        if request.method == "GET" and edited["metadata"]["generation"] == 2:
            metadata = {**edited["metadata"], "generation": 3}
            configured.keep(MACHINE_OS_CONFIG, {**edited, "metadata": metadata, "spec": {**edited["spec"], "more": 1}})

    configured.before_each(edit_again)
    configured.fail("/machineosconfigs/layered?fieldManager=", LOSE_ANSWER)
    apply(create(containerfile="FROM x"))
    kept = configured.kept(MACHINE_OS_CONFIG, "layered")
    assert record(kept).generation == 2
    assert record(kept).spec_hash != MachineOSConfig.from_api(kept).spec_hash


def test_check_mode_corrects_no_record(configured, apply):
    apply(create(containerfile="FROM x", check=True))
    assert configured.writes == []
    assert [r.method for r in configured.requests].count("PATCH") == 1


def test_too_many_builds_for_a_record_are_an_error_before_the_edit(configured, apply):
    many = [machine_os_build(f"layered-{n:060}", uid=f"{n:036}") for n in range(2500)]
    configured.keep(MACHINE_OS_BUILD, *many)
    with pytest.raises(OperationError, match=r"change MachineOSConfig layered: it has 250. builds, too many for the"):
        apply(create(containerfile="FROM x"))
    assert configured.writes == []


def test_options_that_are_not_given_leave_their_fields(configured, apply):
    done = apply(ask(rendered_image_push_spec="registry.example.com/lab/other:t"))
    assert done["changed"]
    assert configured.writes[0].body["spec"] == {"renderedImagePushSpec": "registry.example.com/lab/other:t"}


# Consent -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [create(containerfile="FROM x"), ask(present=False)], ids=["a change", "a removal"])
def test_what_reboots_nodes_is_refused_and_names_them(asked, configured, apply):
    configured.keep(NODE, *MEMBERS)
    with pytest.raises(
        OperationError, match=r"drain and reboot .*: worker-0, worker-1\. Set allow_node_reboots"
    ) as refused:
        apply(asked)
    assert refused.value.result["reboots"] == ["worker-0", "worker-1"]
    assert configured.writes == []


def test_a_new_one_for_a_pool_with_members_is_refused_too(cluster, apply):
    cluster.keep(NODE, *MEMBERS)
    with pytest.raises(OperationError, match="worker-0, worker-1"):
        apply(create())
    assert cluster.writes == []


@pytest.mark.parametrize("check", [False, True], ids=["for real", "in check mode"])
def test_with_consent_the_nodes_are_told(check, configured, apply):
    configured.keep(NODE, *MEMBERS)
    done = apply(create(containerfile="FROM x", consent=True, check=check))
    assert done["changed"]
    assert done["reboots"] == ["worker-0", "worker-1"]


def test_a_paused_pool_needs_no_consent(configured, apply):
    configured.keep(NODE, *MEMBERS)
    configured.keep(MACHINE_CONFIG_POOL, machine_config_pool(paused=True))
    assert apply(create(containerfile="FROM x"))["reboots"] == []


def test_a_member_needs_no_consent_for_what_is_as_wanted(configured, apply):
    configured.keep(NODE, *MEMBERS)
    assert not apply(create())["changed"]


# What would hang -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (create(pool="a-pool-with-a-long-name"), "has 23 characters"),
        (create(rendered_image_push_spec="registry.example.com/a/b/os:t"), "2 namespace segments"),
    ],
)
def test_what_would_hang_in_silence_is_refused(asked, reason, cluster, apply):
    with pytest.raises(OperationError, match=f"^Could not create MachineOSConfig .*{reason}"):
        apply(asked)
    assert cluster.writes == []


def test_an_edit_that_would_hang_is_refused_as_a_change(configured, apply):
    with pytest.raises(OperationError, match=r"^Could not change MachineOSConfig layered: .*2 namespace segments"):
        apply(create(rendered_image_push_spec="registry.example.com/a/b/os:t"))


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ({"rendered_image_push_spec": None}, "rendered_image_push_spec is not set"),
        (
            {"rendered_image_push_spec": None, "rendered_image_push_secret": None},
            "rendered_image_push_spec and rendered_image_push_secret is not set",
        ),
    ],
)
def test_what_a_new_one_lacks_is_named(missing, named, cluster, apply):
    with pytest.raises(OperationError, match=named):
        apply(create(**missing))
    assert cluster.writes == []


def test_a_pool_that_does_not_exist_is_refused(cluster, apply):
    with pytest.raises(OperationError, match=r"MachineConfigPool gone does not exist\. Create the pool first"):
        apply(create(pool="gone"))
    assert cluster.writes == []


@pytest.mark.parametrize(
    ("option", "label"), [("rendered_image_push_secret", "push"), ("base_image_pull_secret", "pull")]
)
def test_a_secret_that_does_not_exist_is_refused(option, label, cluster, apply):
    cluster.keep(SECRET, secret("push"))
    with pytest.raises(OperationError, match="Secret openshift-machine-config-operator/gone does not exist"):
        apply(create(**{option: "gone"}))
    assert cluster.writes == []


def test_a_secret_of_another_type_is_refused(cluster, apply):
    cluster.keep(SECRET, secret("push", kind="Opaque"))
    with pytest.raises(
        OperationError, match=r"push has type Opaque\. Use a Secret of type kubernetes\.io/dockerconfigjson or"
    ):
        apply(create())


def test_only_a_secret_that_changes_is_looked_at(configured, apply):
    configured.keep(SECRET, secret("next"))
    configured.drop(SECRET, "push", "openshift-machine-config-operator")
    assert apply(create(rendered_image_push_secret="next"))["changed"]
    with pytest.raises(OperationError, match="gone does not exist"):
        apply(create(rendered_image_push_secret="next", base_image_pull_secret="gone"))


def test_a_secret_that_may_not_be_read_is_only_warned_of(cluster, apply):
    cluster.always_fail("secrets", forbidden("secrets"))
    assert apply(create())["changed"]
    (warning,) = apply.warnings
    assert "Secret openshift-machine-config-operator/push was not checked: secrets is forbidden" in warning


NEW = "FROM configs AS final\nRUN false\n"
INTERNAL = "image-registry.openshift-image-registry.svc:5000/images/os:latest"
NO_NAMESPACE = (
    r"is an image of namespace images, which does not exist\. Create the namespace, or use openshift-machine-"
)


def test_image_of_a_namespace_that_does_not_exist_is_rejected(cluster, apply):
    with pytest.raises(OperationError, match=NO_NAMESPACE):
        apply(create(rendered_image_push_spec=INTERNAL))
    assert cluster.writes == []
    cluster.keep(NAMESPACE, {"metadata": {"name": "images"}})
    assert apply(create(rendered_image_push_spec=INTERNAL))["changed"]


def test_namespace_is_read_only_if_the_push_spec_changes(configured, apply):
    assert apply(create(containerfile=NEW))["changed"]
    assert not [request for request in configured.requests if "/namespaces/images" in request.path]
    with pytest.raises(OperationError, match=NO_NAMESPACE):
        apply(create(containerfile=NEW, rendered_image_push_spec=INTERNAL))


def test_namespace_that_may_not_be_read_is_not_rejected(cluster, apply):
    cluster.always_fail("namespaces/images", forbidden("namespaces"))
    assert apply(create(rendered_image_push_spec=INTERNAL))["changed"]
    assert apply.warnings == []


def test_missing_namespace_is_a_warning_in_check_mode(cluster, apply):
    """A task before may create it."""
    assert apply(create(rendered_image_push_spec=INTERNAL, check=True))["changed"]
    (warning,) = apply.warnings
    assert "namespace images, which does not exist" in warning


def test_the_apis_own_rules_are_the_apis(cluster, apply):
    causes = [{"field": "spec.renderedImagePushSecret", "message": "should follow the rules of names"}]
    cluster.fail("dryRun", refusal(422, "Invalid", "long", causes=causes))
    with pytest.raises(OperationError, match=r"renderedImagePushSecret: should follow .*Correct the value"):
        apply(create(check=True))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"rendered_image_push_spec": "registry.example.com/os/layered"}, "layered has no tag. Add one"),
        ({"rendered_image_push_spec": ""}, "the push spec is empty"),
        ({"containerfile": "RUN true\n"}, "the Containerfile has no FROM instruction"),
        ({"containerfile": "FROM configs AS final\n" + "x" * 4096}, "4118 characters; the limit is 4096"),
    ],
)
def test_value_that_cannot_work_is_refused_before_a_write(configured, apply, values, reason):
    with pytest.raises(OperationError, match=r"^Could not change MachineOSConfig layered: ") as error:
        apply(create(**values))
    assert reason in str(error.value)
    assert configured.writes == []


def test_what_may_be_wrong_in_a_new_containerfile_is_a_warning(configured, apply):
    apply(create(containerfile="FROM configs AS final\nRUNN true\n"))
    assert apply.warnings == ["Line 2 of the Containerfile may be invalid: unknown instruction RUNN"]


def test_containerfile_that_is_not_changed_is_not_doubted(cluster, apply):
    apply(create(containerfile="FROM configs AS final\nRUNN true\n"))
    apply.warnings.clear()
    apply(create(containerfile="FROM configs AS final\nRUNN true\n"))
    assert apply.warnings == []


# Names ---------------------------------------------------------------------------------------------------------------


def test_another_one_that_serves_the_pool_already_is_named(configured, apply):
    with pytest.raises(OperationError, match="MachineConfigPool layered already has MachineOSConfig layered"):
        apply(create(name="second"))
    assert configured.writes == []


def test_a_name_that_serves_another_pool_is_refused(configured, apply):
    configured.keep(MACHINE_CONFIG_POOL, machine_config_pool("gpu"))
    with pytest.raises(OperationError, match="it belongs to MachineConfigPool layered, not gpu"):
        apply(create(name="layered", pool="gpu"))


# Removal -------------------------------------------------------------------------------------------------------------


def test_a_removal_deletes_the_very_one_that_was_seen(configured, apply):
    done = apply(ask(present=False))
    (write,) = configured.writes
    assert (write.method, write.body["preconditions"]) == ("DELETE", {"uid": "uid-of-layered"})
    assert (done["changed"], done["machineosconfig"], done["resource"]) == (True, None, None)
    assert done["diff"]["after"] == {}


def test_what_is_not_there_is_removed_with_one_request(cluster, apply):
    assert not apply(ask(present=False))["changed"]
    assert len(cluster.requests) == 1


# Check mode ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [create(check=True, containerfile="FROM x"), ask(present=False, check=True)],
    ids=["a change", "a removal"],
)
def test_check_mode_lets_the_server_decide_and_writes_nothing(asked, configured, apply):
    before = configured.kept(MACHINE_OS_CONFIG, "layered")
    assert apply(asked)["changed"]
    assert configured.writes == []
    assert [r.query.get("dryRun") for r in configured.requests if r.method != "GET"] == ["All"]
    assert configured.kept(MACHINE_OS_CONFIG, "layered") == before


def test_check_mode_tolerates_what_a_task_before_would_have_brought(api, apply):
    done = apply(create(check=True))
    assert done["changed"]
    consequence = ", and this task would fail unless an earlier task changes that"
    assert apply.warnings == [
        f"MachineConfigPool layered does not exist{consequence}",
        f"Secret openshift-machine-config-operator/push does not exist{consequence}",
    ]
    assert api.writes == []


def test_check_mode_does_not_warn_of_what_an_earlier_step_found_to_be_created(api, apply):
    assert apply(dataclasses.replace(create(check=True), checked_before=True))["changed"]
    assert apply.warnings == []
    with pytest.raises(OperationError, match="MachineConfigPool layered does not exist"):
        apply(dataclasses.replace(create(), checked_before=True))


def test_config_without_its_pool_is_a_warning_of_a_change(configured, apply):
    configured.keep(MACHINE_OS_CONFIG, machine_os_config("gone", pool="gone"))
    apply(create(containerfile="FROM x"))
    assert any("cluster.orphaned_machineosconfig" in warning for warning in apply.warnings)


def test_change_of_a_config_without_its_pool_is_warned_of_and_not_settled(configured, apply):
    configured.drop(MACHINE_CONFIG_POOL, "layered")
    apply(create(containerfile="FROM x"))
    assert any("cluster.orphaned_machineosconfig" in warning for warning in apply.warnings)
    assert not record(configured.kept(MACHINE_OS_CONFIG, "layered")).is_settled


def test_an_edit_waits_until_the_operator_has_reacted_to_the_change_before(configured, apply, nap):
    configured.time = "2026-03-01T12:00:14Z"  # the last change and the build are of noon

    def pass_time() -> None:
        configured.time = "2026-03-01T12:00:15Z"

    nap.after(1, pass_time)
    assert apply(create(containerfile="FROM x"))["changed"]
    assert configured.time == "2026-03-01T12:00:15Z"
    assert record(configured.kept(MACHINE_OS_CONFIG, "layered")).is_settled
