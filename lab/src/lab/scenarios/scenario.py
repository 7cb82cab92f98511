# SPDX-License-Identifier: GPL-3.0-or-later
"""What a scenario is: a name, a sentence, what it does, and how it is undone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from lab.release import V1, V1ALPHA1
from lab.scenarios.stage import Stage

EVERY_API = (V1, V1ALPHA1)


class Subject(Enum):
    """The object that a scenario changes, and so the option of the command that it uses."""

    LAB = "lab"
    POOL = "pool"
    NODE = "node"


class WaitCase(Enum):
    """A state in which a simple wait never ends or reports a wrong result.

    Each case has a scenario of the lab that creates the state, a test in ``tests/integration`` and, where other tools
    can be compared, an entry in ``tests/benchmarks/wait_cases.py``.
    """

    PREVIOUS_BUILD_EXISTS = "the config was edited and its previous build still exists"
    PREVIOUS_BUILD_RECORDED = "the operator records the previous build for the generation of an edit"
    OLDER_BUILDS_RETURN = "the operator names older builds again and again"
    ROLLOUT_NOT_STARTED = "the pool is Updated because its rollout has not started"
    BUILD_FAILED = "the build failed"
    BUILD_NAME_REUSED = "a rebuild has the name of the build before it"
    API_INTERRUPTED = "the API server returns 503 and 410 and closes watches"
    NODES_JOIN_AND_LEAVE = "nodes join and leave the pool during the rollout"
    ANNOTATIONS_DISAGREE = "the annotations of the node are Done and it booted another image"
    IMAGE_ONLY_STAGED = "the image is staged and not booted"
    PUSH_DENIED = "the registry denies the push because the token has expired"
    POOL_PAUSED = "the pool is paused"
    EVICTION_BLOCKED = "a PodDisruptionBudget blocks the eviction of a pod"
    COMMANDS_FAIL = "commands on the node fail or do not end"
    ANNOTATION_STALE = "the annotation of the MachineOSConfig names a build that does not exist"
    TWO_BUILDS = "a second build exists after the builder was evicted"
    BUILD_INTERRUPTED = "the build was interrupted"
    POOL_IDLE_DURING_BUILD = "the pool is not Updating while its image is built"
    POOL_EMPTY = "the pool has no nodes"
    WARNINGS_IN_OUTPUT = "the command on the node prints warnings beside its JSON"


@dataclass(frozen=True)
class Scenario:
    """A state that the lab can create: a name, a sentence, how to create it, and how to undo it.

    ``sentence`` is printed by ``--list``. ``play`` and ``undo`` return what they did, in a sentence. ``undo`` is None
    where nothing has to be undone or can be; ``undone_by`` then names what ends the state.
    ``cases`` are the cases of a wait that the scenario creates.
    ``scripted`` is true for a scenario that writes what no program of the lab would have written.
    ``apis`` are the versions of MachineOSConfig with which it can be played.
    """

    name: str
    subject: Subject
    sentence: str
    play: Callable[[Stage], str]
    undo: Callable[[Stage], str] | None = None
    undone_by: str = ""
    cases: tuple[WaitCase, ...] = ()
    scripted: bool = False
    apis: tuple[str, ...] = (V1,)
