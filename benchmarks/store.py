"""Questions to the store at 10,000, 100,000 and 1,000,000 records, beside one file for each error.

    python -m benchmarks.store [--records N] ...

Each size is measured in a process of its own, so that peak memory is its own; the log is made in another one.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from benchmarks.error_log import lines, write_log
from visigate_logging.store.index import index_path
from visigate_logging.store.store import ErrorStore

SIZES = (10_000, 100_000, 1_000_000)
REPEATS = 15
NEW = 1000
AIMS = {
    "recent(50)": "5",
    "statistics(7)": "20",
    "groups(50)": "5",
    "group(key)": "5",
    "trends(30), all groups": "50",
    "first page after a restart": "300",
    "get(id)": "5",
    "records/s": "150,000 up",
    "bytes/record": "120",
    "peak memory MB": "60",
}


def milliseconds(question: Callable[[], Any]) -> float:
    """The median of several times."""
    taken = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        question()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken) * 1000


def measure(log: Path, records: int) -> dict[str, float]:
    """All figures of one size."""
    begin_cpu, begin = time.process_time(), time.perf_counter()
    store = ErrorStore(log)
    store.recent(1)
    taken, cpu = time.perf_counter() - begin, time.process_time() - begin_cpu
    newest = store.recent(50)
    middle = store.recent(1, until=datetime.now(UTC) - timedelta(days=20))[0].event_id
    kind, group = newest[0].error_type, store.groups(50)[-1].key
    found = {
        "recent(50)": milliseconds(lambda: store.recent(50)),
        "recent(50, type=…)": milliseconds(lambda: store.recent(50, type=kind)),
        "recent(50, group=…), a rare one": milliseconds(lambda: store.recent(50, group=group)),
        "get(id)": milliseconds(lambda: store.get(middle)),
        "statistics(7)": milliseconds(lambda: store.statistics(7)),
        "groups(50)": milliseconds(lambda: store.groups(50)),
        "timeline(24 h)": milliseconds(lambda: store.timeline(hours=24)),
        "group(key)": milliseconds(lambda: store.group(group)),
        "trends(30), all groups": milliseconds(lambda: store.trends(30)),
    }
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024 * 1024)
    store.close()  # so that all is in the main file
    size = index_path(log).stat().st_size
    with log.open("ab") as out:
        out.writelines(lines(NEW, seed=2))
    begin = time.perf_counter()
    with ErrorStore(log) as again:
        again.groups(50), again.timeline(days=7), again.choices()
        found["first page after a restart"] = (time.perf_counter() - begin) * 1000
    with log.open("ab") as out:
        out.writelines(lines(NEW, seed=3))
    with ErrorStore(log) as again:
        begin = time.perf_counter()
        again.recent(1)
        found["catching up after 1,000"] = (time.perf_counter() - begin) * 1000
    with log.open("rb") as stream:
        some = [line for line, _ in zip(stream, range(2000), strict=False)]
    found["orjson.loads of 1,000 lines, to compare"] = milliseconds(lambda: [orjson.loads(line) for line in some]) / 2
    return found | {
        "records/s": records / taken,
        "records/s of processor time": records / cpu,
        "bytes/record": size / records,
        "peak memory MB": peak,
        "(bytes of a line)": sum(f.stat().st_size for f in log.parent.glob("details*")) / (records + NEW),
    }


def one_file_each(log: Path, directory: Path) -> dict[str, float]:
    """VisiGate's present design: a file for each error, listed and loaded for each question."""
    for number, line in enumerate(log.open("rb")):
        (directory / f"error_{number:08}_X.json").write_bytes(line)

    def recent() -> list[Any]:
        names = sorted(directory.glob("error_*.json"), reverse=True)[:50]
        return [json.loads(name.read_bytes()) for name in names]

    def count() -> Counter[str]:
        return Counter(json.loads(name.read_bytes())["error_type"] for name in directory.glob("error_*.json"))

    return {"recent(50)": milliseconds(recent), "statistics(7)": milliseconds(count)}


def child(kind: str, log: Path, records: int) -> dict[str, float]:
    """Run one part of this file in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.store", "--part", kind, str(log), str(records)]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, float] = json.loads(printed)
    return found


def part(kind: str, log: Path, records: int) -> None:
    if kind == "write":
        write_log(log.parent, records)
        print("{}")
    elif kind == "measure":
        print(json.dumps(measure(log, records)))
    else:
        with tempfile.TemporaryDirectory(dir=log.parent) as directory:
            print(json.dumps(one_file_each(log, Path(directory))))


def table(columns: dict[str, dict[str, float]]) -> None:
    names = list(dict.fromkeys(name for column in columns.values() for name in column))
    print(f"{'milliseconds, medians':40}" + "".join(f"{title:>16}" for title in columns) + f"{'aim':>14}")
    for name in names:
        cells = "".join(f"{shown(column.get(name)):>16}" for column in columns.values())
        print(f"{name:40}{cells}{AIMS.get(name, ''):>14}")


def shown(figure: float | None) -> str:
    return "" if figure is None else f"{figure:,.2f}" if figure < 1000 else f"{figure:,.0f}"


def main(argv: Sequence[str] = ()) -> None:
    """Print a table of all sizes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, action="append", help="a size; may be given several times")
    parser.add_argument("--part", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.part:
        kind, log, records = args.part
        part(kind, Path(log), int(records))
        return
    columns = {}
    sizes = args.records or SIZES
    for records in sizes:
        with tempfile.TemporaryDirectory() as directory:
            log = Path(directory) / "details.jsonl"
            child("write", log, records)
            if records == min(sizes):
                columns[f"{records:,} files"] = child("files", log, records)
            columns[f"{records:,}"] = child("measure", log, records)
    table(columns)


if __name__ == "__main__":
    main(sys.argv[1:])
