# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json
import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    CREATED_BY,
    DAEMON_SET,
    MACHINE_OS_CONFIG,
    OURS,
    SECRET,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.registry.credentials import (
    Credential,
    of_secret,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.apply_secret import (
    SecretRequest,
    apply_secret,
    wanted_credentials,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins import v1alpha1_objects
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    auth,
    machine_os_config,
    secret,
    token_expiring,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import forbidden

NAMESPACE = "openshift-machine-config-operator"
HOST = "registry.example.com"
BUILDER = {HOST: Credential("builder", "hunter2")}
OTHER = {HOST: Credential("builder", "correct-horse")}


def ask(
    credentials: t.Mapping[str, Credential] | None = None,
    present: bool = True,
    check: bool = False,
    whole: bool = True,
    name: str = "push",
) -> SecretRequest:
    return SecretRequest(present, name, NAMESPACE, BUILDER if credentials is None else credentials, whole, check)


def ours(*arguments: t.Any, **more: t.Any) -> dict[str, t.Any]:
    """A Secret that this collection created."""
    made = secret(*arguments, **more)
    return {**made, "metadata": {**made["metadata"], "annotations": {CREATED_BY: OURS}}}


def kept(api) -> dict[str, Credential]:
    return of_secret(api.kept(SECRET, "push", NAMESPACE))


def test_a_secret_that_is_missing_is_created(api, session):
    done = apply_secret(session, ask())
    assert done["changed"]
    assert done["secret"] == {
        "name": "push",
        "namespace": NAMESPACE,
        "registries": [{"host": HOST, "expires": None}],
    }
    assert kept(api) == BUILDER


@pytest.mark.parametrize(
    "auths",
    [
        {HOST: {"auth": auth("builder", "hunter2")}},
        {HOST: {"auth": auth("builder", "hunter2"), "email": "b@example.com"}},
        {HOST: {"username": "builder", "password": "hunter2"}},
    ],
)
@pytest.mark.parametrize("kind", ["kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg"])
def test_the_same_credentials_are_not_written_however_they_are_spelled(auths, kind, api, session):
    api.keep(SECRET, secret("push", auths, kind))
    assert not apply_secret(session, ask())["changed"]
    assert len(api.requests) == 1


@pytest.mark.parametrize(
    "wanted",
    [OTHER, {**BUILDER, "quay.io": Credential("u", "p")}, {"quay.io": Credential("u", "p")}],
    ids=["another password", "one more registry", "another registry"],
)
def test_other_credentials_replace_those_that_are_held(wanted, api, session):
    api.keep(SECRET, ours("push"))
    assert apply_secret(session, ask(wanted))["changed"]
    assert kept(api) == wanted
    assert [r.method for r in api.writes] == ["PATCH"]


def test_broken_content_is_written_anew_when_it_is_ours(api, session):
    api.keep(SECRET, {**ours("push"), "data": {".dockerconfigjson": "%%%"}})
    assert apply_secret(session, ask())["changed"]
    assert kept(api) == BUILDER


def test_broken_content_of_somebody_else_is_left_alone(api, session):
    api.keep(SECRET, {**secret("push"), "data": {".dockerconfigjson": "%%%"}})
    with pytest.raises(OperationError, match="its content cannot be parsed"):
        apply_secret(session, ask())
    assert api.writes == []


def test_one_registry_is_changed_among_those_of_somebody_else_and_nothing_of_them_is_lost(api, session):
    theirs = {"quay.io": {"auth": auth("u", "p"), "email": "u@example.com"}, "acr.io": {"identitytoken": "t"}}
    api.keep(SECRET, secret("push", theirs))
    assert apply_secret(session, ask(whole=False))["changed"]
    content = json.loads(base64.b64decode(api.kept(SECRET, "push", NAMESPACE)["data"][".dockerconfigjson"]))
    assert content["auths"] == {**theirs, HOST: {"auth": auth("builder", "hunter2")}}
    assert not apply_secret(session, ask(whole=False))["changed"]


THEIRS = (
    '{"HttpHeaders" : {"X-Meta": ["a",  1.10]}, "credHelpers":{"ecr.aws":"ecr-login"}, "auths": {'
    '"quay.io": {"auth":"dTpw", "email" : "u\\u00e9@example.com", "weight": 1.0000000000000000001},'
    '"empty.io": {}, "null.io": null, "odd.io": {"auth": "dTpw=="}, "broken.io": { "auth" : "%%%" },'
    '"registry.example.com": {"auth":"b2xkOm9sZA==","email":"b@example.com","identitytoken":"old","x":{"y":[1e3]}}'
    '}, "credsStore": null, "detachKeys": "ctrl-e"}'
)


def text_of(content: str, kind: str = "kubernetes.io/dockerconfigjson", **more: str) -> dict[str, t.Any]:
    """A Secret of somebody else with this text for its content."""
    made = secret("push", kind=kind)
    (key,) = made["data"]
    return {**made, "data": {**more, key: base64.b64encode(content.encode()).decode()}}


def kept_text(api) -> str:
    return base64.b64decode(api.kept(SECRET, "push", NAMESPACE)["data"][".dockerconfigjson"]).decode()


def test_what_is_not_understood_in_a_secret_of_somebody_else_keeps_its_text(api, session):
    api.keep(SECRET, text_of(THEIRS, another="a2V5"))
    done = apply_secret(session, ask(whole=False))
    assert done["changed"]
    assert api.kept(SECRET, "push", NAMESPACE)["data"]["another"] == "a2V5"
    text = kept_text(api)
    for part in (
        '"HttpHeaders":{"X-Meta": ["a",  1.10]}',
        '"credHelpers":{"ecr.aws":"ecr-login"}',
        '"quay.io":{"auth":"dTpw", "email" : "u\\u00e9@example.com", "weight": 1.0000000000000000001}',
        '"empty.io":{}',
        '"null.io":null',
        '"odd.io":{"auth": "dTpw=="}',
        '"broken.io":{ "auth" : "%%%" }',
        '"credsStore":null',
        '"detachKeys":"ctrl-e"',
    ):
        assert part in text
    before, after = json.loads(THEIRS), json.loads(text)
    entry = {"email": "b@example.com", "x": {"y": [1e3]}, "auth": auth("builder", "hunter2")}
    assert after == {**before, "auths": {**before["auths"], HOST: entry}}
    assert list(after["auths"]) == list(before["auths"])
    assert not apply_secret(session, ask(whole=False))["changed"]
    assert len(api.writes) == 1


def test_a_secret_that_has_the_credential_is_not_written_whatever_else_it_holds(api, session):
    api.keep(SECRET, text_of(THEIRS.replace("b2xkOm9sZA==", auth("builder", "hunter2")).replace('"old"', '""')))
    assert not apply_secret(session, ask(whole=False))["changed"]
    assert api.writes == []


def test_the_whole_content_of_a_secret_of_somebody_else_is_not_replaced_and_what_would_be_lost_is_named(api, session):
    api.keep(SECRET, text_of(THEIRS))
    with pytest.raises(OperationError) as refused:
        apply_secret(session, ask())
    assert str(refused.value) == (
        f"Could not change Secret {NAMESPACE}/push: this collection did not create it, and the credentials for "
        "broken.io, empty.io, null.io, odd.io, quay.io and HttpHeaders, credHelpers, credsStore, detachKeys would be "
        "lost. Use registry, which preserves other credentials, or choose another name."
    )
    assert api.writes == []


@pytest.mark.parametrize("name", ["credHelpers", "HttpHeaders"])
def test_what_is_no_credential_would_be_lost_as_well(name, api, session):
    api.keep(SECRET, text_of(json.dumps({name: {"a": "b"}, "auths": {HOST: {"auth": auth("old", "old")}}})))
    with pytest.raises(OperationError, match=f"did not create it, and {name} would be lost"):
        apply_secret(session, ask())
    assert api.writes == []


def test_the_unknown_part_of_an_entry_stays_also_where_the_whole_content_is_asked_for(api, session):
    api.keep(SECRET, text_of(json.dumps({"auths": {HOST: {"auth": auth("old", "old"), "email": "b@example.com"}}})))
    assert apply_secret(session, ask())["changed"]
    entry = {"email": "b@example.com", "auth": auth("builder", "hunter2")}
    assert json.loads(kept_text(api)) == {"auths": {HOST: entry}}


def test_the_whole_content_of_a_secret_of_ours_is_what_is_asked_for(api, session):
    api.keep(SECRET, {**text_of(THEIRS), "metadata": ours("push")["metadata"]})
    assert apply_secret(session, ask())["changed"]
    assert json.loads(kept_text(api)) == {"auths": {HOST: {"auth": auth("builder", "hunter2")}}}


@pytest.mark.parametrize("content", ["{}", '{"auths": null}', '{"auths": {}}', '{"credsStore": "pass"}', " {\n} "])
def test_a_registry_is_added_to_a_content_without_credentials(content, api, session):
    api.keep(SECRET, text_of(content))
    assert apply_secret(session, ask(whole=False))["changed"]
    before = {k: v for k, v in json.loads(content).items() if k != "auths"}
    assert json.loads(kept_text(api)) == {**before, "auths": {HOST: {"auth": auth("builder", "hunter2")}}}


def test_the_entries_of_the_older_layout_stay_beside_the_one_that_is_added(api, session):
    api.keep(SECRET, text_of('{"quay.io": {"auth":  "dTpw"}, "empty.io": {}}'))
    assert apply_secret(session, ask(whole=False))["changed"]
    assert kept_text(api).startswith('{"auths":{"quay.io":{"auth":  "dTpw"},"empty.io":{},"registry.example.com":{')


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"auths": {"hunter2.io": {}, "hunter2.io": {}}}', "it contains a duplicate key"),
        ('{"auths": {}, "auths": {"hunter2": {}}}', "it contains a duplicate key"),
        ('{"hunter2": [{"a": 1, "a": 2}], "auths": {}}', "it contains a duplicate key"),
        ('{"hunter2": NaN, "auths": {}}', "it is not JSON"),
        ('{"auths": {"hunter2.io": {"x": -Infinity}}}', "it is not JSON"),
        ('{"auths": ' + '{"hunter2":' * 100_000 + "1" + "}" * 100_001, "it is nested too deeply"),
        ("[" * 100_000 + "]" * 100_000, "it is nested too deeply"),
        ('["hunter2"]', "it is not a JSON object"),
        ('{"auths": {"hunter2.io": "hunter2"}}', 'it has no "auths" object with one object for each registry'),
        ('{"auths": ["hunter2"]}', 'it has no "auths" object with one object for each registry'),
        ("\ufeff{}", "it is not JSON"),
    ],
    ids=range(11),
)
@pytest.mark.parametrize("kind", ["kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg"])
def test_content_of_somebody_else_that_cannot_be_kept_exactly_is_refused_without_being_quoted(
    kind, content, reason, api, session
):
    api.keep(SECRET, text_of(content, kind))
    with pytest.raises(OperationError) as refused:
        apply_secret(session, ask(whole=False))
    assert f"its content cannot be parsed: {reason}. " in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert api.writes == []


