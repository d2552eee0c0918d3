"""Catching up: what is new in the files goes into the index, and what has been rotated out leaves it."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from pathlib import Path

from visigate_logging.host.log_files import LogFile, log_files
from visigate_logging.store.batch import Part
from visigate_logging.store.clocks import ReaderClock, reader_moved, settle_all
from visigate_logging.store.counts import recount_days, zone_moved
from visigate_logging.store.index import Index
from visigate_logging.store.ingest import take
from visigate_logging.store.lines import raw_lines, read_lines
from visigate_logging.store.merging import follow_merges, merges_moved
from visigate_logging.store.schema import BY_FACET
from visigate_logging.store.splits import follow_splits

BATCH = 10_000
"""Lines to a transaction: what an interrupted build loses, and how long another reader waits."""
HEAD = 64 * 1024
STAYING = {".kept", ".imported"}
"""Endings of files that no rotation removes."""


@dataclass(slots=True)
class Source:
    """A file as the index knows it: by its content, whatever its name."""

    id: int
    head: bytes
    dev: int
    ino: int
    size: int
    mtime_ns: int
    indexed: int
    counted: int
    first: int | None
    last: int | None
    present: int
    carried: int

    def is_unchanged(self, file: LogFile) -> bool:
        """Return whether the file is just as it was when last read to its end."""
        return (self.dev, self.ino, self.size, self.mtime_ns) == (
            file.dev,
            file.ino,
            file.size,
            file.mtime_ns,
        )


def catch_up(
    index: Index,
    log: Path,
    reader: ReaderClock,
    progress: Callable[[int, int], None] | None = None,
    until: float | None = None,
) -> tuple[dict[int, LogFile], bool]:
    """Bring the index up to date with the files.

    Args:
        index: the index; other processes may be at the same at the same time.
        log: the details file.
        reader: what the reader's own clock says.
        progress: told after each step how many bytes have been read, and of how many.
        until: of ``time.monotonic``: when to be content with what there is; None to go on to the end.

    Returns:
        The files by the id of their source, and whether all of them have been read to the end.

    Raises:
        OSError: a file cannot be read.
        sqlite3.Error: the index cannot be used.
    """
    while True:
        files = log_files(log)
        if (placed := _all_unchanged(index, files, reader)) is not None:
            return placed, True
        if until is not None and time.monotonic() > until:
            return _known(index, files), False
        try:
            placed, done = _step(index, files, reader)
        except FileNotFoundError:  # rotated while we looked
            continue
        if progress:
            progress(*share_read(index, files))
        if done:
            return placed, True


def share_read(index: Index, files: Sequence[LogFile]) -> tuple[int, int]:
    """Return how many bytes have been read, and of how many."""
    return sum(s.indexed for s in _sources(index) if s.present), sum(f.size for f in files)


def _sources(index: Index) -> list[Source]:
    return [Source(*row) for row in index.db.execute("SELECT * FROM source")]


def _known(index: Index, files: Sequence[LogFile]) -> dict[int, LogFile]:
    """Return the files of which something has been read, by source."""
    present = {(s.dev, s.ino): s.id for s in _sources(index) if s.present}
    return {present[file.dev, file.ino]: file for file in files if (file.dev, file.ino) in present}


def _all_unchanged(index: Index, files: Sequence[LogFile], reader: ReaderClock) -> dict[int, LogFile] | None:
    """Return the files by source, if there is nothing to do: the common case, which takes no lock."""
    present = {(s.dev, s.ino): s for s in _sources(index) if s.present}
    placed = {}
    for file in files:
        source = present.get((file.dev, file.ino))
        if source and source.is_unchanged(file):
            placed[source.id] = file
        elif file.size:
            return None
    if len(placed) != len(present) or zone_moved(index) or reader_moved(index, reader) or merges_moved(index):
        return None
    return placed


def _step(index: Index, files: Sequence[LogFile], reader: ReaderClock) -> tuple[dict[int, LogFile], bool]:
    """One transaction: whether it got to the end of all files."""
    try:
        index.db.execute("BEGIN IMMEDIATE")
        if zone_moved(index):
            recount_days(index)
        if reader_moved(index, reader):
            settle_all(index, reader)
        placed = _place(index, files)
        follow_splits(index, placed)
        known = {source.id: source for source in _sources(index)}
        gone = [s for s in known.values() if s.present and s.id not in placed]
        budget = BATCH
        for number, file in placed.items():  # the newest first: what has just happened is asked for most
            if budget and not known[number].is_unchanged(file):
                part = _part(known[number], placed)
                budget -= _read(index, known[number], file, part, budget, reader)
        if budget:  # only now: their records may have been met again in a file that was written anew
            _drop_gone(index, gone)
            for statement in BY_FACET:
                index.db.execute(statement)
        follow_merges(index)
        follow_splits(index, placed)
        index.db.execute("COMMIT")
    except BaseException:
        if index.db.in_transaction:
            index.db.execute("ROLLBACK")
        index.forget()
        raise
    return placed, budget > 0


def _place(index: Index, files: Sequence[LogFile]) -> dict[int, LogFile]:
    """Return which file is which source; one that is new becomes a source. Files without a whole line wait."""
    sources = _sources(index)
    placed: dict[int, LogFile] = {}
    for file in files:
        free = [s for s in sources if s.id not in placed]
        source = next((s for s in free if s.present and s.is_unchanged(file)), None)
        if source is None:
            if not (head := _head(file)):
                continue
            source = _by_content(free, file, head) or _new_source(index, head)
            _come_back(index, source, file)
        placed[source.id] = file
    return placed


def _head(file: LogFile) -> bytes | None:
    """Return the digest of the first line, by which a file is known again when it is renamed or packed."""
    first = next(iter(read_lines(file)), None)
    if first is None:
        return None
    with file.open() as stream:
        return blake2b(stream.read(min(first.length, HEAD)), digest_size=16).digest()


def _by_content(sources: Iterable[Source], file: LogFile, head: bytes) -> Source | None:
    """Return the source that a file is; one that was written anew, for what is to be forgotten, is another."""
    same = [s for s in sources if s.head == head and (file.gzipped or not (s.present and s.ino) or s.ino == file.ino)]
    return min(same, key=lambda s: ((s.dev, s.ino) != (file.dev, file.ino), not s.present), default=None)


def _new_source(index: Index, head: bytes) -> Source:
    cursor = index.db.execute("INSERT INTO source (head, indexed, counted, present) VALUES (?, 0, 0, 1)", (head,))
    return Source(cursor.lastrowid or 0, head, 0, 0, -1, 0, 0, 0, None, None, 1, 0)


def _come_back(index: Index, source: Source, file: LogFile) -> None:
    """Begin anew with a file that was gone, or has become shorter; what was counted is not counted twice."""
    if source.present and (file.gzipped or file.size >= source.indexed):
        return
    _forget(index, source)
    index.db.execute("UPDATE source SET present = 1, indexed = 0, size = -1 WHERE id = ?", (source.id,))
    source.indexed = 0


def _drop_gone(index: Index, gone: Iterable[Source]) -> None:
    for source in gone:
        _forget(index, source)
        index.db.execute("UPDATE source SET present = 0, indexed = 0 WHERE id = ?", (source.id,))


def _forget(index: Index, source: Source) -> None:
    index.db.execute(
        "DELETE FROM record WHERE at BETWEEN ? AND ? AND source = ?", (source.first, source.last, source.id)
    )
    index.db.execute("DELETE FROM unreadable WHERE source = ?", (source.id,))


def _part(source: Source, placed: Mapping[int, LogFile]) -> Part:
    """Return the part of a file that has not been read; files that are not rotated will be there for longest."""
    order = sorted(placed, key=lambda number: placed[number].path.suffix not in STAYING)
    lasting = order[: order.index(source.id)]
    return Part(source.id, source.indexed, source.counted, source.carried, lasting)


def _read(index: Index, source: Source, file: LogFile, part: Part, most: int, reader: ReaderClock) -> int:
    """Read on in a file; how many lines there were."""
    taken = take(index, islice(raw_lines(file, source.indexed), most), part)
    whole = taken.lines < most and (file.gzipped or taken.position == file.size)
    if taken.lines or whole:
        times = [at for at in (source.first, source.last, taken.first, taken.last) if at is not None]
        index.db.execute(
            "UPDATE source SET dev = ?, ino = ?, size = ?, mtime_ns = ?, indexed = ?, counted = ?, "
            "first = ?, last = ? WHERE id = ?",
            (
                file.dev,
                file.ino,
                file.size if whole else -1,
                file.mtime_ns,
                taken.position,
                max(source.counted, taken.position),
                min(times, default=None),
                max(times, default=None),
                source.id,
            ),
        )
    taken.clocks.store(reader)
    return taken.lines
