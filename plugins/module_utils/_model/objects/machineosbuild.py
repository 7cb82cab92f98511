# SPDX-License-Identifier: GPL-3.0-or-later
"""In which state is a MachineOSBuild, and which build answers for the present spec of a MachineOSConfig?

A build keeps its name when the same inputs are built again, so a build is its name and its UID. Reason and message of
its conditions say the same for either status and decide nothing (operator.md 2.7).
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass

from .machineosconfig import MachineOSConfig
from .resources import ANNOTATION_PREFIX, Object, conditions_of, labels_of, metadata_of, pruned

CONFIG_LABEL = ANNOTATION_PREFIX + "machine-os-config"
POOL_LABEL = ANNOTATION_PREFIX + "target-machine-config-pool"


class BuildState(enum.Enum):
    """Where a build is."""

    PENDING = "pending"
    PREPARING = "preparing"
    BUILDING = "building"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def ended(self) -> bool:
        """Whether the build never changes again (operator.md 2.7)."""
        return self in (BuildState.SUCCEEDED, BuildState.FAILED, BuildState.INTERRUPTED)


_BY_CONDITION = (
    ("Succeeded", BuildState.SUCCEEDED),
    ("Failed", BuildState.FAILED),
    ("Interrupted", BuildState.INTERRUPTED),
    ("Building", BuildState.BUILDING),
    ("Prepared", BuildState.PREPARING),
)


@dataclass(frozen=True)
class MachineOSBuild:
    """A MachineOSBuild as the API serves it, read once."""

    name: str
    uid: str
    config: str
    config_uid: str
    rendered_config: str
    state: BuildState
    digested_image_push_spec: str
    created: str
    started: str
    finished: str
    job: str

    @classmethod
    def from_api(cls, obj: Object) -> MachineOSBuild:
        """Read a v1 MachineOSBuild; one without conditions is pending."""
        spec, status, meta = obj.get("spec") or {}, obj.get("status") or {}, metadata_of(obj)
        is_true = conditions_of(obj)
        return cls(
            name=meta["name"],
            uid=meta.get("uid", ""),
            config=(spec.get("machineOSConfig") or {}).get("name", "") or labels_of(obj).get(CONFIG_LABEL, ""),
            config_uid=next((o["uid"] for o in meta.get("ownerReferences") or [] if o.get("controller")), ""),
            rendered_config=(spec.get("machineConfig") or {}).get("name", ""),
            state=next((state for name, state in _BY_CONDITION if is_true.get(name)), BuildState.PENDING),
            digested_image_push_spec=status.get("digestedImagePushSpec", ""),
            created=meta.get("creationTimestamp") or "",
            started=status.get("buildStart") or "",
            finished=status.get("buildEnd") or "",
            job=((status.get("builder") or {}).get("job") or {}).get("name", ""),
        )

    def is_of(self, config: MachineOSConfig) -> bool:
        """Whether it was started for this MachineOSConfig, and not for a deleted one of the same name."""
        return self.config == config.name and self.config_uid in ("", config.uid)

    @property
    def identity(self) -> str:
        """Name and UID, which together name one run."""
        return f"{self.name}/{self.uid}"


class BuildMatch(enum.Enum):
    """What is known about the build that answers for a spec."""

    PROVEN = "proven"
    """This build answers for the present spec."""
    NONE_YET = "none_yet"
    """No build for the present spec has been named by the operator."""
    UNPROVEN = "unproven"
    """A build is named, and nothing tells whether it is the one before the last edit."""


def answering_build(
    config: MachineOSConfig, builds: t.Iterable[MachineOSBuild], rendered_config: str
) -> tuple[BuildMatch, MachineOSBuild | None]:
    """Return what is known, and the build that the operator names if it is there.

    The operator names a build in an annotation when it starts, so between an edit and that moment it still names the
    build before. What tells them apart is, in this order (design 5, observed.md 3a and 3b):

    * the spec was never edited;
    * the status carries the build's digest: then it answers if it was written for this generation, and only then;
    * our own edit recorded the builds before it: then it answers if this is another, and only then;
    * the build is younger than the last change of the spec. (The API server stamps no change that only takes a field
      away. What is left open by that is the time in which the build before such an edit of somebody else still runs.)

    :param rendered_config: the rendered MachineConfig that the pool wants, ``spec.configuration.name``
    """
    named = next((b for b in builds if b.name == config.current_build and b.is_of(config)), None)
    if named is None:
        return BuildMatch.NONE_YET, None
    if named.rendered_config != rendered_config:
        return BuildMatch.NONE_YET, named
    if _is_proven(config, named):
        return BuildMatch.PROVEN, named
    return BuildMatch.UNPROVEN, named


def image_is_current(config: MachineOSConfig, answer: BuildMatch, build: MachineOSBuild | None) -> bool:
    """Whether the image that the MachineOSConfig's status names answers for its present spec."""
    return (
        answer is BuildMatch.PROVEN
        and build is not None
        and build.state is BuildState.SUCCEEDED
        and bool(config.current_image_pull_spec)
        and build.digested_image_push_spec == config.current_image_pull_spec
    )


def build_before_mark(config: MachineOSConfig, builds: t.Iterable[MachineOSBuild]) -> str:
    """Return what our edit records: the build that the operator names now, and all that it may still come to name."""
    before = [b.identity for b in builds if b.is_of(config) and (b.name == config.current_build or not b.state.ended)]
    return ",".join(sorted(before)) or NO_BUILD


NO_BUILD = "none"
"""The mark of an edit before which there was no build at all."""


def _is_proven(config: MachineOSConfig, build: MachineOSBuild) -> bool:
    image_is_there = build.digested_image_push_spec and build.digested_image_push_spec == config.current_image_pull_spec
    if config.generation == 1:
        return True
    if image_is_there:
        return config.observed_generation == config.generation
    if config.build_before not in ("", NO_BUILD):
        return build.identity not in config.build_before.split(",")
    # Both times are whole seconds: within the same second the order is not known.
    return bool(config.spec_changed_at) and build.created > config.spec_changed_at


_SAID_OF_ANY_FAILURE = "Build Failed"


def last_words(obj: Object) -> str:
    """Return what a failed build as served carries of its builder's last words.

    Releases from late 4.19 on write them into the Failed condition, earlier ones the same two words for every build.
    """
    for condition in (obj.get("status") or {}).get("conditions") or []:
        if condition.get("type") == "Failed" and condition.get("status") == "True":
            message = str(condition.get("message") or "")
            return "" if message == _SAID_OF_ANY_FAILURE else message
    return ""


def reduced(obj: Object) -> dict[str, t.Any]:
    """Return what a wait reads of a MachineOSBuild."""
    kept = pruned(
        obj,
        "metadata.name",
        "metadata.uid",
        "metadata.labels",
        "metadata.creationTimestamp",
        "metadata.ownerReferences",
        "spec.machineOSConfig",
        "spec.machineConfig",
        "status.digestedImagePushSpec",
        "status.buildStart",
        "status.buildEnd",
        "status.builder",
    )
    states = [{"type": name, "status": "True"} for name, is_true in conditions_of(obj).items() if is_true]
    kept.setdefault("status", {})["conditions"] = states
    return kept
