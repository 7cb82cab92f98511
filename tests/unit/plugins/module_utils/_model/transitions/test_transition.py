# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import typing as t

from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import Finding, FindingId
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import ObjectRef
from ansible_collections.imagemode.openshift.plugins.module_utils._model.transitions.transition import (
    LONGEST_TEXT,
    Transition,
    TransitionType,
    event_of,
)

CLUSTER = {"api_url": "https://api.example.com:6443", "id": "1111", "name": "prod", "version": "4.20.1"}
REF = ObjectRef("MachineOSBuild", "layered-a")


def event(message: str = "it failed", **more: t.Any) -> dict[str, t.Any]:
    finding = Finding(FindingId.BUILD_FAILED, REF, message, "evidence", more.pop("remedy", ""))
    return event_of(Transition(TransitionType.BUILD_FAILED, "layered", REF, 3, finding), CLUSTER)


def test_event_names_cluster_pool_object_generation_and_finding():
    found = event(remedy="Correct it")
    assert found == {
        "schema_version": "1.0",
        "type": "build_failed",
        "cluster": {"api_url": "https://api.example.com:6443", "id": "1111", "name": "prod"},
        "pool": "layered",
        "object": {"kind": "MachineOSBuild", "namespace": None, "name": "layered-a"},
        "generation": 3,
        "finding": {"id": "build.failed", "severity": "fatal", "message": "it failed", "remedy": "Correct it"},
    }


def test_transition_that_is_no_problem_has_no_finding():
    found = event_of(Transition(TransitionType.NODE_JOINED, "layered", ObjectRef("Node", "worker-0")), {})
    assert found["finding"] is None
    assert found["generation"] is None
    assert found["cluster"] == {"api_url": None, "id": None, "name": None}


def test_texts_are_printable_and_in_one_line():
    found = event("one\ntwo\x1b[31m\u202e")
    assert found["finding"]["message"].startswith("one two")
    assert all(text.isprintable() for text in _texts(found))


def test_size_of_an_event_is_limited():
    found = event("x" * 1_000_000, remedy="y\n" * 1_000_000)
    assert len(found["finding"]["message"]) <= LONGEST_TEXT
    assert len(json.dumps(found)) < 10 * LONGEST_TEXT


def _texts(value: t.Any) -> t.Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value