def test_what_an_error_names_of_a_secret_is_limited(api, session):
    api.keep(SECRET, text_of(json.dumps({"auths": {f"{'x' * 5000}{n}.io": {} for n in range(500)}})))
    with pytest.raises(OperationError, match="and 490 more would be lost") as refused:
        apply_secret(session, ask())
    assert len(str(refused.value)) < 2000


def test_nothing_secret_of_an_entry_that_cannot_be_read_leaves(api, session):
    api.keep(SECRET, text_of('{"auths": {"broken.io": {"auth": "top!secret", "note": "top!secret"}}}'))
    done = apply_secret(session, ask(whole=False))
    assert [r["host"] for r in done["secret"]["registries"]] == ["broken.io", HOST]
    assert "top!secret" not in json.dumps(done)


def test_credentials_of_somebody_else_are_not_thrown_away(api, session):
    api.keep(SECRET, secret("push", {"quay.io": {"auth": auth("u", "p")}}))
    with pytest.raises(OperationError, match=r"the credentials for quay\.io would be lost\. Use registry"):
        apply_secret(session, ask())
    assert api.writes == []


def test_a_secret_of_somebody_else_is_not_removed(api, session):
    api.keep(SECRET, secret("push"))
    with pytest.raises(
        OperationError, match=f"^Could not delete Secret {NAMESPACE}/push: this collection did not create it"
    ):
        apply_secret(session, ask({}, present=False))
    assert api.writes == []


