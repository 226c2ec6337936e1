"""The scores from which DT curves are counted: IALS for pairs of attributes, lambdas and rows of latents.

Shapes: B slots of a micro-batch, P points of a row (the source and the steps), T steps of a trace with the source.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import schemas
from pipeline.directions import Direction
from pipeline.directions.aliases import plain
from pipeline.editors import NOT_FINITE, EditRequest, Trace
from pipeline.editors.gradients import score_of
from pipeline.editors.ials import Steps
from pipeline.engine.stage import Batch, Rows, Task
from pipeline.models.codes import Codes, Space
from pipeline.stages.codes import codes_of, needed_columns
from pipeline.stages.microbatch import Columns, Indices, Slots, batch_of, computed_or_rejected
from pipeline.stages.models import ClassifierRef, Model, Runtime, open_generator, open_scorer
from pipeline.stages.source import Latents
from schemas import TableSchema
from schemas.dt_steps import SCORES


@dataclass(frozen=True)
class DtStage:
    """Edit chosen rows of a latents table as each request says, and keep what both families say of every step.

    An index counts items, request by request: item i is request i // R for the i mod R-th of that request's R rows, so
    that requests share a micro-batch where rows are few.

    requests: each of one condition. rows: of each request, as many of each: indices of latents.
    directions: attribute-level ones, in `space`, of every attribute that IALS needs one of.
    classifiers: those whose gradients are followed. judge: those that measure; its columns have a prefix.
    kappas: of both on unedited faces, by pair, None where it is not defined; None where it is not known. It decides no
        row, and what is ranked.
    """

    latents: Latents
    space: Space
    requests: tuple[EditRequest, ...]
    rows: tuple[tuple[int, ...], ...]
    directions: tuple[Direction, ...]
    generator: Model
    classifiers: ClassifierRef
    judge: ClassifierRef
    runtime: Runtime
    settings: Steps
    kappas: tuple[float | None, ...] | None = None
    name: str = field(default="dt", init=False)
    version: int = field(default=1, init=False)

    @property
    def outputs(self) -> Mapping[str, TableSchema]:
        return {"dt_steps": schemas.dt_steps()}

    @property
    def items(self) -> int:
        return len(self.requests) * len(self.rows[0])

    def item(self, index: int) -> tuple[int, int]:
        """Number of the request and index of the latent of an item; beyond the last, those of the last."""
        request, place = divmod(min(index, self.items - 1), len(self.rows[0]))
        return request, self.rows[request][place]

    def open(self) -> "DtWorker":
        return DtWorker(self)


class DtWorker:
    """The stage with its models open."""

    def __init__(self, stage: DtStage) -> None:
        self.stage, self.device = stage, torch.device(stage.runtime.device)
        self.generator = open_generator(stage.generator, stage.runtime)
        self.faces = open_scorer(
            self.generator, stage.runtime, [stage.classifiers, stage.judge],
            follow=True, recompute=stage.settings.recompute,
        )  # fmt: skip
        self._codes: dict[int, Tensor] = {}

    def run(self, task: Task) -> Iterator[Batch]:
        """One batch for each micro-batch of items."""
        stage = self.stage
        wanted = np.arange(task.first, task.stop)
        wanted = wanted[task.wanted(wanted)]
        self._fetch(stage.item(index)[1] for index in wanted.tolist())
        for came_out in computed_or_rejected(task, stage.runtime.batch_size, self._compute):
            yield batch_of(stage.outputs, came_out, step_rows, self.faces.take_seconds())

    def _fetch(self, rows: Iterable[int]) -> None:
        """Have the codes of these rows, and of no others; each part of the latents is read once."""
        needed, space = set(rows), self.stage.space
        self._codes = {row: codes for row, codes in self._codes.items() if row in needed}
        missing = sorted(needed - self._codes.keys())
        if not missing:
            return
        latents = self.stage.latents.only(np.array(missing, dtype=np.int64))
        for found in latents.pieces(needed_columns(latents.schema, space)):
            codes = codes_of(found, space, self.generator)
            for place, row in enumerate(found["index"].to_pylist()):
                self._codes[row] = codes.values[place].clone()

    def _compute(self, index: Indices, slots: Slots) -> Columns:
        """Columns (B, P); `stop` and the numbers of request and row are (B,)."""
        stage = self.stage
        items = [stage.item(one) for one in index.tolist()]
        nothing = torch.zeros_like(next(iter(self._codes.values())))
        padding = np.nan if slots.any() else 0.0  # NaN: nothing is sought for it; zeros: the networks are put to test
        values = torch.stack([self._codes.get(row, nothing) for _, row in items])
        requests = [stage.requests[request] for request, _ in items]
        trace = self._edit(Codes(stage.space, values).only(slots, padding), requests)
        return {
            "request": np.array([request for request, _ in items]),
            "row": np.array([row for _, row in items]),
            "stop": np.array(trace.stops, dtype=object),
            **points(trace, requests, stage.settings.steps, stage.judge.prefix),
        }

    def _edit(self, codes: Codes, requests: Sequence[EditRequest]) -> Trace:
        """The steps of B items; classifiers of attributes that none of them is about are left out."""
        stage = self.stage
        about = {plain(name) for request in requests for name in (request.attribute, *request.preserve)}
        scores = partial(self.faces, attributes=sorted(about))
        editor = stage.settings.editor(stage.directions, scores, self.faces.at_once, look=True)
        return editor.edit(codes.to(self.device), requests)


def points(trace: Trace, requests: Sequence[EditRequest], steps: int, judge: str) -> dict[str, NDArray[np.float32]]:
    """Strength and scores of each row at the source and after each step, (B, P); `judge`: the prefix of the judge's.

    A step that a row did not reach, since its direction vanished, counts as one on which it stands still: its last
    scores are those of every later step. Rows that are to be rejected are NaN.
    """
    if all(stop == NOT_FINITE for stop in trace.stops):  # so that no face was made, and none scored
        return {name: np.full((len(requests), steps + 1), np.nan, dtype=np.float32) for name in ("strength", *SCORES)}
    last_B1 = trace.steps.max(dim=1, keepdim=True).values.clamp(min=0)
    place_BP = torch.minimum(torch.arange(steps + 1, device=last_B1.device), last_B1)
    own = {name: score for name, score in trace.scores.items() if not name.startswith(judge)}
    judged = {name.removeprefix(judge): score for name, score in trace.scores.items() if name.startswith(judge)}
    pair = [[request.attribute for request in requests], [request.preserve[0] for request in requests]]
    seen = [[score_of(name, of)[row] for row, name in enumerate(names)] for of in (own, judged) for names in pair]
    columns = dict(zip(SCORES, map(torch.stack, seen), strict=True))
    found = {
        name: column_BT.gather(1, place_BP).float().cpu().numpy()
        for name, column_BT in {"strength": trace.strengths, **columns}.items()
    }
    for column in found.values():
        column[[stop == NOT_FINITE for stop in trace.stops]] = np.nan
    return found


def step_rows(index: Indices, made: Columns) -> dict[str, Rows]:
    """Rows of `dt_steps`, P for each item."""
    items, points = made["strength"].shape
    columns = {
        "index": np.repeat(index, points),
        "step": np.tile(np.arange(points), items),
        **{name: np.repeat(made[name], points) for name in ("request", "row")},
        "stop": np.repeat(made["stop"], points).tolist(),
        **{name: made[name].ravel() for name in ("strength", *SCORES)},
    }
    return {"dt_steps": schemas.dt_steps().rows(columns)}
