"""What is told of exceptions: the fields of a detail record that speak of a live one, or of one left as text."""

import contextlib
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, NamedTuple

from visigate_logging.detail import fingerprint, written
from visigate_logging.detail.bounded import Bounded
from visigate_logging.detail.codes import error_code
from visigate_logging.detail.frames import Chain, ExceptionData
from visigate_logging.detail.modules import in_app_test
from visigate_logging.detail.positions import Source, all_current
from visigate_logging.detail.stacks import Stack, StackCache
from visigate_logging.detail.tracebacks import (
    MAX_NOTES,
    SPECIAL,
    Grouped,
    RaisedException,
    format_exception,
    printed_before,
    walk_chain,
)
from visigate_logging.detail.values import Sanitiser, safe_str, word

MAX_DESCRIBED = 128
"""Descriptions of exceptions that are kept, for when the same ones are logged again."""
MAX_DESCRIBED_TEXT = 16_384
"""Characters of the traceback of such a description."""
MAX_LOOK = 2048
"""Parts that such a description is known by: one of each frame, and six of each exception of its chain."""

_REMOTE = ("_RemoteTraceback", "RemoteTraceback")
"""Of concurrent.futures and multiprocessing: as a cause it holds the traceback of the worker."""

_UNLIKE = (BaseExceptionGroup, *SPECIAL)


class _Description(NamedTuple):
    """The fields of an exception, and what they rest on.

    Args:
        fields: of the detail record.
        sources: the files whose lines they have.
        stacks: they keep the code alive, whose addresses no other code may get.
    """

    fields: dict[str, Any]
    sources: tuple[Source, ...]
    stacks: Sequence[Stack]