@pytest.mark.parametrize("check", [False, True])
def test_a_secret_that_a_config_names_is_not_removed(check, api, session):
    api.keep(SECRET, ours("push"))
    api.keep(MACHINE_OS_CONFIG, machine_os_config(renderedImagePushSecret={"name": "push"}))
    with pytest.raises(OperationError) as error:
        apply_secret(session, ask({}, present=False, check=check))
    assert str(error.value) == (
        f"Could not delete Secret {NAMESPACE}/push: MachineOSConfig layered (rendered_image_push_secret) uses it. "
        "Delete the MachineOSConfig first, or set rendered_image_push_secret to another Secret."
    )
    assert not [request for request in api.requests if request.method == "DELETE"]


def test_a_secret_of_another_namespace_is_removed_without_a_question(api, session):
    made = ours("push")
    api.keep(SECRET, {**made, "metadata": {**made["metadata"], "namespace": "mine"}})
    api.keep(MACHINE_OS_CONFIG, machine_os_config(renderedImagePushSecret={"name": "push"}))
    assert apply_secret(session, SecretRequest(False, "push", "mine", {}, True, False))["changed"]


@pytest.mark.parametrize("name", ["os-push", "os-push-canonical", "os-pull", "global-pull-secret-copy"])
def test_no_secret_of_a_config_in_v1alpha1_is_removed(name, api, session):
    api.not_served.update(v1alpha1_objects.NOT_SERVED)
    api.keep(SECRET, ours(name))
    push = {"name": "os-push-canonical"}
    api.keep(v1alpha1_objects.OLDER_CONFIG, v1alpha1_objects.machine_os_config(renderedImagePushSecret=push))
    with pytest.raises(OperationError, match=r"MachineOSConfig layered \(\w+\) uses it"):
        apply_secret(session, ask({}, present=False, name=name))
    assert api.writes == []


