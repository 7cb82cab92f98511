# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a pull or push secret into the wanted state, compared registry by registry; nothing secret leaves."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._cluster.session import Session
from .._errors import Refused
from .._model import credentials as model
from .._model.credentials import Credential
from .._model.resources import SECRET, Object, metadata_of
from .._result import read_cluster, result


@dataclass(frozen=True)
class Ask:
    """What the user asks for."""

    present: bool
    name: str
    namespace: str
    credentials: t.Mapping[str, Credential]
    check_mode: bool

    @property
    def label(self) -> str:
        """The Secret, as errors name it."""
        return f"Secret {self.namespace}/{self.name}"


def wanted_credentials(
    what: str, dockerconfigjson: str | None, registry: str | None, username: str | None, password: str | None
) -> dict[str, Credential]:
    """Return the credentials that the options give: a whole dockerconfigjson, or one registry's.

    :raises Refused: the dockerconfigjson cannot be read
    """
    if dockerconfigjson is None:
        return {str(registry): Credential(str(username), str(password))} if registry else {}
    try:
        return model.read_dockerconfigjson(dockerconfigjson)
    except ValueError as error:
        reason = f"dockerconfigjson cannot be used: {error}"
    raise Refused(what, reason, 'Give the content of a pull secret: {"auths": {HOST: {"auth": ...}}}')


def apply_secret(session: Session, ask: Ask) -> dict[str, t.Any]:
    """Create, change or remove the Secret and return hosts and expiry, never data.

    :raises Refused: the Secret is of a type that is not one of credentials, or the API server refuses it
    """
    current = session.find(SECRET, ask.name, ask.namespace)
    if not ask.present:
        return _remove(session, ask, current)
    if current is None:
        secret = model.new_secret(ask.name, ask.namespace, ask.credentials)
        session.create(SECRET, secret, dry_run=ask.check_mode)
        return _result(session, ask, None, ask.credentials, changed=True)
    held = _held(ask, current)
    if held == dict(ask.credentials):
        return _result(session, ask, held, held, changed=False)
    if current.get("type") != model.DOCKERCONFIGJSON:
        raise Refused(
            f"change {ask.label}", f"it is of type {current.get('type')}, which cannot be changed", "Remove it first"
        )
    patch = {"data": model.data_of(ask.credentials)}
    session.patch(SECRET, ask.name, patch, ask.namespace, dry_run=ask.check_mode)
    return _result(session, ask, held, ask.credentials, changed=True)


def _held(ask: Ask, current: Object) -> dict[str, Credential] | None:
    """Return what the Secret holds; None when its content is broken, so that it is written anew."""
    if current.get("type") not in model.KEYS:
        reason = f"it is of type {current.get('type')}, not one of registry credentials"
        raise Refused(f"change {ask.label}", reason, "Choose another name, or remove it first")
    try:
        return model.of_secret(current)
    except ValueError:
        return None


def _remove(session: Session, ask: Ask, current: Object | None) -> dict[str, t.Any]:
    if current is None:
        return _result(session, ask, None, None, changed=False)
    held = _held(ask, current)
    session.delete(SECRET, ask.name, ask.namespace, metadata_of(current).get("uid", ""), dry_run=ask.check_mode)
    return _result(session, ask, held, None, changed=True)


def _result(
    session: Session,
    ask: Ask,
    before: t.Mapping[str, Credential] | None,
    now: t.Mapping[str, Credential] | None,
    changed: bool,
) -> dict[str, t.Any]:
    registries = [{"host": host, "expires": c.expires or None} for host, c in sorted((now or {}).items())]
    return result(
        session,
        read_cluster(session) if changed else None,
        changed=changed,
        secret={"name": ask.name, "namespace": ask.namespace, "registries": registries} if now is not None else None,
        diff={"before": model.shown(before), "after": model.shown(now, before)},
    )
