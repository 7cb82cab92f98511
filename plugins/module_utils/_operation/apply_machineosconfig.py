# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a pool's MachineOSConfig into the wanted state: read, refuse what would hang or hurt, write once."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._cluster.cluster_identity import read_cluster
from .._cluster.session import Session
from .._errors import OperationError
from .._model.build.current import build_before_mark
from .._model.objects import machineosconfig as model
from .._model.objects.machineosbuild import CONFIG_LABEL, MachineOSBuild
from .._model.objects.machineosconfig import MachineOSConfig, WantedConfig
from .._model.objects.resources import (
    BUILD_BEFORE,
    MACHINE_OS_BUILD,
    MACHINE_OS_CONFIG,
    OPERATOR_NAMESPACE,
    SECRET,
    Object,
)
from .._model.registry.credentials import KEYS
from .._model.registry.push_spec import why_pool_would_hang, why_push_would_hang
from .._result import config_result, result, served
from .need_consent import need_consent
from .planned_again import planned_again
from .read_pool import PoolNodes, read_pool_nodes


@dataclass(frozen=True)
class MachineOSConfigRequest:
    """What the user asks for."""

    present: bool
    name: str
    wanted: WantedConfig
    allow_node_reboots: bool
    check_mode: bool

    @property
    def verb(self) -> str:
        """What is asked for, as errors say it."""
        return "apply" if self.present else "remove"


def apply_machineosconfig(
    session: Session, request: MachineOSConfigRequest, warn: t.Callable[[str], None]
) -> dict[str, t.Any]:
    """Create, change or remove the MachineOSConfig of a pool and return the result.

    An unchanged one costs one request.

    :raises OperationError: it would hang, reboot nodes without consent, or the API server refuses it
    """
    return planned_again(lambda: _apply(session, request, warn))


def _apply(session: Session, request: MachineOSConfigRequest, warn: t.Callable[[str], None]) -> dict[str, t.Any]:
    configs = session.list(MACHINE_OS_CONFIG).items
    current = _current(request, configs)
    if not request.present:
        return _remove(session, request, current)
    _refuse_what_would_hang(request, current)
    if current is None:
        return _create(session, request, warn)
    patch = model.spec_patch(current, request.wanted)
    if not patch:
        return _result(session, current, before=current, changed=False)
    return _change(session, request, current, patch, warn)


def _current(request: MachineOSConfigRequest, configs: list[Object]) -> Object | None:
    serving = model.that_serves(request.wanted.pool, configs)
    if not request.name:
        return serving
    named = next((c for c in configs if c["metadata"]["name"] == request.name), None)
    if not request.present and named is None:
        return None
    if serving is not None and serving is not named:
        other = serving["metadata"]["name"]
        raise OperationError(
            f"{request.verb} MachineOSConfig {request.name}",
            f"MachineOSConfig {other} serves MachineConfigPool {request.wanted.pool} already",
            "Leave name out, or remove the other one",
        )
    if named is not None and serving is None:
        pool = MachineOSConfig.from_api(named).pool
        raise OperationError(
            f"{request.verb} MachineOSConfig {request.name}",
            f"it serves MachineConfigPool {pool}, not {request.wanted.pool}",
            "Choose another name",
        )
    return named


def _refuse_what_would_hang(request: MachineOSConfigRequest, current: Object | None) -> None:
    verb = "create" if current is None else "change"
    what = f"{verb} MachineOSConfig {request.name or request.wanted.pool}"
    reason = why_pool_would_hang(request.wanted.pool)
    if reason:
        raise OperationError(what, reason, "Use a pool with a shorter name")
    reason = why_push_would_hang(request.wanted.rendered_image_push_spec or "")
    if reason:
        raise OperationError(what, reason, "Push to HOST/NAMESPACE/NAME:TAG or HOST/NAME:TAG")


