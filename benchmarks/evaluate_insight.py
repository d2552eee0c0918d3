"""How true bursts, trends, forecasts and rhythms are, on made data whose truth is known.

python -m benchmarks.evaluate_insight        # NAB=DIR for the Numenta Anomaly Benchmark's tweet series as well
"""

import csv
import json
import math
import os
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path

from visigate_logging.insight.bursts import Burst, find_bursts
from visigate_logging.insight.recurrence import recurrence
from visigate_logging.insight.rhythm import rhythm_of
from visigate_logging.insight.trends import trend_of

BEGIN = 490_000
Figure = tuple[str, float, str]
"""What, how much, and the aim."""


def poisson(chance: random.Random, mean: float) -> int:
    if mean > 50:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    limit, k, p = math.exp(-mean), 0, chance.random()
    while p > limit:
        k, p = k + 1, p * chance.random()
    return k


def swarm(chance: random.Random, mean: float, dispersion: float) -> int:
    """Negative binomial: errors that come together."""
    return poisson(chance, chance.gammavariate(1 / dispersion, mean * dispersion)) if mean > 0 else 0


def false_bursts(count: Callable[[int], int], series: int, days: int = 42) -> float:
    """Bursts a series and day where there is none."""
    found = 0
    for _ in range(series):
        found += len(find_bursts((BEGIN + h, n) for h in range(24 * days) if (n := count(h))))
    return found / series / days


def recall(chance: random.Random, usual: float, peak: float, hours: int, runs: int = 200) -> float:
    """Share of bursts that are found after a month of what is usual."""
    hits = 0
    for _ in range(runs):
        begin = 24 * 30 + chance.randrange(24)
        counts = {h: swarm(chance, usual, 0.3) for h in range(begin)} | {0: 1}
        counts |= {begin + h: poisson(chance, peak) for h in range(hours)}
        found = find_bursts((BEGIN + h, n) for h, n in sorted(counts.items()) if n)
        hits += any(burst.hour + burst.hours > BEGIN + begin for burst in found)
    return hits / runs


def bursts() -> Iterator[Figure]:
    chance = random.Random(1)
    for mean in (0.5, 3.0, 30.0):
        cycle = false_bursts(lambda h, m=mean: poisson(chance, m * (1 + math.sin(math.pi * h / 12))), 20)  # type: ignore[misc]
        yield f"false bursts a day, day cycle, {mean:g} an hour", cycle, "≤ 0.05"
    for mean, dispersion in ((1.0, 1.0), (5.0, 1.0), (30.0, 0.3)):
        plain = false_bursts(lambda _, m=mean, d=dispersion: swarm(chance, m, d), 20)  # type: ignore[misc]
        yield f"false bursts a day, swarms ({dispersion:g}), {mean:g} an hour", plain, "≤ 0.08"
    for usual, peak, hours in ((0.01, 10, 1), (0.5, 10, 1), (3, 25, 1), (30, 150, 1), (0.02, 2, 48)):
        yield f"recall, {usual:g} an hour, then {peak} for {hours} h", recall(chance, usual, peak, hours), "≥ 0.84"


def trends() -> Iterator[Figure]:
    chance = random.Random(2)
    for mean in (0.3, 5.0, 40.0):
        for weekend in (1.0, 0.2):
            wrong = 0
            for run in range(2000):
                days = [poisson(chance, mean * (weekend if (run + day) % 7 < 2 else 1)) for day in range(29)]
                wrong += trend_of(tuple(days)).direction != "steady"
            yield f"false verdicts, {mean:g} a day, weekends at {weekend:g}", wrong / 2000, "≤ 0.04"
    for days, known in ((6, 6), (13, 13), (29, 29)):
        seen = 0
        for _ in range(1000):
            counts = [poisson(chance, 5 + 5 * day / (days - 1)) for day in range(days)]
            seen += trend_of(tuple(counts), known).direction == "rising"
        yield f"a doubling from 5 to 10 a day seen within {days} days", seen / 1000, ""
    seen = 0
    for _ in range(1000):
        days_of = [*(poisson(chance, 5) for _ in range(27)), *(poisson(chance, 15) for _ in range(2))]
        seen += trend_of(tuple(days_of)).direction == "rising"
    yield "three times as many in the last two days seen", seen / 1000, ""


