"""When records really were: a gate's clock is wrong until the network has set it, but it counts seconds rightly.

A record bears the boot it was made in, and the seconds since. As soon as one of the same boot has it begin at another
time, somebody has put the clock right in between (or the reader, which is in the same boot still, knows better): the
earlier records then move to where they belong. What they say of their time themselves stays as it is on disk.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from visigate_logging.store.counts import count
from visigate_logging.store.index import Index
from visigate_logging.store.times import DAY, MINUTE, QUARTER

TOLERANCE = MINUTE
"""Microseconds by which times of one clock may differ: it drifts, is slewed, and records take a moment to be made."""
EARLIEST, LATEST = 1_577_836_800_000_000, 4_102_444_800_000_000
"""2020 and 2100, microseconds since 1970: a clock that says less or more has not been set."""
MOST_SECONDS = 1e10
MOST_CLOCKS = 32
"""Clocks of one boot; one that seems to have more (an altered log, or records that wait for hours before they are
written) is not reasoned about."""


class ReaderClock(NamedTuple):
    """What the reader's own clock says: its boot, when that began, and now; microseconds since 1970."""

    boot: str
    epoch: int
    now: int


@dataclass(slots=True)
class Clock:
    """The clock of a boot, for as long as nobody put it forward or back; see the table."""

    id: int
    boot: str
    epoch: int
    until: float
    first: int
    last: int
    shift: int
    guess: int | None


class Clocks:
    """The clocks of the records of one batch.

    Args:
        index: in a transaction.
    """

    def __init__(self, index: Index) -> None:
        self._index = index
        self._by_boot: dict[str, list[Clock]] = {}
        self._current = Clock(0, "", 0, 0.0, 0, 0, 0, None)

    def of(self, boot: str, seconds: object, at: int, before: int | None) -> tuple[int, int]:
        """Return the number of the clock that a record's time is of, and by how much that has to be moved.

        Args:
            boot: the record's; not empty.
            seconds: since then, as the record has it.
            at: the record's time.
            before: when the record before it in the file really was.
        """
        if type(seconds) not in (float, int) or not 0 <= seconds < MOST_SECONDS:  # type: ignore[operator]  # a number
            return 0, 0
        return self.at(boot, float(seconds), at, before)  # type: ignore[arg-type]  # a number, as was just seen

    def at(self, boot: str, seconds: float, at: int, before: int | None) -> tuple[int, int]:
        """Return the same for seconds that can be."""
        epoch = at - int(seconds * 1_000_000)
        clock = self._current
        if clock.boot != boot or not -TOLERANCE < epoch - clock.epoch < TOLERANCE:
            found = self._find(boot, epoch, at, before)
            if found is None:
                return 0, 0
            self._current = clock = found
        if seconds >= clock.until:
            clock.until, clock.epoch = seconds, epoch
        if at > clock.last:
            clock.last = at
        elif at < clock.first:
            clock.first = at
        return clock.id, clock.shift

    def _find(self, boot: str, epoch: int, at: int, before: int | None) -> Clock | None:
        if boot not in self._by_boot:
            self._by_boot[boot] = _clocks(self._index, boot)
        known = self._by_boot[boot]
        for clock in known:
            if abs(epoch - clock.epoch) < TOLERANCE:
                return clock
        if len(known) >= MOST_CLOCKS:
            return None
        guess = None if before is None or EARLIEST <= at < LATEST else before - (at - epoch)
        cursor = self._index.db.execute(
            "INSERT INTO clock (boot, epoch, until, first, last, shift, guess) VALUES (?, ?, -1, ?, ?, 0, ?)",
            (boot, epoch, at, at, guess),
        )
        clock = Clock(cursor.lastrowid or 0, boot, epoch, -1.0, at, at, 0, guess)
        known.append(clock)
        return clock

    def store(self, reader: ReaderClock) -> None:
        """Write down what has been learned, and move the records whose clock is known to have been wrong."""
        self._index.db.executemany(
            "UPDATE clock SET epoch = ?, until = ?, first = ?, last = ? WHERE id = ?",
            [(c.epoch, c.until, c.first, c.last, c.id) for clocks in self._by_boot.values() for c in clocks],
        )
        settle(self._index, self._by_boot, reader)


def _clocks(index: Index, boot: str) -> list[Clock]:
    sql = "SELECT id, boot, epoch, until, first, last, shift, guess FROM clock WHERE boot = ? ORDER BY id"
    return [Clock(*row) for row in index.db.execute(sql, (boot,))]


def settle(index: Index, boots: Iterable[str], reader: ReaderClock) -> None:
    """Move the records of boots to where their right clocks have them.

    What is said of files and groups as a whole is found out once for all of them: it costs what these hold.
    """
    sources, facets = set[int](), set[int]()
    for clock, delta in [move for boot in boots for move in _moves(_clocks(index, boot), reader)]:
        for source, facet in _move(index, clock, delta):
            sources.add(source)
            facets.add(facet)
    sql = "UPDATE source SET (first, last) = (SELECT min(at), max(at) FROM record WHERE source = ?) WHERE id = ?"
    index.db.executemany(sql, [(source, source) for source in sources])
    date_groups(index, facets)


