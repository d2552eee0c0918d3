"""Error numbers, and what one says about the fault."""

import errno
from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple, Self

ERROR, CORRUPT, CANTOPEN, NOTADB = 1, 11, 14, 26


class Verdict(Enum):
    """Whether an error is one that a step may act on."""

    YES = "the code says so"
    ASK = "the step has to look: only the thing itself can tell"
    NO = "it is not: as a lock, a full disk, a constraint is nothing that an old copy mends"


def verdict_of(code: int | None) -> Verdict:
    """Return what an extended result code of SQLite says about the file (https://www.sqlite.org/rescode.html).

    An error without one (None) may be anything. "No such table" (ERROR) is what an emptied file answers, and CANTOPEN
    what a missing one does; both have other, more frequent reasons.
    """
    if code is None:
        return Verdict.ASK
    primary = code & 0xFF
    if primary in {CORRUPT, NOTADB}:
        return Verdict.YES
    return Verdict.ASK if primary in {ERROR, CANTOPEN} else Verdict.NO


class Code(NamedTuple):
    """An error number: of SQLite or of the operating system."""

    kind: str
    number: int

    @classmethod
    def read(cls, value: Any) -> Self:
        """Make one from its name."""
        import sqlite3

        kind, home = ("sqlite", sqlite3) if str(value).startswith("SQLITE_") else ("errno", errno)
        number = getattr(home, str(value), None)
        if not isinstance(number, int):
            raise ValueError("is neither a code of SQLite nor of errno, like SQLITE_CORRUPT")
        return cls(kind, number)

    def is_in(self, codes: Mapping[str, int]) -> bool:
        """Return whether it is among the codes of an error; SQLite's extended codes belong to their primary code."""
        code = codes.get(self.kind)
        return code is not None and (code == self.number or (self.kind == "sqlite" and code & 0xFF == self.number))
