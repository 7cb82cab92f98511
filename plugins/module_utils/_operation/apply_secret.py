# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a pull or push secret into the wanted state, compared registry by registry; nothing secret leaves.

Whatever else a Secret holds stays as it is. Only in a Secret that this collection created, and only where the whole
content is asked for, the rest is removed.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._cluster.cluster_identity import read_cluster
from .._cluster.session import Session
from .._errors import OperationError
from .._model.objects.machineosconfig import MachineOSConfig
from .._model.objects.resources import MACHINE_OS_CONFIG, OPERATOR_NAMESPACE, SECRET, Object, is_ours, metadata_of
from .._model.registry import credentials as model
from .._model.registry.credentials import Content, Credential, Credentials
from .._result import result
from .planned_again import planned_again

_NAMES_SHOWN = 10
_NAME_SHOWN = 100
"""How many names out of a Secret an error shows, and how many characters of each."""


@dataclass(frozen=True)
class SecretRequest:
    """What the user asks for."""

    present: bool
    name: str
    namespace: str
    credentials: t.Mapping[str, Credential]
    whole: bool
    """Whether the Secret is to hold these credentials only; else what it holds for other registries stays."""
    check_mode: bool

    @property
    def label(self) -> str:
        """The Secret, as errors name it."""
        return f"Secret {self.namespace}/{self.name}"


def wanted_credentials(
    what: str, dockerconfigjson: str | None, registry: str | None, username: str | None, password: str | None
) -> dict[str, Credential]:
    """Return the credentials that the options give: a whole dockerconfigjson, or one registry's.

    :raises OperationError: the dockerconfigjson cannot be read, or part of a login is empty
    """
    if dockerconfigjson is None:
        return _of_one_registry(what, registry, username, password)
    try:
        credentials = model.read_dockerconfigjson(dockerconfigjson)
        empty = sorted(host for host, credential in credentials.items() if not credential.logs_in)
        if credentials and not empty:
            return credentials
        reason = f"dockerconfigjson holds no credential for {', '.join(empty) or 'any registry'}"
    except ValueError as error:
        reason = f"dockerconfigjson cannot be used: {error}"
    raise OperationError(what, reason, 'Give the content of a pull secret: {"auths": {HOST: {"auth": ...}}}')


def _of_one_registry(
    what: str, registry: str | None, username: str | None, password: str | None
) -> dict[str, Credential]:
    if registry is None:
        return {}
    credential = Credential(str(username or ""), str(password or ""))
    if not registry or not credential.logs_in:
        reason = "registry, registry_username or registry_password is empty"
        raise OperationError(what, reason, "Set all three, and check the source of the password")
    if ":" in credential.username:
        reason = "registry_username contains a colon, which HTTP basic authentication does not allow"
        raise OperationError(what, reason, "Set registry_username to the name without the password")
    return {registry: credential}


def apply_secret(session: Session, request: SecretRequest) -> dict[str, t.Any]:
    """Create, change or remove the Secret and return hosts and expiry, never data.

    :raises OperationError: the Secret is not one of credentials, somebody else's credentials would be lost, or the
        API server denies the request
    """
    return planned_again(lambda: _apply(session, request))