def _moves(clocks: Sequence[Clock], reader: ReaderClock) -> Iterator[tuple[Clock, int]]:
    """Yield the clocks of a boot whose records have to be moved, and by how much."""
    begin = _begin(clocks, reader) if len(clocks) < MOST_CLOCKS else None
    for clock in clocks:
        off = 0 if begin is None else begin - clock.epoch
        wanted = off if abs(off) > TOLERANCE else 0
        if abs(wanted - clock.shift) > TOLERANCE or (clock.shift and not wanted):
            yield clock, wanted - clock.shift


def _begin(clocks: Sequence[Clock], reader: ReaderClock) -> int | None:
    """Return when a boot began: by the reader's clock if it is the same, else by the last that can be right."""
    if clocks and clocks[0].boot == reader.boot:
        return reader.epoch
    latest = reader.now + DAY if reader.now >= EARLIEST else LATEST
    possible = [c for c in clocks if EARLIEST <= c.epoch + c.until * 1_000_000 <= latest]
    if possible:
        return max(possible, key=lambda c: c.until).epoch
    return next((c.guess for c in clocks if c.guess is not None), None)


def reader_moved(index: Index, reader: ReaderClock) -> bool:
    """Return whether the reader's clock has been put right, or it has booted, since the index was last told."""
    rows = dict(index.db.execute("SELECT key, value FROM meta WHERE key IN ('boot', 'epoch')"))
    return rows.get("boot") != reader.boot or abs(rows["epoch"] - reader.epoch) > TOLERANCE


def settle_all(index: Index, reader: ReaderClock) -> None:
    """Look at the clocks of all boots again by what the reader's clock says now."""
    settle(index, [boot for (boot,) in index.db.execute("SELECT DISTINCT boot FROM clock").fetchall()], reader)
    index.db.executemany(
        "INSERT OR REPLACE INTO meta VALUES (?, ?)", [("boot", reader.boot), ("epoch", reader.epoch)]
    )


def _move(index: Index, clock: Clock, delta: int) -> list[tuple[int, int]]:
    """Move the records of a clock, with what is counted of their time; return their files and facets."""
    db = index.db
    quarter = "((at + :by) - (((at + :by) % :q) + :q) % :q) / :q"  # SQLite's own division rounds towards zero
    mine = "clock = :clock AND at BETWEEN :first AND :last"
    asked = {
        "clock": clock.id,
        "first": clock.first + clock.shift,
        "last": clock.last + clock.shift,
        "q": QUARTER,
    }
    changes = Counter[tuple[int, int]]()
    for by, sign in ((0, -1), (delta, 1)):
        sql = f"SELECT facet, {quarter} AS quarter, count(*) FROM record WHERE {mine} AND NOT repeats GROUP BY 1, 2"  # noqa: S608 -- names of ours
        for facet, at, n in db.execute(sql, asked | {"by": by}):
            changes[facet, at] += sign * n
    moved = db.execute(f"SELECT DISTINCT source, facet FROM record WHERE {mine}", asked).fetchall()  # noqa: S608 -- names of ours
    db.execute(f"UPDATE OR IGNORE record SET at = at + :by WHERE {mine}", asked | {"by": delta})  # noqa: S608 -- names of ours
    db.execute("UPDATE clock SET shift = shift + ? WHERE id = ?", (delta, clock.id))
    count(index, changes)
    return moved


def date_groups(index: Index, facets: Iterable[int]) -> None:
    """Find out anew since when and until when there are errors of the groups of some facets.

    Of records that are gone, the counts know it to a quarter of an hour.
    """
    db = index.db
    groups = {db.execute("SELECT grp FROM facet WHERE id = ?", (facet,)).fetchone()[0] for facet in facets}
    heirs = {
        db.execute("SELECT coalesce(heir, id) FROM grp WHERE id = ?", (group,)).fetchone()[0] for group in groups
    }
    for group in groups | heirs:
        of = "facet IN (SELECT facet.id FROM facet JOIN grp ON grp.id = grp WHERE grp.id = :g OR heir = :g)"
        first, last = db.execute(f"SELECT min(at), max(at) FROM record WHERE {of}", {"g": group}).fetchone()  # noqa: S608 -- names of ours
        begin, end = db.execute(f"SELECT min(quarter), max(quarter) FROM tally WHERE {of}", {"g": group}).fetchone()  # noqa: S608 -- names of ours
        if first is None:
            continue
        if begin is not None:
            first = first if first // QUARTER <= begin else begin * QUARTER
            last = last if last // QUARTER >= end else end * QUARTER
        db.execute("UPDATE grp SET first = ?, last = ?, latest = '' WHERE id = ?", (first, last, group))
