"""Strips of two faces of a pair: methods side by side at equal p, the lambdas one by one, incremental or not."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from pipeline.metrics import LEVEL, Cell
from pipeline.report import study, wording
from pipeline.report.dt.paper import CHOICE
from pipeline.report.dt.result import PairResult
from pipeline.report.pictured import pictured
from pipeline.tables import store
from schemas.edits import JUDGE

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
CELLS: tuple[Cell, ...] = tuple(
    dict.fromkeys([LEVEL, CHOICE, *((share, CHOICE[1]) for share in SHARES), *((CHOICE[0], share) for share in SHARES)])
)
"""Cells whose edits are shown."""
KEPT = "kept"
"""The folder of the edit of the paper's cell that keeps the source's direction."""
LEVELS = (0.5, 0.9)
"""Values of p at which the methods are shown side by side."""
SAME = 1e-3
"""Scores that differ by no more are of one edit: see `stylemill edit ials`."""
SAME_EDITS = "The pictures are edits of the same latents as the curves, with the same steps"


def folder(cell: Cell) -> str:
    """Of the edits of a cell."""
    return f"edit-{cell[0]:g}-{cell[1]:g}"


@dataclass(frozen=True, eq=False)
class Strips:
    """Edits of two faces of a pair with their pictures, in folders below `url`.

    result: the pair's DT curves, whose latents, step size and steps they have. kept: the same without incremental
    updating; the faces are of both, if there are such.
    """

    url: str
    result: PairResult
    kept: PairResult

    @property
    def faces(self) -> list[int]:
        """The rows of the latents that are shown; none where no face was measured."""
        both = set(self.result.measured) & set(self.kept.measured)
        return sorted(both or self.result.measured)[:2]

    @cached_property
    def frames(self) -> dict[str, pd.DataFrame]:
        """By folder, the kept steps; their index counts the faces."""
        scores = [JUDGE + name for name in self.result.pair]
        return {name: pictured(store.join(self.url, name), scores) for name in (*map(folder, CELLS), KEPT)}

    def section(self) -> study.Section:
        """The strips of both faces. Raises StoreError."""
        heading = f"Faces: {self.result.pair[0]}, with {self.result.pair[1]} preserved"
        if not self.faces:
            return study.Section(heading, ["No face could be measured, so none is shown."])
        sentences = [
            "Below each picture: the judge's scores, in standard deviations, 0 at the boundary. InterFaceGAN is (1, "
            "1), IALS the paper's (0.75, 0).",
            self.as_counted(),
            *(self._levels(level)[1] for level in LEVELS),
        ]
        return study.Section(
            heading, sentences, [strip for face in range(len(self.faces)) for strip in self._strips(face)]
        )

    def as_counted(self) -> str:
        """Whether the scores of the pictures agree with those of the curves."""
        gaps, scores = [0.0], [JUDGE + name for name in self.result.pair]
        counted = [(folder(cell), self.result, cell) for cell in CELLS if cell in self.result.cells]
        for name, result, cell in [*counted, (KEPT, self.kept, CHOICE)]:
            frame = self.frames[name]
            for face, row in enumerate(self.faces):
                if row in result.measured:
                    own = frame[frame["index"] == face]
                    seen_P4 = result.scores[result.cells.index(cell), result.rows.tolist().index(row)]
                    gaps += np.abs(own[scores].to_numpy() - seen_P4[own["step"], 2:]).ravel().tolist()
        apart = np.max(gaps)
        if np.isnan(apart):
            return f"{SAME_EDITS}; some scores of the curves are missing, so that they cannot be compared."
        if apart <= SAME:
            return f"{SAME_EDITS}: their scores agree with those of the curves to {SAME:g}."
        return f"{SAME_EDITS}, but their scores differ from those of the curves by up to {apart:.2g}."

    def _strips(self, face: int) -> Iterator[study.Strip]:
        last, named = int(self.result.asked["steps"]), f"{self.result.name}, face {self.faces[face]}"
        source = self._look(folder(CHOICE), face, 0, "source")
        equal = [
            self._look(folder(cell), face, at, f"{name}, p {p:.2f}, step {at}")
            for level in LEVELS
            for name, cell, at, p in self._levels(level)[0]
        ]
        yield study.Strip(f"{named}: at equal p", [source, *equal])
        for caption, name, cells in (
            ("lambda1 of 0 to 1 at lambda2 = 0 (Fig. 11)", "lambda1", [(share, CHOICE[1]) for share in SHARES]),
            ("lambda2 of 0 to 1 at lambda1 = 0.75 (Fig. 12)", "lambda2", [(CHOICE[0], share) for share in SHARES]),
        ):
            shares = zip(SHARES, cells, strict=True)
            looks = [self._look(folder(cell), face, last, f"{name} {share:g}") for share, cell in shares]
            yield study.Strip(f"{named}, after the last step: {caption}", [source, *looks])
        ways = [("direction updated", folder(CHOICE)), ("direction kept", KEPT)]
        places = sorted({max(1, last // 2), last})
        looks = [self._look(name, face, at, f"{way}, step {at}") for at in places for way, name in ways]
        yield study.Strip(f"{named}: incremental or not (Fig. 4)", [source, *looks])

    def _levels(self, level: float) -> tuple[list[tuple[str, Cell, int, float]], str]:
        """The methods that reach a p, each with its cell, the first step there and its p; and a sentence."""
        reached, words = [], []
        for name, cell in (("InterFaceGAN", LEVEL), ("IALS", CHOICE)):
            own = self.result.curve(cell)
            there = own[own["p"] >= level]
            if there.empty:
                words.append(f"{name} never reaches it (at most {own['p'].max():.2f})")
                continue
            at, p = int(there["step"].iloc[0]), float(there["p"].iloc[0])
            reached.append((name, cell, at, p))
            words.append(f"{name} first reaches it at step {at}, with {p:.2f}")
        return reached, f"p = {level:g}: {'; '.join(words)}."

    def _look(self, name: str, face: int, at: int, words: str) -> study.Look:
        """A face after a step, or after its last where it stopped before, and what is to be said of it."""
        frame = self.frames[name]
        row = frame[(frame["index"] == face) & (frame["step"] <= at)].sort_values("step").iloc[-1]
        scores = {name: wording.score(row[JUDGE + name], 1) for name in self.result.pair}
        return study.Look(row["picture"], words, scores, self.result.pair[:1])
