# SPDX-License-Identifier: GPL-3.0-or-later
"""Create, update or delete a Secret with registry credentials. Results contain no secret.

Other content of a Secret is preserved. It is removed only from a Secret that this collection created, and only if the
whole content was given.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._cluster.api_error import Forbidden
from .._cluster.cluster_identity import read_cluster
from .._cluster.session import Session
from .._errors import OperationError
from .._model.objects.machineosconfig import MachineOSConfig
from .._model.objects.resources import (
    DAEMON,
    DAEMON_SET,
    MACHINE_OS_CONFIG,
    OPERATOR_NAMESPACE,
    SECRET,
    Object,
    is_ours,
    metadata_of,
)
from .._model.preflight.secret_in_use import reject_deletion_of_mounted, reject_deletion_of_named
from .._model.registry import credentials as model
from .._model.registry.credentials import Content, Credential, Credentials
from .._model.text import listed
from .._result import result
from .rejections import raise_rejection
from .retry_on_conflict import retry_on_conflict

_MAX_NAMES = 10
"""Maximum names from a Secret in an error."""
_MAX_NAME = 100
"""Maximum characters of each name."""


@dataclass(frozen=True)
class SecretRequest:
    """Desired state of a Secret."""

    present: bool
    name: str
    namespace: str
    credentials: t.Mapping[str, Credential]
    whole: bool
    """Whether the Secret contains only these credentials. Otherwise, those of other registries are preserved."""
    check_mode: bool

    @property
    def label(self) -> str:
        """Name of the Secret in errors."""
        return f"Secret {self.namespace}/{self.name}"


def wanted_credentials(
    what: str, dockerconfigjson: str | None, registry: str | None, username: str | None, password: str | None
) -> dict[str, Credential]:
    """Return the credentials in the options: those of a dockerconfigjson, or of one registry.

    :raises OperationError: the dockerconfigjson cannot be parsed, or a credential is not complete
    """
    if dockerconfigjson is None:
        return _of_one_registry(what, registry, username, password)
    try:
        credentials = model.read_dockerconfigjson(dockerconfigjson)
        empty = sorted(host for host, credential in credentials.items() if not credential.logs_in)
        if credentials and not empty:
            return credentials
        reason = f"dockerconfigjson has no credential for {', '.join(empty) or 'any registry'}"
    except ValueError as error:
        reason = f"dockerconfigjson is not valid: {error}"
    raise OperationError(
        what, reason, 'Set dockerconfigjson to the content of a pull secret: {"auths": {HOST: {"auth": ...}}}'
    )


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
    """Create, update or delete the Secret and return hosts and expiry, never data.

    :raises OperationError: the Secret does not contain registry credentials, foreign credentials would be lost, or the
        API server rejects a request
    """
    return retry_on_conflict(lambda: _apply(session, request))


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
    existing = content.credentials if content else None
    wanted = dict(request.credentials) if request.whole else {**(existing or {}), **request.credentials}
    if existing == wanted:
        return _result(session, request, existing, existing, changed=False)
    lost = _lost(request, content) if content else ""
    if lost and not is_ours(current):
        reason = f"this collection did not create it, and {lost} would be lost"
        raise OperationError(what, reason, "Use registry, which preserves other credentials, or choose another name")
    if current.get("type") != model.DOCKERCONFIGJSON:
        raise OperationError(what, f"its type {current.get('type')} cannot be changed", "Delete it first")
    if content and not lost:
        text = content.having(_changes(existing or {}, request.credentials)).text
    else:
        text = model.write_dockerconfigjson(wanted)
    version = {"resourceVersion": metadata_of(current)["resourceVersion"]}
    patch = {"metadata": version, "data": model.data_of(text)}
    session.patch(SECRET, request.name, patch, request.namespace, dry_run=request.check_mode)
    return _result(session, request, existing, wanted, changed=True)


def _changes(existing: Credentials, wanted: Credentials) -> dict[str, Credential]:
    return {host: credential for host, credential in wanted.items() if existing.get(host) != credential}


def _lost(request: SecretRequest, content: Content) -> str:
    """Return the names of the content that would be lost, or an empty string."""
    if not request.whole:
        return ""
    hosts, members = content.entries.keys() - request.credentials.keys(), content.members.keys()
    parts = [f"the credentials for {_listed(hosts)}" if hosts else "", _listed(members)]
    return " and ".join(filter(None, parts))


def _listed(names: t.Collection[str]) -> str:
    """Return the first names, because a foreign Secret can contain any number of names of any length."""
    return listed([name[:_MAX_NAME] for name in sorted(names)], _MAX_NAMES)


def _content(request: SecretRequest, current: Object, what: str) -> Content | None:
    """Return the content of the Secret, or None if it cannot be parsed and this collection created the Secret."""
    if current.get("type") not in model.KEYS:
        reason = f"its type is {current.get('type')}, not a type for registry credentials"
        raise OperationError(what, reason, "Choose another name, or delete the Secret")
    try:
        return model.content_of(current)
    except ValueError as error:
        reason = str(error)
    if is_ours(current):
        return None
    raise OperationError(what, f"its content cannot be parsed: {reason}", "Correct its content, or delete the Secret")


def _remove(session: Session, request: SecretRequest, current: Object | None) -> dict[str, t.Any]:
    if current is None:
        return _result(session, request, None, None, changed=False)
    what = f"delete {request.label}"
    if not is_ours(current):
        raise OperationError(what, "this collection did not create it", "Delete it with oc")
    _require_unused(session, request, what)
    content = _content(request, current, what)
    session.delete(
        SECRET, request.name, request.namespace, metadata_of(current).get("uid", ""), dry_run=request.check_mode
    )
    return _result(session, request, content.credentials if content else None, None, changed=True)


def _require_unused(session: Session, request: SecretRequest, what: str) -> None:
    """Check that no MachineOSConfig names the Secret, and in v1alpha1 that no daemon mounts it.

    :raises OperationError: it is used, or the account may not read what uses it
    """
    if request.namespace != OPERATOR_NAMESPACE:
        return
    try:
        configs = map(MachineOSConfig.from_api, session.list(MACHINE_OS_CONFIG).items)
        rejection = reject_deletion_of_named(request.name, configs)
        if rejection is None and session.serves_v1alpha1:
            daemon_set = session.find(DAEMON_SET, DAEMON, OPERATOR_NAMESPACE)
            rejection = reject_deletion_of_mounted(request.name, daemon_set)
    except Forbidden as error:
        raise OperationError(what, f"whether it is used is unknown: {error.reason}", error.remedy) from None
    raise_rejection(what, rejection)


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
