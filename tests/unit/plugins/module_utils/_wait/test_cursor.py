# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json
import typing as t
import zlib
from dataclasses import dataclass, field

import pytest
from ansible.module_utils.common.parameters import remove_values
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.wait import BuildWaitState
from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import FindingId
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects import node as node_model
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import Object
from ansible_collections.imagemode.openshift.plugins.module_utils._model.text import printable
from ansible_collections.imagemode.openshift.plugins.module_utils._wait import cursor as cursor_module
from ansible_collections.imagemode.openshift.plugins.module_utils._wait.codec import decode, encode
from ansible_collections.imagemode.openshift.plugins.module_utils._wait.cursor import (
    MAX_BYTES,
    MAX_VALUES,
    Cursor,
    Progress,
    SubjectState,
    read_cursor,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._wait.outage import OutageTracker
from ansible_collections.imagemode.openshift.plugins.module_utils._wait.stall import StallTimer
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import RENDERED, image_of, node
from hypothesis import given
from hypothesis import strategies as st

BYTES_A_NODE = 200

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_OBJECTS = st.builds(
    lambda name, spec, more: {**more, "metadata": {"name": name, "labels": {name: name}}, "spec": spec},
    st.text(),
    st.dictionaries(st.text(), _JSON, max_size=3),
    st.dictionaries(st.text(), _JSON, max_size=3),
).filter(lambda obj: "status" not in obj and not {"selector", "nodeSelector"} & set(obj["spec"]))
_KINDS = st.sampled_from(["Node", "MachineConfigPool", "MachineOSBuild"])


@dataclass(frozen=True)
class Part:
    """A part of the state of a wait."""

    number: float = 0.0
    finding: FindingId | None = None


@dataclass(frozen=True)
class State:
    """The state of a wait, with each type that a state may have."""

    text: str = ""
    count: int = 0
    is_done: bool = False
    names: tuple[str, ...] = ()
    pair: tuple[str, float] = ("", 0.0)
    parts: t.Mapping[str, Part] = field(default_factory=dict)
    objects: tuple[Object, ...] = ()
    part: Part = field(default_factory=Part)


_NUMBERS = st.floats(-1e9, 4e9)
_PARTS = st.builds(Part, _NUMBERS, st.none() | st.sampled_from(FindingId))
_STATES = st.builds(
    State,
    st.text(),
    st.integers(-(2**53), 2**53),
    st.booleans(),
    st.lists(st.text(), max_size=3).map(tuple),
    st.tuples(st.text(), _NUMBERS),
    st.dictionaries(st.text(), _PARTS, max_size=3),
    st.lists(_OBJECTS, max_size=2).map(tuple),
    _PARTS,
)
_CURSORS = st.builds(
    Cursor,
    st.builds(
        Progress,
        st.text(),
        _NUMBERS,
        st.text(),
        _NUMBERS,
        st.lists(st.text(), max_size=3).map(tuple),
        st.builds(StallTimer, st.text(), _NUMBERS, _NUMBERS),
        st.builds(
            OutageTracker,
            st.lists(st.text(), max_size=3).map(tuple),
            st.text(),
            _NUMBERS,
            st.none() | _NUMBERS,
            _NUMBERS,
        ),
    ),
    st.dictionaries(
        _KINDS,
        st.builds(
            SubjectState,
            st.text("0123456789"),
            st.booleans(),
            st.none() | _NUMBERS,
            st.text(),
            st.dictionaries(st.text(), _OBJECTS, max_size=3),
        ),
        max_size=3,
    ),
    _STATES,
)


@given(_CURSORS)
def test_cursor_is_read_as_it_was_written(cursor):
    assert read_cursor(str(cursor), State) == cursor


@given(_CURSORS)
def test_cursor_contains_no_character_of_a_credential(cursor):
    """Ansible replaces each secret value of a task in a result, also one of a single character."""
    text = str(cursor)
    assert text == remove_values(text, set(map(chr, range(0x250))) | {"***", "pass", "1"})
    assert text == printable(text)
    assert not any(character.isspace() for character in text)


def packed(content: object) -> str:
    return written(zlib.compress(json.dumps(content).encode()))


def written(data: bytes) -> str:
    return "".join(chr(0x2800 + byte) for byte in data)


WHOLE: dict[str, t.Any] = json.loads(encode({"version": 6, "progress": Progress(), "subjects": {}, "state": State()}))


def with_progress(**changes: t.Any) -> dict[str, t.Any]:
    return {**WHOLE, "progress": {**WHOLE["progress"], **changes}}


def with_state(**changes: t.Any) -> dict[str, t.Any]:
    return {**WHOLE, "state": {**WHOLE["state"], **changes}}


def with_subject(**changes: t.Any) -> dict[str, t.Any]:
    subject = json.loads(encode(SubjectState()))
    return {**WHOLE, "subjects": {"Node": {**subject, **changes}}}


OUTAGE = WHOLE["progress"]["outage"]
PART = WHOLE["state"]["part"]


def nested(levels: int) -> dict:
    inner: dict = {}
    for dummy in range(levels):
        inner = {"a": inner}
    return inner


def test_content_that_is_spoiled_below_can_be_read():
    assert read_cursor(packed(WHOLE), State) == Cursor(Progress(), {}, State())
    assert read_cursor(packed(with_subject()), State) == Cursor(Progress(), {"Node": SubjectState()}, State())
    assert read_cursor(packed(with_progress(started=5)), State).progress.started == 5.0


def test_cursor_of_another_wait_is_not_read():
    assert read_cursor(packed(WHOLE), BuildWaitState) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not a cursor",
        "ü",
        "********",
        base64.b85encode(zlib.compress(json.dumps(WHOLE).encode())).decode(),
        written(b"plain"),
        written(zlib.compress(b"not JSON")),
        packed(WHOLE) + written(b"more"),
        packed(WHOLE)[:9] + "********" + packed(WHOLE)[10:],
        packed(None),
        packed([]),
        packed({"version": 6}),
        packed([6, {}, {}, {}]),
        packed({**WHOLE, "version": 5}),
        packed({**WHOLE, "version": 7}),
        packed({**WHOLE, "progress": []}),
        packed({**WHOLE, "subjects": []}),
        packed({**WHOLE, "state": None}),
        packed({**WHOLE, "more": 1}),
        packed(with_progress(started="soon")),
        packed(with_progress(started=None)),
        packed(with_progress(reported=1)),
        packed(with_progress(reported_at="then")),
        packed(with_progress(found=None)),
        packed(with_progress(found=[1])),
        packed(with_progress(about=None)),
        packed(with_progress(stall={})),
        packed(with_progress(stall={"mark": "", "seconds": "long", "observed_at": 0})),
        packed(with_progress(outage={})),
        packed(with_progress(outage={**OUTAGE, "since": "once"})),
        packed(with_progress(outage={**OUTAGE, "away": "Node"})),
        packed(with_progress(started=True)),
        packed(with_progress(started=float("nan"))),
        packed(with_progress(started=float("-inf"))),
        packed(with_progress(started=10**400)),
        packed(with_progress(more=1)),
        packed(with_subject(version=5)),
        packed(with_subject(watched=1)),
        packed(with_subject(denied_since="long ago")),
        packed(with_subject(unreadable=None)),
        packed(with_subject(objects=[])),
        packed(with_subject(objects={"a": "b"})),
        packed(with_subject(objects={"a": {}})),
        packed(with_subject(objects={"a": {"metadata": {"name": "a", "labels": {"x": 1}}}})),
        packed(with_subject(objects={"a": {"metadata": {"name": "a"}, "status": {"conditions": [1]}}})),
        packed(with_subject(objects={"a": {"metadata": {"name": "a"}, "spec": {"selector": {"matchLabels": []}}}})),
        packed(with_state(count="1")),
        packed(with_state(count=True)),
        packed(with_state(count=1.5)),
        packed(with_state(is_done=1)),
        packed(with_state(names="none")),
        packed(with_state(pair=["a"])),
        packed(with_state(pair=["a", 1, 2])),
        packed(with_state(pair=["a", "b"])),
        packed(with_state(parts=[])),
        packed(with_state(parts={"a": {}})),
        packed(with_state(part={**PART, "finding": "no.finding"})),
        packed(with_state(part={**PART, "finding": ["build.failed"]})),
        packed(with_state(part=None)),
        packed(with_state(objects=[{"metadata": {}}])),
        written(zlib.compress(b"[" * 100000 + b"]" * 100000)),
        packed(with_subject(objects={"a": {"metadata": {"name": "a"}, "more": nested(70)}})),
        packed({key: value for key, value in WHOLE.items() if key != "state"} | {"stat": {}}),
    ],
)
def test_spoiled_cursor_is_not_read(text):
    assert read_cursor(text, State) is None


