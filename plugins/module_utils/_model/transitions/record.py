# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide which transitions follow from new facts about a pool. The record contains what was reported before.

Transitions follow from facts and not from events of a watch. So a list after an interruption loses none, and the order
of events makes none appear twice.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ..findings import Finding, FindingId
from ..objects.resources import MACHINE_CONFIG_POOL, MACHINE_OS_CONFIG, NODE, ObjectRef
from .facts import ConfigFacts, PoolFacts
from .transition import Transition, TransitionType

DELETED = "it was deleted"


@dataclass(frozen=True)
class Problem:
    """A problem that was observed. Times are watched seconds (``Snapshot.watched``)."""

    since: float
    absent_since: float | None = None
    """When it was first not observed any more. None while it is observed."""
    reported: bool = False


@dataclass(frozen=True)
class PoolRecord:
    """What was reported of a pool. Its size is limited by the number of nodes."""

    nodes: t.Mapping[str, str] = field(default_factory=dict)
    """Name of each node -> the configuration and the image that its daemon applied."""
    config_uid: str = ""
    generation: int = 0
    failed: str = ""
    """Key of the failed build that was reported last."""
    succeeded: str = ""
    """Key of the successful build that was reported last."""
    is_rolling: bool = False
    """Whether a rollout was observed whose end was not reported."""
    problems: t.Mapping[str, Problem] = field(default_factory=dict)
    """``TYPE ID OBJECT`` -> problem."""

    @classmethod
    def first(cls, facts: PoolFacts) -> PoolRecord:
        """Return the record of a pool that existed before the source started.

        The nodes, the spec, a success and a complete rollout are where transitions start from. A failure is no such
        state: it is reported.
        """
        return cls(
            nodes=facts.nodes,
            config_uid=facts.config.uid if facts.config else "",
            generation=facts.config.generation if facts.config else 0,
            succeeded=facts.build.key if facts.build and not facts.build.failure else "",
            is_rolling=facts.is_rolling,
        )

    def after(self, facts: PoolFacts, watched: float, settle: float) -> tuple[PoolRecord, tuple[Transition, ...]]:
        """Return the record after new facts, and the transitions that follow from them.

        :param watched: watched seconds
        :param settle: watched seconds for which a problem has to last before it is reported
        """
        found = [*_edited(self, facts), *_moved(self, facts), *_ended(self, facts)]
        problems, lasting = _after(self.problems, facts, watched, settle)
        is_rolling = self.is_rolling or facts.is_rolling or _has_changed(self.nodes, facts.nodes)
        if is_rolling and facts.is_done:
            found.append(_transition(TransitionType.ROLLOUT_DONE, facts, _pool(facts)))
            is_rolling = False
        record = _with_build(_with_config(self, facts.config), facts)
        return replace(record, nodes=facts.nodes, is_rolling=is_rolling, problems=problems), (*found, *lasting)


def _transition(kind: TransitionType, facts: PoolFacts, about: ObjectRef, finding: Finding | None = None) -> Transition:
    return Transition(kind, facts.pool, about, facts.generation, finding)


def _pool(facts: PoolFacts) -> ObjectRef:
    return ObjectRef(MACHINE_CONFIG_POOL.name, facts.pool)


def _edited(record: PoolRecord, facts: PoolFacts) -> t.Iterator[Transition]:
    """Report a MachineOSConfig that is new or has a later generation. Several edits during an outage are one."""
    if facts.config is None:
        return
    is_new = facts.config.uid != record.config_uid
    if is_new or facts.config.generation > record.generation:
        about = ObjectRef(MACHINE_OS_CONFIG.name, facts.config.name)
        yield _transition(TransitionType.CONFIG_EDITED, facts, about)


def _with_config(record: PoolRecord, config: ConfigFacts | None) -> PoolRecord:
    """Return the record with the spec. The one of a deleted MachineOSConfig is kept: its UID never returns."""
    if config is None:
        return record
    same = config.uid == record.config_uid
    generation = max(config.generation, record.generation) if same else config.generation
    return replace(record, config_uid=config.uid, generation=generation)


def _moved(record: PoolRecord, facts: PoolFacts) -> t.Iterator[Transition]:
    for name in sorted(facts.nodes.keys() - record.nodes.keys()):
        yield _transition(TransitionType.NODE_JOINED, facts, ObjectRef(NODE.name, name))
    for name in sorted(record.nodes.keys() - facts.nodes.keys()):
        about = ObjectRef(NODE.name, name)
        message = f"Node {name} left MachineConfigPool {facts.pool}: {facts.places.get(name, DELETED)}"
        yield _transition(TransitionType.NODE_LEFT, facts, about, Finding(FindingId.NODE_LEFT_POOL, about, message))


def _has_changed(before: t.Mapping[str, str], now: t.Mapping[str, str]) -> bool:
    """Whether a node joined, or applied another configuration or image: a rollout took place."""
    return any(before.get(name) != applied for name, applied in now.items())


def _ended(record: PoolRecord, facts: PoolFacts) -> t.Iterator[Transition]:
    build = facts.build
    if build is None:
        return
    if build.failure and build.key != record.failed:
        yield _transition(TransitionType.BUILD_FAILED, facts, build.object, build.failure)
    if not build.failure and build.key != record.succeeded:
        yield _transition(TransitionType.BUILD_SUCCEEDED, facts, build.object)


def _with_build(record: PoolRecord, facts: PoolFacts) -> PoolRecord:
    if facts.build is None:
        return record
    if facts.build.failure:
        return replace(record, failed=facts.build.key)
    return replace(record, succeeded=facts.build.key)


def _after(
    before: t.Mapping[str, Problem], facts: PoolFacts, watched: float, settle: float
) -> tuple[dict[str, Problem], tuple[Transition, ...]]:
    """Return the problems after new facts, and those that have just lasted long enough.

    A problem that disappears for a shorter time than *settle* has lasted: a daemon that tries again reports no error
    while it tries.
    """
    present = {f"{kind.value} {finding.id} {finding.object}": (kind, finding) for kind, finding in _present(facts)}
    problems = {key: _absent(problem, watched) for key, problem in before.items() if key not in present}
    problems = {key: problem for key, problem in problems.items() if not _is_over(problem, watched, settle)}
    lasting = []
    for key, (kind, finding) in present.items():
        problem = before.get(key, Problem(watched))
        if _is_over(problem, watched, settle):
            problem = Problem(watched)
        is_due = not problem.reported and watched - problem.since >= settle
        if is_due:
            lasting.append(_transition(kind, facts, finding.object, finding))
        problems[key] = Problem(problem.since, None, problem.reported or is_due)
    return problems, tuple(lasting)


def _absent(problem: Problem, watched: float) -> Problem:
    return problem if problem.absent_since is not None else replace(problem, absent_since=watched)


def _is_over(problem: Problem, watched: float, settle: float) -> bool:
    return problem.absent_since is not None and watched - problem.absent_since > settle


def _present(facts: PoolFacts) -> t.Iterator[tuple[TransitionType, Finding]]:
    for finding in facts.blockers:
        yield TransitionType.ROLLOUT_BLOCKED, finding
    for finding in facts.differences:
        yield TransitionType.IMAGE_DIFFERS, finding
