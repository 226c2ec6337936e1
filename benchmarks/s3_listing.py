"""Listing one directory of S3: our reader of pages beside s3fs's own listing and `pyarrow.fs`.

    python -m benchmarks.s3_listing --keys 10000 100000

S3 is moto's server with the pages of `s3_pages.py`, on the same processor. The ways take turns, each with its best of
`rounds`; each must find the same names and sizes. Processor seconds are those of this process, all its threads.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

import tyro

from benchmarks.machine import header
from benchmarks.s3_server import s3_server
from pipeline.tables import store

RESULTS = Path(__file__).parent / "results"
FILL = """
from benchmarks.s3_pages import Pages
from moto.s3.models import s3_backends
backend = s3_backends["123456789012"]["aws"]
faces = backend.create_bucket("faces", "us-east-1")
for shard in range({keys}):
    backend.put_object("faces", f"set/part-{{shard:06d}}-of-{keys:06d}.parquet", b"x" * (shard % 7))
app = Pages(app, faces)
"""
URL = "s3://faces/set"
Listing = dict[str, int]


def ours() -> Listing:
    return store.list_names(URL)


def by_s3fs() -> Listing:
    fs, path = store.resolve(URL)
    return {entry["name"].rsplit("/", 1)[-1]: entry["size"] for entry in fs.ls(path, detail=True)}


def by_s3fs_find() -> Listing:
    fs, path = store.resolve(URL)
    return {name.rsplit("/", 1)[-1]: entry["size"] for name, entry in fs.find(path, detail=True).items()}


def by_pyarrow() -> Listing:
    from pyarrow.fs import FileSelector, S3FileSystem

    fs = S3FileSystem(
        access_key=os.environ["AWS_ACCESS_KEY_ID"],
        secret_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        region=os.environ["AWS_DEFAULT_REGION"],
        endpoint_override=os.environ["AWS_ENDPOINT_URL"].removeprefix("http://"),
        scheme="http",
    )
    found = fs.get_file_info(FileSelector(URL.removeprefix("s3://"), recursive=True))
    return {info.base_name: info.size for info in found}


WAYS: dict[str, Callable[[], Listing]] = {
    "ours (`pipeline/tables/s3_listing.py`)": ours,
    "`s3fs.ls`": by_s3fs,
    "`s3fs.find`": by_s3fs_find,
    "`pyarrow.fs`, recursive": by_pyarrow,
}


def measure(keys: int, rounds: int) -> list[str]:
    """Lines of the table. Raises RuntimeError where two ways differ."""
    wanted = {f"part-{shard:06d}-of-{keys:06d}.parquet": shard % 7 for shard in range(keys)}
    best = {name: (float("inf"), float("inf")) for name in WAYS}
    with s3_server("faces", setup=FILL.format(keys=keys)):
        ours()  # connects
        for _ in range(rounds):
            for name, way in WAYS.items():
                begun, processor = time.perf_counter(), time.process_time()
                found = way()
                took = time.perf_counter() - begun, time.process_time() - processor
                if found != wanted:
                    raise RuntimeError(f"{name} found {len(found)} names of {keys}, or other sizes")
                best[name] = min(best[name][0], took[0]), min(best[name][1], took[1])
    s, cpu = next(iter(best.values()))
    return [
        f"| {keys:,} | {name} | {seconds:.2f} | {processor:.2f} | {seconds / s:.1f} | {processor / cpu:.1f} |"
        for name, (seconds, processor) in best.items()
    ]


def main(keys: tuple[int, ...] = (10_000, 100_000), rounds: int = 3) -> None:
    """Measure, print and keep the table.

    Args:
        keys: files in the directory.
        rounds: times that each way lists it.
    """
    text = "# Listing a directory of S3 (moto's server)\n\n"
    text += header("python -m benchmarks.s3_listing", f"--keys {' '.join(map(str, keys))} --rounds {rounds}")
    text += "| files | by | s | s of the processor | s, beside ours | processor, beside ours |\n"
    text += "| ---: | --- | ---: | ---: | ---: | ---: |\n"
    for count in keys:
        text += "".join(f"{line}\n" for line in measure(count, rounds))
    print(text, end="")
    (RESULTS / "s3-listing.md").write_text(text)


if __name__ == "__main__":
    tyro.cli(main)