@pytest.mark.parametrize("value", [b"1,", b"[],", b"{},"])
def test_cursor_with_too_many_values_is_not_read(value, monkeypatch):
    """Some megabytes of small values would take ten seconds and a gigabyte."""
    monkeypatch.setattr(cursor_module, "read_json", lambda dummy: pytest.fail("it was read"))
    assert read_cursor(cursor_module._written(zlib.compress(b"[" + value * (MAX_VALUES + 1) + b"1]", 1)), State) is None


def test_cursor_that_unpacks_to_too_many_bytes_is_not_read():
    """The compressed text has less than a hundred kilobytes."""
    content = json.dumps(with_progress(reported="<x>")).encode().replace(b"<x>", b"x" * (MAX_BYTES + 1))
    assert read_cursor(written(zlib.compress(content, 9)), State) is None


@given(st.text() | st.binary().map(written))
def test_garbage_is_not_read(text):
    assert read_cursor(text, State) is None


@given(_CURSORS, st.data())
def test_truncated_cursor_is_not_read(cursor, data):
    text = str(cursor)
    assert read_cursor(text[: data.draw(st.integers(0, len(text) - 1))], State) is None


def realistic_node(number: int) -> dict:
    name = f"ip-10-0-{number // 250}-{number % 250}.eu-west-1.compute.internal"
    labels = {
        "beta.kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/instance-type": ("m6i.xlarge", "m6i.2xlarge")[number % 2],
        "beta.kubernetes.io/os": "linux",
        "failure-domain.beta.kubernetes.io/region": "eu-west-1",
        "failure-domain.beta.kubernetes.io/zone": f"eu-west-1{'abc'[number % 3]}",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "node.kubernetes.io/instance-type": ("m6i.xlarge", "m6i.2xlarge")[number % 2],
        "node.openshift.io/os_id": "rhel",
        "topology.ebs.csi.aws.com/zone": f"eu-west-1{'abc'[number % 3]}",
        "topology.k8s.aws/zone-id": f"euw1-az{number % 3}",
        "topology.kubernetes.io/region": "eu-west-1",
        "topology.kubernetes.io/zone": f"eu-west-1{'abc'[number % 3]}",
    }
    annotations = {"currentImage": image_of("ab"[number % 2]), "desiredImage": image_of("a")}
    if number % 25 == 0:
        annotations.update({"state": "Degraded", "reason": f"failed to drain node {name}: pods on it are protected"})
    seen = node(
        name, labels=labels, annotations=annotations, ready=str(number % 10 > 0), unschedulable=number % 10 == 0
    )
    return node_model.reduced(seen)


def test_500_nodes_need_at_most_200_bytes_each():
    nodes = {obj["metadata"]["name"]: obj for obj in map(realistic_node, range(500))}
    progress = Progress(started=1772366400.0, reported=f"pool layered on {RENDERED}")
    cursor = Cursor(progress, {"Node": SubjectState("123456789", objects=nodes)}, State())
    text = str(cursor)
    assert read_cursor(text, State) == cursor
    assert len(text) <= BYTES_A_NODE * len(nodes)  # a character is a byte of the content


def test_state_of_the_build_wait_can_be_written_and_read():
    assert decode(BuildWaitState, json.loads(encode(BuildWaitState()))) == BuildWaitState()


def test_value_of_an_unknown_type_is_not_written():
    with pytest.raises(TypeError):
        encode({"a": object()})
