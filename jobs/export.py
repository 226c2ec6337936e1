"""`stylemill export`: pictures of a table as files that other programs open."""

import importlib.util
import shlex
from collections.abc import Sequence
from dataclasses import fields
from typing import ClassVar

import numpy as np
import tyro
from pydantic import Field, model_validator

import schemas
from jobs.choice import LabelledChoice, beside, numbers_of, top_of
from jobs.command_line import flag_of
from jobs.dataset_cards import README, card_beside, write_card_of_tables
from jobs.flags import Names, flags_of, parse, say
from jobs.launch import launch
from jobs.locations import absolute
from jobs.options import RunFlags
from jobs.plan import plan
from jobs.resolve import resolve
from pipeline.engine.job import Job
from pipeline.engine.layout import cut_chosen
from pipeline.engine.workers import GB, Load
from pipeline.errors import SpecError
from pipeline.exports import FORMATS, Format, slider
from pipeline.stages.choice import by_number
from pipeline.stages.export import ExportStage, Shown, csv_of
from pipeline.stages.joined import open_labels
from pipeline.stages.pictured import Pictured, open_pictured
from pipeline.stages.side_by_side import SideBySide, faces_of, side_by_side
from pipeline.tables import Table, store

STEP = "step"
CARD = "card"
"""The one format that writes no picture."""
OF_FORMATS = ("columns", "size", "seconds")
"""Flags that some formats take."""
NO_NETWORK = "no network is used, and this flag decides nothing: leave it out"
COPYING = Load(0.5 * GB, 0, 500, threads=False)
SHARD_BYTES = 128e6
"""Of the pictures of a shard, at most, about: a worker has them in memory, twice where they go into one file."""
FACES_PER_SHARD = 1024
"""At most; and at least a sixteenth of that, where there are so many."""


class ExportSpec(LabelledChoice, RunFlags):
    """Write the pictures of a complete table as files. DIR/metadata.csv has a line for each picture: its file and the
    labels of its face or, of an edit, its scores, strength and request. --where and --top can name any of its columns.

    Example: stylemill export out/faces --format files --where "smile > 1 and old < 0" --out out/smiles
    """

    VERB = "export"
    NOT_TAKEN: ClassVar = {
        **dict.fromkeys(("batch_size", "threads", "device", "backend", "precision", "gpus_per_worker"), NO_NETWORK),
        "retry_rejected": "a picture that cannot be read stays so: make its table again, then export with --replace",
    }

    tables: tyro.conf.Positional[tuple[str, ...]] = Field(
        min_length=1,
        description="The directory of a job that kept pictures, or a table of pictures; of a slider one or several, "
        "edits of the same faces by different methods.",
        json_schema_extra={"metavar": "DIR"},
    )
    format: str = Field(
        description=f"Format: {'; '.join(f'{kind.name}, {kind.about}' for kind in FORMATS.values())}; card, only "
        "README.md, for all tables of DIR as they are."
    )
    columns: int | None = Field(None, gt=0, le=64, description="Faces in a row of a sheet. Default: 8.")
    size: int | None = Field(
        None,
        ge=16,
        le=4096,
        description="Pixels of a side of a picture of a sheet (default: 160), or in an animation or a slider (default: "
        "as kept; of a slider less, where its page would be too large).",
    )
    names: Names = Field(
        (),
        description="Of a slider the name of each DIR's method; DIRs of one name are one method. Default: the editors.",
    )
    seconds: float | None = Field(
        None, gt=0, le=600, description="How long an animation takes from one end of an edit to the other. Default: 2."
    )

    @model_validator(mode="after")
    def _known_format(self) -> "ExportSpec":
        if self.format not in (*FORMATS, CARD):
            raise ValueError(f"--format {self.format}: choose from {', '.join(FORMATS)}, {CARD}")
        if self.format == CARD and (self.chooses or self.labels or any(getattr(self, name) for name in OF_FORMATS)):
            raise ValueError("a card is of whole tables: leave out the flags of rows and pictures")
        several = self.format in FORMATS and FORMATS[self.format].several
        if len(self.tables) > 1 and not several:
            raise ValueError(f"{self.tables[1]}: --format {self.format} is of one directory")
        for flag, given in (("--names", self.names and not several), ("--top", self.top and several)):
            if given:
                raise ValueError(f"{flag}: --format {self.format} does not take this flag: leave it out")
        if self.names and len(self.names) != len(self.tables):
            raise ValueError(f"--names: give a name for each of the {len(self.tables)} directories")
        return self

    def opened(self) -> Format:
        """The format with its flags. Raises SpecError where it does not take a flag, or lacks its package."""
        kind = FORMATS[self.format]
        given = {name: value for name in OF_FORMATS if (value := getattr(self, name)) is not None}
        if odd := given.keys() - {field.name for field in fields(kind)}:
            raise SpecError(f"{flag_of(min(odd))}: --format {self.format} does not take this flag: leave it out")
        if kind.needs and importlib.util.find_spec(kind.needs[0]) is None:
            package, extra = kind.needs
            raise SpecError(f"--format {self.format} needs {package}: pip install -e '.[{extra}]'")
        return kind(**given)


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    spec = parse(ExportSpec, argv)
    if spec.format == CARD and spec.dry_run:
        say(f"Plan  {spec.VERB} -> {store.join(spec.out, README)}")
        return 0
    if spec.format == CARD:
        print(write_card_of_tables(absolute(spec.tables[0]), spec.out, spec.replace))
        return 0
    return launch(*plan_export(spec), spec)


