"""What differs between the errors of a group."""

from collections import Counter
from collections.abc import Sequence

from visigate_logging.detail.record import ErrorDetail

__all__ = ["varying"]


def varying(records: Sequence[ErrorDetail], most: int = 5) -> dict[str, dict[str, int]]:
    """What differs between the errors of a group: of each field with several values the most frequent."""
    fields = (
        "error_message",
        "message",
        "severity",
        "host",
        "process",
        "thread",
        "line",
        "release",
        "service",
    )
    values: dict[str, Counter[str]] = {name: Counter(str(getattr(r, name)) for r in records) for name in fields}
    for name in {name for r in records for name in r.additional_info}:
        values[f"additional_info.{name}"] = Counter(str(r.additional_info.get(name, "—")) for r in records)
    return {name: dict(seen.most_common(most)) for name, seen in sorted(values.items()) if len(seen) > 1}
