"""The main job of two checkouts, alternated: rows labelled and kept a second, start-up left out.

    python -m benchmarks.main_job --before ../old --rounds 3 --rows 160

Both run `stylemill dataset` of the same rows with their own code, in this environment, with as many workers as there
are by default. The order turns round with each round, so that a machine that slows down slows both.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import tyro

from benchmarks.machine import header

RESULTS = Path(__file__).parent / "results" / "main-job.md"
HERE = Path(__file__).parents[1]


def rate(checkout: Path, rows: int, seed: int) -> float:
    """Rows a second of the job by the code of a checkout, on a fresh output."""
    out = tempfile.mkdtemp()
    words = ["--rows", str(rows), "--seed", str(seed), "--images", "jpeg", "--size", "512", "--out", out]
    program = f"import sys; sys.path.insert(0, {str(checkout)!r}); from jobs.__main__ import main; sys.exit(main())"
    try:
        command = [sys.executable, "-P", "-c", program, "dataset", *words]
        ran = subprocess.run(
            command, check=False, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(checkout)}
        )
        if ran.returncode:
            raise SystemExit(f"the job of {checkout} ended with {ran.returncode}: {ran.stderr[-2000:]}")
        summary = json.loads((Path(out) / ".stylemill/dataset/summary.json").read_text())
    finally:
        shutil.rmtree(out)
    return rows / (summary["seconds"] - summary["startup_seconds"])


def commit(checkout: Path) -> str:
    words = ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def main(before: Path, rounds: int = 3, rows: int = 160, seed: int = 3) -> None:
    """Measure, print and keep the table.

    Args:
        before: a checkout of an earlier commit.
        rounds: jobs of each.
        rows: of a job.
        seed: of the rows.
    """
    checkouts = [before.resolve(), HERE]
    rates = defaultdict[str, list[float]](list)
    for number in range(rounds):
        for checkout in checkouts if number % 2 == 0 else checkouts[::-1]:
            rates[commit(checkout)].append(rate(checkout, rows, seed))
            print(commit(checkout), f"{rates[commit(checkout)][-1]:.2f} rows/s", file=sys.stderr)
    first = statistics.median(rates[commit(before)])
    lines = ["| commit | rows/s of each round | median | beside the first |", "| --- | --- | ---: | ---: |"]
    for name, each in rates.items():
        middle = statistics.median(each)
        lines.append(f"| {name} | {', '.join(f'{one:.2f}' for one in each)} | {middle:.2f} | {middle / first:.2f} |")
    about = f"--before CHECKOUT --rounds {rounds} --rows {rows}"
    text = "# The main job, beside an earlier commit\n\n" + header("python -m benchmarks.main_job", about)
    text += "\n".join(lines) + "\n"
    print(text)
    RESULTS.write_text(text)


if __name__ == "__main__":
    tyro.cli(main)
