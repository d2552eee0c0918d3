"""What recoveries did, as their audit trail has it; for who is told of an error."""

from collections import Counter
from datetime import datetime
from pathlib import Path

import orjson

from visigate_logging.present.words import local

_TAIL = 256 * 1024


class Recoveries:
    """The end of the audit trail ``recovery.jsonl``.

    Args:
        directory: the handlers' state directory.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / "recovery.jsonl"

    def of(self, error_type: str, began: str) -> str:
        """Return how the last recovery for an error of this type ended, since the incident began; empty for none."""
        found = [one for one in self._outcomes(began) if one.get("error_type") == error_type]
        if not found:
            return ""
        last = found[-1]
        return (
            f"{last.get('procedure')}: {last.get('status')}, {last.get('message')} ({local(str(last['timestamp']))})"
        )

    def counts(self, since: str) -> Counter[str]:
        """Return how often recoveries ended how, since a time."""
        return Counter(str(one.get("status")) for one in self._outcomes(since))

    def _outcomes(self, since: str) -> list[dict[str, object]]:
        found = []
        for line in self._lines():
            try:
                one = orjson.loads(line)
                if one["event"] == "outcome" and _time(one["timestamp"]) >= _time(since):
                    found.append(one)
            except (ValueError, TypeError, KeyError):  # torn by a power cut
                continue
        return found

    def _lines(self) -> list[bytes]:
        try:
            with self._path.open("rb") as file:
                file.seek(max(file.seek(0, 2) - _TAIL, 0))
                return file.read().splitlines()
        except OSError:
            return []


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
