"""What a call site writes is what its messages have in common; a source that does not run tells nothing."""

import logging
import logging.handlers
import queue
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.detail import raising
from visigate_logging.detail import call_sites, texts
from visigate_logging.detail.bounded import Bounded
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.detail.templates import Template, with_arguments

PLATES = [f"B-AB {n}" for n in range(1230, 1240)]


class Details(logging.Handler):
    """Keeps the details of what is logged, built in the caller's thread."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[ErrorDetail] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(ErrorDetail.from_record(record))


@pytest.fixture
def details() -> Iterator[Details]:
    """What the logger ``gate`` says."""
    logger, handler = logging.getLogger("gate"), Details()
    logger.addHandler(handler)
    logger.propagate = False
    yield handler
    logger.removeHandler(handler)
    logger.propagate = True


log = logging.getLogger("gate")


def told_f(plate: object, why: object) -> None:
    log.error(f"Error getting vehicle {plate}: {why}")


def told_percent(plate: object, why: object) -> None:
    log.error("Error getting vehicle %s: %s" % (plate, why))  # noqa: UP031 -- as older code has it


def told_plus(plate: object, why: object) -> None:
    log.error("Error getting vehicle " + str(plate) + ": " + str(why))


def told_format(plate: object, why: object) -> None:
    log.error("Error getting vehicle {}: {}".format(plate, why))  # noqa: UP032 -- as older code has it


def told_arguments(plate: object, why: object) -> None:
    log.error("Error getting vehicle %s: %s", plate, why)


def told_in_lines(plate: object, why: object) -> None:
    log.log(
        logging.ERROR,
        "Error getting "
        f"vehicle {plate}"
        f": {why}",
    )  # fmt: skip


def told_by_choice(plate: object, why: object) -> None:
    log.error(f"Error getting vehicle {plate}: {why}" if plate else "no plate")


def told_on_one_line(plate: object, why: object) -> None:
    if plate:
        log.error(f"Error getting vehicle {plate}: {why}")


WAYS = [
    told_f, told_percent, told_plus, told_format, told_arguments, told_in_lines, told_by_choice, told_on_one_line
]  # fmt: skip


@pytest.mark.parametrize("tell", WAYS)
def test_a_message_of_ten_plates_is_one_group_with_the_template_of_its_source(
    details: Details, tell: Callable[[object, object], None]
) -> None:
    for plate in PLATES:
        tell(plate, "not in the table of " + plate)
    (fingerprint,) = {d.fingerprint for d in details.found}
    (template,) = {d.message_template for d in details.found}
    (grouping,) = {str(d.grouping) for d in details.found}
    assert fingerprint.startswith("v2:")
    assert details.found[0].grouping["template"] == "Error getting vehicle {}: {}"
    assert "Error getting vehicle " in template
    assert "B-AB" not in template + grouping
    assert details.found[0].message == "Error getting vehicle B-AB 1230: not in the table of B-AB 1230"


def test_the_template_shows_what_is_filled_in(details: Details) -> None:
    told_f("B-AB 1", "gone")
    told_percent("B-AB 1", "gone")
    told_plus("B-AB 1", "gone")
    assert [d.message_template for d in details.found] == [
        "Error getting vehicle {plate}: {why}",
        "Error getting vehicle %s: %s",
        "Error getting vehicle {str(plate)}: {str(why)}",
    ]


def test_two_call_sites_are_two_groups(details: Details) -> None:
    for name in ("north", "south"):
        log.error(f"camera {name} is lost")
        log.error(f"camera {name} is back")
    assert len({d.fingerprint for d in details.found}) == 2
    details.found.clear()
    log.error(f"camera {1} is lost"), log.error(f"camera {1} is back")
    log.error(f"camera {2} is lost"), log.error(f"camera {2} is back")
    assert len({d.fingerprint for d in details.found}) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("HTTP 500", "HTTP 401"),
        ("status code: 500", "status code: 401"),
        ("exited with code 1", "exited with code 137"),
        ("[Errno 5] it failed", "[Errno 28] it failed"),
        ("errno=5", "errno=28"),
        ("<Response [500]>", "<Response [401]>"),
        ("404 Not Found", "403 Forbidden"),
        ("killed by signal 9", "killed by signal 15"),
        ("Command 'x' returned non-zero exit status 7.", "Command 'x' returned non-zero exit status 8."),
    ],
)
def test_a_status_or_a_code_tells_messages_of_one_call_apart(details: Details, one: str, other: str) -> None:
    for answer in (one, other, one):
        log.error(f"the relay answered: {answer}")
    keys = [d.fingerprint for d in details.found]
    assert keys[0] == keys[2] != keys[1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("17 ms", "401 ms"),
        ("returned 3 rows", "returned 4 rows"),
        ("port 8080", "port 8081"),
        ("HTTP 8080", "HTTP 1"),
    ],
)
def test_other_numbers_do_not(details: Details, one: str, other: str) -> None:
    for answer in (one, other):
        log.error(f"the relay answered: {answer}")
    assert len({d.fingerprint for d in details.found}) == 1


def report(text: str) -> None:
    log.error(text)


def check_north() -> None:
    report("camera 5 is lost")


def check_south() -> None:
    report("camera 6 is lost")


def check_relay() -> None:
    report("relay 6 is stuck")


def test_behind_a_wrapper_the_masked_text_is_the_key_and_the_caller_is_named(details: Details) -> None:
    for call in (check_north, check_south, check_relay):
        call()
    one, two, three = details.found
    assert one.fingerprint == two.fingerprint != three.fingerprint
    assert one.grouping["message"] == "camera # is lost"
    assert [d.culprit for d in details.found] == [
        f"test_call_sites in report, called by test_call_sites in check_{name}"
        for name in ("north", "south", "relay")
    ]


def test_a_text_that_was_made_before_the_call_is_keyed_by_its_masked_text(details: Details) -> None:
    for number in (5, 6):
        text = f"camera {number} is lost"
        log.error(text)
    assert len({d.fingerprint for d in details.found}) == 1
    assert details.found[0].grouping["message"] == "camera # is lost"
    assert details.found[0].culprit.endswith("keyed_by_its_masked_text")


def test_what_has_no_words_of_its_own_is_keyed_by_its_masked_text(details: Details) -> None:
    for what in ("camera 5 is lost", "camera 6 is lost", "relay is stuck"):
        log.error(f"{what}: {5}")
        log.error("%s", what)
    assert len({d.fingerprint for d in details.found}) == 4


@pytest.mark.parametrize(
    ("one", "same", "other"),
    [
        ({"event": "no picture", "camera": 1}, {"event": "no picture", "camera": 2}, {"event": "relay stuck"}),
        ({"message": "no picture 1"}, {"message": "no picture 2"}, {"message": "relay stuck"}),
        ({"msg": "no picture"}, {"msg": "no picture", "x": 1}, {"msg": "relay stuck"}),
        ({"camera": 1, "lost": True}, {"camera": 2, "lost": True}, {"relay": 1, "stuck": True}),
        ({"msg": "no", "status": 500}, {"msg": "no", "status": 500, "t": 3}, {"msg": "no", "status": 401}),
        ('{"event": "no picture", "camera": 1}', '{"event": "no picture", "camera": 2}', '{"event": "relay stuck"}'),
    ],
)  # fmt: skip
def test_a_mapping_is_grouped_by_what_names_it(details: Details, one: Any, same: Any, other: Any) -> None:
    for message in (one, same, other):
        log.error(message)
    keys = [d.fingerprint for d in details.found]
    assert keys[0] == keys[1] != keys[2]


SOURCE = """
import logging
def tell(n):
    logging.getLogger("gate").error(f"camera {n} is lost")
