"""What the index leaves out of lines is not missed: it is the same as if each line had been parsed whole."""

import re
import tempfile
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.records import NOON, detail, uuid7, write
from visigate_logging.host.log_files import log_files
from visigate_logging.store.index import Index, prepared
from visigate_logging.store.ingest import Part, take
from visigate_logging.store.lines import read_lines, skimmer


class Members(list):
    """Names and values of an object, perhaps with a name twice."""


few = st.sampled_from
CHAINS = [
    [],
    [{"type": "A", "notes": [], "frames": [{"code": "x"}]}],
    [{"type": "B", "notes": ["],"], "frames": []}],
    [[1], {"exceptions": [], "stack_info": ""}],
]
NAMES = ["exceptions", "stack_info", "module", "error_message", "event_id", "timestamp", "fingerprint", "other"]
values = st.recursive(
    few([None, 1, "", "text", ',"exceptions":[', '],"stack_info":', "\\"]) | few(CHAINS),
    lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(few(NAMES), inner), max_size=4).map(Members),
    max_leaves=5,
)


def text_of(value):
    if isinstance(value, Members):
        return "{" + ",".join(f'"{name}":{text_of(inner)}' for name, inner in value) + "}"
    return "[" + ",".join(map(text_of, value)) + "]" if isinstance(value, list) else orjson.dumps(value).decode()


@st.composite
def line(draw):
    """A line as a writer makes it, or with fields elsewhere, missing, twice, of any kind; @ID@ is the event's id."""
    plain = detail(exceptions=()).to_dict() | {"event_id": "@ID@", "exceptions": draw(few(CHAINS))}
    members = Members(plain.items())
    for _ in range(draw(st.integers(0, 3))):
        chain = next((n for n, (name, _) in enumerate(members) if name == "exceptions"), 0)
        place = draw(few([chain, chain + 1]) | st.integers(0, len(members) - 1)) % len(members)
        change = draw(few(["value", "name", "insert", "move", "drop"]))
        if change == "value":
            members[place] = (members[place][0], draw(values))
        elif change == "name":
            members[place] = (draw(few(NAMES)), members[place][1])
        elif change == "insert":
            members.insert(place, (draw(few(NAMES)), draw(values)))
        elif change == "move":
            members.insert(place, members.pop(draw(st.integers(0, len(members) - 1))))
        elif len(members) > 1:
            del members[place]
    return text_of(members).encode()


@st.composite
def content(draw):
    """Lines of few kinds, some of them torn, glued together, or damaged."""
    kinds = draw(st.lists(line(), min_size=1, max_size=2))
    parts = [draw(few(kinds)) + draw(few([b"\n", b"\n", b"\n", b""])) for _ in range(draw(st.integers(1, 6)))]
    whole = b"".join(part.replace(b"@ID@", uuid7(NOON, number).encode()) for number, part in enumerate(parts))
    for _ in range(draw(st.integers(0, 2))):
        marks = [match.end() for match in re.finditer(rb'"exceptions":\[|],"stack_info"', whole)]
        start = draw(few(marks) if marks and draw(st.booleans()) else st.integers(0, len(whole)))
        start = max(0, start - draw(st.integers(0, 20)))
        end = min(len(whole), start + draw(few([0, 1, 1, 30, 300])))
        whole = (
            whole[:start] + draw(few([b"", b"\0", b"\n", b'"', b"]", b"\xff", whole[start:end] * 2])) + whole[end:]
        )
    return whole + b"\n"


def indexed(file, loads):
    """Everything that an index of a file holds."""
    index = Index(prepared(), None)
    take(index, read_lines(file, 0, loads), Part(source=1))
    tables = ("record", "grp", "facet", "tally", "daily", "unreadable")
    found = {table: index.db.execute(f"SELECT * FROM {table}").fetchall() for table in tables}
    index.close()
    return found


def compare(written):
    with tempfile.TemporaryDirectory() as directory:
        log = write(Path(directory) / "details.jsonl", written)
        (file,) = log_files(log)
        assert indexed(file, skimmer()) == indexed(file, orjson.loads)


BASE = detail(exceptions=(), event_id="@ID@").to_json() + b"\n"


def having(exceptions):
    return BASE.replace(b'"exceptions":[]', b'"exceptions":' + exceptions)


NESTED = b'{"a":1,"exceptions":[1],"stack_info":1}'
HOSTILE = {
    "the same list twice": [having(b"[1]"), having(b"[1]")],
    "a list that is damaged": [having(b"[1]"), having(b"[1\x01]"), having(b"[1]")],
    "a field between the list and what should follow": [having(b'[1],"module":"b","other":[1]')] * 2,
    "a list that ends early": [having(b"[1]]"), having(b"[1]]"), having(b"[1")],
    "no exceptions but in additional_info": [
        having(b"[1]"),
        BASE.replace(b'"exceptions":[],', b"").replace(
            b'{"camera"', b'{"a":1,"exceptions":[1],"stack_info":1,"camera"'
        ),
    ],
    "no id, and exceptions in what tells it from others": [
        having(b"[1]"),
        BASE.replace(b'"exceptions":[],', b"")
        .replace(b'"[Errno 111] Connection refused"', NESTED)
        .replace(b"@ID@", b""),
    ],
    "exceptions in what it is counted by": [
        having(b"[1]"),
        BASE.replace(b'"exceptions":[],', b"").replace(b'"module":"gate.camera"', b'"module":' + NESTED),
    ],
    "a record cut short within the list before another": [
        having(b"[1]"),
        having(b"[1").partition(b"[1")[0] + b"[1" + having(b"[1]"),
    ],
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_lines_are_indexed_as_if_parsed_whole(case):
    compare(b"".join(part.replace(b"@ID@", uuid7(NOON, n).encode()) for n, part in enumerate(HOSTILE[case])))


@settings(max_examples=150, deadline=None)
@given(content())
def test_an_index_holds_what_it_would_if_each_line_were_parsed_whole(written):
    compare(written)


@pytest.mark.stress
@settings(max_examples=10_000, deadline=None)
@given(content())
def test_an_index_holds_what_it_would_if_each_line_were_parsed_whole_in_thousands_of_logs(written):
    compare(written)


def test_exceptions_that_were_met_before_are_left_out_and_nothing_else_is():
    loads, records = skimmer(), [detail(1), replace(detail(2), additional_info={"exceptions": [1], "stack_info": 2})]
    first, second = (loads(record.to_json()) for record in records)
    assert first == records[0].to_dict()
    assert second == {name: value for name, value in records[1].to_dict().items() if name != "exceptions"}
