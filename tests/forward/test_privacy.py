"""What is to stay on the host does not leave it, and a pseudonym tells nobody whose it is."""

import json
import re

from visigate_logging.forward.privacy import Privacy, Pseudonyms

RECORD = {
    "event_id": "0" * 32,
    "message": "plate B-XY 123 is not allowed",
    "traceback": "ValueError: B-XY 123\n",
    "additional_info": {"plate": "B-XY 123", "camera": "north", "owner": {"name": "Ada", "id": 4711}},
    "exceptions": [{"message": "B-XY 123", "frames": [{"values": {"plate": "'B-XY 123'"}}]}],
}


def test_fields_are_left_out_at_any_depth():
    names = ("traceback", "additional_info.owner", "exceptions.frames.values", "no.such")
    found = Privacy(names).apply(RECORD)
    assert "traceback" not in found
    assert found["additional_info"] == {"plate": "B-XY 123", "camera": "north"}
    assert found["exceptions"][0]["frames"] == [{}]
    assert "traceback" in RECORD


def test_a_value_is_replaced_wherever_it_stands():
    pseudonyms = Pseudonyms(secret="s3cret", fields=("additional_info.plate", "additional_info.owner"))
    found = Privacy((), pseudonyms).apply(RECORD)
    assert "123" not in json.dumps(found)
    assert "Ada" not in json.dumps(found)
    assert "4711" not in json.dumps(found)
    plate = found["additional_info"]["plate"]
    assert re.fullmatch("~[0-9a-f]{16}", plate)
    assert found["message"] == f"plate {plate} is not allowed"
    assert found["additional_info"]["camera"] == "north"
    assert found["event_id"] == RECORD["event_id"]


def test_patterns_are_replaced_in_every_text():
    pseudonyms = Pseudonyms(secret="s3cret", patterns=(re.compile(r"[A-Z]{1,3}-[A-Z]{2} \d+"),))
    assert "B-XY" not in json.dumps(Privacy((), pseudonyms).apply(RECORD))


def test_alike_values_are_alike_and_another_secret_makes_others():
    one, other = Pseudonyms(secret="a"), Pseudonyms(secret="b")
    assert one.of("x") == one.of("x") != one.of("y")
    assert one.of("x") != other.of("x")


def test_a_short_value_is_replaced_where_it_is_the_whole_text_only():
    record = {"event_id": "1", "additional_info": {"lane": "A"}, "message": "A BARRIER"}
    found = Privacy((), Pseudonyms(secret="s", fields=("additional_info.lane",))).apply(record)
    assert found["message"] == "A BARRIER"
    assert found["additional_info"]["lane"].startswith("~")


def test_what_is_sent_is_without_it_and_what_is_kept_here_is_whole(gate):
    gate.write(1, additional_info={"plate": "B-XY 123"}, message="B-XY 123 waits")
    gate.forward(
        gate.forwarder(pseudonyms={"secret": "s", "fields": ["additional_info.plate"]}, leave_out="traceback")
    )
    [line] = gate.sink.requests[0].lines
    assert "B-XY" not in json.dumps(line)
    assert "traceback" not in line
    assert "B-XY 123" in gate.log.read_text()
