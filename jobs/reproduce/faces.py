"""The faces of a study: labelled ones with directions fitted on them, and others labelled by the judge."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

import numpy as np
import tyro
from numpy.typing import NDArray
from pydantic import Field

from jobs.dataset import DatasetSpec
from jobs.directions.spec import FitSpec
from jobs.label import LabelSpec
from jobs.locations import absolute
from jobs.reproduce.cost import Passes
from jobs.reproduce.kept_labels import kept_labels
from jobs.reproduce.study import StudySpec, step
from jobs.sample import SampleSpec
from jobs.train.made_from import described
from pipeline.directions import Direction
from pipeline.directions.lookup import by_name
from pipeline.errors import SpecError
from pipeline.metrics import in_source_class
from pipeline.models import generators
from pipeline.models.classifiers.attributes import DEFAULT_ATTRIBUTES
from pipeline.models.codes import Codes, Space
from pipeline.models.generators import Generator
from pipeline.stages.codes import read_codes
from pipeline.stages.copied_latents import ROWS_PER_SHARD
from pipeline.stages.direction_rows import read_directions
from pipeline.tables import Table, store


class LabelledFlags(StudySpec):
    """Of studies whose labelled faces, and directions fitted on them, may be those of another one."""

    from_: Annotated[str | None, tyro.conf.arg(name="from")] = Field(
        None, description="A folder of `reproduce interfacegan` whose faces and directions are used."
    )
    labelled: int = Field(2000, ge=400, description="Without --from: faces to fit directions on.")

    @property
    def labelled_faces(self) -> "LabelledFaces":
        """Those of --from, or its own."""
        return LabelledFaces(self.out if self.from_ is None else absolute(self.from_))

    def check_from(self, attributes: Sequence[str], space: Space = "w", flags: str = "") -> None:
        """Look at --from before hours of computing.

        flags: of the study, in words, that name the attributes.

        Raises:
            SpecError: it is of another generator, was labelled by another family, has the faces that are to be edited,
                or lacks a direction.
            StoreError: it has no faces and directions, or they are not complete.
        """
        if self.from_ is None:
            return
        table = Table.open(self.labelled_faces.fitted(space))
        table.require_sealed()
        if lacking := set(attributes) - set(by_name(read_directions(table))):
            advice = f": change {flags}, or fit one there with stylemill directions fit" if flags else ""
            raise SpecError(f"--from: {table.url} has no direction of {', '.join(sorted(lacking))}{advice}")
        if (named := self.labelled_faces.asked("generator")) != self.generator:
            raise SpecError(f"--from: its faces are of {named}; pass --generator {named}")
        if (family := labelled_by(self.labelled_faces.labels)) not in (None, self.classifiers):
            raise SpecError(f"--from: its faces are labelled by {family}; pass --classifiers {family}")
        self.check_edited_are_others(described(Table.open(self.labelled_faces.latents)).seed, "--from")

    def check_edited_are_others(self, seed: int | None, flag: str) -> None:
        """Faces from which something was learned are not edited: theirs is not one of the seeds of the other faces.

        seed: theirs, of this generator. flag: of the study, that names them. Raises SpecError.
        """
        if seed in (self.seed + 1, self.seed + 2):
            raise SpecError(
                f"{flag}: its faces are of seed {seed}, which at --seed {self.seed} is a seed of the faces to be "
                f"edited: pass --seed {seed}, so that nothing was learned from these"
            )


class FacesFlags(LabelledFlags):
    """Of studies that edit faces which start in the source class: where these come from, and how many."""

    rows: int | None = Field(None, ge=4, description="Faces edited, of each pair. Default: 60; on a GPU 100.")
    others: int | None = Field(
        None,
        gt=0,
        description="Faces from which those are taken that start in the source class. Default: 3 x --rows, and 5 x "
        "where smile is edited, which most faces have.",
    )

    @property
    def each(self) -> int:
        """Faces edited, of each pair."""
        return self.rows or (100 if self.on_gpu else 60)

    def looked_at(self, primals: Sequence[str]) -> int:
        """Faces from which those are taken that start in the source class of each of these."""
        return self.others or enough(self.each, primals, 3, 5)


def enough(rows: int, primals: Sequence[str], usual: int, smiling: int) -> int:
    """Faces among which so many start in the source class; smile is seen in two faces of three."""
    return (smiling if "smile" in primals else usual) * rows


def labelled_by(labels: str) -> str | None:
    """The family whose labels a table holds; None where it does not say. Raises StoreError."""
    family = Table.open(labels).require_sealed()["facts"].get("spec", {}).get("classifiers")
    return family if isinstance(family, str) else None


@dataclass(frozen=True)
class LabelledFaces:
    """A folder with `faces` (latents, labels) and `fit-SPACE` (directions, grids), as `label_faces` makes it."""

    folder: str

    @property
    def latents(self) -> str:
        return store.join(self.folder, "faces", "latents")

    @property
    def labels(self) -> str:
        return store.join(self.folder, "faces", "labels")

    def fitted(self, space: str, table: str = "directions") -> str:
        """A table of what was fitted in a space."""
        return store.join(self.folder, f"fit-{space}", table)

    @cached_property
    def generator(self) -> Generator:
        return generators.load(self.asked("generator"), backend="eager")

    def asked(self, name: str) -> Any:
        """What the faces were asked to be. Raises StoreError where they are not complete."""
        return Table.open(self.latents).require_sealed()["facts"]["spec"][name]

    @cached_property
    def _codes(self) -> dict[Space, Codes]:
        return {}

    def codes(self, space: Space) -> Codes:
        """All of them."""
        if space not in self._codes:
            self._codes[space] = read_codes(Table.open(self.latents), space, self.generator)[1]
        return self._codes[space]

    def scores(self, attributes: Sequence[str]) -> dict[str, NDArray[np.float64]]:
        """Labels of all of them, by attribute."""
        labels = Table.open(self.labels).read(columns=list(attributes))
        return {name: labels[name].to_numpy().astype(np.float64) for name in attributes}

    def directions(self, space: str, attributes: Sequence[str]) -> dict[str, Direction]:
        """By name. Raises StoreError."""
        named = by_name(read_directions(Table.open(self.fitted(space))))
        return {name: named[name] for name in attributes}

    def unit(self, space: Space, attribute: str) -> float:
        """Standard deviation over the faces of the distance to an attribute's boundary."""
        return float(self.directions(space, [attribute])[attribute].distance(self.codes(space)).std())

    @property
    def said(self) -> str:
        """How many there are and whose labels they have, for a page. Raises StoreError."""
        kept = Table.open(self.labels).require_sealed()["facts"].get("kept_labels")
        made = f" (the labels are those of {kept['file']}, made by `{kept['command']}`)" if kept else ""
        return f"{self.asked('rows'):,} labelled{made}"


