"""The main job on the tiny networks, in-process: seconds, no download."""

from pathlib import Path

from jobs.__main__ import main
from pipeline.tables import Table

TINY = ["--generator", "stylegan2-tiny", "--classifiers", "tiny", "--size", "32", "--local", "--backend", "eager"]
TINY += ["--threads", "1", "--batch-size", "4"]


def dataset(out, *words: str) -> int:
    return main(["dataset", *TINY, "--out", str(out), *words])


def tables(out) -> dict[str, bytes]:
    """Every part below a directory, rejects too."""
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(Path(out).rglob("*.parquet"))}


def rows(out, table: str) -> list[dict]:
    return Table.open(f"{out}/{table}").read().to_pylist()
