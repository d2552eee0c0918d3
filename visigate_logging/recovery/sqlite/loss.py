"""Has a database lost so much since its last backup that a new one must not push the good ones out."""

from collections.abc import Collection, Mapping

FEW = 10  # of so few rows some may well go; all of them may not


def losses(before: Mapping[str, int], now: Mapping[str, int], share: float, ignored: Collection[str]) -> list[str]:
    """Return what has collapsed, in words: tables that are gone or empty, or have lost too many rows.

    Args:
        before: rows of each table in the last generation.
        now: the same in the new one.
        share: what part of a table's rows may go from one backup to the next, 0 to 1.
        ignored: tables that come and go.
    """
    found = []
    for table, had in before.items():
        has = now.get(table, 0)
        if not had or table in ignored:
            continue
        if table not in now:
            found.append(f"table {table} with {had} rows is gone")
        elif not has:
            found.append(f"all {had} rows of {table} are gone")
        elif had >= FEW and has < had * (1 - share):
            found.append(f"{table} has {has} rows, and had {had}")
    return found
