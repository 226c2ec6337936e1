"""Exports of the tiny pictures, and what they wrote."""

import csv
from pathlib import Path

from tiny_jobs import rows

from jobs.__main__ import main


def export(pictures, out, *words, format="files") -> int:
    return main(["export", str(pictures), "--format", format, "--local", "--out", str(out), *words])


def lines(out) -> list[dict[str, str]]:
    with Path(out, "metadata.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def bytes_of(out, table="images") -> list[bytes]:
    return [row["image"]["bytes"] for row in rows(out, table)]
