"""Forwarding to one target: by one process of the host at a time, with books that outlive it."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from visigate_logging.detail.masking import mask
from visigate_logging.forward.backoff import Backoff
from visigate_logging.forward.intake import Intake
from visigate_logging.forward.lane import Entry, Lane, Load
from visigate_logging.forward.options import ForwardOptions
from visigate_logging.forward.progress import SCHEMA, Changes, Progress, load, store
from visigate_logging.forward.selection import LANES
from visigate_logging.forward.target import Accepted, Later, Outcome, Refused
from visigate_logging.forward.telling import StateTeller
from visigate_logging.forward.times import microseconds
from visigate_logging.host import HostLock, Sheet, State, host_counts
from visigate_logging.host.clock import rfc3339, utc_text
from visigate_logging.host.directories import make_directory
from visigate_logging.host.follower import Cursor, Follower
from visigate_logging.host.json_lines import JsonLines

_REFUSED = "refused"
_NOT_SELECTED = "not selected any more"
_LOOK = 2.0
"""Seconds between two looks for what other processes have logged."""
_LOOK_FOR_LOCK = 15.0
_MOST_SET_ASIDE = 4 << 20
_MOST_HALVINGS = 12
_TRIES = 6
"""So often is a record alone tried that the other side may stumble over, before the one behind it is."""

_logger = logging.getLogger("visigate_logging")


class Forwarder:
    """Hands the records of the log to a target, each at least once, in the order of the log within its lane.

    For use by one thread; of several on a host, in whatever processes, one forwards and the others wait for its end.

    Args:
        options: of the handler.
        name: of the handler.
        start: where the log ended when the handler was made: a first forwarder begins there.
        describe: see :class:`~visigate_logging.forward.telling.StateTeller`.
    """

    def __init__(
        self,
        options: ForwardOptions,
        name: str,
        start: Cursor | None = None,
        describe: Callable[[ForwardOptions], bytes] | None = None,
    ) -> None:
        self.options = options
        self.name = name
        self.state = State(options.state_dir, SCHEMA)
        self.lock = HostLock(options.state_dir / f"forward-{name}.lock")
        self.refused = JsonLines(options.state_dir / f"forward-{name}.refused.jsonl", max_bytes=_MOST_SET_ASIDE)
        self._follower = Follower(options.log)
        self._intake = Intake(self._follower, options.selection, name)
        self._start = start
        most, selection = min(options.target.most, max(1, options.max_per_minute // 12)), options.selection
        self._lanes = [Lane(one, self._follower, selection, most, options.max_bytes) for one in LANES]
        self._books: Progress | None = None
        self._changes = Changes()
        self._backoff = Backoff()
        self._refusals = 0
        self._teller = StateTeller(options, describe)

    def turn(self) -> float:
        """Look for what is new, and hand over one load; tell each minute how the gate is.

        Returns:
            In how many seconds it wants to be called again.

        Raises:
            StateError: the books cannot be kept; what has been sent meanwhile will be sent again.
            OSError: the log cannot be read.
        """
        if not self.lock.held:
            make_directory(self.options.state_dir)
            self._books, self._changes = None, Changes()
            if not self.lock.acquire():
                return _LOOK_FOR_LOCK
        wait = self._turn()
        if not self._backoff.tries:
            self._teller.in_time()
        return wait

    def _turn(self) -> float:
        books = self._books = self._books or self._begin()
        self._intake.scan(books, self._changes)
        self._intake.write_off(books, self._changes)
        for lane in self._lanes if not self._backoff.wait else ():
            if found := self._next(books, lane):
                return self._hand_over(books, lane, found)
        self._keep(books)
        return min(_LOOK, self._backoff.wait or _LOOK)

    def books(self) -> Progress:
        """Return how far it has come, whoever forwards.

        Raises:
            StateError: the state file cannot be used.
        """
        if not self.state.path.exists():
            return Progress()
        with self.state.transaction() as connection:
            return load(connection, self.name) or Progress()

    @property
    def told(self) -> str:
        """What it does, in a few words; of the thread that turns it."""
        if self._books is None:
            return "another process forwards"
        waiting = f"{self._books.pending} wait"
        return f"{waiting}: {self._books.trouble}" if self._books.trouble else waiting

    @property
    def pause(self) -> float:
        """Seconds for which nothing is sent: after a failure, or because so many a minute are enough."""
        return self._backoff.wait

    def oldest(self) -> dict[str, str]:
        """Return the time of the oldest record that waits, by lane, as RFC 3339; lanes without one are left out.

        Raises:
            StateError: the state file cannot be used.
            OSError: the log cannot be read.
        """
        books, found = self.books(), {}
        for lane in self._lanes:
            own = books.lanes[lane.name]
            if own.pending and (first := lane.next(own, books.since)):
                found[lane.name] = str(first.entries[0].record.get("timestamp", ""))
        return found

    def counts(self) -> Sheet:
        """Return what became of the records of the host.

        Raises:
            StateError: the state file cannot be used.
        """
        nothing = Sheet(accepted=0, delivered=0, folded=0, dropped={}, pending=0)
        return host_counts(self.state).get(self.name, nothing) if self.state.path.exists() else nothing

    def close(self) -> None:
        """Let another process go on."""
        self.options.target.close()
        self.state.close()
        self.lock.release()

    def _begin(self) -> Progress:
        """Return the books as the last forwarder has left them; else begin them.

        They are kept before anything is sent: where the other side is away, a process that ends while it waits would
        take with it from where on records are to be forwarded.
        """
        with self.state.transaction() as connection:
            if found := load(connection, self.name):
                return found
            backfill = self.options.backfill
            if backfill is not None:
                books = Progress.begin({}, rfc3339(microseconds(datetime.now(UTC) - backfill)))
            else:
                books = Progress.begin(self._start if self._start is not None else self._follower.end())
            store(connection, self.name, books, Changes())
        return books

    def _next(self, books: Progress, lane: Lane) -> Load | None:
        own = books.lanes[lane.name]
        if not own.pending:
            return None
        if not (found := lane.next(own, books.since)):  # accepted when other records were selected
            self._changes.dropped[_NOT_SELECTED] += own.pending
            own.waiting.clear()
        return found

    def _hand_over(self, books: Progress, lane: Lane, found: Load) -> float:
        started = time.monotonic()
        outcomes = self._send(books, lane, found.entries)
        self._intake.scan(books, self._changes)  # what was read meanwhile must be accepted before it is settled
        self._changes.accepted += lane.settle(books.lanes[lane.name], found, outcomes)
        self._note(books, lane, found.entries, outcomes)
        self._keep(books)
        self._backoff.pause(started + 60.0 * len(outcomes) / self.options.max_per_minute)
        return min(_LOOK, self._backoff.wait)

    def _send(self, books: Progress, lane: Lane, entries: Sequence[Entry]) -> list[Outcome]:
        apply = self.options.privacy.apply
        outcomes = list(self.options.target.send([apply(entry.record) for entry in entries]))
        last = outcomes[-1]
        if isinstance(last, Later) and last.is_suspect and len(entries) == 1 and self._backoff.tries >= _TRIES:
            return self._tried_behind(books, lane, entries, last)
        return outcomes

    def _tried_behind(self, books: Progress, lane: Lane, entries: Sequence[Entry], last: Later) -> list[Outcome]:
        """Return whether a record is refused: it is when the server fails on it, and not on the one behind it."""
        behind = lane.behind(books.lanes[lane.name], entries[0], books.since)
        if behind is None:
            return [last]
        outcome = self.options.target.send([self.options.privacy.apply(behind)])[0]
        return [last] if isinstance(outcome, Later) else [Refused(f"the server fails on it: {last.reason}")]

    def _note(self, books: Progress, lane: Lane, entries: Sequence[Entry], outcomes: Sequence[Outcome]) -> None:
        """Take down what has become of a load."""
        kinds = Counter(type(outcome) for outcome in outcomes)
        self._changes.delivered += kinds[Accepted]
        for entry, outcome in zip(entries, outcomes, strict=True):
            if isinstance(outcome, Refused):
                self._set_aside(entry, outcome)
        later = next((outcome for outcome in outcomes if isinstance(outcome, Later)), None)
        if kinds[Accepted]:
            books.delivered_at = utc_text()
        if later is None:
            self._backoff.reset()
            lane.halvings = max(0, lane.halvings - 1)
            books.trouble = ""
            return
        if later.is_suspect:
            lane.halvings = min(lane.halvings + 1, _MOST_HALVINGS)
        self._backoff.fail(later.after, went_on=kinds[Accepted] > 0)
        if books.trouble != later.reason:
            books.trouble = self._changes.failed = later.reason
            log = _logger.warning if self._backoff.tries == 1 else _logger.info
            log("%s: what is forwarded waits: %s", self.name, later.reason)

    def _set_aside(self, entry: Entry, outcome: Refused) -> None:
        """Keep what was refused for good, and say so, but not for each of a flood."""
        reason = mask(outcome.reason)
        record = entry.record if outcome.is_known else None
        self.refused.append({"time": utc_text(), "reason": reason, "record": record})
        self._changes.dropped[_REFUSED] += 1
        self._changes.failed = f"refused: {reason}"
        self._refusals += 1
        if self._refusals & (self._refusals - 1) == 0:
            number = f"{self._refusals} records" if self._refusals > 1 else "a record"
            _logger.warning("%s: %s refused for good, kept in %s: %s", self.name, number, self.refused.path, reason)

    def _keep(self, books: Progress) -> None:
        """Store the books where something has changed."""
        if self._changes:
            with self.state.transaction() as connection:
                store(connection, self.name, books, self._changes)
            self._changes = Changes()
