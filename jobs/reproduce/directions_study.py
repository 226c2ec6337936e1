"""Tables 1 to 3 and the learning curve: what the directions of a labelled data set are like, with intervals."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from jobs.flags import say
from jobs.reproduce.paper_interfacegan import NAMES, TABLE_1, TABLE_2, TABLE_3
from pipeline.directions import Direction
from pipeline.directions.choose import MARGIN, choose
from pipeline.directions.classes import by_rank
from pipeline.directions.compare import correlations, cosines
from pipeline.directions.lookup import by_name
from pipeline.directions.reliability import Noise, disattenuated
from pipeline.directions.svm import features, fit_direction
from pipeline.metrics import intervals
from pipeline.models import generators
from pipeline.models.codes import Codes, Space
from pipeline.report import study
from pipeline.stages.codes import read_codes
from pipeline.stages.direction_rows import read_directions
from pipeline.tables import Table, store

CURVE_SHARES = (8, 4, 2, 1)
GROUPS = 10
PICTURE = 256


@dataclass(frozen=True)
class Study:
    """A folder with `faces` (latents, labels) and `fit-SPACE` (directions, grids) of each space."""

    out: str
    attributes: tuple[str, ...]
    spaces: tuple[Space, ...]
    directions: dict[Space, dict[str, Direction]]
    codes: dict[Space, Codes]
    scores: dict[str, NDArray[np.float64]]
    picture_size: int

    @classmethod
    def read(cls, out: str, attributes: Sequence[str], spaces: Sequence[str]) -> "Study":
        """Read what the steps before have made. Raises SpecError and StoreError."""
        latents = Table.open(store.join(out, "faces", "latents"))
        generator = generators.load(latents.require_sealed()["facts"]["spec"]["generator"], backend="eager")
        labels = Table.open(store.join(out, "faces", "labels")).read(columns=list(attributes))
        named = {
            space: by_name(read_directions(Table.open(store.join(out, f"fit-{space}", "directions"))))
            for space in cast(Sequence[Space], spaces)
        }
        return cls(
            out=out,
            attributes=tuple(attributes),
            spaces=tuple(named),
            directions={space: {name: found[name] for name in attributes} for space, found in named.items()},
            codes={space: read_codes(latents, space, generator)[1] for space in named},
            scores={name: labels[name].to_numpy().astype(np.float64) for name in attributes},
            picture_size=min(PICTURE, generator.resolution),
        )

    def unit(self, space: str, attribute: str) -> float:
        """Standard deviation over the faces of the distance to an attribute's boundary."""
        space = cast(Space, space)
        return float(self.directions[space][attribute].distance(self.codes[space]).std())

    @property
    def rows(self) -> int:
        return len(next(iter(self.scores.values())))

    @property
    def facts(self) -> dict[str, str]:
        return {
            f"Directions in {space}": Table.open(store.join(self.out, f"fit-{space}", "directions")).digest
            for space in self.spaces
        }

    def sections(self) -> list[study.Section]:
        """Table 1 with the learning curve, Table 2, Table 3."""
        return [self._table_1(), self._table_2(), self._table_3()]

    # -- Table 1 ------------------------------------------------------------------------------------------------------

    def _table_1(self) -> study.Section:
        columns: dict[str, list[str]] = {}
        for space in self.spaces:
            for part in ("validation", "all"):
                columns[f"{part} in {space}"] = [self._accuracy(space, name, part) for name in self.attributes]
            columns[f"C, fraction in {space}"] = [
                f"{found.C:g}, {found.fraction:g}" for found in self.directions[space].values()
            ]
        ours = pd.DataFrame(columns, index=[NAMES.get(name, name) for name in self.attributes])
        for name in TABLE_1:
            ours[f"paper, {str(name).lower()}"] = [f"{TABLE_1[name].get(row, np.nan):.1f}" for row in ours.index]
        curve = self.curve
        return study.Section(
            "Separation (Table 1)",
            [
                f"Accuracy in per cent of a linear boundary; {self.rows:,} faces. Validation: 30 % of the classes, "
                "which are the highest and the lowest scores; all: every face, labelled by the middle between the "
                "highest and the lowest score, as the public code has it. In brackets 95 % intervals (Wilson).",
                "The paper's 2 % at each end would be few faces here; C and the fraction are those whose normals agree "
                "best between two halves of the faces, which accuracy hardly shows; of the Cs within "
                f"{MARGIN:g} of the best agreement the largest, since the smallest of all agrees with itself whatever "
                "it misses.",
            ],
            [
                study.Grid("Accuracy beside the paper's (PGGAN, 2 % of 500,000 faces at each end)", ours),
                *(study.Grid(f"What C was chosen from, in {space}", self._choices(space)) for space in self.spaces),
                *(
                    study.Curves(
                        f"Agreement of the normals of two halves of so many faces, in {space} (cosine)",
                        "faces",
                        "agreement",
                        {
                            str(name): part[["x", "y"]]
                            for name, part in curve[curve["space"] == space].groupby("attribute")
                        },
                    )
                    for space in self.spaces
                ),
            ],
        )

    def _accuracy(self, space: Space, attribute: str, part: str) -> str:
        found = self.directions[space][attribute]
        rate = found.accuracies[part]
        rows = self.rows if part == "all" else round((found.rows or 0) * 3 / 7)
        low, high = intervals.of_rate(rate * rows, rows)
        return f"{100 * rate:.1f} ({100 * low:.1f} to {100 * high:.1f})"

    def _choices(self, space: Space) -> pd.DataFrame:
        """The cell of the highest agreement beside the one that was taken."""
        grid = Table.open(store.join(self.out, f"fit-{space}", "grids")).read().to_pandas()
        rows = {}
        for name, found in self.directions[space].items():
            own = grid[grid["attribute"] == name]
            most = own.loc[own["agreement"].idxmax()]
            taken = own[np.isclose(own["C"], found.C or 0.0) & (own["fraction"] == most["fraction"])].iloc[0]
            rows[NAMES.get(name, name)] = [
                f"{cell['C']:g}: agreement {cell['agreement']:.3f}, validation {100 * cell['validation']:.1f} %"
                for cell in (most, taken)
            ]
        return pd.DataFrame.from_dict(rows, orient="index", columns=["most agreement", "taken"])

    @cached_property
    def curve(self) -> pd.DataFrame:
        """Columns space, attribute, x (faces), y (agreement of two halves), validation; kept in DIR/curve.json."""
        url = store.join(self.out, "curve.json")
        key = {**self.facts, "rows": self.rows, "shares": list(CURVE_SHARES)}
        kept = store.read_json(url)
        if kept is None or kept["of"] != key:
            kept = {"of": key, "points": list(self._points())}
            store.write_atomic(url, json.dumps(kept).encode())
        return pd.DataFrame(kept["points"])

    def _points(self) -> Iterator[dict[str, Any]]:
        for space in self.spaces:
            values = features(self.codes[space])
            for name in self.attributes:
                say(f"      learning curve of {name} in {space}")
                for share in CURVE_SHARES:
                    count = self.rows // share
                    with threadpool_limits(1):  # BLAS threads wait for each other longer than they work
                        choice = choose(values[:count], self.scores[name][:count], margin=MARGIN)
                    best = next(c for c in choice.grid if (c.C, c.fraction) == (choice.C, choice.fraction))
                    yield {
                        "space": space, "attribute": name, "x": count, "y": best.agreement,
                        "validation": best.validation,
                    }  # fmt: skip

    # -- Tables 2 and 3 -----------------------------------------------------------------------------------------------

    def _table_2(self) -> study.Section:
        halved = self.halved
        sentences = [
            "Noise lowers cosines: the worse a normal is fitted, the less it seems to have in common with others, and "
            "in Z normals are fitted worse. Corrected for it (Spearman's correction, from the normals of two halves of "
            f"the faces), with 95 % intervals by a jackknife over {GROUPS} groups of faces, the mean of |cosine| over "
            f"the pairs of {len(self.attributes)} attributes is:"
        ]
        grids = []
        for space in self.spaces:
            found = cosines(list(self.directions[space].values()))
            sentences.append(
                f"in {space} {_corrected(halved[space])}; as fitted on all faces, uncorrected, "
                f"{entanglement(found.values):.3f}."
            )
            grids.append(
                study.Grid(
                    f"Cosines of the normals in {space}, as fitted", _frame(found.names, found.values), shaded=True
                )
            )
        if {"w", "z"} <= set(self.spaces):
            sentences.append(_verdict(halved["w"], halved["z"]))
        grids.append(study.Grid("The paper's Table 2 (PGGAN, Z)", TABLE_2, shaded=True))
        return study.Section("Entanglement of the directions (Table 2, Sec. 3.4)", sentences, grids)

    @cached_property
    def halved(self) -> dict[Space, list[float]]:
        """Corrected entanglement of all faces, then without each of GROUPS groups; kept in DIR/entanglement.json.

        Nothing in a space where an attribute is so poorly fitted that halves of the faces do not agree on it at all.
        """
        url = store.join(self.out, "entanglement.json")
        key = {**self.facts, "groups": GROUPS}
        kept = store.read_json(url)
        if kept is None or kept["of"] != key:
            kept = {"of": key, "means": {space: self._jackknife(space) for space in self.spaces}}
            store.write_atomic(url, json.dumps(kept).encode())
        return {space: kept["means"][space] for space in self.spaces}

    def _jackknife(self, space: Space) -> list[float]:
        say(f"      halves of the faces in {space}")
        try:
            return list(self._left_out(space))
        except Noise as error:
            say(f"Note  in {space} {error}")
            return []

    def _left_out(self, space: Space) -> Iterator[float]:
        number = np.arange(self.rows)
        group, half = number % GROUPS, number // GROUPS % 2
        for left_out in (None, *range(GROUPS)):
            halves = [self._refit(space, np.flatnonzero((half == side) & (group != left_out))) for side in (0, 1)]
            yield entanglement(disattenuated(*halves).values)

    def _refit(self, space: Space, rows: NDArray[np.int64]) -> list[Direction]:
        """The directions of some of the faces, with the C and the fraction of all."""
        codes, refitted = Codes(space, self.codes[space].values[rows]), []
        for name, found in self.directions[space].items():
            scores = self.scores[name][rows]
            classes = by_rank(scores, found.fraction or 0.5)
            with threadpool_limits(1):  # BLAS threads wait for each other longer than they work
                refitted.append(fit_direction(codes, scores, name, classes, found.C or 1.0))
        return refitted

    def _table_3(self) -> study.Section:
        found = correlations(self.scores)
        half = intervals.Z95 / np.sqrt(self.rows - 3)
        return study.Section(
            "Correlation of the scores (Table 3)",
            [
                f"Pearson's r over {self.rows:,} faces; a correlation near 0 is known to within {np.tanh(half):.3f} "
                "(95 %, Fisher's z). The paper finds that directions are as correlated as scores are."
            ],
            [
                study.Grid("Scores of the faces", _frame(found.names, found.values), shaded=True),
                study.Grid("The paper's Table 3 (PGGAN)", TABLE_3, shaded=True),
            ],
        )


