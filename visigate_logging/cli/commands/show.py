"""Show one error to its cause."""

from collections.abc import Iterable, Iterator

from visigate_logging.cli.arguments import JSON, LOG, Args, argument
from visigate_logging.cli.command import FAILED
from visigate_logging.cli.output import answer, block, bold, complain, dim, paragraph
from visigate_logging.cli.records import LONGEST, time_of
from visigate_logging.cli.selection import open_log
from visigate_logging.cli.table import briefly
from visigate_logging.detail.frames import ExceptionData, Frame
from visigate_logging.detail.plain import plain
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.present import context
from visigate_logging.present.facts import RELATIONS, Kind, facts_of
from visigate_logging.present.words import worded
from visigate_logging.store.record_queries import RecordQueries
from visigate_logging.store.typed import about

PAGED = True
ARGUMENTS = (
    argument("id ID", "the event's id, or the beginning or end of it (default: the newest)", nargs="?"),
    LOG,
    JSON,
)
MACHINE_IN_SHORT = 3
"""Facts of the machine that are told where nothing in it is unusual."""


def run(args: Args) -> int:
    """Show the error that is named, else the newest."""
    store = open_log(args)
    found = store.recent(limit=1).records if args.id is None else [store.get(args.id)]
    if not found:
        complain(f"no errors in {store.path}")
        return FAILED
    return answer(args, found[0].to_dict(), _sheet(found[0], store))


def _sheet(record: ErrorDetail, store: RecordQueries) -> Iterator[str]:
    yield block("", f"{record.error_type}: {record.error_message}", "red")
    yield block("", f"in {record.function or '?'} of {record.module}")
    yield ""
    yield from _pairs([("time", f"{time_of(record)} ({record.timestamp})")])
    if about(record):
        yield from _pairs([("", "the clock was wrong: about this time by the clock that was right later")])
    yield from _pairs((f.label.lower(), f.value) for f in facts_of(record) if f.kind is Kind.LINE)
    before = [block("  ", told, "dim") for told in context.moments(record)]
    yield from _section("just before", before)
    for exception in record.exceptions:
        yield ""
        yield from _exception(exception)
    if not record.exceptions and record.traceback:
        yield "\n" + plain(record.traceback.rstrip())
    yield from _section("additional information", _pairs(record.additional_info.items()))
    state, unusual = context.machine(record), context.unusual(record)
    title = "machine" if unusual else "machine, nothing unusual"
    yield from _section(title, _pairs(state if unusual else state[:MACHINE_IN_SHORT]))
    yield from _section("at the same time", _others(record, store))


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    shown = [*lines]
    yield from ["", bold(title), *shown] if shown else []


def _pairs(pairs: Iterable[tuple[str, object]]) -> Iterator[str]:
    for name, value in pairs:
        yield block(f"{plain(name, one_line=True):>14}  ", worded(value))


def _others(record: ErrorDetail, store: RecordQueries) -> Iterator[str]:
    """Yield what else went wrong within a minute."""
    others = [*store.around(record)]
    ids = briefly((other.event_id for other in others), ends=True)
    for other in others:
        said = f"{other.process}: {other.error_type}: {other.error_message}"[:LONGEST]
        yield paragraph(f"  {time_of(other)}  {ids[other.event_id].short}  ", said)


def _exception(exception: ExceptionData) -> Iterator[str]:
    """Yield one exception of the chain: the application's own frames stand out, the libraries' are dimmed."""
    relation = RELATIONS.get(exception.relation or "", "").lower()
    module = "" if exception.module == "builtins" else f"{exception.module}."
    yield block(f"{relation} " if relation else "", f"{module}{exception.type}: {exception.message}", "red")
    for note in exception.notes:
        yield block("  note: ", note)
    for frame in exception.frames:
        yield from _frame(frame)
    for number, what in (
        (exception.frames_omitted, "frames more were left out of the middle"),
        (exception.members_omitted, "members more of the group were left out"),
    ):
        if number:
            yield dim(f"  … {number} {what}")


def _frame(frame: Frame) -> Iterator[str]:
    colour = "bold" if frame.in_app else "dim"
    yield block("  ", f"{frame.file}:{frame.line} in {frame.function}", colour)
    if frame.code:
        yield block("      ", frame.code, colour)
    for value in context.values(frame):
        yield block("          ", value, "dim")
