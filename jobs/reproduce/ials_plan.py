"""What can be asked of `stylemill reproduce ials`, and what follows from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import tyro
from pydantic import Field, model_validator

from jobs.dt.spec import FEW, LEVEL, PAIRS, STUDIED, Cell, Pair
from jobs.flags import Names, Spec
from jobs.places import absolute
from jobs.reproduce.cost import on_gpu
from jobs.reproduce.dt_runs import DtRun
from jobs.reproduce.step_size import StepSize
from pipeline.directions.lookup import by_name
from pipeline.errors import SpecError
from pipeline.models.classifiers import ATTRIBUTES
from pipeline.models.randomness import MAX_SEED
from pipeline.stages.direction_rows import read_directions
from pipeline.tables import Table, store

CHOICE: Cell = (0.75, 0.0)
"""The paper's."""
ON_CPU = ("male:smile", "old:eyeglasses")
PAPER = StepSize(0.1, 20)


class IalsSpec(Spec):
    """Choose step sizes, count DT curves, leave parts of the method out, make strips, and put the paper beside it.

    Example: stylemill reproduce ials --from out/interfacegan --rows 60 --out out/ials
    """

    VERB = "reproduce ials"

    out: str = Field(description="Directory: tables, one folder a step, and report.html.")
    from_: Annotated[str | None, tyro.conf.arg(name="from")] = Field(
        None, description="A folder of `reproduce interfacegan`: its faces and directions are taken, not made anew."
    )
    labelled: int = Field(2000, ge=400, description="Without --from: faces to fit directions on.")
    rows: int | None = Field(None, ge=4, description="Faces edited, of each pair. Default: 60; on a GPU 100.")
    others: int | None = Field(
        None,
        gt=0,
        description="Faces from which those are taken that start in the source class. Default: 3 x --rows, and 5 x "
        "where smile is edited, which most faces have.",
    )
    trial: int = Field(64, ge=4, description="Still other faces of each pair, to choose its step size on.")
    trial_faces: int | None = Field(
        None, gt=0, description="Faces from which those are taken. Default: 3 x --trial, and 4 x where smile is edited."
    )
    pairs: Names = Field(
        (), description=f"PRIMAL:CONDITION,... Default: {','.join(ON_CPU)}; on a GPU all 12 of four attributes."
    )
    lambdas: Names = Field((), description=f"LAMBDA1:LAMBDA2,... Default: {','.join(FEW)}; on a GPU --grid 0.25.")
    grid: float | None = Field(
        None, gt=0, le=1, description="In place of --lambdas: all cells of lambdas 0, GRID, ... 1."
    )
    steps: int | None = Field(None, ge=2, description=f"Of each edit. Default: 10; on a GPU {PAPER.steps}.")
    step_size: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="Of all pairs. Default: each has its own, chosen on --trial faces."
    )
    paper_steps: bool = Field(
        False,
        description=f"Curves of the paper's {PAPER.steps} steps of {PAPER.length:g} of all cells and --rows, as always "
        "on a GPU; else they are of 1:1 and 0.75:0, and of --ablated faces.",
    )
    ablated: int = Field(32, ge=4, description="How many of a pair's faces, at most, to edit with parts left out.")
    gradient_faces: int = Field(64, gt=0, description="Labelled faces whose gradients are averaged to directions.")
    pictured: Names = Field((), description="Pairs to make strips of. Default: those of a CPU, or else the first two.")
    seed: int = Field(1, ge=0, le=MAX_SEED - 2, description="Of the labelled faces; the others have the next two.")
    generator: str = Field("mobilestylegan-ffhq", description="A generator by name.")
    classifiers: str = Field("faces", description="The family that labels, and whose gradients are followed.")
    judge: str = Field("judge", description="The family that measures.")
    flags: Names = Field((), description="Words added to each job that makes pictures, as in --local,--threads,2.")
    dry_run: bool = Field(False, description="Say how many passes through the generator and hours it is, and stop.")

    @model_validator(mode="after")
    def _agrees(self) -> "IalsSpec":
        if self.lambdas and self.grid is not None:
            raise ValueError("give --lambdas or --grid, one of the two")
        if unknown := [name for word in self.pairs for name in word.split(":") if name not in ATTRIBUTES]:
            raise ValueError(f"--pairs: unknown attribute {unknown[0]!r}: the classifiers know {', '.join(ATTRIBUTES)}")
        return self


