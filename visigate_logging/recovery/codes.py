"""What an error number says about the fault."""

from enum import Enum

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
