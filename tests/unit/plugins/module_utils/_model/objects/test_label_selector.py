# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.label_selector import (
    matches,
    meets,
    parse_selector,
)
from hypothesis import given
from hypothesis import strategies as st

LABELS = {"zone": "a", "node-role.kubernetes.io/worker": "", "tier": "web"}


@pytest.mark.parametrize(
    ("selector", "does"),
    [
        ("zone", True),
        ("node-role.kubernetes.io/worker", True),
        ("gpu", False),
        ("!gpu", True),
        ("!zone", False),
        ("zone=a", True),
        ("zone==a", True),
        ("zone = a", True),
        ("zone=b", False),
        ("gpu=yes", False),
        ("node-role.kubernetes.io/worker=", True),
        ("zone=", False),
        ("zone!=a", False),
        ("zone!=b", True),
        ("gpu!=yes", True),
        ("zone in (a, b)", True),
        ("zone in (b,c)", False),
        ("gpu in (yes)", False),
        ("zone notin (a,b)", False),
        ("zone notin (b, c)", True),
        ("gpu notin (yes)", True),
        ("zone=a,tier=web", True),
        ("zone=a,tier=db", False),
        ("zone in (a,b),!gpu,tier", True),
        (" zone=a , tier = web ", True),
    ],
)
def test_a_selector_matches_as_oc_would(selector, does):
    assert matches(parse_selector(selector), LABELS) is does


@pytest.mark.parametrize("selector", ["", ",", "zone=a,", "a b", "zone in a", "=a", "!", "zone in (a", "a=b=c"])
def test_what_is_no_selector_is_refused(selector):
    with pytest.raises(ValueError, match="is not a requirement"):
        parse_selector(selector)


@pytest.mark.parametrize(
    ("requirement", "does"),
    [
        ({"key": "zone", "operator": "In", "values": ["a", "b"]}, True),
        ({"key": "gpu", "operator": "In", "values": [""]}, False),
        ({"key": "zone", "operator": "NotIn", "values": ["a"]}, False),
        ({"key": "gpu", "operator": "NotIn", "values": ["a"]}, True),
        ({"key": "zone", "operator": "Exists"}, True),
        ({"key": "gpu", "operator": "Exists", "values": None}, False),
        ({"key": "zone", "operator": "DoesNotExist"}, False),
        ({"key": "gpu", "operator": "DoesNotExist"}, True),
    ],
)
def test_the_expressions_of_a_pool_mean_what_they_mean_to_the_operator(requirement, does):
    assert meets(requirement, LABELS) is does


_KEYS = st.sampled_from(["zone", "tier", "gpu"])
_VALUES = st.sampled_from(["a", "web", "yes"])


@given(_KEYS, st.lists(_VALUES, min_size=1), st.dictionaries(_KEYS, _VALUES))
def test_in_and_notin_are_opposites(key, values, labels):
    inside = parse_selector(f"{key} in ({','.join(values)})")
    outside = parse_selector(f"{key} notin ({','.join(values)})")
    assert matches(inside, labels) is not matches(outside, labels)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "selector",
    ["a in (" + " ,  " * 40 + "x!", "," * 200000, "a in (" + " " * 100000 + "!", "a" * 100000 + "!", "(" * 100000],
    ids=["blanks and commas", "commas", "blanks", "letters", "parentheses"],
)
def test_no_selector_takes_exponential_time(selector):
    with pytest.raises(ValueError, match="is not a requirement"):
        parse_selector(selector)
