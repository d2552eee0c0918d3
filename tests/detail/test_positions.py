"""Carets under a subscript are those of the standard library, which parses the source for them."""

import linecache
import sys
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visigate_logging.detail.positions import SimpleFrames, outer_subscript

PARTS = st.recursive(
    st.sampled_from(["name", "'a[b'", '"]"', "f'{a}'", "1.5", "...", "(a + b)", "[1, 2]", "{'k': 1}", "not_a", "a "]),
    lambda inner: st.one_of(
        inner.map(lambda part: f"{part}.attribute"),
        st.tuples(inner, inner).map(lambda parts: f"{parts[0]}({parts[1]}, x=1)"),
        st.tuples(inner, inner).map(lambda parts: f"{parts[0]}[{parts[1]}]"),
        st.tuples(inner, inner).map(lambda parts: f"{parts[0]}[ {parts[1]}:({parts[1]}) ]"),
        st.tuples(inner, inner).map(lambda parts: f"{parts[0]} - {parts[1]}"),
        st.tuples(inner, inner).map(lambda parts: f"{parts[0]} if {parts[1]} else b[0]"),
        inner.map(lambda part: f"lambda: {part}[0]"),
        inner.map(lambda part: f"not[{part}]"),
    ),
    max_leaves=8,
)


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="from Python 3.13 on the standard library does it all")
@given(PARTS)
def test_a_text_made_without_parsing_is_that_of_the_standard_library(source: str) -> None:
    linecache.cache["<gate>"] = (0, None, [f"        x = {source}\n"], "<gate>")
    frame = traceback.FrameSummary("<gate>", 1, "f", end_lineno=1, colno=12, end_colno=12 + len(source))
    simple = SimpleFrames()
    simple._is_proven = True
    assert simple(frame) == traceback.StackSummary().format_frame_summary(frame)


@pytest.mark.parametrize(
    ("source", "bracket"),
    [
        ("names[key]", 5),
        ("gate.cameras['a[b'].url.split('/')[0]", 34),
        ('{"rtsp": 554}[url.partition(":")[2]]', 13),
        ("f(x)[0]", 4),
        ("[1][0]", 3),
        ("'text'[9]", 6),
        ("[1]", 0),
        ("f(x[0])", 0),
        ("a + b[0]", 0),
        ("not[0]", 0),
        ("1.5[0]", 0),
        ("f'{a}'[0]", 0),
        ("'\\''[0]", 0),
        ("a]b[0]", 0),
        ("'open[0]", 0),
        ("a [0]", 0),
    ],
)
def test_a_subscript_is_found_only_where_it_is_plain(source: str, bracket: int) -> None:
    assert outer_subscript(source) == bracket
