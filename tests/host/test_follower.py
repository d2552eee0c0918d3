"""The follower gives each line of an append-only file once, whatever happens to the file."""

import os
import random
import shutil
import uuid

import pytest

from visigate_logging.host.follower import Follower, furthest
from visigate_logging.host.shared_file import SharedFile


def line(n):
    return f"{uuid.uuid4().hex} {n}\n".encode()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log"


def write(path, *numbers):
    with path.open("ab") as file:
        for n in numbers:
            file.write(line(n))


def read(follower, cursor, limit=1 << 16):
    """The numbers of the lines that are new, and the cursor after them."""
    found = []
    while (batch := follower.read(cursor, limit)).cursor != cursor:
        assert batch.lines.endswith(b"\n") or not batch.lines
        found += [int(text.split()[1]) for text in batch.lines.splitlines()]
        cursor = batch.cursor
    return found, cursor


def test_each_line_is_given_once(path):
    follower = Follower(path)
    assert read(follower, {}) == ([], {})
    write(path, 1, 2)
    found, cursor = read(follower, {})
    write(path, 3)
    assert (found, read(follower, cursor)[0]) == ([1, 2], [3])


def test_half_a_line_is_not_given_before_it_is_whole(path):
    write(path, 1)
    follower = Follower(path)
    _, cursor = read(follower, {})
    whole = line(2)
    with path.open("ab", buffering=0) as file:
        file.write(whole[:10])
        assert read(follower, cursor)[0] == []
        file.write(whole[10:])
    assert read(follower, cursor)[0] == [2]


def test_a_line_longer_than_the_limit_is_given_whole(path):
    write(path, *range(200))
    assert read(Follower(path), {}, limit=10)[0] == list(range(200))


def test_rotation_loses_and_repeats_nothing(path):
    follower, cursor, got, n = Follower(path), {}, [], 0
    chance = random.Random(7)
    file = SharedFile(path, max_bytes=400, backups=50)
    for _ in range(60):
        for _ in range(chance.randrange(12)):
            file.append(line(n))
            n += 1
        if chance.random() < 0.3:
            found, cursor = read(follower, cursor, limit=chance.choice([50, 1000]))
            got += found
    assert got + read(follower, cursor)[0] == list(range(n))
    file.close()


def test_a_writer_that_was_stopped_before_a_rotation_is_read_in_the_file_it_writes_to(path):
    write(path, 1)
    follower = Follower(path)
    late = path.open("ab", buffering=0)
    os.rename(path, f"{path}.1")
    write(path, 2)
    _, cursor = read(follower, {})
    late.write(line(3))
    late.close()
    assert read(follower, cursor)[0] == [3]


def test_a_reused_inode_is_another_file(path):
    write(path, 1, 2)
    follower = Follower(path)
    _, cursor = read(follower, {})
    with path.open("r+b") as same_inode:
        same_inode.truncate()
        for n in (3, 4, 5):
            same_inode.write(line(n))
    assert read(follower, cursor)[0] == [3, 4, 5]


def test_lines_that_differ_in_their_random_id_alone_name_different_files(path):
    follower, cursor, got = Follower(path), {}, []
    for _ in range(5):
        path.write_bytes(line(1))  # same length, same text
        found, cursor = read(follower, cursor)
        got += found
    assert got == [1] * 5


def test_a_copy_of_the_file_in_its_place_is_the_same_file(path):
    write(path, 1, 2)
    follower = Follower(path)
    _, cursor = read(follower, {})
    shutil.copy(path, f"{path}.copy")
    os.replace(f"{path}.copy", path)
    write(path, 3)
    assert read(follower, cursor)[0] == [3]


def test_copied_and_truncated_nothing_is_lost_or_repeated(path):
    """As logrotate's copytruncate does it."""
    write(path, 1, 2)
    follower = Follower(path)
    _, cursor = read(follower, {})
    write(path, 3)
    shutil.copy(path, f"{path}.1")
    os.truncate(path, 0)
    write(path, 4)
    assert sorted(read(follower, cursor)[0]) == [3, 4]


def test_a_file_that_lost_its_end_is_read_from_where_it_ends(path):
    write(path, 1, 2, 3)
    follower = Follower(path)
    _, cursor = read(follower, {})
    os.truncate(path, path.stat().st_size - 36)
    found, cursor = read(follower, cursor)
    write(path, 4)
    assert (found, read(follower, cursor)[0]) == ([], [4])


def test_what_is_given_has_been_forced_to_the_medium(path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    write(path, 1)
    follower = Follower(path)
    _, cursor = read(follower, {})
    read(follower, cursor)
    assert len(synced) == 1


def test_from_the_end_only_what_comes_is_given(path):
    write(path, 1, 2)
    follower = Follower(path)
    cursor = follower.end()
    write(path, 3)
    assert read(follower, cursor)[0] == [3]


def test_predecessors_are_read_through_when_nothing_is_left_in_them(path):
    follower = Follower(path)
    write(path, 1)
    os.rename(path, f"{path}.1")
    write(path, 2)
    assert follower.read_through({}) == []
    _, cursor = read(follower, {})
    assert [p.name for p in follower.read_through(cursor)] == ["log.1"]
    with open(f"{path}.1", "ab") as late:
        late.write(line(3))
    assert follower.read_through(cursor) == []


def test_a_cursor_remembers_a_bounded_number_of_files(path):
    follower, cursor = Follower(path), {}
    for n in range(100):
        path.write_bytes(line(n))
        _, cursor = read(follower, cursor)
    assert len(cursor) == 64


def test_of_two_cursors_the_one_that_went_further_counts():
    assert furthest({"a": 1, "b": 5}, {"b": 3, "c": 2}) == {"a": 1, "b": 5, "c": 2}


def test_files_that_are_there_are_remembered_however_many_they_are(path):
    for n in range(70):
        write(path, n)
        for number in range(n, 0, -1):
            os.rename(f"{path}.{number}", f"{path}.{number + 1}")
        os.rename(path, f"{path}.1")
    follower = Follower(path)
    found, cursor = read(follower, {})
    assert found == list(range(70))
    assert read(follower, cursor)[0] == []
