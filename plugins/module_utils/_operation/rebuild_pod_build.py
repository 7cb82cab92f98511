# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the operator of OpenShift 4.16 and 4.17 build the spec of a MachineOSConfig.

There an edit starts no build while a MachineOSBuild for the pool's rendered config exists. So everything that is left
of the builds is deleted first, and the spec is written last. Each step follows from what exists in the cluster
(``_model/build/rebuild_plan.py``), so a run that was killed is continued by the next one.
See docs/operator-behavior.md ("Rebuild in v1alpha1").
"""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass, replace

from .._cluster.api_error import Conflict
from .._cluster.permissions import Right, missing_rights
from .._cluster.session import Session
from .._errors import OperationError
from .._model.build.build_objects import Deletion, objects_to_rebuild
from .._model.build.rebuild_plan import (
    FIRST_PROGRESS,
    PodBuilds,
    RunProgress,
    Step,
    failed_pods_of_others,
    harmless_change,
    next_step,
    rebuild_reason,
)
from .._model.objects.machineconfigpool import Pool, end_of_rebuild_pause, reason_to_keep_pause, rebuild_pause
from .._model.objects.machineosconfig import MachineOSConfig, WantedConfig, spec_patch
from .._model.objects.resources import (
    CLUSTER_OPERATOR,
    MACHINE_CONFIG_GROUP,
    MACHINE_CONFIG_POOL,
    Object,
    metadata_of,
    true_condition_text,
)
from .._model.objects.spec_edit import merged, spec_hash
from .._model.objects.v1alpha1 import build_name
from .delete_build_objects import delete_objects, existing_objects, read_build_pods, read_builds, require_rights
from .edit_machineosconfig import edit_settled, read_config, seconds_to_settle, try_edit

START_TIMEOUT = 180.0
"""Seconds to wait until the operator has started a build. It needs one, or four if it is busy. The successor of a
machine-os-builder that was killed begins after up to 163. See docs/operator-behavior.md ("Rebuild in v1alpha1")."""
CONFIRMATION = 10.0
"""Seconds after which a build that was about to succeed has succeeded."""
_INTERVAL = 1.0
"""Seconds between two reads while a build is awaited."""
_RETRIES = 5
"""How often the run begins again because another client changed an object."""

_PATCH_POOL = Right("patch", MACHINE_CONFIG_POOL.plural, "", MACHINE_CONFIG_GROUP)
_AS_FORECAST = (Step.PAUSE, Step.CLEAN, Step.CLEAN_OTHERS, Step.WRITE, Step.RELEASE)
"""Steps that write. Check mode ends before the first of them."""

Prepare = t.Callable[[Object, t.Mapping[str, t.Any]], "list[str]"]
"""Checks what a new build needs, for a MachineOSConfig and the merge patch of its spec, and returns the nodes that will
reboot. It raises an error without consent."""


@dataclass(frozen=True)
class RebuildRequest:
    """The wanted spec, and how a rebuild may be made."""

    wanted: WantedConfig
    check_mode: bool
    prepare: Prepare
    warn: t.Callable[[str], None]


@dataclass(frozen=True)
class Rebuild:
    """What a rebuild did, or would do in check mode."""

    config: Object
    """The MachineOSConfig afterwards."""
    changed: bool
    reason: str
    """Why the build was made again. Empty if it was not."""
    deletions: list[str]
    reboots: list[str]


@dataclass(frozen=True)
class _Found:
    """What was read before a step."""

    config: Object
    pool: Object
    exists: PodBuilds
    patch: t.Mapping[str, t.Any]
    """Merge patch from the present spec to the wanted one. Empty if they are equal."""
    is_wanted: bool
    """Whether a build of the present spec is a build of the wanted one."""

    @property
    def name(self) -> str:
        """Name of the MachineOSConfig."""
        return str(metadata_of(self.config)["name"])

    @property
    def what(self) -> str:
        """Verb, kind and name for errors."""
        return f"{'rebuild the image of' if self.is_wanted else 'change'} MachineOSConfig {self.name}"

    @property
    def deletions(self) -> tuple[Deletion, ...]:
        """The objects of the builds that are deleted for the rebuild."""
        exists = self.exists
        return objects_to_rebuild(exists.pool.name, exists.pool.rendered_config, exists.builds, exists.pods or ())

    def edit(self) -> dict[str, t.Any]:
        """Return the merge patch of the spec that makes the operator build.

        :raises OperationError: the spec cannot be changed without another meaning
        """
        if not self.is_wanted:
            return dict(self.patch)
        try:
            return {**self.patch, **harmless_change(self.config)}
        except ValueError as error:
            raise OperationError(self.what, str(error), "Shorten the Containerfile by one character") from None


def rebuild_pod_build(session: Session, current: Object, request: RebuildRequest) -> Rebuild | None:
    """Write the wanted spec and make the operator build it, or repair the build of a spec that is as wanted.

    Return None if there is nothing to do for it: the build of the wanted spec runs or is published, single pods do not
    build here, or the pool has no rendered config yet.

    :param current: the MachineOSConfig of the pool as it was read
    :raises OperationError: a right or the consent is missing, or the operator does not start the build
    """
    return _Run(session, request).carry_out(current)


class _Run:
    """A run, which reads what exists before each step."""

    def __init__(self, session: Session, request: RebuildRequest) -> None:
        self._session = session
        self._request = request
        self._progress: RunProgress = FIRST_PROGRESS
        self._reason = ""
        self._deleted: list[str] = []
        self._reboots: list[str] = []
        self._changed = False
        self._deadline = 0.0
        self._retries = 0

    def carry_out(self, current: Object) -> Rebuild | None:
        """Do one step after the other until nothing is left to do."""
        found = self._read(current)
        while found is not None:
            step = next_step(found.exists, found.is_wanted, self._progress)
            if step is Step.NOTHING:
                return self._result(found) if self._changed else None
            if step is Step.CLEAN_OTHERS and not self._may_clean_others(found):
                self._progress = replace(self._progress, cleans_others=False)
                continue
            if self._request.check_mode and step in _AS_FORECAST:
                return self._forecast(found, step)
            try:
                self._do(step, found)
            except Conflict as conflict:
                self._changed = self._changed or conflict.after_loss
                self._progress = replace(self._progress, is_settled=False, is_confirmed=False)
                self._begin_again(conflict)
            if step is not Step.PREPARE:
                before, found = found, self._read(read_config(self._session, found.name))
                if found is None:
                    self._without_pool(before)
        return None

    def _begin_again(self, error: OperationError) -> None:
        """Count what can be repeated.

        :raises OperationError: it was repeated too often
        """
        self._retries += 1
        if self._retries > _RETRIES:
            raise OperationError(error.what, error.reason, error.remedy)

    # Reading

    def _read(self, config: Object) -> _Found | None:
        """Read what exists, or return None if pods do not build for the MachineOSConfig, or not yet."""
        session, parsed = self._session, MachineOSConfig.from_api(config)
        builds = read_builds(session)
        pool = self._pool(parsed.pool)
        if pool is None or not Pool.from_api(pool).rendered_config:
            return None
        exists = PodBuilds(parsed, Pool.from_api(pool), builds, None)
        if not exists.is_by_pods and not self._progress.writes:
            return None
        patch = spec_patch(config, self._request.wanted)
        is_wanted = spec_hash(merged(config.get("spec") or {}, patch)) == parsed.spec_hash
        if not (is_wanted and exists.is_published):
            exists = replace(exists, pods=read_build_pods(session, parsed.pool))
        return _Found(config, pool, exists, patch, is_wanted)

    def _without_pool(self, found: _Found) -> None:
        """End the run because the pool is gone, or because the first build shows that Jobs build.

        :raises OperationError: this run has written something before
        """
        if self._changed:
            reason = f"MachineConfigPool {found.exists.pool.name} does not exist any more, or is not rendered"
            raise OperationError(found.what, reason, "Create the pool, then run this again")

    def _pool(self, name: str) -> Object | None:
        pools = self._session.list(MACHINE_CONFIG_POOL).items
        return next((pool for pool in pools if metadata_of(pool)["name"] == name), None)

    # Steps

    def _do(self, step: Step, found: _Found) -> None:
        work: t.Mapping[Step, t.Callable[[_Found], None]] = {
            Step.SETTLE: self._settle,
            Step.CONFIRM: self._confirm,
            Step.PREPARE: self._prepare,
            Step.PAUSE: self._pause,
            Step.CLEAN: self._clean,
            Step.CLEAN_OTHERS: self._clean_others,
            Step.WRITE: self._write,
            Step.AWAIT_BUILD: self._await_build,
            Step.GIVE_UP: self._give_up,
            Step.RELEASE: self._release,
        }
        work[step](found)

    def _settle(self, found: _Found) -> None:
        left = seconds_to_settle(self._session, found.config, found.edit())
        if left > 0:
            self._begin_again(OperationError(found.what, "other clients change it all the time", "Run it again later"))
            self._session.sleep(left)
        self._progress = replace(self._progress, is_settled=left <= 0)

    def _confirm(self, dummy: _Found) -> None:
        self._session.sleep(CONFIRMATION)
        self._progress = replace(self._progress, is_confirmed=True)

    def _prepare(self, found: _Found) -> None:
        """Check everything before the first write."""
        reason = rebuild_reason(found.exists, found.is_wanted)
        self._reboots = self._request.prepare(found.config, found.patch)
        if reason is not None:
            build = build_name(found.exists.pool.name, found.exists.pool.rendered_config)
            self._reason = reason.value.format(build=build)
            require_rights(self._session, found.what)
        self._progress = replace(self._progress, is_prepared=True, pauses=self._may_pause(found))

    def _may_pause(self, found: _Found) -> bool:
        """Whether the pool is to be paused. The pause hides the moment without a build, and is not essential."""
        if not self._reboots or found.exists.pool.paused or not missing_rights(self._session, [_PATCH_POOL]):
            return bool(self._reboots)
        name = found.exists.pool.name
        self._request.warn(f"MachineConfigPool {name} is not paused during the rebuild: the account may not patch it")
        return False

    def _pause(self, found: _Found) -> None:
        self._session.patch(MACHINE_CONFIG_POOL, found.exists.pool.name, rebuild_pause(found.pool))
        self._changed = True

    def _clean(self, found: _Found) -> None:
        if self._progress.is_clean:
            reason = "another client creates objects of its builds all the time"
            self._begin_again(OperationError(found.what, reason, "Run it again later"))
        self._progress = replace(self._progress, awaits=False)
        self._delete(found, found.deletions)
        self._progress = replace(self._progress, is_clean=True)

    def _may_clean_others(self, found: _Found) -> bool:
        try:
            require_rights(self._session, found.what)
        except OperationError as error:
            self._request.warn(f"A failed pod of another build can mark the current build as failed: {error}")
            return False
        return True

    def _clean_others(self, found: _Found) -> None:
        """Delete failed pods that would mark the current build as failed, which itself stays."""
        self._delete(found, failed_pods_of_others(found.exists))
        self._progress = replace(self._progress, cleans_others=False)

    def _delete(self, found: _Found, planned: t.Collection[Deletion]) -> None:
        try:
            for name in delete_objects(self._session, found.what, planned):
                self._changed = True
                if name not in self._deleted:
                    self._deleted.append(name)
        except Conflict:
            raise
        except OperationError as error:
            self._end_pause(found)
            raise error.having({"deletions": list(self._deleted)}) from None

    def _end_pause(self, found: _Found) -> None:
        """End the pause of a rebuild that fails, if that is possible. The next run ends it otherwise."""
        with contextlib.suppress(OperationError):
            pool = self._pool(found.exists.pool.name)
            if pool is not None and Pool.from_api(pool).paused_for_rebuild:
                self._session.patch(MACHINE_CONFIG_POOL, found.exists.pool.name, end_of_rebuild_pause(pool))

    def _write(self, found: _Found) -> None:
        edit_settled(self._session, found.config, found.edit(), self._request.warn)
        self._changed = True
        self._deadline = self._session.clock() + START_TIMEOUT
        prepared = RunProgress(is_prepared=True, pauses=self._progress.pauses)
        self._progress = replace(prepared, writes=self._progress.writes + 1, awaits=True)

    def _await_build(self, found: _Found) -> None:
        if self._session.clock() >= self._deadline:
            self._give_up(found)
        else:
            self._session.sleep(_INTERVAL)

    def _give_up(self, found: _Found) -> None:
        """End the pause, and fail with what the operator reports.

        The operator creates its build controller with the first MachineOSConfig, which takes minutes. The controller
        builds what exists when it starts. So for a first image it is no failure that no build exists yet.

        :raises OperationError: the operator does not start the build
        """
        exists = found.exists
        problem = true_condition_text(self._session.peek(CLUSTER_OPERATOR, "machine-config") or {}, "Degraded")
        self._end_pause(found)
        if not (exists.build or problem or exists.config.current_image_pull_spec):
            self._progress = replace(self._progress, is_over=True)
            self._request.warn(f"The operator has started no build of MachineOSConfig {found.name} yet")
            return
        name = build_name(exists.pool.name, exists.pool.rendered_config)
        state = f"MachineOSBuild {name} has no pod" if exists.build else f"MachineOSBuild {name} does not exist"
        reason = f"the operator has not started the build ({state})"
        remedy = "Check the log of the Deployment machine-os-builder, then run this again"
        if problem:
            reason = f"{reason}: ClusterOperator machine-config is degraded: {problem}"
            remedy = "Correct what the operator reports, then run this again"
        raise OperationError(found.what, reason, remedy, {"deletions": list(self._deleted), "changed": True})

    def _release(self, found: _Found) -> None:
        """End the pause of the rebuild."""
        pool = found.exists.pool
        if pool.paused and not pool.paused_for_rebuild:
            self._request.warn(f"MachineConfigPool {pool.name} stays paused: {reason_to_keep_pause(found.pool)}")
        self._session.patch(MACHINE_CONFIG_POOL, pool.name, end_of_rebuild_pause(found.pool))
        self._changed = True

    # Results

    def _forecast(self, found: _Found, step: Step) -> Rebuild:
        """Return what the run would do, from dry runs."""
        rebuilds = rebuild_reason(found.exists, found.is_wanted) is not None
        planned = found.deletions if rebuilds else failed_pods_of_others(found.exists)
        config = try_edit(self._session, found.config, found.edit()) if rebuilds else found.config
        deletions = existing_objects(self._session, planned if step is not Step.RELEASE else ())
        return Rebuild(config, True, self._reason, deletions, self._reboots)

    def _result(self, found: _Found) -> Rebuild:
        return Rebuild(found.config, True, self._reason, self._deleted, self._reboots)
