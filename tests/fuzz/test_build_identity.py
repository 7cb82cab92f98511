# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever is edited, fails, is rebuilt or deleted: no image of another spec is taken, whenever the operator writes.

The operator is simulated (simulated_operator.py) and knows what each image was built from.
"""

from __future__ import annotations

from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import FindingId
from ansible_collections.imagemode.openshift.plugins.module_utils._model.observation import Outcome
from ansible_collections.imagemode.openshift.tests.fuzz.build_identity import (
    Apply,
    WaitRun,
    built_from,
    change_by,
    holds_the_right_image,
    verify,
    verify_content,
)
from ansible_collections.imagemode.openshift.tests.fuzz.simulated_operator import (
    FAILING,
    MISSPELT,
    REBUILD,
    RELEASES,
    Circumstances,
    Conflict,
    Object,
    Operator,
    meaning,
)
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

CONTAINERFILES = ("FROM configs AS final\nRUN a\n", "FROM configs AS final\nRUN b\n", "FROM configs AS final\nRUN c\n")
A, B, C = CONTAINERFILES
SETTLING = 150
"""Seconds after which an operator that is healthy has built and published."""


def check_observation(wait: WaitRun) -> None:
    """Check the last observation of a wait against the truth."""
    last, config = wait.observation, wait.config
    assert last is not None
    if config is None:
        return
    present = meaning(config["spec"])
    if wait.wrote and wait.wrote != present:
        assert last.error is not None, "the spec was changed under the run, and the wait continues"
        assert "after this run wrote it" in last.error.reason
        return
    if last.outcome is Outcome.SUCCEEDED and last.error is None:
        assert last.build is not None
        origin = built_from(wait.operator, last.build.digested_image_push_spec)
        assert origin == present, "the wait ended with an image of another spec"
        if wait.wrote:
            assert origin == wait.wrote, "the wait of a run ended with an image of a spec that the run did not write"
    if last.outcome is Outcome.FAILED and last.build is not None:
        assert wait.operator.truth.specs[last.build.uid] == present, "the wait failed for a build of another spec"


def check_verify(operator: Operator, config: Object) -> None:
    """Check what verify expects against the truth."""
    expected, content = verify_content(operator, config)
    if expected.current:
        assert built_from(operator, expected.pull_spec) == meaning(config["spec"]), "verify expects an older image"
    assert expected.current or not content.is_proven, "verify reports a Containerfile of another image"


class BuildIdentity(RuleBasedStateMachine):
    """Users, other clients, the operator and time, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.operator = Operator(RELEASES["4.20"], Circumstances())
        self.applies: list[Apply] = []
        self.waits: list[WaitRun] = []
        self.edited_by_others = False
        """Whether other clients have changed the spec, too."""

    @initialize(
        release=st.sampled_from(sorted(RELEASES)),
        circumstances=st.builds(
            Circumstances,
            build_seconds=st.sampled_from([6.0, 12.0, 40.0]),
            cleanup_delay=st.sampled_from([0.3, 4.0]),
            publishes_superseded=st.booleans(),
            starts_deleted_build=st.booleans(),
            notices_missed_edit=st.booleans(),
            interrupts_rebuild=st.booleans(),
        ),
    )
    def cluster(self, release: str, circumstances: Circumstances) -> None:
        """Start a cluster of a release."""
        self.operator = Operator(RELEASES[release], circumstances)

    # Time

    @rule(seconds=st.sampled_from([0.3, 1.0, 4.5, 5.1, 6.0, 11.0, 20.0]))
    def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        self.operator.advance(seconds)

    @rule()
    def settle(self) -> None:
        """Let the operator finish, while all waits observe. Then the run that wrote the spec knows its result."""
        for dummy in range(SETTLING // 5):
            self.operator.advance(5.0)
            self.observe_all()
        config = self.operator.api.config
        if config is None or not self.operator.idle or not holds_the_right_image(self.operator):
            return
        if not self.edited_by_others and REBUILD not in config["metadata"].get("annotations", {}):
            self.check_that_the_image_is_known(config)

    def check_that_the_image_is_known(self, config: Object) -> None:
        """Check that an image that is right is known to be right, if all edits are known."""
        expected = verify(self.operator, config)
        assert expected.current, f"verify does not know the right image: {expected}"
        new = [WaitRun(self.operator), WaitRun(self.operator, config)]
        for wait in new:
            wait.observe()
        for wait in [*new, *self.waits[-1:]]:
            last = wait.observation
            assert last is not None
            assert last.outcome is not Outcome.WAITING, last.progress
            assert FindingId.BUILD_IDENTITY_UNVERIFIED not in {finding.id for finding in last.findings}

    # Users of the collection

    @rule(containerfile=st.sampled_from([*CONTAINERFILES, FAILING, MISSPELT]))
    def apply(self, containerfile: str) -> None:
        """Apply and wait, bound to what was written."""
        self.finish(Apply(self.operator, containerfile))

    def finish(self, apply: Apply) -> None:
        """Write, and wait for the build."""
        self.waits = [*self.waits[-3:], WaitRun(self.operator, apply.run())]

    @rule(containerfile=st.sampled_from(CONTAINERFILES))
    def read_for_an_apply(self, containerfile: str) -> None:
        """Begin an apply, which is slow or is killed before it writes."""
        apply = Apply(self.operator, containerfile)
        apply.read()
        self.applies = [apply]

    @precondition(lambda self: self.applies)
    @rule(is_killed=st.booleans())
    def write_of_an_apply(self, is_killed: bool) -> None:
        """Write what a slow apply read for, or start again at a conflict. It can be killed right after the write."""
        apply = self.applies.pop()
        try:
            apply.write()
        except Conflict:
            apply.run()
        if not is_killed:
            apply.correct()
        self.waits = [*self.waits[-3:], WaitRun(self.operator, apply.written)]

    @rule()
    def wait(self) -> None:
        """Wait without having written."""
        self.waits = [*self.waits[-3:], WaitRun(self.operator)]

    @precondition(lambda self: self.waits)
    @rule(behind=st.fixed_dictionaries({kind: st.integers(0, 2) for kind in ("MachineOSConfig", "MachineOSBuild")}))
    def observe_all(self, behind: dict[str, int] | None = None) -> None:
        """Observe with every wait. Its watches may be behind."""
        for wait in self.waits:
            writes = self.operator.api.writes
            if not wait.ended:
                wait.observe(behind)
                check_observation(wait)
            assert self.operator.api.writes == writes, "a wait wrote"

    # Other clients

    @precondition(lambda self: self.operator.api.config is not None)
    @rule(
        containerfile=st.sampled_from([*CONTAINERFILES, A + "\n"]), manager=st.sampled_from(["kubectl-edit", "argocd"])
    )
    def edit_by_another_client(self, containerfile: str, manager: str) -> None:
        """Edit the Containerfile by hand."""
        self.change({"spec": {"containerFile": [{"containerfileArch": "NoArch", "content": containerfile}]}}, manager)

    @precondition(lambda self: self.operator.api.config is not None)
    @rule(manager=st.sampled_from(["kubectl-edit", "argocd"]), secret=st.sampled_from(["pull", None]))
    def change_base_secret(self, manager: str, secret: str | None) -> None:
        """Set or remove an optional field. An update that only removes a field has no time."""
        self.change({"spec": {"baseImagePullSecret": {"name": secret} if secret else None}}, manager)

    def change(self, patch: Object, manager: str) -> None:
        """Change the MachineOSConfig by another client."""
        if change_by(self.operator, manager, patch["spec"]):
            self.edited_by_others = True

    @precondition(lambda self: self.operator.api.config is not None)
    @rule()
    def request_rebuild(self) -> None:
        """Request a rebuild."""
        api = self.operator.api
        api.change_config({"metadata": {"annotations": {REBUILD: ""}}}, "kubectl-annotate")
        self.operator.rebuild_requested()

    @precondition(lambda self: self.operator.api.builds)
    @rule(choice=st.integers(0, 9))
    def delete_build(self, choice: int) -> None:
        """Delete a build by hand."""
        names = sorted(self.operator.api.builds)
        name = names[choice % len(names)]
        self.operator.api.delete_build(name)
        self.operator.build_deleted(name)

    @precondition(lambda self: self.operator.jobs)
    @rule()
    def delete_job(self) -> None:
        """Delete a Job by hand."""
        self.operator.job_deleted(next(iter(self.operator.jobs)))

    @precondition(lambda self: self.operator.api.config is not None)
    @rule(keeps_annotations=st.booleans(), containerfile=st.sampled_from(CONTAINERFILES))
    def restore(self, keeps_annotations: bool, containerfile: str) -> None:
        """Delete the MachineOSConfig and create it from a file, which may have the annotations of the old one."""
        old = self.operator.api.config
        assert old is not None
        self.operator.api.delete_config()
        self.operator.config_deleted()
        notes = old["metadata"].get("annotations") if keeps_annotations else {}
        spec = {**old["spec"], "containerFile": [{"containerfileArch": "NoArch", "content": containerfile}]}
        obj = {"metadata": {"name": old["metadata"]["name"], "annotations": dict(notes or {})}, "spec": spec}
        self.operator.api.create_config({**obj, "kind": old["kind"], "apiVersion": old["apiVersion"]}, "kubectl-create")
        self.operator.spec_changed()
        self.edited_by_others = True
        self.waits = []

    # The operator

    @rule(image=st.sampled_from("ab"), files=st.sampled_from("01"))
    def render(self, image: str, files: str) -> None:
        """Give the pool a rendered config, which may need another image."""
        self.operator.api.render("rendered-layered-" + "0" * 30 + image + files)
        self.operator.rendered_config_changed()

    @rule(degraded=st.booleans())
    def degrade_pool(self, degraded: bool) -> None:
        """Let the pool be degraded, or healthy again."""
        self.operator.degraded = degraded

    @rule(seconds=st.sampled_from([1.0, 10.0, 30.0]))
    def restart(self, seconds: float) -> None:
        """Stop the build controller for a while."""
        self.operator.stop()
        self.operator.advance(seconds)
        self.operator.start()

    @rule()
    def fail_next_build(self) -> None:
        """Let the next Job fail, whatever it builds."""
        self.operator.failures = 1

    @rule(lost=st.booleans())
    def orphan(self, lost: bool) -> None:
        """Delete the pool of another MachineOSConfig, or create it again."""
        if lost and not self.operator.orphan:
            self.operator.lose_pool_of_another_config()
        self.operator.orphan = lost

    # What holds at every moment

    @invariant()
    def verify_expects_no_image_of_another_spec(self) -> None:
        """Check what verify expects, with the MachineOSConfig as it is or as it was just before."""
        for version in self.operator.api.versions["MachineOSConfig"][-2:]:
            for config in version:
                if config["metadata"]["uid"] == (self.operator.api.config or config)["metadata"]["uid"]:
                    check_verify(self.operator, config)


TestBuildIdentity = BuildIdentity.TestCase
