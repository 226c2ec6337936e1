"""Strips of two faces of a pair: methods side by side at equal p, the lambdas one by one, incremental or not."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from jobs.dt.spec import LEVEL, Cell
from jobs.reproduce.dt_runs import JUDGED, DtRun
from jobs.reproduce.edits import edit_spec, pictured
from jobs.reproduce.faces import copy_rows
from jobs.reproduce.study import step
from pipeline.report import study, wording
from pipeline.tables import Table, store
from schemas.edits import JUDGE

CHOICE: Cell = (0.75, 0.0)
"""The paper's."""
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
CELLS: tuple[Cell, ...] = tuple(
    dict.fromkeys([LEVEL, CHOICE, *((share, CHOICE[1]) for share in SHARES), *((CHOICE[0], share) for share in SHARES)])
)
LEVELS = (0.5, 0.9)
"""Shares transformed at which the methods are put side by side."""
KEPT = 2
"""Gradients of an edit that keeps the source's direction."""
SAME = 1e-3
"""Scores that differ by no more are of one edit: see `stylemill edit ials`."""
WHENCE = "They are edits of the very latents that were counted, with the same steps"


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

    def make(self, latents: Table, size: int, machine: Mapping[str, Any]) -> None:
        """Edit the very latents that were measured."""
        if not self.faces:
            return
        copy_rows(latents, self.faces, f"{self.url}/latents")
        (primal, condition), asked = self.run.pair, self.run.asked
        same = {
            "latents": (f"{self.url}/latents",), "directions": asked.directions, "attribute": (primal,),
            "preserve": (condition,), "target": asked.target, "step_size": asked.step_size, "steps": asked.steps,
            "classifiers": asked.classifiers, "judge": asked.judge, "scores": "judge", "scored": (primal, condition),
            "images": "webp", "size": size, **machine,
        }  # fmt: skip
        for cell in CELLS:
            keep = "all" if cell in (LEVEL, CHOICE) else "last"
            step(edit_spec("ials", **same, lambda1=cell[0], lambda2=cell[1], keep=keep, out=self._of(cell)))
        step(edit_spec("ials", **same, lambda1=CHOICE[0], lambda2=CHOICE[1], no_incremental=True, keep="all",
                       out=f"{self.url}/kept"))  # fmt: skip

    def section(self) -> study.Section:
        """The strips of both faces."""
        heading = f"Strips: {self.run.pair[0]}, leaving {self.run.pair[1]} alone"
        if not self.faces:
            return study.Section(heading, ["No face could be measured, and so none is shown."])
        sentences = [
            "Below each picture the judge's scores, in standard deviations, 0 at the boundary. InterFaceGAN is (1, 1), "
            "IALS the paper's (0.75, 0).",
            self._as_counted(),
            *(self._levels(level)[1] for level in LEVELS),
        ]
        return study.Section(
            heading, sentences, [strip for face in range(len(self.faces)) for strip in self._strips(face)]
        )

    def _as_counted(self) -> str:
        """Whether what is pictured is what was counted."""
        gaps = [0.0]
        counted = [(self._of(cell), self.run, cell) for cell in CELLS if cell in self.run.asked.cells]
        for url, run, cell in [*counted, (f"{self.url}/kept", self.kept, CHOICE)]:
            frame = self._frame(url)
            for face, row in enumerate(self.faces):
                if row in run.measured:
                    own = frame[frame["index"] == face].set_index("step")[[JUDGE + name for name in self.run.pair]]
                    there = run.scores.xs((*cell, row)).loc[own.index]
                    gaps += np.abs(own.to_numpy() - there[list(JUDGED)].to_numpy()).ravel().tolist()
        apart = np.max(gaps)
        if np.isnan(apart):
            return f"{WHENCE}; where a cell was counted, some scores are missing, so that they cannot be compared."
        if apart <= SAME:
            return f"{WHENCE}: where a cell was counted, scores are those that were, to {SAME:g}."
        return f"{WHENCE}; where a cell was counted, scores differ from those that were by up to {apart:.2g}."

    def _strips(self, face: int) -> Iterator[study.Strip]:
        last, named = self.run.asked.steps, f"{self.run.name}, face {self.faces[face]}"
        source = self._look(self._of(CHOICE), face, 0, "source")
        equal = [
            self._look(self._of(cell), face, at, f"{name}, p {p:.2f}, step {at}")
            for level in LEVELS
            for name, cell, at, p in self._levels(level)[0]
        ]
        yield study.Strip(f"{named}: at equal p", [source, *equal])
        for caption, name, cells in (
            ("lambda1 of 0 to 1 at lambda2 = 0 (Fig. 11)", "lambda1", [(share, CHOICE[1]) for share in SHARES]),
            ("lambda2 of 0 to 1 at lambda1 = 0.75 (Fig. 12)", "lambda2", [(CHOICE[0], share) for share in SHARES]),
        ):
            shares = zip(SHARES, cells, strict=True)
            looks = [self._look(self._of(cell), face, last, f"{name} {share:g}") for share, cell in shares]
            yield study.Strip(f"{named}, after the last step: {caption}", [source, *looks])
        ways = [("searched anew at each step", self._of(CHOICE)), ("the source's direction kept", f"{self.url}/kept")]
        places = sorted({max(1, last // 2), last})
        looks = [self._look(url, face, at, f"{way}, step {at}") for at in places for way, url in ways]
        yield study.Strip(f"{named}: incremental or not (Fig. 4)", [source, *looks])

    def _levels(self, level: float) -> tuple[list[tuple[str, Cell, int, float]], str]:
        """The methods that reach a p, each with its cell, the first step there and its p; and a sentence."""
        reached, words = [], []
        for name, cell in (("InterFaceGAN", LEVEL), ("IALS", CHOICE)):
            own = self.run.steps_of(cell)
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
        row = frame[(frame["index"] == face) & (frame["step"] <= at)].sort_values("step").iloc[-1]
        scores = {name: wording.score(row[JUDGE + name], 1) for name in self.run.pair}
        return study.Look(row["picture"], words, scores, self.run.pair[:1])

    def _frame(self, url: str) -> pd.DataFrame:
        if url not in self._frames:
            self._frames[url] = pictured(url, [JUDGE + name for name in self.run.pair])
        return self._frames[url]

    def _of(self, cell: Cell) -> str:
        return store.join(self.url, f"edit-{cell[0]:g}-{cell[1]:g}")
