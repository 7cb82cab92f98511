# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosconfig import WantedConfig
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    MACHINE_CONFIG_POOL,
    MACHINE_OS_BUILD,
    MACHINE_OS_CONFIG,
    NODE,
    SECRET,
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
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import forbidden, refusal

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


def test_an_edit_records_the_build_before_it_in_the_same_patch(configured, apply):
    apply(create(containerfile="FROM x"))
    (write,) = configured.writes
    assert write.body["metadata"]["annotations"] == {OWN + "build-before": "layered-a/1"}
    assert write.body["metadata"]["resourceVersion"], "a mark is true only of the object as it was read"
    assert write.body["spec"] == {"containerFile": [{"containerfileArch": "NoArch", "content": "FROM x"}]}


def test_an_edit_before_any_build_says_so(cluster, apply):
    cluster.keep(MACHINE_OS_CONFIG, machine_os_config())
    apply(create(containerfile="FROM x"))
    assert cluster.writes[0].body["metadata"]["annotations"] == {OWN + "build-before": "none"}


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


def test_the_apis_own_rules_are_the_apis(cluster, apply):
    causes = [{"field": "spec.renderedImagePushSpec", "message": "should follow the host[:port] format"}]
    cluster.fail("dryRun", refusal(422, "Invalid", "long", causes=causes))
    with pytest.raises(OperationError, match=r"renderedImagePushSpec: should follow .*Correct the value"):
        apply(create(rendered_image_push_spec="no-dots/os", check=True))


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
    assert [warning.partition(" does not")[0] for warning in apply.warnings] == [
        "MachineConfigPool layered",
        "Secret openshift-machine-config-operator/push",
    ]
    assert api.writes == []
