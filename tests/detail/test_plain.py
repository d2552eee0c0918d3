"""What steers a terminal or misleads a reader is shown instead of done."""

import pytest

from visigate_logging.detail.plain import plain

STEERING = {
    "escape": "\x1b[2J",
    "carriage return": "\rforged",
    "bell": "\a",
    "backspace": "\b\b\b",
    "end of text": "\x00",
    "delete": "\x7f",
    "C1 control sequence": "\x9b2J",
    "next line": "\x85forged",
    "vertical tab": "\x0bforged",
    "line separator": "\u2028forged",
    "paragraph separator": "\u2029forged",
    "right-to-left override": "\u202etxt.exe",
    "isolate": "\u2067x\u2069",
    "mark": "\u200f",
    "Arabic letter mark": "\u061c",
    "half of a character": "\ud83d",
}


@pytest.mark.parametrize("kind", STEERING)
def test_what_steers_is_shown_by_its_code_and_nothing_is_left_out(kind):
    text = STEERING[kind]
    shown = plain(f"B-AB {text} 12")
    assert shown.isprintable()
    assert shown.encode().decode("unicode-escape").encode("utf-16", "surrogatepass") == (
        f"B-AB {text} 12".encode("utf-16", "surrogatepass")
    )


@pytest.mark.parametrize(
    "text", ["", "plain", "two\n\tlines", "Kennzeichen B-ÄÖ 12", "номер 车牌 🚗", "no\u00a0break"]
)
def test_other_text_stays(text):
    assert plain(text) == text


def test_on_one_line_white_space_becomes_a_space():
    assert plain(" two\n\tlines\u2028three\x1b ", one_line=True) == "two lines three\\u001b"
