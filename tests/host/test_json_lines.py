"""JsonLines: what happened, one line each, in two bounded files."""

import multiprocessing
import os
from pathlib import Path

from visigate_logging.host.json_lines import JsonLines


def test_what_is_appended_is_read_the_oldest_first_and_bounded(tmp_path):
    lines = JsonLines(tmp_path / "made" / "trail.jsonl", max_bytes=1000)
    for number in range(200):
        lines.append({"number": number, "text": "ä"})
    numbers = [line["number"] for line in lines.read()]
    assert numbers == list(range(numbers[0], 200))
    assert numbers[0] > 0
    assert all(path.stat().st_size <= 1000 for path in (tmp_path / "made").iterdir())


def test_what_is_no_line_of_its_own_costs_itself_alone(tmp_path):
    lines = JsonLines(tmp_path / "trail.jsonl", max_bytes=10_000)
    lines.append({"number": 1})
    with lines.path.open("ab") as file:
        file.write(b'\0\0\xff[1]\n"text"\n{"torn": ')
    lines.append({"number": 2, "path": Path("x")})
    assert list(lines.read()) == [{"number": 1}, {"number": 2, "path": "x"}]


def test_a_line_that_must_last_is_on_the_medium_when_append_returns(tmp_path, monkeypatch):
    calls = []
    for name in ("write", "fsync", "fdatasync"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args, _name=name, _real=real: calls.append(_name) or _real(*args))
    JsonLines(tmp_path / "trail.jsonl", max_bytes=1000, syncs=True).append({})
    assert calls == ["write", "fdatasync", "fsync"]  # of the line, and of the new file's name


def _append_many(path):
    lines = JsonLines(path, max_bytes=1_000_000)
    for number in range(300):
        lines.append({"pid": os.getpid(), "number": number})


def test_many_processes_append_to_one(tmp_path):
    path = tmp_path / "trail.jsonl"
    processes = [multiprocessing.Process(target=_append_many, args=(path,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert len({(line["pid"], line["number"]) for line in JsonLines(path, max_bytes=1).read()}) == 900
