"""Masks take what varies and leave what tells apart, whatever the text."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import evaluate_grouping
from benchmarks.messages import APART, KINDS
from visigate_logging.detail.grouping import v1
from visigate_logging.detail.grouping.v3 import mask

PROSE = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=40)
PIECES = st.lists(
    st.sampled_from([piece for kind in KINDS for message in kind for piece in message.split()]), max_size=12
)
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z_.\-]{0,20}[A-Za-z_]", fullmatch=True)


def test_pairs_of_one_kind_are_together_and_of_different_kinds_are_not() -> None:
    figures = evaluate_grouping.judged(mask)
    assert sum(of for _, of in figures.values()) >= 300
    assert [wrong for wrong, _ in figures.values()] == [0, 0]
    before = evaluate_grouping.judged(v1.mask)
    assert all(wrong for wrong, _ in before.values())  # the cases can fail


def test_the_figures_of_a_set_of_logs_are_those_of_its_definition() -> None:
    rows = [("A", "x"), ("A", "x"), ("B", "y"), ("C", "y"), ("D", "z"), ("D", "w")]
    assert evaluate_grouping.accuracy(rows) == 2 / 6
    assert evaluate_grouping.hidden(rows) == 1 / 4


@given(st.one_of(PROSE, PIECES.map(" ".join), st.sampled_from([text for pair in APART for text in pair])))
def test_what_is_masked_is_not_changed_by_masking_it_again(text: str) -> None:
    assert mask(mask(text)) == mask(text)


@given(st.integers(100, 599), st.integers(100, 599), PIECES)
def test_no_mask_joins_texts_that_differ_only_in_a_status(one: int, other: int, pieces: list[str]) -> None:
    for text in ("HTTP {}", "status code {}", "status={}", "{} Not Found"):
        texts = [" ".join([*pieces, "said", text.format(code)]) for code in (one, other)]
        assert (mask(texts[0]) == mask(texts[1])) is (one == other)


@given(st.integers(-255, 255), st.integers(-255, 255), PIECES)
def test_no_mask_joins_texts_that_differ_only_in_a_code(one: int, other: int, pieces: list[str]) -> None:
    for text in ("exited with code {}", "exit status {}", "errno {}", "[Errno {}]"):
        texts = [" ".join([*pieces, "said", text.format(code)]) for code in (one, other)]
        assert (mask(texts[0]) == mask(texts[1])) is (one == other)


@given(NAMES, NAMES, PIECES)
def test_no_mask_joins_texts_that_differ_only_in_a_name_that_is_kept(one: str, other: str, pieces: list[str]) -> None:
    for text in (
        "No module named '{}'",
        "has no attribute '{}'",
        "Missing key '{}'",
        "Setting {}",
        "unknown option {}",
    ):
        texts = [" ".join([*pieces, "said", text.format(name)]) for name in (one, other)]
        assert (mask(texts[0]) == mask(texts[1])) is (one == other)


@pytest.mark.parametrize(
    "fragment",
    ["a/", "a.", "a@", "'", "0x", "A ", "://", "1", "~/", "[Errno ", "AB 1", "12:", "1.", "1 ", "ff ", "ff:", "\\xff",
     "a-", "„", "{'a': ", "May ", "HTTP ", "status ", "Setting ", "a\n", "x" * 50 + " ", "9" * 40 + ".",
     "aaaa1", "#, "],
)  # fmt: skip
def test_ten_megabytes_are_masked_in_a_second(fragment: str) -> None:
    started = time.process_time()
    mask(fragment * (10_000_000 // len(fragment)))
    assert time.process_time() - started < 1


@pytest.mark.parametrize("text", ["2 validation errors for M\nplate\n  field required", "answer:\n\nno picture"])
def test_lines_count_where_the_first_names_only_what_they_are_about(text: str) -> None:
    assert mask(text) != mask(text.replace("field", "other").replace("picture", "permit"))
    assert mask("first line\nsecond") == mask("first line\nother") == "first line"
