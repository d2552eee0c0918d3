"""What libraries say is told in one short line, with what tells one fault from another."""

from typing import Any

import pytest

from tests.records import detail
from visigate_logging.detail.record import ExceptionData
from visigate_logging.present.facts import headline
from visigate_logging.present.words import both_ends

POOL = (
    "HTTPConnectionPool(host='10.0.0.5', port=80): Max retries exceeded with url: /snapshot (Caused by "
    "NewConnectionError('<HTTPConnection object at 0x7f8a1c>: Failed to establish a new connection: {}'))"
)
ASSERTION = (
    "OpenCV(4.6.0) /io/opencv/modules/imgproc/src/{}.cpp:182: error: (-215:Assertion failed) {} in function '{}'\n"
)
SERVER = 'connection to server at "db.gate.example" (172.18.0.5), port 5432 failed: {}\n\tIs the server running?\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (POOL, [("[Errno 111] Connection refused",), ("[Errno 113] No route to host",)]),
        (ASSERTION, [("color", "!_src.empty()", "cvtColor"), ("color", "scn == 3", "cvtColor")]),
        (SERVER, [("Connection refused",), ('FATAL: no such role "gate"',)]),
    ],
)
def test_a_line_that_must_be_cut_keeps_what_the_fault_is_and_what_it_is_about(text: str, told: Any) -> None:
    lines = [both_ends(text.format(*words), 90) for words in told]
    for line, words in zip(lines, told, strict=True):
        assert len(line) == 90
        assert line.startswith(text[:8])
        assert words[-1] in line
    assert len(set(lines)) == len(told)


def test_of_several_short_lines_as_many_are_told_as_fit() -> None:
    assert (
        both_ends("2 errors for Settings\ncamera.url\n  Field required", 40)
        == "2 errors for Settings camera.url Field …"
    )
    assert both_ends("\n\n  no\n answer ", 40) == "no answer"


def raised(kind: str, module: str, message: str = "no frame") -> Any:
    return detail(error_type=kind, error_message=message, exceptions=(ExceptionData(kind, module, message),))


def test_a_class_whose_name_says_nothing_is_told_with_its_module() -> None:
    assert headline(raised("error", "cv2")) == "cv2.error: no frame"
    assert headline(raised("Fault", "zeep.exceptions")) == "zeep.exceptions.Fault: no frame"
    assert headline(raised("Exception", "builtins")) == "Exception: no frame"
    assert headline(raised("CameraError", "gate.camera")) == "CameraError: no frame"


def test_the_colours_of_a_terminal_are_no_part_of_a_line() -> None:
    assert headline(raised("OSError", "builtins", "\x1b[1;31mno frame\x1b[0m"), 20) == "OSError: no frame"