def _frame(names: Sequence[str], values: NDArray[np.float64]) -> pd.DataFrame:
    ours = [NAMES.get(name, name) for name in names]
    return pd.DataFrame(values, index=ours, columns=ours)


def entanglement(values: NDArray[np.float64]) -> float:
    """Mean of |cosine| over the pairs of a symmetric matrix."""
    return float(np.abs(values[np.triu_indices(len(values), 1)]).mean())


def _corrected(means: Sequence[float]) -> str:
    if not means:
        return "not to be said, since two halves of the faces do not agree on every attribute at all"
    low, high = intervals.of_jackknife(means[0], means[1:])
    return f"{means[0]:.3f} ({low:.3f} to {high:.3f})"


def _verdict(w: Sequence[float], z: Sequence[float]) -> str:
    if not (w and z):
        return "The paper finds W less entangled than Z; so few faces do not decide it here."
    differences = [one - other for one, other in zip(w, z, strict=True)]
    low, high = intervals.of_jackknife(differences[0], differences[1:])
    word = "so here too" if high < 0 else "not so here" if low > 0 else "not decided here"
    return (
        "The paper finds W less entangled than Z. The difference W minus Z of these means is "
        f"{differences[0]:+.3f} ({low:+.3f} to {high:+.3f}): {word}."
    )
