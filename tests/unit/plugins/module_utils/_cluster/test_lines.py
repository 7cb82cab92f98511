# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import tracemalloc

from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.lines import LINE_CUT, LineSplitter
from hypothesis import given
from hypothesis import strategies as st


@given(st.lists(st.binary(max_size=8) | st.sampled_from([b"\n", b"a\n", b"\n\n"]), max_size=20))
def test_lines_are_the_same_however_the_stream_is_cut_into_pieces(pieces):
    splitter = LineSplitter(1000)
    lines = [line for piece in pieces for line in splitter.take(piece)]
    assert [*lines, splitter.rest()] == b"".join(pieces).split(b"\n")
    assert not splitter.has_cut


@given(st.binary(max_size=30), st.integers(1, 30))
def test_a_line_that_is_too_long_is_cut_and_marked_and_the_next_one_is_whole(line, longest):
    line = line.replace(b"\n", b"")
    splitter = LineSplitter(longest)
    found = splitter.take(line + b"\nb\n")
    assert found == [line if len(line) <= longest else line[:longest] + LINE_CUT, b"b"]
    assert splitter.has_cut == (len(line) > longest)
    assert splitter.rest() == b""


def test_a_line_without_an_end_is_not_kept_in_memory():
    splitter = LineSplitter(1 << 16)
    piece = b"x" * (1 << 16)
    tracemalloc.start()
    for dummy in range(1000):
        assert splitter.take(piece) == []
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20
    assert splitter.rest() == piece + LINE_CUT
