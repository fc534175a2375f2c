"""Repeat ``hayasa measure``, alone and beside a process that loads the memory.

``python -m lab.measure_repeat --output FILE`` writes one row per run and check.  It shows
whether the ratios that `hayasa.measure.checks` calls safe are safe.
"""

import argparse
import csv
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from hayasa import measure

COLUMNS = ("run", "loaded", "measured_on", "check", "value", "low", "high", "holds")

# Reads 256 MB over and over: the neighbour that hurts a bandwidth measurement most.
NEIGHBOUR = "import numpy as np\nx = np.ones(2**25)\nwhile True: np.dot(x, x)"


@contextmanager
def neighbour(wanted: bool) -> Iterator[None]:
    """Keep a process running that reads memory as fast as it can."""
    if not wanted:
        yield
        return
    process = subprocess.Popen([sys.executable, "-c", NEIGHBOUR])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def rows(runs: int) -> Iterator[dict[str, object]]:
    """Run alone and loaded in turns, and yield one row per check."""
    for run in range(1, runs + 1):
        for loaded in (False, True):
            with neighbour(loaded):
                record = measure.run()
            for check in measure.checks(record):
                yield {
                    "run": run,
                    "loaded": int(loaded),
                    "measured_on": record.measured_on,
                    "check": check.name,
                    "value": f"{check.value:.4g}",
                    "low": f"{check.low:g}",
                    "high": f"{check.high:g}",
                    "holds": int(check.holds),
                }


def main() -> int:
    """Write the table and say how many checks failed."""
    parser = argparse.ArgumentParser(
        prog="python -m lab.measure_repeat",
        description="hayasa measure を、単独と、メモリを使う別のプロセスの横とで繰り返します。",
    )
    parser.add_argument("--runs", type=int, default=10, help="繰り返す回数（既定: 10）")
    parser.add_argument("--output", required=True, help="書き出す CSV")
    options = parser.parse_args()
    failed = 0
    with open(options.output, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for row in rows(options.runs):
            writer.writerow(row)
            file.flush()
            failed += not row["holds"]
    print(f"{options.runs} 回ずつ測り、範囲を外れた比は {failed} 個でした。")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