def daemons_that_mount(name: str) -> dict[str, t.Any]:
    volumes = [{"name": "rootfs", "hostPath": {"path": "/"}}, {"name": name, "secret": {"secretName": name}}]
    meta = {"name": "machine-config-daemon", "namespace": NAMESPACE}
    return {"metadata": meta, "spec": {"template": {"spec": {"volumes": volumes}}}}


@pytest.mark.parametrize("check", [False, True])
def test_a_secret_that_the_daemons_of_v1alpha1_mount_is_not_removed_although_no_config_names_it(check, api, session):
    api.not_served.update(v1alpha1_objects.NOT_SERVED)
    api.keep(SECRET, ours("os-pull"))
    api.keep(DAEMON_SET, daemons_that_mount("os-pull"))
    with pytest.raises(OperationError, match=r"DaemonSet machine-config-daemon still mounts it.*Keep it"):
        apply_secret(session, ask({}, present=False, check=check, name="os-pull"))
    assert not [request for request in api.requests if request.method == "DELETE"]


def test_a_secret_that_the_daemons_of_v1alpha1_do_not_mount_is_removed(api, session):
    api.not_served.update(v1alpha1_objects.NOT_SERVED)
    api.keep(SECRET, ours("push"))
    api.keep(DAEMON_SET, daemons_that_mount("os-pull"))
    assert apply_secret(session, ask({}, present=False))["changed"]


def test_the_daemons_of_v1_are_not_read(api, session):
    api.keep(SECRET, ours("push"))
    api.always_fail("daemonsets", forbidden("daemonsets"))
    assert apply_secret(session, ask({}, present=False))["changed"]


@pytest.mark.parametrize("unreadable", ["machineosconfigs", "daemonsets"])
def test_a_secret_whose_use_may_not_be_read_is_not_removed(unreadable, api, session):
    api.not_served.update(v1alpha1_objects.NOT_SERVED)
    api.keep(SECRET, ours("push"))
    api.always_fail(unreadable, forbidden(unreadable))
    with pytest.raises(OperationError, match=rf"whether it is used is unknown: {unreadable} is forbidden.*Grant"):
        apply_secret(session, ask({}, present=False))
    assert api.writes == []


def test_a_secret_that_holds_something_else_is_left_alone(api, session):
    api.keep(SECRET, secret("push", kind="Opaque"))
    with pytest.raises(OperationError, match=f"^Could not change Secret {NAMESPACE}/push: its type is Opaque"):
        apply_secret(session, ask())
    assert api.writes == []