def label_faces(
    spec: StudySpec, rows: int, spaces: Sequence[Space], attributes: Sequence[str] = (),
    labelled: Sequence[str] = DEFAULT_ATTRIBUTES,
) -> LabelledFaces:  # fmt: skip
    """Make them, and fit a direction of each attribute (of all, where none is named) in each space.

    Their labels of the attributes `labelled` are those that the repository keeps, where it has them.
    """
    found = LabelledFaces(spec.out)
    if kept := kept_labels(spec, rows, labelled):
        sample(spec, "faces", rows, spec.seed)
        kept.write_table(found.labels, spec.classifiers, labelled, rows)
    else:
        make = DatasetSpec(
            generator=spec.generator, classifiers=(spec.classifiers,), attributes=tuple(labelled), rows=rows,
            seed=spec.seed, out=spec.url("faces"), **spec.scoring,
        )  # fmt: skip
        step(make, "--generator, --classifiers or the flags of the run")
    for space in spaces:
        fit(spec, found, space, tuple(attributes), spec.url(f"fit-{space}"))
    return found


def labelling_cost(spec: StudySpec, rows: int, labelled: Sequence[str] = DEFAULT_ATTRIBUTES) -> Passes:
    """Of `label_faces`: none where the labels are kept."""
    return Passes() if kept_labels(spec, rows, labelled) else Passes(rows)