def _create(session: Session, request: MachineOSConfigRequest, warn: t.Callable[[str], None]) -> dict[str, t.Any]:
    name = request.name or request.wanted.pool
    what = f"create MachineOSConfig {name}"
    missing = request.wanted.missing_for_creation()
    if missing:
        raise OperationError(
            what, f"{' and '.join(missing)} not given", "Give what the image is pushed to and with which Secret"
        )
    members = read_pool_nodes(session, request.wanted.pool)
    if members is None:
        _complain(
            request, warn, what, f"MachineConfigPool {request.wanted.pool} does not exist", "Create the pool first"
        )
    _need_secrets(session, request, request.wanted.secrets(), what, warn)
    reboots = _consent(request, what, members)
    created = session.create(MACHINE_OS_CONFIG, model.new_object(name, request.wanted), dry_run=request.check_mode)
    return _result(session, created, before=None, changed=True, reboots=reboots)


def _change(
    session: Session,
    request: MachineOSConfigRequest,
    current: Object,
    patch: dict[str, t.Any],
    warn: t.Callable[[str], None],
) -> dict[str, t.Any]:
    config = MachineOSConfig.from_api(current)
    what = f"change MachineOSConfig {config.name}"
    changed_secrets = [field for field in ("renderedImagePushSecret", "baseImagePullSecret") if patch.get(field)]
    _need_secrets(session, request, [patch[field]["name"] for field in changed_secrets], what, warn)
    reboots = _consent(request, what, read_pool_nodes(session, config.pool))
    builds = session.list(MACHINE_OS_BUILD, label_selector=f"{CONFIG_LABEL}={config.name}").items
    mark = build_before_mark(config, map(MachineOSBuild.from_api, builds))
    # The mark is true of the object as it was read: the operator may name another build any moment.
    seen = {"resourceVersion": current["metadata"]["resourceVersion"]}
    body = {"metadata": {**seen, "annotations": {BUILD_BEFORE: mark}}, "spec": patch}
    changed = session.patch(MACHINE_OS_CONFIG, config.name, body, dry_run=request.check_mode)
    return _result(session, changed, before=current, changed=True, reboots=reboots)


def _remove(session: Session, request: MachineOSConfigRequest, current: Object | None) -> dict[str, t.Any]:
    if current is None:
        return _result(session, None, before=None, changed=False)
    config = MachineOSConfig.from_api(current)
    reboots = _consent(request, f"remove MachineOSConfig {config.name}", read_pool_nodes(session, config.pool))
    session.delete(MACHINE_OS_CONFIG, config.name, uid=config.uid, dry_run=request.check_mode)
    return _result(session, None, before=current, changed=True, reboots=reboots)


def _consent(request: MachineOSConfigRequest, what: str, members: PoolNodes | None) -> list[str]:
    """Return the nodes that will drain and reboot; the operator asks nobody once the spec has changed."""
    if members is None:
        return []
    return need_consent(what, members.pool, members.names, request.allow_node_reboots)


def _need_secrets(
    session: Session, request: MachineOSConfigRequest, names: list[str], what: str, warn: t.Callable[[str], None]
) -> None:
    """Refuse a Secret that is missing or of the wrong type: the operator would start no build and not say so nearby."""
    for name in names:
        label = f"Secret {OPERATOR_NAMESPACE}/{name}"
        try:
            secret = session.find(SECRET, name, OPERATOR_NAMESPACE)
        except OperationError as refused:
            warn(f"{label} was not checked: {refused.reason}")
            continue
        if secret is None:
            _complain(
                request, warn, what, f"{label} does not exist", "Create it first, for example with registry_secret"
            )
        elif secret.get("type") not in KEYS:
            _complain(
                request, warn, what, f"{label} is of type {secret.get('type')}", f"Use one of {' or '.join(KEYS)}"
            )


def _complain(
    request: MachineOSConfigRequest, warn: t.Callable[[str], None], what: str, reason: str, remedy: str
) -> None:
    """Refuse; in check mode only warn, because a task before this one may be about to bring it."""
    if not request.check_mode:
        raise OperationError(what, reason, remedy)
    warn(f"{reason} (yet)")


def _result(
    session: Session, now: Object | None, before: Object | None, changed: bool, reboots: t.Sequence[str] = ()
) -> dict[str, t.Any]:
    return result(
        session.api_url,
        read_cluster(session) if changed else None,
        changed=changed,
        machineosconfig=config_result(now),
        reboots=list(reboots),
        resource=served(now),
        diff={"before": model.shown(before), "after": model.shown(now)},
    )
