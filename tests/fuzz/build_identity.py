# SPDX-License-Identifier: GPL-3.0-or-later
"""Users of the collection and their waits, on the simulated operator.

The runs use the collection's own functions: what an apply writes, what a wait observes, what verify expects.
"""

from __future__ import annotations

import copy
import typing as t
from dataclasses import dataclass, field

from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.edit_record import (
    correction,
    edit_patch,
    reaction_left,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.log_needs import (
    FinishedLogs,
    FinishLogs,
    LogProgress,
    ReadLogText,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.run_spec import ANY_RUN, RunSpec
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.wait import (
    BuildObservation,
    BuildWaitOptions,
    BuildWaitState,
    observe,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineconfigpool import Pool
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosconfig import (
    MachineOSConfig,
    WantedConfig,
    new_object,
    spec_patch,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.readers import BUILDS, CONFIGS, POOLS
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    EDIT,
    FIELD_MANAGER,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.observation import (
    Need,
    Outcome,
    ReadObject,
    ReadResult,
    Snapshot,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.proof.built_content import BuiltContent
from ansible_collections.imagemode.openshift.plugins.module_utils._model.proof.expectation import expectation_of_config
from ansible_collections.imagemode.openshift.plugins.module_utils._model.proof.verdict import Expected, Verdict
from ansible_collections.imagemode.openshift.tests.fuzz.simulated_operator import (
    CONFIG,
    CURRENT_BUILD,
    POOL,
    Conflict,
    Object,
    Operator,
    meaning,
    needs_image,
    stamp,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import REPOSITORY

WATCHED = {"MachineOSConfig": CONFIGS, "MachineOSBuild": BUILDS, "MachineConfigPool": POOLS}


@dataclass
class Apply:
    """One run of apply: it reads, and later writes what it read for. It can be killed between the two."""

    operator: Operator
    containerfile: str
    current: Object | None = None
    builds: list[Object] = field(default_factory=list)
    written: Object | None = None

    def read(self) -> None:
        """Read the MachineOSConfig and the builds."""
        self.current = self.operator.api.config
        self.builds = self.operator.api.list_builds()

    def write(self) -> None:
        """Write the edit if the specs differ.

        :raises Conflict: the MachineOSConfig was changed since it was read
        """
        wanted = WantedConfig(POOL, self.containerfile, f"{REPOSITORY}:latest", "push")
        api = self.operator.api
        if self.current is None:
            self.written = api.create_config(new_object(CONFIG, wanted), FIELD_MANAGER)
            self.operator.spec_changed()
            return
        patch = spec_patch(self.current, wanted)
        if not patch:
            self.written = self.current
            return
        now = stamp(api.now)
        left = reaction_left(self.current, self.builds, now)
        if left > 0:  # the run waits, and reads again
            self.operator.advance(left)
            raise Conflict
        body = edit_patch(self.current, patch, self.builds, now=now, has_orphans=self.operator.orphan)
        self.written = api.change_config(body, FIELD_MANAGER)
        self.operator.spec_changed()

    def correct(self) -> None:
        """Correct the record of the edit, as the module does after the write."""
        api = self.operator.api
        assert self.written is not None
        record = correction(self.written, api.list_builds())
        if record and api.config and api.config["metadata"].get("annotations", {}).get(EDIT) == _record(self.written):
            self.written = api.change_config({"metadata": {"annotations": {EDIT: record}}}, FIELD_MANAGER)

    def run(self) -> Object:
        """Read and write, and start again at a conflict."""
        while True:
            self.read()
            try:
                self.write()
            except Conflict:
                continue
            self.correct()
            assert self.written is not None
            return self.written


class WaitRun:
    """A build wait. Each kind has its own watch, so what it sees of one kind can be older than of another."""

    def __init__(self, operator: Operator, written: Object | None = None) -> None:
        """Start a wait. A bound one belongs to the run that wrote the MachineOSConfig *written*."""
        self.operator = operator
        self.wrote = meaning(written["spec"]) if written else ""
        self.options = BuildWaitOptions(POOL, run=_run_of(written))
        self.state = BuildWaitState()
        self.started = operator.api.now
        self.seen = {kind: len(versions) - 1 for kind, versions in operator.api.versions.items()}
        self.observation: BuildObservation | None = None
        self.config: Object | None = None
        """The MachineOSConfig that the last observation was made from."""
        self.resumed = False

    @property
    def ended(self) -> bool:
        """Whether the wait has ended."""
        last = self.observation
        return last is not None and (last.error is not None or last.outcome is not Outcome.WAITING)

    def observe(self, behind: t.Mapping[str, int] | None = None) -> BuildObservation:
        """Observe once.

        :param behind: how many versions the watch of a kind is behind; a watch never goes back
        """
        versions = self.operator.api.versions
        for kind, history in versions.items():
            self.seen[kind] = max(self.seen[kind], len(history) - 1 - (behind or {}).get(kind, 0))
        served = {kind: versions[kind][at] for kind, at in self.seen.items()}
        self.config = next(iter(served["MachineOSConfig"]), None)
        objects = {kind: [WATCHED[kind].parse(WATCHED[kind].reduced(o)) for o in served[kind]] for kind in served}
        results: dict[Need[t.Any], t.Any] = {}
        while True:
            watched = self.operator.api.now - self.started
            snapshot = Snapshot(objects, results, watched=watched, resumed=self.resumed)
            self.state, self.observation = observe(self.options, snapshot, self.state, self.operator.api.now)
            self.resumed = False
            missing = [need for need in self.observation.needs if need.once and need not in results]
            if not missing:
                return self.observation
            results.update({need: self._fetch(need) for need in missing})

    def _fetch(self, need: Need[t.Any]) -> t.Any:
        if isinstance(need, FinishLogs):
            return FinishedLogs(LogProgress(need.run.identity))
        if isinstance(need, ReadLogText):
            return ""
        assert isinstance(need, ReadObject), f"a wait only reads, but it needs {need}"
        api = self.operator.api
        found = {
            "MachineOSBuild": api.builds.get(need.name),
            "MachineOSConfig": api.config if api.config and need.name == CONFIG else None,
            "MachineConfigPool": api.pool,
            "Secret": {"metadata": {"name": need.name}},
        }
        return ReadResult(copy.deepcopy(found.get(need.kind.name)))


def _run_of(written: Object | None) -> RunSpec:
    return RunSpec(MachineOSConfig.from_api(written).spec_hash) if written else ANY_RUN


def _record(config: Object) -> t.Any:
    return config["metadata"].get("annotations", {}).get(EDIT)


def edit_by(operator: Operator, manager: str, containerfile: str) -> None:
    """Edit the Containerfile by another client. One that is called argocd uses server-side apply."""
    change_by(operator, manager, {"containerFile": [{"containerfileArch": "NoArch", "content": containerfile}]})


def change_by(operator: Operator, manager: str, spec: Object) -> bool:
    """Change the spec by another client, and return whether it is another one now."""
    api = operator.api
    assert api.config is not None
    generation = api.config["metadata"]["generation"]
    changed = api.change_config({"spec": spec}, manager, applied=manager == "argocd")
    if changed["metadata"]["generation"] == generation:
        return False
    operator.spec_changed()
    return True


def built_from(operator: Operator, image: str) -> str:
    """Return the meaning of the spec that an image was built from."""
    return operator.truth.images[image][0]


def holds_the_right_image(operator: Operator) -> bool:
    """Whether the operator names a build of the present spec and rendered config, and has published its image."""
    config = operator.api.config
    if config is None:
        return False
    build = operator.api.builds.get(config["metadata"].get("annotations", {}).get(CURRENT_BUILD, ""))
    image = config["status"].get("currentImagePullSpec", "")
    if build is None or not image or build["status"].get("digestedImagePushSpec") != image:
        return False
    spec, rendered = operator.truth.images[image]
    named = build["spec"]["machineConfig"]["name"]
    has_its_content = named == operator.api.rendered and needs_image(rendered) == needs_image(named)
    return has_its_content and spec == meaning(config["spec"])


def verify(operator: Operator, config: Object) -> Expected:
    """Return the expectation of verify, which read the MachineOSConfig *config* a moment ago."""
    return verify_content(operator, config)[0]


def verify_content(operator: Operator, config: Object) -> tuple[Expected, BuiltContent]:
    """Return the expectation of verify, and the Containerfile that it reports if all nodes match."""
    pool = Pool.from_api(operator.api.pool)
    read = expectation_of_config(MachineOSConfig.from_api(config), operator.api.list_builds(), pool)
    content = read.content_for(read.expected, [Verdict.MATCH])
    assert content is not None
    return read.expected, content