def fit(
    spec: StudySpec, faces: LabelledFaces, space: Space, attributes: tuple[str, ...], out: str, first: int | None = None
) -> None:
    """Fit directions on labelled faces, or on the `first` of them."""
    index = () if first is None else (f"0:{first}",)
    fitted = FitSpec(
        latents=(faces.latents,), labels=(faces.labels,), attributes=attributes, space=space, index=index, out=out,
        local=spec.local,
    )  # fmt: skip
    step(fitted, "how many faces are labelled (more, and another --out)")


def fit_sparse(spec: StudySpec, faces: LabelledFaces, attributes: Sequence[str], advice: str) -> None:
    """Sparse directions in s, in OUT/fit-s. advice: flags of the study that decide them."""
    flags = {"penalty": "l1"}
    fitted = FitSpec(
        latents=(faces.latents,), labels=(faces.labels,), attributes=tuple(attributes), space="s",
        out=spec.url("fit-s"), local=spec.local, **flags,
    )  # fmt: skip
    step(fitted, advice)


def sample(spec: StudySpec, name: str, rows: int, seed: int, rows_per_shard: int | None = None) -> str:
    """Latents in the folder `name`; their url."""
    made = SampleSpec(
        generator=spec.generator, rows=rows, seed=seed, rows_per_shard=rows_per_shard, batch_size=rows_per_shard,
        out=spec.url(name), local=spec.local,
    )  # fmt: skip
    step(made, "--generator, or how many faces are made")
    return spec.url(name, "latents")


def judge_others(
    spec: StudySpec, name: str, rows: int, seed: int, primals: Sequence[str], more: Sequence[str] = (),
    labelled: Sequence[str] = DEFAULT_ATTRIBUTES,
) -> dict[str, list[int]]:  # fmt: skip
    """Sample other faces in the folder `name`, and label them by the judge in `name`-judged, and by `more` families in
    the same pass, each by those of the attributes `labelled` that it sees: of each attribute that is to be edited, the
    rows that lack it, and so start in the source class.
    """
    latents, out = sample(spec, name, rows, seed, ROWS_PER_SHARD), spec.url(f"{name}-judged")
    label = LabelSpec(
        latents=(latents,), classifiers=(spec.judge, *more), attributes=tuple(labelled), out=out, **spec.scoring
    )
    step(label, "--classifiers, --judge or the flags of the run")
    labels = Table.open(store.join(out, "labels")).read(columns=["index", *primals])
    index = labels["index"].to_numpy()
    return {primal: index[in_source_class(labels[primal].to_numpy(), 1)].tolist() for primal in primals}


def other_faces(spec: FacesFlags, primals: Sequence[str]) -> None:
    """Faces in `others`, as the judge and the family that edits see them in `others-judged`.

    Raises:
        SpecError: fewer than are to be edited start without one of these attributes.
    """
    there = spec.looked_at(primals)
    lacking = judge_others(spec, "others", there, spec.seed + 1, primals, [spec.classifiers])
    for primal, rows in lacking.items():
        if len(rows) < spec.each:
            raise SpecError(
                f"{len(rows):,} of {there:,} other faces start without {primal}, fewer than --rows {spec.each}: "
                f"pass --rows {len(rows)} --others {there}, or more --others and another --out"
            )


def faces_that_lack(spec: FacesFlags, primals: Sequence[str]) -> dict[str, list[int]]:
    """Of other faces, by attribute the first ones in which neither the judge nor the family that edits sees it.

    Raises:
        SpecError: they are fewer than are to be edited.
    """
    there = spec.looked_at(primals)
    judged = judge_others(spec, "others", there, spec.seed + 1, primals, [spec.classifiers])
    labels = Table.open(spec.url("others-judged", f"labels_{spec.classifiers}")).read().to_pandas().set_index("index")
    found = {}
    for attribute, rows in judged.items():
        lacking = [row for row in rows if row in labels.index and labels[attribute][row] <= 0]
        if len(lacking) < spec.each:
            raise SpecError(
                f"{len(lacking):,} of {there:,} other faces lack {attribute}, fewer than --rows {spec.each}: pass "
                f"--rows {len(lacking)} --others {there}, or more --others and another --out"
            )
        found[attribute] = lacking[: spec.each]
    return found
