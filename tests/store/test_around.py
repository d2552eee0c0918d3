"""What else went wrong at the same time."""

import dataclasses
from datetime import timedelta

from tests.records import NOON, detail, write
from visigate_logging.store.store import ErrorStore


def test_errors_of_other_groups_within_a_minute_are_told_oldest_first(tmp_path):
    def other(number, seconds, group):
        return detail(number, NOON + timedelta(seconds=seconds), fingerprint=group)

    records = [
        other(1, -90, "v3:a"),
        other(2, -50, "v3:b"),
        other(3, 0, "v3:c"),
        other(4, 5, "v3:c"),
        other(5, 50, "v3:d"),
    ]
    store = ErrorStore(write(tmp_path / "details.jsonl", *records))
    assert [r.fingerprint for r in store.around(records[2])] == ["v3:b", "v3:d"]
    assert store.around(dataclasses.replace(records[2], timestamp="never")) == []
