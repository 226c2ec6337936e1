"""Moves at equal success: each face moved as far as the judge's score is that of another edit, made and measured."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

import schemas
from jobs.classifiers import classifier_ref
from jobs.constants import Constants
from jobs.flags import say
from jobs.reproduce.study import StudySpec, cached
from pipeline.metrics import strength_that_meets
from pipeline.metrics.equal_success import MET
from pipeline.metrics.face_metric import Comparison, Faces
from pipeline.metrics.of_faces import BY_NAME
from pipeline.models import generators
from pipeline.models.codes import Codes, Space
from pipeline.models.faces import FaceScorer
from pipeline.stages.models import ClassifierRef, Model, Runtime, Truncated, open_generator, open_scorer
from pipeline.tables import Table, store
from schemas.edits import JUDGE

VERSION = 2
"""Raised by hand when the numbers of a face change."""


class MeasuredMoves:
    """Faces that were moved along a line, as the judge and metrics see them, one at a time.

    metrics: names of metrics of faces. attributes: those whose scores are looked at.
    """

    def __init__(self, spec: StudySpec, metrics: Sequence[str], attributes: Sequence[str]) -> None:
        self._spec, self._metrics, self._attributes = spec, metrics, attributes
        self._scorers: dict[tuple[Runtime, Truncated], FaceScorer] = {}
        self._opened: dict[str, dict[str, Comparison]] = {}

    def at_scores(self, folder: str, attribute: str, wanted: Mapping[int, float]) -> pd.DataFrame:
        """Strength, score and numbers by face, where the judge's score of the attribute is the wanted one of the face.

        Faces that never come so far have no row. The numbers are kept in FOLDER/at-equal-success.json, so that they are
        not made again.

        folder: of edits at several strengths along a line, the source among them.

        Raises:
            SpecError: a source has a wanted score already.
            StoreError: the edits are not there, or not complete.
        """
        table = Table.open(store.join(folder, "edits"))

        def make() -> dict[str, list[float]]:
            return self._made(table, attribute, wanted)

        of = {
            "version": VERSION, "edits": table.digest, "judge": self._judge.family.fingerprint, "met": MET,
            "metrics": {name: one.fingerprint for name, one in self._comparisons(table).items()},
            "attribute": attribute,
            "wanted": {str(face): score for face, score in wanted.items()},
        }  # fmt: skip
        found = cached(store.join(folder, "at-equal-success.json"), of, make)
        names = [name.removeprefix("faces ") for name in found if name.startswith("faces ")]
        columns = {name: pd.Series(found[f"number {name}"], [int(face) for face in found[f"faces {name}"]], float)
                   for name in names}  # fmt: skip
        return pd.DataFrame(columns, dtype=float)

    def _made(self, table: Table, attribute: str, wanted: Mapping[int, float]) -> dict[str, list[float]]:
        """A list of each number, `number NAME`, and one of the faces that have it, `faces NAME`."""
        say(f"      {table.url}: {len(wanted):,} faces are moved to the judge's score of Style Intervention")
        edits = table.read(columns=["index", "step", "strength", "latent", "space", JUDGE + attribute])
        index, step = edits["index"].to_numpy(), edits["step"].to_numpy()
        latents, strengths = schemas.to_numpy(edits["latent"]), edits["strength"].to_numpy().astype(np.float64)
        scores, space = edits[JUDGE + attribute].to_numpy().astype(np.float64), cast(Space, edits["space"][0].as_py())
        scorer = self._scorer(table)
        found: defaultdict[str, list[float]] = defaultdict(list)
        for face, score in wanted.items():
            its = np.flatnonzero(index == face)
            its = its[np.argsort(step[its])]
            line = Line(scorer, space, strengths[its], latents[its])

            def score_at(strength: float, line: Line = line) -> float:
                return line.look(strength)[0][attribute].item()

            strength = strength_that_meets(score, line.strengths, scores[its], score_at)
            if strength is None:
                continue
            measured = self._numbers(self._comparisons(table), line, strength, attribute)
            numbers = {"strength": strength, "score": score_at(strength), **measured}
            for name, number in numbers.items():
                found[f"number {name}"].append(number)
                found[f"faces {name}"].append(float(face))
        return dict(found)

    def _numbers(
        self, comparisons: Mapping[str, Comparison], line: "Line", strength: float, attribute: str
    ) -> dict[str, float]:
        """Of the face at this strength beside its source; those that there are."""
        source, edited = Faces(*line.look(0.0)), Faces(*line.look(strength))
        found = {}
        for name, one in comparisons.items():
            metric = BY_NAME[name]
            for measured, batch in one.compare(one.see(source), one.see(edited), [attribute]).items():
                partial = metric.measure(batch)
                if partial["count"]:
                    found[measured or name] = float(partial["mean"])
        return found

    @cached_property
    def _judge(self) -> ClassifierRef:
        generator = generators.load(self._spec.generator, backend="eager")
        constants = Constants(generator, self._spec.calibration)
        return classifier_ref(self._spec.judge, self._attributes, constants=constants)

    def _comparisons(self, table: Table) -> dict[str, Comparison]:
        """The metrics, on the device of the faces."""
        device = runtime_of_one(table.require_sealed()["facts"]["spec"]).device
        if device not in self._opened:
            self._opened[device] = {name: BY_NAME[name].open(device, self._spec.judge) for name in self._metrics}
        return self._opened[device]

    def _scorer(self, table: Table) -> FaceScorer:
        facts = table.require_sealed()["facts"]
        made, digest = facts["spec"], facts["resolved"]["generator_digest"]
        runtime = runtime_of_one(made)
        truncated = Truncated(made["table_psi"], made["table_cutoff"])
        if (runtime, truncated) not in self._scorers:
            generator = open_generator(Model(made["generator"], digest), runtime)
            self._scorers[runtime, truncated] = open_scorer(generator, runtime, [self._judge], truncated=truncated)
        return self._scorers[runtime, truncated]


def runtime_of_one(made: Mapping[str, Any]) -> Runtime:
    """As these faces were made, in micro-batches of one; on the CPU where they were made on a GPU and none is here."""
    threads = made.get("threads", torch.get_num_threads())
    if made["device"] == "cuda" and not torch.cuda.is_available():
        return Runtime("cpu", threads, "eager", "fp32", 1)
    return Runtime(made["device"], threads, made["backend"], made["precision"], 1)


class Line:
    """One face that moves along a line: codes between those of the steps, and what is seen of them.

    strengths: (K,) of the steps. latents: (K, ...) of the steps.
    """

    def __init__(
        self, scorer: FaceScorer, space: Space, strengths: NDArray[np.float64], latents: NDArray[np.float32]
    ) -> None:
        self.strengths = strengths
        self._scorer, self._space, self._latents = scorer, space, latents
        self._seen: dict[float, tuple[dict[str, NDArray], torch.Tensor]] = {}

    def look(self, strength: float) -> tuple[dict[str, NDArray], torch.Tensor]:
        """The judge's scores (1,) by attribute, and the picture (1, 3, H, W)."""
        if strength not in self._seen:
            after = int(np.clip(np.searchsorted(self.strengths, strength), 1, len(self.strengths) - 1))
            low, high = self.strengths[after - 1 : after + 1]
            share = (strength - low) / (high - low)
            latent = (1 - share) * self._latents[after - 1] + share * self._latents[after]
            codes = Codes(self._space, torch.from_numpy(latent.astype(np.float32))[None])
            self._seen[strength] = self._scorer.look_with_pictures(codes)
        return self._seen[strength]