"""


def test_a_source_that_is_not_the_one_that_runs_tells_nothing(details: Details, tmp_path: Path) -> None:
    with raising.imported(tmp_path, "edited", SOURCE) as module:
        (tmp_path / "edited.py").write_text(SOURCE.replace("is lost", "{1}"))
        module.tell(5)
    with raising.imported(tmp_path, "gone", SOURCE) as module:
        (tmp_path / "gone.py").unlink()
        module.tell(5)
    assert [d.message_template for d in details.found] == ["camera 5 is lost"] * 2
    assert [d.grouping["message"] for d in details.found] == ["camera # is lost"] * 2


def test_nothing_of_a_source_is_executed_and_no_text_in_it_makes_reading_it_fail(
    details: Details, tmp_path: Path
) -> None:
    hostile = ["f'{exit()}'", "b'x'", "[*n]", "lambda: n", "'x' * 3", "('%(a)s %' + n)", "'{' + n"]
    calls = "\n".join(f"    logging.getLogger('gate').error({expression})" for expression in hostile)
    with raising.imported(
        tmp_path, "odd", f"import logging\ndef exit(): return 1\ndef tell(n):\n{calls}\n"
    ) as module:
        module.tell("x")
    assert len(details.found) == len(hostile)


def test_behind_a_queue_the_template_is_the_same(details: Details) -> None:
    told_f("B-AB 1", "gone")
    waiting: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    handler = logging.handlers.QueueHandler(waiting)
    log.addHandler(handler)
    told_f("B-AB 2", "gone")
    log.removeHandler(handler)
    call_sites._sites.clear()
    record = waiting.get()
    record.__dict__.pop("_visigate_detail", None)
    assert ErrorDetail.from_record(record).fingerprint == details.found[0].fingerprint


def test_a_secret_in_a_literal_is_masked(details: Details) -> None:
    host = "10.0.0.5"
    log.error(f"no picture from rtsp://admin:hunter2@{host}/1")
    (detail,) = details.found
    assert "hunter2" not in detail.to_json().decode()
    assert detail.grouping["template"] == "no picture from rtsp://***@{}/1"


@pytest.mark.parametrize(
    ("literals", "message", "fits"),
    [
        (("a",), "a", True),
        (("a",), "ab", False),
        (("a", "b"), "axb", True),
        (("ab", "b"), "ab", False),
        (("a", "b", "c"), "a-b-c", True),
        (("a", "b", "c"), "a-c", False),
        (("", ""), "", True),
    ],
)
def test_a_template_fits_what_has_its_literals_in_their_order(
    literals: tuple[str, ...], message: str, fits: bool
) -> None:
    assert Template("", literals).fits(message) is fits


def test_percent_signs_and_conversions_are_told_apart() -> None:
    template = with_arguments("disk %(name)s is %3.1f%% full")
    assert template is not None
    assert template.literals == ("disk ", " is ", "% full")


def test_what_is_remembered_of_sites_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_sites, "_sites", Bounded(10))
    for line in range(50):
        texts.template_of(logging.LogRecord("gate", 40, "/no/such/file.py", line, "text", None, None, "f"))
    assert len(call_sites._sites) <= 10
