"""Pictures of a table as files (pipeline/exports), with a table of what is in which file, and the same as CSV."""

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

import schemas
from pipeline.engine.derived import DerivedFile
from pipeline.engine.stage import Batch, Reject, Task
from pipeline.exports import Exported, Format, Picture, Undecodable
from pipeline.exports.format import CSV
from pipeline.stages.pictured import Pictured
from pipeline.stages.side_by_side import SideBySide
from pipeline.tables import Table, store
from schemas import TableSchema

EXPORTED = "exported"
UNDECODABLE = "undecodable"
FILE_NAME = "file_name"
"""The column by which Hugging Face's loader of image folders finds a picture."""
MEMBER = "member"
BATCH_BYTES = 32e6
Shown: TypeAlias = Pictured | SideBySide
"""What a format shows."""


@dataclass(frozen=True, eq=False)
class ExportStage:
    """Write pictures in a format; a task is the pictures of some faces."""

    pictured: Shown
    format: Format
    name: str = field(default="export", init=False)
    version: int = field(default=1, init=False)

    @property
    def outputs(self) -> Mapping[str, TableSchema]:
        return {EXPORTED: schemas.exported(self.pictured.key)}

    def open(self) -> "ExportWorker":
        return ExportWorker(self)


class ExportWorker:
    """The stage at work; it has nothing to open."""

    def __init__(self, stage: ExportStage) -> None:
        self.stage = stage

    def run(self, task: Task) -> Iterator[Batch]:
        """Files by and by; faces with a picture that cannot be read are rejected."""
        begun = time.perf_counter()
        pictures, rejects = self._readable(task)
        waiting: list[Exported] = []
        for file in self.stage.format.files(pictures, task.shard):
            waiting.append(file)
            if sum(len(one.content) for one in waiting) >= BATCH_BYTES:
                yield self._batch(pictures, waiting, (), begun)
                waiting, begun = [], time.perf_counter()
        yield self._batch(pictures, waiting, rejects, begun)

    def _readable(self, task: Task) -> tuple[list[Picture], tuple[Reject, ...]]:
        key = self.stage.pictured.key
        rows, contents = self.stage.pictured.read(task.first, task.stop)
        pictures = [
            Picture(tuple(facts[name] for name in key), content, facts)
            for facts, content in zip(rows.to_pylist(), contents, strict=True)
        ]
        rejects: dict[int, Reject] = {}
        for picture in pictures:
            try:
                picture.check(self.stage.format.decodes)
            except Undecodable as error:
                numbers = ", ".join(f"{name} {number}" for name, number in zip(key, picture.key, strict=True))
                rejects.setdefault(picture.key[0], Reject(picture.key[0], UNDECODABLE, f"{numbers}: {error}"))
        return [picture for picture in pictures if picture.key[0] not in rejects], tuple(rejects.values())

    def _batch(
        self, pictures: Sequence[Picture], files: Sequence[Exported], rejects: tuple[Reject, ...], begun: float
    ) -> Batch:
        schema, folder = self.stage.outputs[EXPORTED], self.stage.format.folder
        made = {f"{folder}/{file.name}": file for file in files}
        rows = sorted((place, name, member) for name, file in made.items() for place, member in file.pictures.items())
        digests = {name: hashlib.sha256(file.content).hexdigest() for name, file in made.items()}
        columns: dict[str, list[Any]] = {
            name: [pictures[place].key[number] for place, *_ in rows] for number, name in enumerate(schema.key)
        }
        columns |= {"file": [name for _, name, _ in rows], "member": [member for *_, member in rows]}
        columns["bytes"] = [len(made[name].content) for _, name, _ in rows]
        columns["sha256"] = [digests[name] for _, name, _ in rows]
        contents = {name: file.content for name, file in made.items()}
        seconds = {"encode_seconds": time.perf_counter() - begun}
        return Batch({EXPORTED: schema.rows(columns)}, rejects, seconds, contents)


def described(out: str, pictured: Shown) -> pd.DataFrame:
    """What is known of each picture that was exported, with its file.

    Raises:
        StoreError: a table cannot be read.
    """
    key = list(pictured.key)
    files = Table.open(store.join(out, EXPORTED)).read([*key, "file", "member"]).to_pandas()
    rows = pictured.rows.to_pandas()
    for name in rows.columns[rows.dtypes == np.float64]:
        short = rows[name].astype(np.float32)
        if (short.isna() | (short == rows[name])).all():  # a score of a table, as it is there
            rows[name] = short
    found = files.rename(columns={"file": FILE_NAME}).merge(rows, on=key, how="left", validate="one_to_one")
    first = [FILE_NAME, *([MEMBER] if (files["member"] != "").any() else [])]
    return found[[*first, *key, *(name for name in rows.columns if name not in key)]]


def csv_of(out: str, pictured: Shown) -> DerivedFile:
    """DIR/metadata.csv: a line for each exported picture."""

    def content() -> bytes:
        text: str = described(out, pictured).to_csv(index=False)
        return text.encode(errors="backslashreplace")

    return DerivedFile(CSV, content, (EXPORTED,))
