# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json
import zlib

import pytest
from ansible.module_utils.common.parameters import remove_values
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects import node as node_model
from ansible_collections.imagemode.openshift.plugins.module_utils._model.printable import printable
from ansible_collections.imagemode.openshift.plugins.module_utils._wait import cursor as cursor_module
from ansible_collections.imagemode.openshift.plugins.module_utils._wait.cursor import (
    LONGEST,
    MOST_VALUES,
    Cursor,
    Stillness,
    read_cursor,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._wait.outage import Sight
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
_CURSORS = st.builds(
    Cursor,
    st.floats(0, 4e9),
    st.dictionaries(_KINDS, st.text("0123456789")),
    st.dictionaries(_KINDS, st.dictionaries(st.text(), _OBJECTS, max_size=3)),
    st.text(),
    st.lists(st.text(), max_size=3).map(tuple),
    st.builds(Stillness, st.text(), st.floats(0, 4e9), st.floats(0, 4e9)),
    st.dictionaries(st.text(), _JSON, max_size=3),
    st.builds(
        Sight,
        st.lists(st.text(), max_size=3).map(tuple),
        st.text(),
        st.floats(0, 4e9),
        st.none() | st.floats(0, 4e9),
        st.floats(0, 4e9),
        st.dictionaries(st.text(), st.floats(0, 4e9), max_size=3),
    ),
    st.lists(st.text(), max_size=3).map(tuple),
    st.text(),
)


@given(_CURSORS)
def test_a_cursor_reads_as_it_was(cursor):
    assert read_cursor(str(cursor)) == cursor


@given(_CURSORS)
def test_a_cursor_consists_of_nothing_that_a_credential_has(cursor):
    """Ansible replaces each secret value of a task in a result, also one of a single character."""
    text = str(cursor)
    assert text == remove_values(text, set(map(chr, range(0x250))) | {"***", "pass", "1"})
    assert text == printable(text)
    assert not any(character.isspace() for character in text)


def packed(content: object) -> str:
    return written(zlib.compress(json.dumps(content).encode()))


def written(data: bytes) -> str:
    return "".join(chr(0x2800 + byte) for byte in data)


WHOLE = {
    "version": 5,
    "started": 0,
    "versions": {},
    "objects": {},
    "told": "",
    "found": [],
    "stillness": {"mark": "", "seconds": 0, "seen_at": 0},
    "memory": {},
    "sight": {"away": [], "reason": "", "since": 0, "back_at": None, "lost": 0, "denied": {}},
    "opened": [],
    "about": "",
}


LOGS = {"build": "a/1", "version": "5", "pods": [], "done": [], "places": {}, "paths": []}


def nested(levels: int) -> dict:
    inner: dict = {}
    for dummy in range(levels):
        inner = {"a": inner}
    return inner


def test_what_the_tests_below_spoil_could_be_read():
    assert read_cursor(packed(WHOLE)) == Cursor(0.0)
    for logs in ({}, LOGS):
        assert read_cursor(packed({**WHOLE, "memory": {"logs": logs}})) == Cursor(0.0, memory={"logs": logs})


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
        packed({"version": 5}),
        packed([5, 0, {}, {}, ""]),
        packed({**WHOLE, "version": 4}),
        packed({**WHOLE, "version": 6}),
        packed({**WHOLE, "started": "soon"}),
        packed({**WHOLE, "started": None}),
        packed({**WHOLE, "versions": []}),
        packed({**WHOLE, "objects": []}),
        packed({**WHOLE, "told": 1}),
        packed({**WHOLE, "found": None}),
        packed({**WHOLE, "opened": None}),
        packed({**WHOLE, "stillness": {}}),
        packed({**WHOLE, "stillness": {"mark": "", "seconds": "long", "seen_at": 0}}),
        packed({**WHOLE, "sight": {}}),
        packed({**WHOLE, "sight": {**WHOLE["sight"], "since": "once"}}),
        packed({**WHOLE, "memory": []}),
        packed({**WHOLE, "more": 1}),
        packed({**WHOLE, "about": None}),
        packed({**WHOLE, "started": True}),
        packed({**WHOLE, "started": float("nan")}),
        packed({**WHOLE, "started": float("-inf")}),
        packed({**WHOLE, "started": 10**400}),
        packed({**WHOLE, "versions": {"Node": 5}}),
        packed({**WHOLE, "objects": {"Node": []}}),
        packed({**WHOLE, "objects": {"Node": {"a": "b"}}}),
        packed({**WHOLE, "objects": {"Node": {"a": {}}}}),
        packed({**WHOLE, "objects": {"Node": {"a": {"metadata": {"name": "a", "labels": {"x": 1}}}}}}),
        packed({**WHOLE, "objects": {"Node": {"a": {"metadata": {"name": "a"}, "status": {"conditions": [1]}}}}}),
        packed({**WHOLE, "found": [1]}),
        packed({**WHOLE, "memory": {"lack": "none"}}),
        packed({**WHOLE, "memory": {"told_at": "then"}}),
        packed({**WHOLE, "memory": {"reasons": [["no.finding", "a", "b", "c", "d"]]}}),
        packed({**WHOLE, "memory": {"job": [1]}}),
        packed({**WHOLE, "memory": {"history": [{}, ["long"], True]}}),
        packed({**WHOLE, "memory": {"logs": {"build": "a"}}}),
        packed({**WHOLE, "memory": {"logs": {**LOGS, "pods": [{"metadata": {}}]}}}),
        packed({**WHOLE, "memory": {"logs": {**LOGS, "places": {"a": ["b", "c"]}}}}),
        packed({**WHOLE, "sight": {**WHOLE["sight"], "denied": {"Node": None}}}),
        written(zlib.compress(b"[" * 100000 + b"]" * 100000)),
        packed({**WHOLE, "memory": nested(70)}),
        packed({key: value for key, value in WHOLE.items() if key != "told"} | {"tol": ""}),
    ],
)
def test_what_cannot_be_read_means_listing_again(text):
    assert read_cursor(text) is None


