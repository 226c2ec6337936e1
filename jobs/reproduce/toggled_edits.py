"""Faces that are edited to the side of an attribute where the judge does not see them, by any editor; a shard each, so
that each has numbers of its own.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from jobs.edit.spec import EditSpec
from jobs.measure import MeasureSpec
from jobs.reproduce.study import StudySpec, edit_spec, step
from pipeline.metrics.of_faces import BY_NAME, NUMBERS
from pipeline.models.classifiers import attributes_of
from pipeline.report.face_numbers import of_faces
from pipeline.report.toggles import Toggles, read
from pipeline.tables import Table, store

PICTURE = 256
"""Pixels of a side."""
WAYS = {True: "up", False: "down"}
"""By whether the faces are to have the attribute, the end of a folder's name."""


@dataclass(frozen=True)
class ToggledFaces:
    """The first `rows` of a latents table, on which side of each attribute the judge sees them, and how pictures are
    made of them.

    latents, labels: tables, the labels the judge's. size: of the pictures that are kept.
    """

    spec: StudySpec
    latents: str
    labels: str
    rows: int
    size: int

    def sides(self, attribute: str) -> dict[bool, list[int]]:
        """The rows that are to have the attribute, since the judge does not see it, and those that are to lose it;
        a side without a row is left out. Raises StoreError.
        """
        labels = Table.open(self.labels).read(columns=["index", attribute]).to_pandas().set_index("index")[attribute]
        labels = labels[labels.index < self.rows]
        found = {True: labels.index[labels <= 0].tolist(), False: labels.index[labels > 0].tolist()}
        return {to: rows for to, rows in found.items() if rows}

    def edit(
        self, editor: str, attribute: str, out: str, strengths: Mapping[bool, Mapping[str, Any]], **flags: Any
    ) -> list[tuple[str, bool]]:
        """Edit them, and where: folders OUT-up and OUT-down, each with whether its faces are to have the attribute.

        strengths: by that, the flags that say how far, as {"alphas": (1.0,)}. flags: of the editor, besides.
        """
        found = []
        for to in self.sides(attribute):
            where = f"{attribute} {'<=' if to else '>'} 0"
            url = f"{out}-{WAYS[to]}"
            step(self.spec_of(editor, (attribute,), url, where=where, labels=(self.labels,), **strengths[to], **flags),
                 "--judge or the flags of the run")  # fmt: skip
            found.append((url, to))
        return found

    def spec_of(self, editor: str, attributes: Sequence[str], out: str, **flags: Any) -> EditSpec:
        """Edits of these faces with the scores of both families and pictures, a shard a face."""
        return edit_spec(
            editor, **{
                "latents": (self.latents,), "index": (f"0:{self.rows}",), "attribute": tuple(attributes),
                "scores": "both", "scored": attributes_of(self.spec.judge), "judge": self.spec.judge,
                "classifiers": self.spec.classifiers, "images": "webp", "size": self.size, "keep": "all",
                **self.spec.scoring, "batch_size": 1, "rows_per_shard": 1, "out": out, **flags,
            },
        )  # fmt: skip


def measure_spec(
    spec: StudySpec, folders: Sequence[str], metrics: Sequence[str], name: str = "measured"
) -> MeasureSpec:
    """What measures these folders of edits, a face at a time. Raises ValidationError where there is no such metric."""
    return MeasureSpec(
        edits=tuple(store.join(folder, "edits") for folder in folders), families=spec.judge,
        measured=attributes_of(spec.judge), metrics=tuple(metrics), out=spec.url(name),
        **{**spec.scoring, "batch_size": 1},
    )  # fmt: skip


def measured(spec: MeasureSpec) -> pd.DataFrame:
    """Its numbers by face, as `of_faces`. Raises StoreError."""
    return of_faces(spec.out, spec.edits, [BY_NAME[name].table for name in spec.metrics])


def read_toggles(
    attribute: str, folders: Sequence[tuple[str, bool]], values: pd.DataFrame,
    unseen: Mapping[str, Collection[int]] | None = None, metrics: Sequence[str] = (),
) -> Toggles:  # fmt: skip
    """Both ways together; unseen: by metric, faces in whose source it finds no face. metrics: whose numbers are there
    even where no face was edited. Raises StoreError.
    """
    names = [measured or metric for metric in metrics for measured in BY_NAME[metric].measures]
    return read(attribute, folders, values, NUMBERS, unseen, names)