class Describer:
    """Describes exceptions; one that looks like others that were met before is not described anew.

    Args:
        clean: bounds texts and masks the secrets in them.
        in_app: dotted names of the application's own modules.
    """

    def __init__(self, clean: Sanitiser, in_app: tuple[str, ...]) -> None:
        self._clean = clean
        self._in_app = in_app_test(in_app)
        self._stacks = StackCache(clean.text, self._in_app)
        self._described: Bounded[tuple[Any, ...], _Description] = Bounded(MAX_DESCRIBED)

    def raised(self, exc: BaseException, tb: TracebackType | None) -> dict[str, Any]:
        """Return the fields of a live exception; without those that say where, when it has no traceback.

        Raises:
            BaseException: whatever a hostile exception raises when it is looked at.
        """
        look = self._look(exc, tb)
        known = self._described.get(look) if look else None
        if known is not None and all_current(known.sources, time.monotonic()):
            return known.fields
        chain = walk_chain(exc, tb, self._stacks)
        fields = self._describe(chain, tb)
        if look and len(fields["traceback"]) <= MAX_DESCRIBED_TEXT:
            stacks = [raised.stack for raised in chain]
            if all(stack.is_kept for stack in stacks):
                sources = tuple({source for stack in stacks for source in stack.sources})
                self._described.keep(look, _Description(fields, sources, stacks))
        return fields

    def _look(self, exc: BaseException, tb: TracebackType | None) -> tuple[Any, ...] | None:
        """Return all that a description is made from, where that is little; None where it is more.

        What looks the same is described the same.
        """
        if "tracebacklimit" in sys.__dict__:
            return None
        look: list[Any] = []
        note = look.append
        seen = {id(exc)}
        relation = ""
        try:
            while len(look) < MAX_LOOK:
                if isinstance(exc, _UNLIKE) or hasattr(exc, "__notes__") or not exc:
                    return None
                while tb is not None:
                    note(id(tb.tb_frame.f_code) + tb.tb_lasti)
                    tb = tb.tb_next
                kind = type(exc)  # its names may be set anew
                text = self._clean.text(safe_str(exc))
                look += (kind, kind.__module__, kind.__qualname__, text, relation, error_code(exc))
                before, relation = printed_before(exc, seen)
                if before is None:
                    return tuple(look)
                exc, tb = before, before.__traceback__
                seen.add(id(exc))
        except Exception:  # noqa: S110 -- a hostile exception; to describe it says what it is
            pass
        return None

    def _describe(self, chain: list[RaisedException], tb: TracebackType | None) -> dict[str, Any]:
        messages = [self._clean.text(safe_str(raised.value)) for raised in chain]
        share = max(1, len(messages) // 10)
        return {
            **self._placed(chain, messages),
            "error_type": word(type(chain[0].value).__name__),
            "error_message": messages[0],
            "traceback": self._clean.bounded(format_exception(chain, tb, messages, self._clean.text)),
            "exceptions": Chain(
                self._data(r, self._clean.bounded(m, share)) for r, m in zip(chain, messages, strict=True)
            ),
        }

    def _placed(self, chain: list[RaisedException], messages: list[str]) -> dict[str, Any]:
        """Return the fields that say where an exception came from, and its group.

        One that a process pool has brought came from the worker, whose traceback is there as the text of its cause.
        """
        placed: Sequence[Grouped] = chain
        if len(chain) > 1 and chain[1].relation == "cause" and chain[1].kind.__name__ in _REMOTE:
            there = written.parse(messages[1].strip().strip('"').lstrip("\n"), self._in_app)
            if there[0].stack.positions:
                placed, messages = there, [messages[0], *(one.message for one in there[1:])]
        grouping = fingerprint.by_exception(placed, messages)
        culprit = placed[0].stack.innermost
        where = culprit.frame.as_culprit(culprit.qualname) if culprit is not None else {}
        return {**where, "fingerprint": grouping.key, "grouping": grouping.why}

    def _data(self, raised: RaisedException, message: str) -> ExceptionData:
        kind = type(raised.value)
        return ExceptionData(
            word(kind.__name__),
            word(kind.__module__),
            message,
            self._notes(raised.notes) if raised.notes is not None else (),
            raised.relation,
            raised.parent,
            raised.stack.frames,
            raised.stack.omitted,
            raised.members_omitted,
        )

    def _notes(self, notes: Any) -> tuple[str, ...]:
        if type(notes) is not list:
            return (self._clean.text(safe_str(notes)),)
        kept = [safe_str(note) for note in notes[:MAX_NOTES]]
        if len(notes) > MAX_NOTES:
            kept.append(f"[{len(notes) - MAX_NOTES} more notes cut]")
        return tuple(self._clean.value(kept))

    def unreadable(self, exc: BaseException, error: BaseException, logger: str, culprit: str) -> dict[str, Any]:
        """Return the fields of an exception that does not let itself be looked at.

        Args:
            exc: that exception.
            error: what it raised.
            logger: name of the logger, for the group.
            culprit: where the logging call stands, for the group.
        """
        name, module = word(type.__dict__["__name__"].__get__(type(exc))), ""
        with contextlib.suppress(Exception):  # of a metaclass
            module = word(type(exc).__module__)
        message = self._clean.text(safe_str(exc))
        grouping = fingerprint.by_message(logger, (culprit,), name)
        told = self._clean.text(f"{type(error).__name__}: {safe_str(error)}")
        return {
            "error_type": name,
            "error_message": message,
            "traceback": f"[traceback could not be read: {told}]\n",
            "exceptions": Chain((ExceptionData(name, module, message),)),
            "fingerprint": grouping.key,
            "grouping": grouping.why,
        }

    def written(self, text: str, call: dict[str, Any]) -> dict[str, Any]:
        """Return the fields of an exception that is only there as text.

        Args:
            text: its traceback.
            call: the fields that say where the logging call stands, for a text without frames.
        """
        text = self._clean.text(text)
        chain = written.parse(text, self._in_app)
        culprit = chain[0].stack.innermost
        where = call if culprit is None else culprit.frame.as_culprit(culprit.qualname)
        grouping = fingerprint.by_exception(chain, [one.message for one in chain])
        return where | {
            "error_type": chain[0].kind.__name__,
            "error_message": chain[0].message,
            "traceback": text,
            "exceptions": Chain(one.data for one in chain),
            "fingerprint": grouping.key,
            "grouping": grouping.why,
        }