def forecasts() -> Iterator[Figure]:
    """Groups with a rate of their own each, rare and frequent ones; in a third it halves or doubles on the way."""
    chance = random.Random(3)
    for what, shape, mean in (("rare groups", 0.3, 0.03), ("frequent groups", 0.5, 0.1)):
        told: list[float] = []
        came: list[bool] = []
        while len(told) < 10_000:
            rate = min(0.5, chance.gammavariate(shape, mean / shape))
            changed = rate * chance.choice((0.5, 1, 1, 1, 1, 2))
            age = chance.randrange(7, 90)
            days = [n for n in range(age) if chance.random() < (changed if n < age / 2 else rate)]
            if len(days) >= 3:
                told.append(recurrence(days, max(days)))
                came.append(any(chance.random() < changed for _ in range(7)))
        base = sum(came) / len(came)
        brier = sum((p - c) ** 2 for p, c in zip(told, came, strict=True)) / len(told)
        yield f"{what}: Brier score, as share of a constant rate's", brier / (base * (1 - base)), "≤ 0.88"
        ranked = sorted(zip(told, came, strict=True))
        size = len(ranked) // 10
        deciles = [ranked[n * size : (n + 1) * size] for n in range(10)]
        off = [abs(sum(p for p, _ in part) - sum(c for _, c in part)) / len(part) for part in deciles]
        yield f"{what}: calibration, worst decile", max(off), "≤ 0.10"


def rhythms() -> Iterator[Figure]:
    chance = random.Random(4)
    wrong = sum(
        rhythm_of([(day, chance.randrange(24), 1) for day in range(chance.randrange(8, 60))]) is not None
        for _ in range(5000)
    )
    yield "rhythms found in chance", wrong / 5000, "≤ 0.01"
    seen = 0
    for _ in range(1000):
        begin = chance.randrange(24)
        hours = [
            (begin + chance.randrange(2)) % 24 if chance.random() < 0.9 else chance.randrange(24) for _ in range(10)
        ]
        seen += rhythm_of([(day, hour, 1) for day, hour in enumerate(hours)], groups=50) is not None
    yield "a window of two hours on 9 of 10 days found, among 50 groups", seen / 1000, ""


def nab(directory: Path) -> Iterator[Figure]:
    """The tweet series of https://github.com/numenta/NAB, summed by hour, with its labelled windows."""
    windows = json.loads((directory / "labels/combined_windows.json").read_text("utf-8"))
    labelled = hits = false = 0
    days = 0.0
    for path in sorted((directory / "data/realTweets").glob("*.csv")):
        counts = Counter[int]()
        with path.open(encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                counts[int(datetime.fromisoformat(row["timestamp"] + "+00:00").timestamp()) // 3600] += int(
                    float(row["value"])
                )
        spans = [
            [int(datetime.fromisoformat(t[:19] + "+00:00").timestamp()) // 3600 for t in span]
            for span in windows[f"realTweets/{path.name}"]
        ]
        found = find_bursts(sorted((h, n) for h, n in counts.items() if n))
        labelled += len(spans)
        hits += sum(any(_touches(burst, *span) for burst in found) for span in spans)
        false += sum(not any(_touches(burst, *span) for span in spans) for burst in found)
        days += (max(counts) - min(counts)) / 24
    yield "NAB tweets: recall", hits / labelled, "≥ 0.84"
    yield "NAB tweets: false bursts a series-day", false / days, "≤ 0.08"


def _touches(burst: Burst, begin: int, end: int) -> bool:
    return burst.hour <= end and burst.hour + burst.hours > begin


def main() -> None:
    """Print a table."""
    parts: list[Iterable[Figure]] = [bursts(), trends(), forecasts(), rhythms()]
    if directory := os.environ.get("NAB"):
        parts.append(nab(Path(directory)))
    for part in parts:
        for what, figure, aim in part:
            print(f"{what:62} {figure:8.3f} {aim:>8}")
        print()


if __name__ == "__main__":
    main()
