"""Importing the package: time and memory beside what it stands on."""

import statistics
import subprocess
import sys

RUNS = 11
BASE = "import logging.handlers, yaml, pythonjsonlogger.orjson"
CASES = {
    "python alone": "pass",
    BASE: BASE,
    "import visigate_logging": "import visigate_logging",
    "… and JsonFileHandler, Classifier, DetailFormatter": (
        "from visigate_logging import JsonFileHandler, Classifier, DetailFormatter"
    ),
    "… and all that the shipped logging.yaml names": (
        "import logging.config, yaml, os, tempfile; source = open('logging.yaml').read(); "
        "os.chdir(tempfile.mkdtemp()); logging.config.dictConfig(yaml.safe_load(source))"
    ),
}
MEASURE = """
import resource, sys, time
started = time.perf_counter()
{code}
taken = time.perf_counter() - started
unit = 1 if sys.platform == "darwin" else 1024
print(taken * 1000, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6)
"""


def main() -> None:
    """Print the table."""
    print(f"{'median of ' + str(RUNS) + ' processes':58} {'ms':>8} {'MB in all':>10}")
    for name, code in CASES.items():
        runs = []
        for _ in range(RUNS):
            done = subprocess.run(
                [sys.executable, "-c", MEASURE.format(code=code)], capture_output=True, text=True, check=True
            )
            runs.append([float(x) for x in done.stdout.split()])
        milliseconds, memory = (statistics.median(column) for column in zip(*runs, strict=True))
        print(f"{name:58} {milliseconds:8.1f} {memory:10.1f}")


if __name__ == "__main__":
    main()
