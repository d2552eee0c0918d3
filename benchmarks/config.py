"""The shipped configuration: check and apply beside plain safe_load and dictConfig."""

import statistics
import subprocess
import sys
from pathlib import Path

RUNS = 11
SHIPPED = Path("logging.yaml").resolve()
SET_UP = """
import logging, os, sys, tempfile, time
os.chdir(tempfile.mkdtemp())
path = sys.argv[1]
"""
PLAIN = """
import logging.config, yaml
def change():
    with open(path) as file:
        logging.config.dictConfig(yaml.safe_load(file))
"""
OURS = """
from visigate_logging.config.apply import configure
def change():
    configure(path)
"""
CHECK = """
from visigate_logging.config.check import check
from visigate_logging.config.load import read
def change():
    check(read(path))
"""
MEASURE = """
begun = time.perf_counter()
{code}
change()
first = time.perf_counter() - begun
begun = time.perf_counter()
for _ in range(20):
    change()
print(first * 1000, (time.perf_counter() - begun) * 50)
"""
CASES = {"yaml.safe_load, dictConfig": PLAIN, "configure": OURS, "all that visigate-errors check does": CHECK}


def main() -> None:
    """Print the table."""
    print(f"{'median of ' + str(RUNS) + ' processes':40} {'first ms':>10} {'again ms':>10}")
    for name, code in CASES.items():
        command = [sys.executable, "-c", SET_UP + MEASURE.format(code=code), str(SHIPPED)]
        runs = []
        for _ in range(RUNS):
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            runs.append([float(x) for x in done.stdout.split()])
        first, again = (statistics.median(column) for column in zip(*runs, strict=True))
        print(f"{name:40} {first:10.1f} {again:10.1f}")


if __name__ == "__main__":
    main()