@pytest.mark.parametrize("value", [b"1,", b"[],", b"{},"])
def test_a_cursor_of_many_values_is_not_read(value, monkeypatch):
    """Some megabytes of small values would take ten seconds and a gigabyte."""
    monkeypatch.setattr(cursor_module, "read_json", lambda dummy: pytest.fail("it was read"))
    assert read_cursor(cursor_module._written(zlib.compress(b"[" + value * (MOST_VALUES + 1) + b"1]", 1))) is None


def test_what_unpacks_to_more_than_fits_is_none():
    """The compressed text has less than a hundred kilobytes."""
    content = json.dumps({**WHOLE, "told": "x"}).encode().replace(b"x", b"x" * (LONGEST + 1))
    assert read_cursor(written(zlib.compress(content, 9))) is None


@given(st.text() | st.binary().map(written))
def test_garbage_is_no_cursor(text):
    assert read_cursor(text) is None


@given(_CURSORS, st.data())
def test_a_cursor_that_was_cut_is_none(cursor, data):
    text = str(cursor)
    assert read_cursor(text[: data.draw(st.integers(0, len(text) - 1))]) is None


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


def test_500_nodes_take_at_most_200_bytes_each():
    nodes = {obj["metadata"]["name"]: obj for obj in map(realistic_node, range(500))}
    cursor = Cursor(1772366400.0, {"Node": "123456789"}, {"Node": nodes}, f"pool layered on {RENDERED}")
    text = str(cursor)
    assert read_cursor(text) == cursor
    assert len(text) <= BYTES_A_NODE * len(nodes)  # a character is a byte of the content


def test_nothing_has_moved_for_as_long_as_the_mark_was_seen_unchanged():
    still = Stillness().after("a", 100).after("a", 130).after("a", 160)
    assert still.seconds == 60
    assert still.after("b", 170).seconds == 0


def test_time_in_which_nobody_can_see_is_not_counted():
    still = Stillness().after("a", 100).after("a", 110).after("a", 500, blind=True)
    assert still.after("a", 505).seconds == 15


def test_a_movement_that_was_not_seen_is_one_all_the_same():
    assert Stillness().after("a", 100).after("b", 500, blind=True).seconds == 0


def test_a_clock_that_goes_back_adds_nothing():
    assert Stillness().after("a", 100).after("a", 50).after("a", 60).seconds == 10
