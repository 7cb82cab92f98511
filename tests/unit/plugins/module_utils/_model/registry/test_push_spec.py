# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.registry.push_spec import (
    why_pool_would_hang,
    why_push_would_hang,
)


@pytest.mark.parametrize(
    "push_spec",
    [
        "registry.example.com/os:t",
        "registry.example.com/org/os:t",
        "registry.example.com:5000/org/os:t",
        "image-registry.openshift-image-registry.svc:5000/ns/os:t",
        # refused by the API, loudly
        "",
        "not an image",
        "os:t",
    ],
)
def test_at_most_one_namespace_segment_ends(push_spec):
    assert why_push_would_hang(push_spec) == ""


@pytest.mark.parametrize(
    ("push_spec", "counted"),
    [
        ("registry.example.com/a/b/os:t", "2 namespace segments (a/b)"),
        ("registry.example.com:5000/a/b/c/os:t", "3 namespace segments (a/b/c)"),
    ],
)
def test_more_namespace_segments_would_build_for_ever(push_spec, counted):
    reason = why_push_would_hang(push_spec)
    assert push_spec in reason
    assert counted in reason


@pytest.mark.parametrize(("length", "hangs"), [(1, False), (21, False), (22, True), (25, True)])
def test_a_pool_name_over_21_characters_never_builds(length, hangs):
    assert bool(why_pool_would_hang("p" * length)) is hangs


def test_the_reason_names_the_pool_and_its_length():
    reason = why_pool_would_hang("a-pool-with-a-long-name")
    assert "MachineConfigPool a-pool-with-a-long-name has 23 characters" in reason
