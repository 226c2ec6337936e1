"""A job of `stylemill dt` whose scores are made up, sealed as if it had run: what is counted of it can be known."""

import numpy as np

import schemas
from jobs.dt import summarise
from jobs.flags import say
from pipeline.editors import EditRequest
from pipeline.editors.ials import LAMBDAS, Steps
from pipeline.engine.derive import derive
from pipeline.engine.job import Job
from pipeline.metrics import Cell
from pipeline.stages.dt import DtStage
from pipeline.stages.dt_rows import derived
from pipeline.stages.models import ClassifierRef, Model, Runtime
from pipeline.tables import Layout, Table
from schemas.dt_steps import SCORES


def job(out, pairs, cells: list[Cell], rows: int, steps: int, per_shard: int = 8, target="1", kappa=0.9) -> Job:
    """The job alone; neither latents nor models. kappa: on unedited faces, by pair or of all; or None."""
    names = sorted({name for pair in pairs for name in pair})
    requests = tuple(
        EditRequest(
            primal,
            (condition,),
            target,
            tuple(0.1 * n for n in range(1, steps + 1)),
            options=dict(zip(LAMBDAS, cell, strict=True)),
        )
        for primal, condition in pairs
        for cell in cells
    )
    stage = DtStage(
        latents=Table(f"{out}/latents"),
        space="w",
        requests=requests,
        rows=(tuple(range(rows)),) * len(requests),
        directions=(),
        generator=Model("made", "a"),
        classifiers=ClassifierRef(Model("faces", "b"), tuple(names)),
        judge=ClassifierRef(Model("judge", "c"), tuple(names), "judge_"),
        runtime=Runtime("cpu", 1, "eager", "fp32", 4),
        settings=Steps(step_size=0.1, steps=steps),
        kappas=(kappa,) * len(pairs) if isinstance(kappa, float) else kappa,
    )
    spec = {
        "pairs": [list(pair) for pair in pairs],
        "lambdas": [list(cell) for cell in cells],
        "rows_of_a_pair": rows,
        "first": 0,
        "steps": steps,
        "step_size": 0.1,
        "target": target,
        "classifiers": "faces",
        "judge": "judge",
    }
    layout = Layout(stage.items, per_shard)
    return Job("dt", str(out), stage, layout, spec, {"latents_digest": "d"}, derived=derived(str(out), stage, layout))


def count(made: Job) -> None:
    """The tables that are made of DIR/dt_steps, and what is said of them."""
    derive(made, lambda: None, say)
    summarise(made)


def write_steps(made: Job, scores: np.ndarray, aside=()) -> None:
    """DIR/dt_steps of scores (items, points, 4), sealed; without the items that were rejected."""
    schema = schemas.dt_steps()
    items, points, _ = scores.shape
    layout = made.layout
    table = Table.create(f"{made.out}/dt_steps", schema, rows=items, rows_per_shard=layout.rows_per_shard)
    records = []
    for shard in range(layout.shards):
        index = np.array([item for item in layout.indices(shard) if item not in aside])
        rows = schema.arrow.empty_table()
        if len(index):
            rows = schema.rows(
                {
                    "index": np.repeat(index, points),
                    "step": np.tile(np.arange(points), len(index)),
                    "request": np.repeat([made.stage.item(item)[0] for item in index.tolist()], points),
                    "row": np.repeat([made.stage.item(item)[1] for item in index.tolist()], points),
                    "strength": np.tile(0.1 * np.arange(points, dtype=np.float32), len(index)),
                    "stop": "done",
                    **{name: scores[index, :, place].ravel() for place, name in enumerate(SCORES)},
                }
            )
        records.append(table.publish(shard, rows))
    table.seal(records, made.facts_of("dt_steps"), made.fingerprint)


def drifting(pairs: int, cells: list[Cell], rows: int, steps: int, seed: int = 0) -> np.ndarray:
    """Scores (items, points, 4): the primal rises with the step, the condition drifts, less so the smaller lambda2 is;
    the families differ by noise. Rows of a pair have the same source in every cell.
    """
    noise = np.random.default_rng(seed)
    time = np.arange(steps + 1) / steps
    found = np.empty((pairs, len(cells), rows, steps + 1, 4), dtype=np.float32)
    for pair in range(pairs):
        primal, condition = -np.abs(noise.normal(1, 0.6, (rows, 1))) - 0.05, noise.normal(0, 1.2, (rows, 1))
        pull, away = noise.normal(3, 0.8, (rows, 1)), noise.normal(0, 0.8, (rows, 1))
        for place, (first, second) in enumerate(cells):
            moved = primal + (0.7 + 0.3 * first) * pull * time
            drifted = condition + (0.5 + second) * away * time
            for column, values in enumerate((moved, drifted, moved, drifted)):
                wobble = 0.0 if column > 1 else noise.normal(0, 0.1, values.shape)
                found[pair, place, ..., column] = values + wobble
    return found.reshape(-1, steps + 1, 4)
