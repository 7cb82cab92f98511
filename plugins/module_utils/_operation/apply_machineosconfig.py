# SPDX-License-Identifier: GPL-3.0-or-later
"""Create, update or delete the MachineOSConfig of a pool."""

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
from .read_pool import PoolNodes, read_pool_nodes
from .reboot_consent import require_reboot_consent
from .retry_on_conflict import retry_on_conflict


@dataclass(frozen=True)
class MachineOSConfigRequest:
    """Desired state of a MachineOSConfig."""

    present: bool
    name: str
    wanted: WantedConfig
    allow_node_reboots: bool
    check_mode: bool

    @property
    def verb(self) -> str:
        """Verb for errors."""
        return "apply" if self.present else "delete"


def apply_machineosconfig(
    session: Session, request: MachineOSConfigRequest, warn: t.Callable[[str], None]
) -> dict[str, t.Any]:
    """Create, update or delete the MachineOSConfig of a pool and return the result.

    If nothing changes, this takes one request.

    :param warn: receives warnings for the user
    :raises OperationError: the build would never complete, nodes would reboot without consent, or the API server
        rejects a request
    """
    return retry_on_conflict(lambda: _apply(session, request, warn))


def _apply(session: Session, request: MachineOSConfigRequest, warn: t.Callable[[str], None]) -> dict[str, t.Any]:
    configs = session.list(MACHINE_OS_CONFIG).items
    current = _current(request, configs)
    if not request.present:
        return _remove(session, request, current)
    _check_names(request, current)
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
            f"MachineConfigPool {request.wanted.pool} already has MachineOSConfig {other}",
            "Omit name, or delete the other MachineOSConfig",
        )
    if named is not None and serving is None:
        pool = MachineOSConfig.from_api(named).pool
        raise OperationError(
            f"{request.verb} MachineOSConfig {request.name}",
            f"it belongs to MachineConfigPool {pool}, not {request.wanted.pool}",
            "Choose another name",
        )
    return named


def _check_names(request: MachineOSConfigRequest, current: Object | None) -> None:
    verb = "create" if current is None else "change"
    what = f"{verb} MachineOSConfig {request.name or request.wanted.pool}"
    reason = why_pool_would_hang(request.wanted.pool)
    if reason:
        raise OperationError(what, reason, "Use a pool with a shorter name")
    reason = why_push_would_hang(request.wanted.rendered_image_push_spec or "")
    if reason:
        raise OperationError(what, reason, "Set rendered_image_push_spec to HOST/NAMESPACE/NAME:TAG or HOST/NAME:TAG")


def _create(session: Session, request: MachineOSConfigRequest, warn: t.Callable[[str], None]) -> dict[str, t.Any]:
    name = request.name or request.wanted.pool
    what = f"create MachineOSConfig {name}"
    missing = request.wanted.missing_for_creation()
    if missing:
        raise OperationError(what, f"{' and '.join(missing)} is not set", f"Set {' and '.join(missing)}")
    nodes = read_pool_nodes(session, request.wanted.pool)
    if nodes is None:
        _fail_or_warn(
            request, warn, what, f"MachineConfigPool {request.wanted.pool} does not exist", "Create the pool first"
        )
    _check_secrets(session, request, request.wanted.secrets(), what, warn)
    reboots = _reboots(request, what, nodes)
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
    _check_secrets(session, request, [patch[field]["name"] for field in changed_secrets], what, warn)
    reboots = _reboots(request, what, read_pool_nodes(session, config.pool))
    builds = session.list(MACHINE_OS_BUILD, label_selector=f"{CONFIG_LABEL}={config.name}").items
    mark = build_before_mark(config, map(MachineOSBuild.from_api, builds))
    # The mark is valid only for the version that was read, because the operator can start another build at any time.
    version = {"resourceVersion": current["metadata"]["resourceVersion"]}
    body = {"metadata": {**version, "annotations": {BUILD_BEFORE: mark}}, "spec": patch}
    changed = session.patch(MACHINE_OS_CONFIG, config.name, body, dry_run=request.check_mode)
    return _result(session, changed, before=current, changed=True, reboots=reboots)


def _remove(session: Session, request: MachineOSConfigRequest, current: Object | None) -> dict[str, t.Any]:
    if current is None:
        return _result(session, None, before=None, changed=False)
    config = MachineOSConfig.from_api(current)
    reboots = _reboots(request, f"delete MachineOSConfig {config.name}", read_pool_nodes(session, config.pool))
    session.delete(MACHINE_OS_CONFIG, config.name, uid=config.uid, dry_run=request.check_mode)
    return _result(session, None, before=current, changed=True, reboots=reboots)


def _reboots(request: MachineOSConfigRequest, what: str, nodes: PoolNodes | None) -> list[str]:
    """Return the nodes that will drain and reboot, after a check for consent."""
    if nodes is None:
        return []
    return require_reboot_consent(what, nodes.pool, nodes.names, request.allow_node_reboots)


def _check_secrets(
    session: Session, request: MachineOSConfigRequest, names: list[str], what: str, warn: t.Callable[[str], None]
) -> None:
    """Fail for a Secret that is missing or has the wrong type, because the operator would start no build."""
    for name in names:
        label = f"Secret {OPERATOR_NAMESPACE}/{name}"
        try:
            secret = session.find(SECRET, name, OPERATOR_NAMESPACE)
        except OperationError as error:
            warn(f"{label} was not checked: {error.reason}")
            continue
        if secret is None:
            _fail_or_warn(request, warn, what, f"{label} does not exist", "Create it, for example with registry_secret")
        elif secret.get("type") not in KEYS:
            _fail_or_warn(
                request,
                warn,
                what,
                f"{label} has type {secret.get('type')}",
                f"Use a Secret of type {' or '.join(KEYS)}",
            )


def _fail_or_warn(
    request: MachineOSConfigRequest, warn: t.Callable[[str], None], what: str, reason: str, remedy: str
) -> None:
    """Raise an error. In check mode only warn, because an earlier task may create the object."""
    if not request.check_mode:
        raise OperationError(what, reason, remedy)
    warn(f"{reason} yet")


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
