# SPDX-License-Identifier: GPL-3.0-or-later
"""Create, update or delete the MachineOSConfig of a pool."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._cluster.cluster_identity import read_cluster
from .._cluster.session import Session
from .._errors import OperationError
from .._model.build.edit_record import pull_secret_patch
from .._model.build.orphaned_config import orphan_warnings
from .._model.objects import machineosconfig as model
from .._model.objects.machineconfigpool import Pool
from .._model.objects.machineosconfig import MachineOSConfig, WantedConfig, starts_build
from .._model.objects.node import NodeState
from .._model.objects.resources import (
    MACHINE_OS_CONFIG,
    Object,
    metadata_of,
)
from .._model.preflight.containerfile import doubts_about, reject_containerfile
from .._model.preflight.one_config import reject_second_config
from .._model.preflight.one_way import reject_deletion
from .._model.preflight.pull_secret import NOT_IN_V1
from .._model.preflight.push_spec import reject_push_spec
from .._model.preflight.registry_secret import secret_label
from .._model.preflight.required_options import reject_missing_options
from .._model.preflight.unrendered_pool import reject_unrendered_pool
from .._model.registry.push_spec import why_pool_would_hang
from .._result import config_result, result, served
from .check_push_namespace import check_push_namespace
from .check_secrets import PlannedSecrets
from .check_v1alpha1 import await_rendering, check_extensions, reject_values
from .edit_machineosconfig import edit, try_edit
from .read_pool import PoolNodes, read_pool_nodes
from .reboot_consent import require_reboot_consent
from .rebuild_pod_build import RebuildRequest, rebuild_pod_build
from .rejections import raise_rejection
from .remove_left_objects import LeftObjects, left_objects
from .retry_on_conflict import retry_on_conflict


@dataclass(frozen=True)
class MachineOSConfigRequest:
    """Desired state of a MachineOSConfig."""

    present: bool
    name: str
    wanted: WantedConfig
    allow_node_reboots: bool
    check_mode: bool
    checked_before: bool = False
    """Whether an earlier step of the run checked that the run creates what does not exist yet."""

    @property
    def verb(self) -> str:
        """Verb for errors."""
        return "apply" if self.present else "delete"


@dataclass(frozen=True)
class _Found:
    """What a change depends on."""

    config: Object
    nodes: PoolNodes | None
    """The pool and its nodes. None if the pool does not exist."""
    has_orphans: bool
    """Whether there is a MachineOSConfig without its pool."""


def apply_machineosconfig(
    session: Session, request: MachineOSConfigRequest, warn: t.Callable[[str], None]
) -> dict[str, t.Any]:
    """Create, update or delete the MachineOSConfig of a pool and return the result.

    If nothing changes, this takes one request.

    :param warn: receives warnings for the user
    :raises OperationError: the build would never complete, nodes would reboot without consent, or the API server
        rejects a request
    """
    warned: set[str] = set()

    def warn_once(text: str) -> None:
        if text not in warned:
            warned.add(text)
            warn(text)

    return retry_on_conflict(lambda: _apply(session, request, warn_once))


def _apply(session: Session, request: MachineOSConfigRequest, warn: t.Callable[[str], None]) -> dict[str, t.Any]:
    configs = session.list(MACHINE_OS_CONFIG).items
    if request.wanted.current_image_pull_secret and not session.serves_v1alpha1:
        warn(NOT_IN_V1)
    request = replace(request, wanted=request.wanted.for_version(session.serves_v1alpha1))
    current = _current(request, configs)
    if not request.present:
        return _remove(session, request, current, configs, warn)
    _check_values(request, current)
    if current is not None and session.serves_v1alpha1:
        rebuilt = _rebuild(session, request, current, warn)
        if rebuilt is not None:
            return rebuilt
    if current is not None and not model.spec_patch(current, request.wanted):
        return _result(session, current, before=current, changed=False)
    nodes = read_pool_nodes(session, request.wanted.pool)
    warnings = _orphan_warnings(configs, current, nodes)
    for warning in warnings:
        warn(warning)
    if current is None:
        return _create(session, request, nodes, warn)
    return _change(session, request, _Found(current, nodes, bool(warnings)), warn)


def _orphan_warnings(configs: list[Object], current: Object | None, nodes: PoolNodes | None) -> list[str]:
    """Return a warning for each MachineOSConfig without its pool, which can be the one that changes."""
    if nodes is not None:
        return orphan_warnings(configs, nodes.pools)
    return orphan_warnings([current] if current else [], [])


def _current(request: MachineOSConfigRequest, configs: list[Object]) -> Object | None:
    serving = model.that_serves(request.wanted.pool, configs)
    if request.wanted.is_v1alpha1:
        of_pool = _of_pool(request, configs)
        if not request.present and request.name in of_pool:
            return of_pool[request.name]
        what = f"{request.verb} MachineOSConfig {request.name or request.wanted.pool}"
        raise_rejection(what, reject_second_config(request.wanted.pool, list(of_pool)))
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


def _of_pool(request: MachineOSConfigRequest, configs: list[Object]) -> dict[str, Object]:
    """Return the MachineOSConfigs of the pool by their names."""
    return {c["metadata"]["name"]: c for c in model.all_that_serve(request.wanted.pool, configs)}


def _check_values(request: MachineOSConfigRequest, current: Object | None) -> None:
    verb = "create" if current is None else "change"
    what = f"{verb} MachineOSConfig {request.name or request.wanted.pool}"
    reason = why_pool_would_hang(request.wanted.pool)
    if reason:
        raise OperationError(what, reason, "Use a pool with a shorter name")
    push_spec, containerfile = request.wanted.rendered_image_push_spec, request.wanted.containerfile
    rejection = reject_push_spec(push_spec) if push_spec is not None else None
    if rejection is None and containerfile:
        rejection = reject_containerfile(containerfile)
    raise_rejection(what, rejection)
    if request.wanted.is_v1alpha1:
        raise_rejection(what, reject_values(request.wanted, current))


def _create(
    session: Session, request: MachineOSConfigRequest, nodes: PoolNodes | None, warn: t.Callable[[str], None]
) -> dict[str, t.Any]:
    name = request.name or request.wanted.pool
    what = f"create MachineOSConfig {name}"
    wanted = request.wanted.for_creation()
    raise_rejection(what, reject_missing_options(wanted))
    if nodes is None:
        _fail_or_warn(
            request, warn, what, f"MachineConfigPool {request.wanted.pool} does not exist", "Create the pool first"
        )
    _warn_of_doubts(request, warn)
    _check_secrets(session, request, PlannedSecrets.of_new(wanted), what, warn)
    _check_push(session, request, wanted.rendered_image_push_spec or "", what, warn)
    if wanted.is_v1alpha1 and nodes is not None:
        pool = _rendered(session, request, nodes.pool, what, warn)
        raise_rejection(what, check_extensions(session, pool, wanted.containerfile or "", warn))
    reboots = _reboots(request, what, nodes)
    created = session.create(MACHINE_OS_CONFIG, model.new_object(name, wanted), dry_run=request.check_mode)
    return _result(session, created, before=None, changed=True, reboots=reboots)


def _change(
    session: Session,
    request: MachineOSConfigRequest,
    found: _Found,
    warn: t.Callable[[str], None],
) -> dict[str, t.Any]:
    current = found.config
    config = MachineOSConfig.from_api(current)
    what = f"change MachineOSConfig {config.name}"
    patch = model.spec_patch(current, request.wanted)
    if "containerFile" in patch:
        _warn_of_doubts(request, warn)
    after = model.patched(current, patch)
    _check_secrets(session, request, PlannedSecrets.of(after, model.secrets_to_check(current, patch)), what, warn)
    if after.rendered_image_push_spec != config.rendered_image_push_spec:
        _check_push(session, request, after.rendered_image_push_spec, what, warn)
    if config.is_v1alpha1 and not starts_build(patch):
        changed = _write_pull_secret(session, request, current, patch)
        return _result(session, changed, before=current, changed=True)
    if config.is_v1alpha1 and found.nodes is not None:
        raise_rejection(what, check_extensions(session, found.nodes.pool, after.containerfile, warn))
    reboots = _reboots(request, what, found.nodes)
    if request.check_mode:
        changed = try_edit(session, current, patch)
    else:
        changed = edit(session, current, patch, found.has_orphans, warn)
    return _result(session, changed, before=current, changed=True, reboots=reboots)


def _write_pull_secret(
    session: Session, request: MachineOSConfigRequest, config: Object, patch: t.Mapping[str, t.Any]
) -> Object:
    """Change the Secret with which the nodes pull, which starts no build."""
    name, body = str(metadata_of(config)["name"]), pull_secret_patch(config, patch)
    return session.patch(MACHINE_OS_CONFIG, name, body, dry_run=request.check_mode)


def _rebuild(
    session: Session, request: MachineOSConfigRequest, current: Object, warn: t.Callable[[str], None]
) -> dict[str, t.Any] | None:
    """Change it and make the operator build where an edit starts no build. Return None if that is not necessary."""

    def prepare(config: Object, patch: t.Mapping[str, t.Any]) -> list[str]:
        after = model.patched(config, patch)
        what = f"{'change' if patch else 'rebuild the image of'} MachineOSConfig {after.name}"
        if "containerFile" in patch:
            _warn_of_doubts(request, warn)
        _check_secrets(session, request, PlannedSecrets.of(after, after.secrets), what, warn)
        _check_push(session, request, after.rendered_image_push_spec, what, warn)
        nodes = read_pool_nodes(session, after.pool)
        if nodes is not None:
            raise_rejection(what, check_extensions(session, nodes.pool, after.containerfile, warn))
        return _reboots(request, what, nodes)

    done = rebuild_pod_build(session, current, RebuildRequest(request.wanted, request.check_mode, prepare, warn))
    if done is None:
        return None
    patch = model.spec_patch(done.config, request.wanted)
    config, changed = done.config, done.changed
    if patch and not starts_build(patch):  # the Secret with which the nodes pull, beside old build objects
        config, changed = _write_pull_secret(session, request, config, patch), True
    rebuilt = _result(session, config, before=current, changed=changed, reboots=done.reboots)
    return _with_deletions({**rebuilt, "rebuild_reason": done.reason or None}, done.deletions)


def _remove(
    session: Session,
    request: MachineOSConfigRequest,
    current: Object | None,
    configs: list[Object],
    warn: t.Callable[[str], None],
) -> dict[str, t.Any]:
    others = [config for config in configs if config is not current]
    left = left_objects(session, request.wanted.pool, current, others) if session.serves_v1alpha1 else LeftObjects()
    if current is None:
        deleted = left.delete(session, request.check_mode, warn) if left.has_rights(session, warn) else []
        return _with_deletions(_result(session, None, before=None, changed=bool(deleted)), deleted)
    config = MachineOSConfig.from_api(current)
    what, nodes = f"delete MachineOSConfig {config.name}", read_pool_nodes(session, config.pool)
    is_only = len(_of_pool(request, configs)) == 1
    if config.is_v1alpha1 and is_only and nodes is not None:
        raise_rejection(what, reject_deletion(config.pool, map(NodeState.from_api, nodes.nodes)))
    reboots = _reboots(request, what, nodes)
    left.require_rights(session)
    session.delete(MACHINE_OS_CONFIG, config.name, uid=config.uid, dry_run=request.check_mode)
    deleted = left.delete(session, request.check_mode, warn)
    return _with_deletions(_result(session, None, before=current, changed=True, reboots=reboots), deleted)


def _with_deletions(done: dict[str, t.Any], deletions: list[str]) -> dict[str, t.Any]:
    """Return a result with the objects that were deleted beside the MachineOSConfig, also in its diff."""
    if not deletions:
        return done
    shown = {"before": deletions, "after": []}
    diff = {name: {**done["diff"][name], "build_objects": objects} for name, objects in shown.items()}
    return {**done, "deletions": deletions, "diff": diff}


def _warn_of_doubts(request: MachineOSConfigRequest, warn: t.Callable[[str], None]) -> None:
    for doubt in doubts_about(request.wanted.containerfile or ""):
        warn(doubt)


def _reboots(request: MachineOSConfigRequest, what: str, nodes: PoolNodes | None) -> list[str]:
    """Return the nodes that will drain and reboot, after a check for consent."""
    if nodes is None:
        return []
    return require_reboot_consent(what, nodes.pool, nodes.names, request.allow_node_reboots)


def _check_push(
    session: Session, request: MachineOSConfigRequest, push_spec: str, what: str, warn: t.Callable[[str], None]
) -> None:
    """Fail for a name under which no build could push."""
    rejection = check_push_namespace(session, push_spec)
    if rejection:
        _fail_or_warn(request, warn, what, rejection.reason, rejection.remedy)


def _check_secrets(
    session: Session, request: MachineOSConfigRequest, secrets: PlannedSecrets, what: str, warn: t.Callable[[str], None]
) -> None:
    """Fail for a Secret with which the operator would start no build, or no build could push."""
    for name in secrets.names:
        try:
            rejection = secrets.check(session, name, warn)
        except OperationError as error:
            warn(f"{secret_label(name)} was not checked: {error.reason}")
            continue
        if rejection:
            _fail_or_warn(request, warn, what, rejection.reason, rejection.remedy)


def _rendered(
    session: Session, request: MachineOSConfigRequest, pool: Pool, what: str, warn: t.Callable[[str], None]
) -> Pool:
    """Return the pool when it is rendered, or fail."""
    if not request.check_mode:
        pool = await_rendering(session, pool)
    rejection = reject_unrendered_pool(pool)
    if rejection:
        _fail_or_warn(request, warn, what, rejection.reason, rejection.remedy)
    return pool


def _fail_or_warn(
    request: MachineOSConfigRequest, warn: t.Callable[[str], None], what: str, reason: str, remedy: str
) -> None:
    """Raise an error. In check mode only warn, because an earlier task may create the object."""
    if not request.check_mode:
        raise OperationError(what, reason, remedy)
    if not request.checked_before:
        warn(f"{reason}, and this task would fail unless an earlier task changes that")


def _result(
    session: Session, now: Object | None, before: Object | None, changed: bool, reboots: t.Sequence[str] = ()
) -> dict[str, t.Any]:
    return result(
        session.api_url,
        read_cluster(session) if changed else None,
        changed=changed,
        machineosconfig=config_result(now),
        reboots=list(reboots),
        deletions=[],
        rebuild_reason=None,
        resource=served(now),
        diff={"before": model.shown(before), "after": model.shown(now)},
    )