def _apply(session: Session, request: SecretRequest) -> dict[str, t.Any]:
    current = session.find(SECRET, request.name, request.namespace)
    if not request.present:
        return _remove(session, request, current)
    if current is None:
        secret = model.new_secret(request.name, request.namespace, request.credentials)
        session.create(SECRET, secret, dry_run=request.check_mode)
        return _result(session, request, None, request.credentials, changed=True)
    what = f"change {request.label}"
    content = _content(request, current, what)
    held = content.credentials if content else None
    wanted = dict(request.credentials) if request.whole else {**(held or {}), **request.credentials}
    if held == wanted:
        return _result(session, request, held, held, changed=False)
    lost = _lost(request, content) if content else ""
    if lost and not is_ours(current):
        reason = f"this collection did not create it, and {lost} would be lost"
        raise OperationError(what, reason, "Give registry, which leaves the others in place, or choose another name")
    if current.get("type") != model.DOCKERCONFIGJSON:
        raise OperationError(what, f"it is of type {current.get('type')}, which cannot be changed", "Remove it first")
    if content and not lost:
        text = content.having(_changes(held or {}, request.credentials)).text
    else:
        text = model.write_dockerconfigjson(wanted)
    seen = {"resourceVersion": metadata_of(current)["resourceVersion"]}
    patch = {"metadata": seen, "data": model.data_of(text)}
    session.patch(SECRET, request.name, patch, request.namespace, dry_run=request.check_mode)
    return _result(session, request, held, wanted, changed=True)


def _changes(held: Credentials, asked: Credentials) -> dict[str, Credential]:
    return {host: credential for host, credential in asked.items() if held.get(host) != credential}


def _lost(request: SecretRequest, content: Content) -> str:
    """Return what the Secret holds and would hold no more, by its names; empty where nothing is lost."""
    if not request.whole:
        return ""
    hosts, members = content.entries.keys() - request.credentials.keys(), content.members.keys()
    parts = [f"the credentials for {_listed(hosts)}" if hosts else "", _listed(members)]
    return " and ".join(filter(None, parts))


def _listed(names: t.Collection[str]) -> str:
    """Return the first few names, for a Secret of somebody else can hold any number of any length."""
    shown = [name[:_NAME_SHOWN] for name in sorted(names)[:_NAMES_SHOWN]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _content(request: SecretRequest, current: Object, what: str) -> Content | None:
    """Return what the Secret holds; None when its content is broken and ours, so that it may be written anew."""
    if current.get("type") not in model.KEYS:
        reason = f"it is of type {current.get('type')}, not one of registry credentials"
        raise OperationError(what, reason, "Choose another name, or remove it first")
    try:
        return model.content_of(current)
    except ValueError as error:
        reason = str(error)
    if is_ours(current):
        return None
    raise OperationError(what, f"its content cannot be read: {reason}", "Correct it by hand, or remove it first")


def _remove(session: Session, request: SecretRequest, current: Object | None) -> dict[str, t.Any]:
    if current is None:
        return _result(session, request, None, None, changed=False)
    what = f"remove {request.label}"
    if not is_ours(current):
        raise OperationError(what, "this collection did not create it", "Remove it with oc if that is meant")
    users = _users_of(session, request)
    if users:
        raise OperationError(what, f"MachineOSConfig {', '.join(users)} names it", "Let it name another Secret first")
    content = _content(request, current, what)
    session.delete(
        SECRET, request.name, request.namespace, metadata_of(current).get("uid", ""), dry_run=request.check_mode
    )
    return _result(session, request, content.credentials if content else None, None, changed=True)


def _users_of(session: Session, request: SecretRequest) -> list[str]:
    """Return the MachineOSConfigs that name the Secret: without it the operator degrades."""
    if request.namespace != OPERATOR_NAMESPACE:
        return []
    configs = map(MachineOSConfig.from_api, session.list(MACHINE_OS_CONFIG).items)
    return [c.name for c in configs if request.name in (c.rendered_image_push_secret, c.base_image_pull_secret)]


def _result(
    session: Session,
    request: SecretRequest,
    before: t.Mapping[str, Credential] | None,
    now: t.Mapping[str, Credential] | None,
    changed: bool,
) -> dict[str, t.Any]:
    registries = [{"host": host, "expires": c.expires or None} for host, c in sorted((now or {}).items())]
    return result(
        session.api_url,
        read_cluster(session) if changed else None,
        changed=changed,
        secret={"name": request.name, "namespace": request.namespace, "registries": registries}
        if now is not None
        else None,
        diff={"before": model.shown(before), "after": model.shown(now, before)},
    )