def test_the_older_type_cannot_be_changed(api, session):
    api.keep(SECRET, secret("push", kind="kubernetes.io/dockercfg"))
    with pytest.raises(OperationError, match=r"kubernetes\.io/dockercfg cannot be changed\. Delete it first"):
        apply_secret(session, ask(OTHER))


def test_a_secret_is_removed(api, session):
    api.keep(SECRET, ours("push"))
    done = apply_secret(session, ask({}, present=False))
    assert (done["changed"], done["secret"], done["diff"]["after"]) == (True, None, {})
    assert api.writes[0].body["preconditions"] == {"uid": "uid-of-push"}
    assert not apply_secret(session, ask({}, present=False))["changed"]


@pytest.mark.parametrize(
    ("held", "asked"),
    [([], ask(check=True)), ([ours("push")], ask(OTHER, check=True)), ([ours("push")], ask({}, False, True))],
    ids=["create", "change", "remove"],
)
def test_check_mode_writes_nothing(held, asked, api, session):
    api.keep(SECRET, *held)
    assert apply_secret(session, asked)["changed"]
    assert api.writes == []
    assert [r.query.get("dryRun") for r in api.requests if r.method != "GET"] == ["All"]


def test_a_result_holds_hosts_and_expiry_and_nothing_secret(api, session):
    token = token_expiring(1772366400)
    api.keep(SECRET, secret("push"))
    done = apply_secret(session, ask({HOST: Credential("builder", token)}))
    assert done["secret"]["registries"] == [{"host": HOST, "expires": "2026-03-01T12:00:00Z"}]
    assert done["diff"]["after"][HOST]["credential"] == "changed"
    shown = json.dumps(done)
    for hidden in ("hunter2", token, auth("builder", "hunter2"), auth("builder", token)):
        assert hidden not in shown


# What the options give -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "credentials"),
    [
        ((None, HOST, "builder", "hunter2"), BUILDER),
        ((json.dumps({"auths": {HOST: {"auth": auth("builder", "hunter2")}}}), None, None, None), BUILDER),
        ((None, None, None, None), {}),
    ],
)
def test_options_give_one_registry_or_a_whole_file(options, credentials):
    assert wanted_credentials("apply Secret ns/push", *options) == credentials


@pytest.mark.parametrize("text", ["", "hunter2", '{"auths": {"r": {"auth": "hunter2!"}}}'])
def test_a_file_that_cannot_be_used_is_refused_and_not_quoted(text):
    with pytest.raises(
        OperationError, match=r"^Could not apply Secret ns/push: dockerconfigjson is not valid: "
    ) as refused:
        wanted_credentials("apply Secret ns/push", text, None, None, None)
    assert "hunter2" not in str(refused.value)
    assert refused.value.__context__ is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"auths": {"r": {"auth": "dTpw"}, "r": {"auth": "dTpw"}}}', "it contains a duplicate key"),
        ('{"auths": {"r": {"auth": "dTpw", "x": NaN}}}', "it is not JSON"),
        ('{"auths": {"r": {"auth": "dTpw", "x": 1e999}}}', "it contains a number that is too large"),
        ('{"auths":' * 100_000, "it is nested too deeply"),
        ("[" * 100_000 + "]" * 100_000, "it is nested too deeply"),
    ],
    ids=range(5),
)
def test_a_file_that_would_be_stored_differently_is_refused(text, reason):
    with pytest.raises(
        OperationError, match=f"^Could not apply Secret ns/push: dockerconfigjson is not valid: {reason}"
    ):
        wanted_credentials("apply Secret ns/push", text, None, None, None)


@pytest.mark.parametrize("options", [("", "u", "p"), (HOST, "", "p"), (HOST, "u", ""), (HOST, None, None)])
def test_a_login_with_an_empty_part_is_refused(options):
    with pytest.raises(OperationError, match="registry, registry_username or registry_password is empty"):
        wanted_credentials("apply Secret ns/push", None, *options)


def test_username_with_a_colon_is_rejected():
    """It would be stored, but read back as another user and password, and the Secret would change in every run."""
    with pytest.raises(OperationError, match="registry_username contains a colon") as error:
        wanted_credentials("apply Secret ns/push", None, HOST, "robot:admin", "hunter2")
    assert "hunter2" not in str(error.value)
