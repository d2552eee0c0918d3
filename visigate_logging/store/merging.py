"""Groups that are one by decision, as the index has them: what ``groups.jsonl`` says, put to its numbers."""

from visigate_logging.store.index import Index
from visigate_logging.triage.decisions import Merges

KNOWN = "SELECT key, coalesce(heir, id) FROM grp"


def merges_moved(index: Index) -> bool:
    """Return whether decisions were made since the index followed them."""
    if index.decisions is None:
        return False
    row = index.db.execute("SELECT value FROM meta WHERE key = 'decisions'").fetchone()
    return (row[0].partition(" ")[0] if row else "") != index.decisions.state


def follow_merges(index: Index) -> None:
    """Have the index follow the decisions; new groups may be those that earlier ones were about.

    Args:
        index: in a transaction.
    """
    if index.decisions is None:
        return
    state = index.decisions.state
    groups = index.db.execute("SELECT count(*), count(heir) FROM grp").fetchone()
    followed = f"{state} {groups[0]} {groups[1]}"
    row = index.db.execute("SELECT value FROM meta WHERE key = 'decisions'").fetchone()
    if (row and row[0] == followed) or not (row or state):
        return
    index.db.execute("INSERT OR REPLACE INTO meta VALUES ('decisions', ?)", (followed,))
    wanted = _roots(index)
    known = dict(index.db.execute("SELECT grp, root FROM merged"))
    if wanted != known:
        index.db.execute("DELETE FROM merged")
        index.db.executemany("INSERT INTO merged VALUES (?, ?)", wanted.items())
        moved = {group for pair in wanted.items() ^ known.items() for group in pair}
        index.db.executemany("DELETE FROM burst_state WHERE grp = ?", [(group,) for group in moved])


def _roots(index: Index) -> dict[int, int]:
    """Return the number of each group that is part of another, and of which in the end."""
    merges = Merges(index.decisions.decisions() if index.decisions else ()).into
    if not merges:
        return {}
    numbers = dict(index.db.execute(KNOWN))
    into: dict[int, int] = {}
    for key, other in merges.items():
        if key in numbers and other in numbers and _last(into, numbers[other]) != numbers[key]:
            into[numbers[key]] = numbers[other]
    return {group: _last(into, group) for group in into}


def _last(into: dict[int, int], group: int) -> int:
    while group in into:
        group = into[group]
    return group
