"""What stands between the handler and the runner: what waits, for how long, and what is told when."""

import functools
import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from visigate_logging.detail.masking import mask
from visigate_logging.host import CountSheet, ForkAware, watch_forks
from visigate_logging.host.settlement import Settlement
from visigate_logging.host.worker import Worker
from visigate_logging.recovery.budgets import full_key
from visigate_logging.recovery.messages import Message
from visigate_logging.recovery.procedures import Procedure
from visigate_logging.recovery.runner import Runner
from visigate_logging.recovery.steps.base import Context, Outcome, Status

AT_START = 60.0  # how long a start waits for what was left unfinished, seconds
ATTACHED = 5.0  # how long what is to be told then waits for loggers to have their handlers, seconds
MAX_REFUSED = 1000

Kind = tuple[str, int | None]
"""What a fault is about, and SQLite's number for it: one that says little must not stand for one that says all."""


class Dispatcher(ForkAware):
    """The errors that wait to be answered, and the thread that answers them.

    Args:
        handler: whose errors they are; held to see whether a logger has it.
        procedures: what is configured.
        directory: the state directory.
        counts: where what becomes of an error is counted.
        dry_run: only tell what would be done.
    """

    def __init__(
        self,
        handler: logging.Handler,
        procedures: Sequence[Procedure],
        directory: Path,
        counts: CountSheet,
        *,
        dry_run: bool,
    ) -> None:
        self._handler = handler
        self._counts = counts
        self.runner = Runner(
            procedures,
            directory,
            dry_run=dry_run,
            failed=self._note_failure,
            refused=self._note_refusal,
            tell=self._tell,
        )
        self._worker = self._new_worker()
        self._closed = self._starting = False
        self._queued: set[Kind] = set()
        self._later: dict[Kind, tuple[float, Context]] = {}
        self._refused: dict[Kind, float] = {}
        self._held: list[Message] = []
        self.is_behind_queue = self._told_of_queue = False
        watch_forks(self)

    def put(self, context: Context, settlement: Settlement) -> None:
        """Queue an error that has been accepted; one waiting run for each kind is enough."""
        kind = _kind(context)
        if kind in self._queued or self._refused.get(kind, 0.0) > time.monotonic():
            settlement.fold()
            return
        if self._closed and threading.main_thread().is_alive():  # else the interpreter is ending
            self._begin_again()
        is_put = False
        try:
            self._queued.add(kind)
            is_put = self._worker.put((context, settlement))
        finally:
            if not is_put:  # or it may not have been: a second run does less harm than none
                self._queued.discard(kind)
        if not is_put:
            settlement.drop("closed" if self._closed else "queue full")

    def finish_what_was_left(self) -> None:
        """Go on with what was put off or interrupted, and wait for it, at most AT_START seconds.

        In the caller's thread: a thread of ours that logs would wait for the lock that ``dictConfig`` holds.
        """
        waiting = list(self.runner.marks.pending())
        deadline = time.monotonic() + AT_START
        self._starting = True
        try:
            for context in waiting:
                longest = max(deadline - time.monotonic(), 0.0)
                self._answer(context, functools.partial(self.runner.resume, context, longest))
        finally:
            self._starting = False
        if waiting:
            self._worker.wake()

    def wait(self, timeout: float) -> bool:
        """Wait until all errors so far are answered; False when that takes longer than ``timeout`` seconds."""
        return self._worker.flush(timeout)

    def close(self, timeout: float) -> None:
        """Let what runs finish; what is interrupted is taken up at the next start."""
        self._worker.stop(timeout)
        self._closed = True
        self.runner.close()

    def after_fork_in_child(self) -> None:
        """Begin with nothing queued: that is the parent's to answer."""
        self._queued, self._later, self._held = set(), {}, []

    def _new_worker(self) -> "Worker[tuple[Context, Settlement]]":
        return Worker("visigate-recovery", self._work, close=self._handler.close)

    def _begin_again(self) -> None:
        """Work for a handler that was closed, as a second ``dictConfig`` closes all, and is still used."""
        self._worker, self._closed = self._new_worker(), False
        known = logging._handlerList  # type: ignore[attr-defined]  # what logging.shutdown closes
        if not any(reference() is self._handler for reference in known):
            logging._addHandlerRef(self._handler)  # type: ignore[attr-defined]  # as Handler.__init__ does

    def _work(self, errors: list[tuple[Context, Settlement]]) -> float | None:
        """Answer what was queued, and what was put off; in the worker's thread."""
        self._tell_what_was_held()
        self._tell_of_queue()
        for context, settlement in errors:
            self._queued.discard(_kind(context))
            if self._answer(context, functools.partial(self.runner.answer, context)):
                settlement.deliver()
            else:
                settlement.drop("not decided")
        for kind, (due, context) in list(self._later.items()):
            if due <= time.monotonic():
                del self._later[kind]
                self._answer(context, functools.partial(self.runner.answer, context, error=False))
        self._counts.publish(self.runner.budgets.state)
        soonest = min((due for due, _ in self._later.values()), default=None)
        return None if soonest is None else max(soonest - time.monotonic(), 0.0)

    def _answer(self, context: Context, answer: Callable[[], float | None]) -> bool:
        try:
            wait = answer()
        except Exception as problem:  # noqa: BLE001 -- it is told, and the next error is answered
            text = f"could not be decided: {type(problem).__name__}: {problem}"
            self._tell(Message(logging.ERROR, text, context, Outcome(Status.FAILED, text)))
            self._note_failure(f"{full_key(context)} {text}")
            return False
        if wait is not None:
            self._later[_kind(context)] = (time.monotonic() + wait, context)
        return True

    def _tell(self, message: Message) -> None:
        if self._starting:  # no logger has its handlers yet
            self._held.append(message)
        else:
            message.log()

    def _tell_what_was_held(self) -> None:
        deadline = time.monotonic() + ATTACHED
        while self._held and not _is_attached(self._handler) and time.monotonic() < deadline:
            time.sleep(0.02)
        while self._held:
            self._held.pop(0).log()

    def _tell_of_queue(self) -> None:
        if self.is_behind_queue and not self._told_of_queue:
            self._told_of_queue = True
            logging.getLogger("visigate_logging").warning(
                "Errors reach %s as text: classes that are not loaded here, and codes not told, cannot be matched. "
                "Behind a queue, attach it to the logger itself; it has a queue of its own",
                type(self._handler).__name__,
            )

    def _note_failure(self, text: str) -> None:
        self._counts.fail(mask(text))

    def _note_refusal(self, context: Context) -> bool:
        """Spare what is refused another look for a while; whether it is the first of its kind."""
        kind, now = _kind(context), time.monotonic()
        first = kind not in self._refused
        if len(self._refused) > MAX_REFUSED:
            self._refused = {k: until for k, until in self._refused.items() if until > now}
        self._refused[kind] = now + self.runner.procedures[context.procedure].cooldown
        return first


def _kind(context: Context) -> Kind:
    return full_key(context), context.codes.get("sqlite")


def _is_attached(handler: logging.Handler) -> bool:
    loggers = (logging.root, *logging.root.manager.loggerDict.copy().values())
    return any(handler in getattr(logger, "handlers", ()) for logger in loggers)
