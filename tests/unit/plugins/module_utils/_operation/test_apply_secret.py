# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json
import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import Refused
from ansible_collections.imagemode.openshift.plugins.module_utils._model.credentials import Credential, of_secret
from ansible_collections.imagemode.openshift.plugins.module_utils._model.resources import (
    CREATED_BY,
    MACHINE_OS_CONFIG,
    OURS,
    SECRET,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.apply_secret import (
    Ask,
    apply_secret,
    wanted_credentials,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    auth,
    machine_os_config,
    secret,
    token_expiring,
)

NAMESPACE = "openshift-machine-config-operator"
HOST = "registry.example.com"
BUILDER = {HOST: Credential("builder", "hunter2")}
OTHER = {HOST: Credential("builder", "correct-horse")}


def ask(
    credentials: t.Mapping[str, Credential] | None = None,
    present: bool = True,
    check: bool = False,
    whole: bool = True,
) -> Ask:
    return Ask(present, "push", NAMESPACE, BUILDER if credentials is None else credentials, whole, check)


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
    with pytest.raises(Refused, match="its content cannot be read"):
        apply_secret(session, ask())
    assert api.writes == []


def test_one_registry_is_changed_among_those_of_somebody_else_and_nothing_of_them_is_lost(api, session):
    theirs = {"quay.io": {"auth": auth("u", "p"), "email": "u@example.com"}, "acr.io": {"identitytoken": "t"}}
    api.keep(SECRET, secret("push", theirs))
    assert apply_secret(session, ask(whole=False))["changed"]
    content = json.loads(base64.b64decode(api.kept(SECRET, "push", NAMESPACE)["data"][".dockerconfigjson"]))
    assert content["auths"] == {**theirs, HOST: {"auth": auth("builder", "hunter2")}}
    assert not apply_secret(session, ask(whole=False))["changed"]


def test_credentials_of_somebody_else_are_not_thrown_away(api, session):
    api.keep(SECRET, secret("push", {"quay.io": {"auth": auth("u", "p")}}))
    with pytest.raises(Refused, match=r"the credentials for quay\.io would be lost\. Give registry"):
        apply_secret(session, ask())
    assert api.writes == []


def test_a_secret_of_somebody_else_is_not_removed(api, session):
    api.keep(SECRET, secret("push"))
    with pytest.raises(Refused, match=f"^Could not remove Secret {NAMESPACE}/push: this collection did not create it"):
        apply_secret(session, ask({}, present=False))
    assert api.writes == []


def test_a_secret_that_a_config_names_is_not_removed(api, session):
    api.keep(SECRET, ours("push"))
    api.keep(MACHINE_OS_CONFIG, machine_os_config(renderedImagePushSecret={"name": "push"}))
    with pytest.raises(Refused, match="MachineOSConfig layered names it"):
        apply_secret(session, ask({}, present=False))
    assert api.writes == []


def test_a_secret_that_holds_something_else_is_left_alone(api, session):
    api.keep(SECRET, secret("push", kind="Opaque"))
    with pytest.raises(Refused, match=f"^Could not change Secret {NAMESPACE}/push: it is of type Opaque"):
        apply_secret(session, ask())
    assert api.writes == []


def test_the_older_type_cannot_be_changed(api, session):
    api.keep(SECRET, secret("push", kind="kubernetes.io/dockercfg"))
    with pytest.raises(Refused, match=r"kubernetes\.io/dockercfg, which cannot be changed\. Remove it first"):
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
    assert done["diff"]["after"][HOST]["credential"] == "differs from the other side"
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
    with pytest.raises(Refused, match=r"^Could not apply Secret ns/push: dockerconfigjson cannot be used: ") as refused:
        wanted_credentials("apply Secret ns/push", text, None, None, None)
    assert "hunter2" not in str(refused.value)
    assert refused.value.__context__ is None