def plan_export(spec: ExportSpec) -> tuple[Job, int | None]:
    """The job, and how many workers.

    Raises:
        SpecError: there are no pictures, or none that is chosen; labels are of other faces; an expression is not valid.
        StoreError: a table is not there, or not complete.
    """
    format_, pictured = spec.opened(), _chosen(spec)
    index = np.unique(schemas.to_numpy(pictured.rows["index"]))
    face_bytes = sum(map(_face_bytes, pictured.tables))
    most = min(FACES_PER_SHARD, max(1, int(SHARD_BYTES / max(1.0, face_bytes))))
    spec = spec.model_copy(update={"device": "cpu", "batch_size": format_.faces_in_a_file})
    runtime, rows_per_shard, workers = resolve(
        spec, spec.VERB, None, len(index), load=COPYING, fewest=min(most, FACES_PER_SHARD // 16),
        most={"cpu": most},
    )  # fmt: skip
    layout, present = cut_chosen(index, rows_per_shard, 1)
    facts = {
        "format": format_.name,
        **{field.name: getattr(format_, field.name) for field in fields(format_)},
        "device": runtime.device,
        **pictured.choice,
        **layout.facts,
    }
    job = plan(
        spec, ExportStage(pictured, format_), layout, facts, digests=pictured.digests, present=present,
        folders=(format_.folder,),
        derived=[csv_of(spec.out, pictured), card_beside(spec.out, format_, pictured, _command(spec))],
    )  # fmt: skip
    return job, workers


def _command(spec: ExportSpec) -> str:
    """What decides what is exported, as it could be pasted: without --out, and how it was run."""
    left = {name: field.default for name, field in RunFlags.model_fields.items() if name != "out"}
    words = flags_of(spec.model_copy(update=left))
    return shlex.join(["stylemill", spec.VERB, *(word for word in words if not word.startswith("--out="))])


def _face_bytes(table: Table) -> float:
    """Of the pictures of a face, about."""
    records = table.records()
    return sum(record.bytes for record in records) / max(1, sum(record.planned_rows for record in records))


def _chosen(spec: ExportSpec) -> Shown:
    parts = [_opened(spec, url) for url in spec.tables]
    if spec.index:
        there = np.unique(np.concatenate([faces_of(part) for part in parts]))
        wanted = by_number(there, numbers_of(spec.index, there), ", ".join(part.table.url for part in parts))
        parts = [part.of_faces(wanted) for part in parts]
    if spec.where is not None or spec.top:
        parts = [part.only(spec.where, top_of(spec)) if len(faces_of(part)) else part for part in parts]
    return _beside_each_other(spec, parts) if FORMATS[spec.format].several else parts[0]


def _opened(spec: ExportSpec, url: str) -> Pictured:
    pictured = open_pictured(absolute(url))
    labels = [open_labels(url) for url in spec.labels]
    if not labels and pictured.edits is None and pictured.schema.name == "images":
        labels = beside([pictured.table.url])
    pictured = pictured.with_labels(labels)
    if not pictured.all_rows.num_rows:
        raise SpecError(f"{pictured.table.url} has no picture")
    if FORMATS[spec.format].of_edits and STEP not in pictured.key:
        raise SpecError(f"--format {spec.format} shows edits, and {pictured.table.url} has one picture of each face")
    return pictured


def _beside_each_other(spec: ExportSpec, parts: Sequence[Pictured]) -> SideBySide:
    found = side_by_side(parts, spec.names)
    edited = len({face for part in parts for face in faces_of(part).tolist()})
    _, pictures = np.unique(found.rows["index"].to_numpy(), return_counts=True)
    if len(pictures) < edited:
        say(f"Note  {edited - len(pictures):,} of {edited:,} faces are left out, which not all methods have edited")
    slider.check(pictures.tolist(), spec.size)
    return found