@dataclass(frozen=True)
class Plan:
    """A spec with its open choices made for this machine. `dt` makes the words of a run of one pair."""

    spec: IalsSpec

    @cached_property
    def out(self) -> str:
        return absolute(self.spec.out)

    @cached_property
    def on_gpu(self) -> bool:
        """Whether the jobs that make pictures run on one."""
        return on_gpu(self.spec.flags)

    @property
    def pairs(self) -> tuple[str, ...]:
        """As words."""
        return self.spec.pairs or (PAIRS if self.on_gpu else ON_CPU)

    @property
    def pictured(self) -> tuple[str, ...]:
        """Those of them of which strips are made."""
        return self.spec.pictured or tuple(pair for pair in ON_CPU if pair in self.pairs) or self.pairs[:2]

    @property
    def attributes(self) -> tuple[str, ...]:
        """Of all pairs."""
        return tuple(dict.fromkeys(name for pair in self.pairs for name in as_pair(pair)))

    @property
    def rows(self) -> int:
        return self.spec.rows or (100 if self.on_gpu else 60)

    @property
    def others(self) -> int:
        return self.spec.others or (5 if self._of_smile else 3) * self.rows

    @property
    def trial_faces(self) -> int:
        return self.spec.trial_faces or (4 if self._of_smile else 3) * self.spec.trial

    @property
    def _of_smile(self) -> bool:
        """Whether it is edited: the judge sees it in two faces of three, and those cannot be."""
        return any(as_pair(pair)[0] == "smile" for pair in self.pairs)

    @property
    def ablated(self) -> int:
        """Of the rows of a pair, how many are edited with parts left out."""
        return min(self.spec.ablated, self.rows)

    @property
    def steps(self) -> int:
        return self.spec.steps or (PAPER.steps if self.on_gpu else 10)

    @property
    def paper_steps(self) -> bool:
        """Whether the paper's steps are of all cells and rows."""
        return self.spec.paper_steps or self.on_gpu

    @property
    def faces(self) -> str:
        """The folder of the labelled faces."""
        return store.join(self.out if self.spec.from_ is None else absolute(self.spec.from_), "faces")

    @property
    def directions(self) -> str:
        """The table of attribute-level directions."""
        return store.join(self.out if self.spec.from_ is None else absolute(self.spec.from_), "fit-w", "directions")

    @property
    def by_gradients(self) -> str:
        """The table of directions that are means of gradients."""
        return store.join(self.out, "fit-gradient", "directions")

    def url(self, *names: str) -> str:
        """Of a folder of the study."""
        return store.join(self.out, *names)

    def own(self, pair: str, size: StepSize) -> DtRun:
        """Curves of all cells and rows."""
        return self.dt(pair, size, "dt")

    def paper(self, pair: str) -> DtRun:
        """Curves of the paper's steps; where not all are asked for, of two cells and fewer rows."""
        if self.paper_steps:
            return self.dt(pair, PAPER, "dt-paper")
        return self.dt(pair, PAPER, "dt-paper-few", lambdas=[_word(LEVEL), _word(CHOICE)], rows=self.ablated)

    def kept(self, pair: str, size: StepSize) -> DtRun:
        """Curves without incremental updating, of fewer rows."""
        return self.dt(pair, size, "dt-kept", "--no-incremental", lambdas=[_word(CHOICE)], rows=self.ablated)

    def gradient(self, pair: str, size: StepSize) -> DtRun:
        """Curves along directions that are means of gradients, of fewer rows."""
        cells = [_word(LEVEL), _word(CHOICE)]
        return self.dt(pair, size, "dt-gradient", lambdas=cells, rows=self.ablated, directions=self.by_gradients)

    def dt(
        self,
        pair: str,
        size: StepSize,
        name: str,
        *more: str,
        lambdas: Sequence[str] = (),
        directions: str = "",
        rows: int = 0,
    ) -> DtRun:
        """Curves of a pair in the folder NAME-PRIMAL-CONDITION: of all cells, the SVMs' directions, and all rows, where
        no others are given; with `more` words.
        """  # fmt: skip
        asked = lambdas or self.spec.lambdas or FEW
        grid = None if lambdas else self.spec.grid or (0.25 if self.on_gpu and not self.spec.lambdas else None)
        words = {
            "latents": self.url("others", "latents"),
            "labels": f"{self.url('others-judged', 'labels')},{self.url('others-labelled', 'labels')}",
            "directions": directions or self.directions,
            "pairs": pair,
            **({"grid": f"{grid:g}"} if grid else {"lambdas": ",".join(asked)}),
            "rows": str(rows or self.rows),
            "step-size": f"{size.length:.6g}",
            "steps": str(size.steps),
            "classifiers": self.spec.classifiers,
            "judge": self.spec.judge,
            "out": self.url(f"{name}-{'-'.join(as_pair(pair))}"),
        }
        return DtRun(
            (*(word for flag, value in words.items() for word in (f"--{flag}", value)), *more, *self.spec.flags)
        )

    def check(self) -> None:
        """Look before hours of computing.

        Raises:
            SpecError: what is asked does not go together, or --from is of another generator or lacks an attribute.
            StoreError: --from has no faces and directions, or they are not complete.
        """
        if len(set(self.pairs)) < len(self.pairs):
            raise SpecError("--pairs names one twice")
        for pair in self.pairs:
            cells = self.dt(pair, PAPER, "dt").asked.cells
            if not {LEVEL, CHOICE} <= set(cells):
                raise SpecError("--lambdas: the study compares 0.75:0 with 1:1, have both among them")
        if odd := [pair for pair in self.pictured if pair not in self.pairs]:
            raise SpecError(f"--pictured {odd[0]}: it is not one of the pairs")
        needed = set(self.attributes)
        if self.spec.from_ is None:
            if more := needed - set(STUDIED):
                raise SpecError(f"--pairs: without --from directions are fitted of {', '.join(STUDIED)}, not {more}")
            return
        table = Table.open(self.directions)
        table.require_sealed()
        if lacking := needed - set(by_name(read_directions(table))):
            raise SpecError(f"--from: {self.directions} has no direction of {', '.join(sorted(lacking))}")
        faces = Table.open(store.join(self.faces, "latents")).require_sealed()
        named = faces["facts"]["spec"]["generator"]
        if named != self.spec.generator:
            raise SpecError(f"--from: its faces are of {named}; pass --generator {named}")


def _word(cell: Cell) -> str:
    return f"{cell[0]:g}:{cell[1]:g}"


def as_pair(word: str) -> Pair:
    """`male:smile` is male, leaving smile alone."""
    primal, _, condition = word.partition(":")
    return primal, condition
