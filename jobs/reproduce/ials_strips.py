"""Strips of two faces of a pair: methods side by side at equal p, the lambdas one by one (Fig. 11, 12), Fig. 4."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from jobs.dt.spec import LEVEL, Cell
from jobs.reproduce import step
from jobs.reproduce.dt_runs import DtRun
from jobs.reproduce.ials_plan import CHOICE
from jobs.reproduce.ials_rows import copy_rows
from jobs.reproduce.strips import pictured
from pipeline.report import study, wording
from pipeline.tables import Table, store
from schemas.edits import JUDGE

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
CELLS: tuple[Cell, ...] = tuple(
    dict.fromkeys([LEVEL, CHOICE, *((share, CHOICE[1]) for share in SHARES), *((CHOICE[0], share) for share in SHARES)])
)
LEVELS = (0.5, 0.9)
"""Shares transformed at which the methods are put side by side."""
JUDGED = ("judge_primal", "judge_condition")


KEPT = 2
"""Gradients of an edit that keeps the source's direction."""
SAME = 1e-3
"""Scores that differ by no more are of one way: see `stylemill edit ials`."""


@dataclass(frozen=True)
class Pictures:
    """Edits of two faces of a pair with their pictures, below `url`.

    run: the pair's DT curves, whose latents, step size and steps are taken. kept: those without incremental updating;
    the faces are of both, if there are such.
    """

    url: str
    run: DtRun
    kept: DtRun
    _frames: dict[str, pd.DataFrame] = field(default_factory=dict, init=False, compare=False)

    @property
    def faces(self) -> list[int]:
        """Their rows; none where no face was measured."""
        both = set(self.run.measured) & set(self.kept.measured)
        return sorted(both or self.run.measured)[:2]

    def make(self, latents: Table, editing: Sequence[str]) -> None:
        """Edit the very latents that were measured; words for each `edit`."""
        if not self.faces:
            return
        copy_rows(latents, self.faces, f"{self.url}/latents")
        primal, condition = self.run.pair
        asked = self.run.asked
        common = (
            "edit", "ials", "--latents", f"{self.url}/latents",
            "--directions", ",".join(asked.directions),
            "--attribute", primal, "--preserve", condition, "--target", asked.target,
            "--step-size", str(asked.step_size), "--steps", str(asked.steps), "--classifiers", asked.classifiers,
            "--judge", asked.judge, "--scores", "judge", "--scored", f"{primal},{condition}", "--images", "webp",
            *editing,
        )  # fmt: skip
        for cell in CELLS:
            keep = "all" if cell in (LEVEL, CHOICE) else "last"
            step(*common, *_lambdas(cell), "--keep", keep, "--out", self._of(cell))
        step(*common, *_lambdas(CHOICE), "--no-incremental", "--keep", "all", "--out", f"{self.url}/kept")

    def sections(self) -> list[study.Section]:
        """One, of the strips of both faces."""
        primal, condition = self.run.pair
        heading = f"Strips: {primal}, leaving {condition} alone"
        if not self.faces:
            return [study.Section(heading, ["No face could be measured, and so none is shown."])]
        strips = [strip for face in range(len(self.faces)) for strip in self._strips(face)]
        return [
            study.Section(
                heading,
                [
                    "Below each picture the judge's scores, in standard deviations, 0 at the boundary. InterFaceGAN is "
                    "(1, 1), IALS the paper's (0.75, 0).",
                    self._as_counted(),
                    *(self._levels(level)[1] for level in LEVELS),
                ],
                strips,
            )
        ]

    def _as_counted(self) -> str:
        """Whether what is pictured is what was counted."""
        gaps = [0.0]
        counted = [(self._of(cell), self.run, cell) for cell in CELLS if cell in self.run.asked.cells]
        for url, run, cell in [*counted, (f"{self.url}/kept", self.kept, CHOICE)]:
            frame = self._frame(url)
            for face, row in enumerate(self.faces):
                if row not in run.measured:
                    continue
                own = frame[frame["index"] == face].set_index("step")
                there = run.scores.xs((*cell, row)).loc[own.index]
                for place, name in zip(JUDGED, self.run.pair, strict=True):
                    gaps += (own[JUDGE + name] - there[place]).abs().tolist()
        apart = np.max(gaps)
        whence = "They are edits of the very latents that were counted, with the same steps"
        if np.isnan(apart):
            return f"{whence}; where a cell was counted, some scores are missing, so that they cannot be compared."
        if apart <= SAME:
            return f"{whence}: where a cell was counted, scores are those that were, to {SAME:g}."
        return f"{whence}; where a cell was counted, scores differ from those that were by up to {apart:.2g}."

    def _strips(self, face: int) -> Iterator[study.Strip]:
        primal, condition = self.run.pair
        index = self.faces[face]
        last = self.run.asked.steps
        source = self._look(self._of(CHOICE), face, 0, "source")
        equal = [
            self._look(self._of(cell), face, at, f"{name}, p {p:.2f}, step {at}")
            for level in LEVELS
            for name, cell, at, p in self._levels(level)[0]
        ]
        yield study.Strip(f"{primal}|{condition}, face {index}: at equal p", [source, *equal])
        for caption, name, cells in (
            ("lambda1 of 0 to 1 at lambda2 = 0 (Fig. 11)", "lambda1", [(share, CHOICE[1]) for share in SHARES]),
            ("lambda2 of 0 to 1 at lambda1 = 0.75 (Fig. 12)", "lambda2", [(CHOICE[0], share) for share in SHARES]),
        ):
            shares = zip(SHARES, cells, strict=True)
            looks = [self._look(self._of(cell), face, last, f"{name} {share:g}") for share, cell in shares]
            yield study.Strip(f"{primal}|{condition}, face {index}, after the last step: {caption}", [source, *looks])
        ways = [("searched anew at each step", self._of(CHOICE)), ("the source's direction kept", f"{self.url}/kept")]
        looks = [
            self._look(url, face, at, f"{way}, step {at}")
            for at in sorted({max(1, last // 2), last})
            for way, url in ways
        ]
        yield study.Strip(f"{primal}|{condition}, face {index}: incremental or not (Fig. 4)", [source, *looks])

    def _levels(self, level: float) -> tuple[list[tuple[str, Cell, int, float]], str]:
        """The methods that reach a p, each with its cell, the first step there and its p; and a sentence."""
        reached, words = [], []
        for name, cell in (("InterFaceGAN", LEVEL), ("IALS", CHOICE)):
            curves = self.run.curves
            own = curves[(curves["lambda1"] == cell[0]) & (curves["lambda2"] == cell[1])]
            own = own[own["family"] == self.run.asked.judge].sort_values("step")
            there = own[own["p"] >= level]
            if there.empty:
                words.append(f"{name} never reaches it (at most {own['p'].max():.2f})")
                continue
            at, p = int(there["step"].iloc[0]), float(there["p"].iloc[0])
            reached.append((name, cell, at, p))
            words.append(f"{name} first reaches it at step {at}, with {p:.2f}")
        return reached, f"p = {level:g}: {'; '.join(words)}."

    def _look(self, url: str, face: int, at: int, words: str) -> study.Look:
        """A face after a step, or after its last where it stopped before, and what is to be said of it."""
        frame = self._frame(url)
        own = frame[(frame["index"] == face) & (frame["step"] <= at)]
        row = own.sort_values("step").iloc[-1]
        scores = {name: wording.score(row[JUDGE + name], 1) for name in self.run.pair}
        return study.Look(row["picture"], words, scores, self.run.pair[:1])

    def _frame(self, url: str) -> pd.DataFrame:
        if url not in self._frames:
            self._frames[url] = pictured(url, [JUDGE + name for name in self.run.pair])
        return self._frames[url]

    def _of(self, cell: Cell) -> str:
        return store.join(self.url, f"edit-{cell[0]:g}-{cell[1]:g}")


def _lambdas(cell: Cell) -> tuple[str, ...]:
    return ("--lambda1", str(cell[0]), "--lambda2", str(cell[1]))
