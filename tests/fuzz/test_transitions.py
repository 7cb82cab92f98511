# SPDX-License-Identifier: GPL-3.0-or-later
"""Transitions of pools, for any order in which watches deliver what happened.

A cluster changes in random ways. Each kind has its own watch, which delivers the state of its kind as late as it likes,
and skips states where it has to list again. The events that follow have to agree with what really happened.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass, field, replace

from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import Finding, FindingId
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import ObjectRef
from ansible_collections.imagemode.openshift.plugins.module_utils._model.transitions.transition import (
    Transition,
    TransitionType,
    event_of,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    all_pools,
    image_of,
    machine_config_pool,
    machine_os_build,
    machine_os_config,
    node,
    node_with_image,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.watched_pools import KINDS, Cluster, WatchedPools
from hypothesis import given
from hypothesis import strategies as st

POOL = "layered"
NODES = ("worker-0", "worker-1", "worker-2")
NOON = "2026-03-01T12:{:02}:00Z"
SETTLE = 30.0


@dataclass
class Truth:
    """A cluster that changes, and what really happened in it."""

    generation: int = 1
    letters: t.Iterator[str] = field(default_factory=lambda: iter("abcdef0123456789" * 20))
    image: str = ""
    """The letter of the image of the present spec. Empty while it is not built."""
    previous: str = ""
    ended: list[tuple[str, str]] = field(default_factory=list)
    """Name and state of each build that ended."""
    builds: list[dict] = field(default_factory=list)
    nodes: dict[str, str] = field(default_factory=dict)
    """Name of each node in the pool -> letter of its image."""
    moves: Counter = field(default_factory=Counter)
    """How often each node joined and left."""
    paused: bool = False

    def edit(self) -> None:
        self.generation += 1
        self.previous, self.image = self.image or self.previous, ""

    def build(self, succeeds: bool) -> None:
        """Let the build of the present spec end. The API names builds uniquely here."""
        if self.image or any(b["metadata"]["name"].startswith(f"layered-{self.generation}-") for b in self.builds):
            return
        letter = next(self.letters)
        name, state = f"layered-{self.generation}-{letter}", "Succeeded" if succeeds else "Failed"
        self.builds.append(machine_os_build(name, state=state, created=NOON.format(min(59, self.generation))))
        self.ended.append((name, state))
        self.image = letter if succeeds else ""

    def move(self, name: str) -> None:
        if name in self.nodes:
            del self.nodes[name]
            self.moves["node_left", name] += 1
        else:
            self.nodes[name] = "f"  # joins with another image
            self.moves["node_joined", name] += 1

    def update(self, name: str) -> None:
        if name in self.nodes and self.image:
            self.nodes[name] = self.image

    def cluster(self) -> Cluster:
        """Return the objects."""
        published = self.image or self.previous
        config = machine_os_config(
            build=self.ended[-1][0] if self.ended else "",
            image=image_of(published) if published else "",
            generation=self.generation,
            observed_generation=self.generation,
            builds_before=[
                f"{b['metadata']['name']}/{b['metadata']['uid']}"
                for b in self.builds
                if not b["metadata"]["name"].startswith(f"layered-{self.generation}-")
            ],
            image_before=image_of(self.previous) if self.previous else "",
        )
        outside = [node(name, roles=["worker"]) for name in NODES if name not in self.nodes]
        inside = [node_with_image(letter, name) for name, letter in sorted(self.nodes.items())]
        pools = [machine_config_pool(paused=self.paused), *all_pools()[1:]]
        return Cluster([*inside, *outside], [config], list(self.builds), pools)


changes = st.one_of(
    st.just(("edit",)),
    st.tuples(st.just("build"), st.booleans()),
    st.tuples(st.just("move"), st.sampled_from(NODES)),
    st.tuples(st.just("update"), st.sampled_from(NODES)),
    st.just(("pause",)),
)
deliveries = st.tuples(st.just("deliver"), st.sets(st.sampled_from(sorted(KINDS)), min_size=1))
"""The kinds whose watches deliver their present state, all that happened since included: a list does the same."""
steps = st.lists(st.one_of(changes, deliveries), max_size=25)


def play(steps: t.Iterable[tuple], truth: Truth) -> tuple[list[Transition], WatchedPools, float]:
    """Return the transitions of a source that watches while the steps happen, and at last gets everything."""
    watched, now = WatchedPools(POOL, settle=SETTLE), 0.0
    known = truth.cluster()
    found = watched.observe(known, now)
    for step in [*steps, ("deliver", set(KINDS))]:
        now += 1.0
        if step[0] == "deliver":
            present = truth.cluster()
            known = replace(known, **{name: getattr(present, name) for name in step[1]})
            found += watched.observe(known, now, server=present)
        elif step[0] == "pause":
            truth.paused = not truth.paused
        else:
            getattr(truth, step[0])(*step[1:])
    return found, watched, now


def of(found: t.Iterable[Transition], kind: TransitionType) -> list[Transition]:
    return [transition for transition in found if transition.type is kind]


@given(steps)
def test_no_fact_is_reported_twice(steps):
    found = play(steps, Truth())[0]
    edits = [transition.generation for transition in of(found, TransitionType.CONFIG_EDITED)]
    assert edits == sorted(set(edits))
    for kind in (TransitionType.BUILD_FAILED, TransitionType.BUILD_SUCCEEDED):
        results = [
            (transition.object.name, transition.finding and transition.finding.id) for transition in of(found, kind)
        ]
        assert len(results) == len(set(results))


@given(steps)
def test_only_what_happened_is_reported(steps):
    truth = Truth()
    found = play(steps, truth)[0]
    for transition in found:
        name = transition.object.name
        if transition.type is TransitionType.BUILD_SUCCEEDED:
            assert (name, "Succeeded") in truth.ended
        if transition.type is TransitionType.BUILD_FAILED and transition.finding.id.startswith("build.failed"):
            assert (name, "Failed") in truth.ended
    reported = Counter(
        (transition.type.value, transition.object.name)
        for transition in found
        if transition.type in (TransitionType.NODE_JOINED, TransitionType.NODE_LEFT)
    )
    assert all(count <= truth.moves[move] for move, count in reported.items())


@given(steps)
def test_nothing_that_is_still_true_is_lost(steps):
    truth = Truth()
    found = play(steps, truth)[0]
    if truth.generation > 1:
        assert of(found, TransitionType.CONFIG_EDITED)[-1].generation == truth.generation
    current = [(name, state) for name, state in truth.ended if name.startswith(f"layered-{truth.generation}-")]
    for name, state in current:
        kind = TransitionType.BUILD_SUCCEEDED if state == "Succeeded" else TransitionType.BUILD_FAILED
        assert name in [transition.object.name for transition in of(found, kind)]
    joined = Counter(transition.object.name for transition in of(found, TransitionType.NODE_JOINED))
    left = Counter(transition.object.name for transition in of(found, TransitionType.NODE_LEFT))
    assert {name for name in NODES if joined[name] - left[name] == 1} == truth.nodes.keys()
    is_rolled_out = truth.nodes and truth.image and set(truth.nodes.values()) == {truth.image} and not truth.paused
    if is_rolled_out:
        assert of(found, TransitionType.ROLLOUT_DONE)


@given(steps)
def test_state_that_does_not_change_is_reported_once(steps):
    truth = Truth()
    dummy, watched, now = play(steps, truth)
    last = truth.cluster()
    lasting = [watched.observe(last, now + more) for more in (SETTLE, 10 * SETTLE)]  # problems that last
    later = [transition for more in (11, 20, 30) for transition in watched.observe(last, now + more * SETTLE)]
    assert later == []
    problems = {TransitionType.ROLLOUT_BLOCKED, TransitionType.IMAGE_DIFFERS, TransitionType.BUILD_FAILED}
    assert {transition.type for found in lasting for transition in found} <= problems


@given(st.text(), st.text(), st.integers())
def test_event_is_printable_and_limited_whatever_the_cluster_contains(name, other, number):
    ref = ObjectRef("Node", other)
    finding = Finding(FindingId.NODE_LEFT_POOL, ref, other + name)
    transition = Transition(TransitionType.NODE_LEFT, name, ref, number, finding)
    found = event_of(transition, {"name": name, "id": other})
    texts = [found["pool"], found["object"]["name"], found["cluster"]["name"], found["finding"]["message"]]
    assert all(text.isprintable() and len(text) <= 1000 for text in texts)
