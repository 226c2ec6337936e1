"""How long the Latent Transformer trains, and how fast it edits beside InterFaceGAN.

    python -m benchmarks.latent_transformer --rows 10000 --edited 20000

The latents are noise around the mean w, the scores of their attributes a smooth function of them: what is learned does
not matter here. Three things are measured, in one process:

- a step of all transformations as one batched network, beside a step of each alone, in turns: the median of each;
- the whole training by `stylemill train`, with its defaults, tables and artifact included;
- edits without faces by `stylemill edit`, both editors in turns, to four strengths.
"""

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import tyro

import schemas
from benchmarks.edit import latents
from benchmarks.machine import header
from jobs.__main__ import main as stylemill
from jobs.small_outputs import write_small_table
from pipeline.directions import normalised
from pipeline.editors.latent_transformer.training import LatentTransformerTraining, TrainConfig
from pipeline.editors.training import LabelledCodes
from pipeline.engine.machine import cores
from pipeline.models import generators
from pipeline.models.codes import Codes
from pipeline.stages.direction_rows import to_rows

RESULTS = Path(__file__).parent / "results" / "latent-transformer.md"
GENERATOR = "mobilestylegan-ffhq"
ATTRIBUTES = 11
ROUNDS, STEPS = 5, 20
"""Turns of the comparison, and steps of one."""
STRENGTHS = "-1.25,-0.6,0.6,1.25"


def scores_of(w_NW: np.ndarray) -> pd.DataFrame:
    """Scores of as many attributes, (N, A), with the column index."""
    noise = np.random.default_rng(3)
    spread = (w_NW - w_NW.mean(axis=0)) / w_NW.std()
    first, second = (spread @ noise.standard_normal((w_NW.shape[1], ATTRIBUTES)) for _ in range(2))
    columns = {f"attribute_{place}": column for place, column in enumerate((first + 0.05 * second**2).T)}
    return pd.DataFrame({"index": np.arange(len(w_NW)), **columns})


def seconds_of_a_step(training: LatentTransformerTraining) -> float:
    begun = time.perf_counter()
    training.advance(STEPS)
    return (time.perf_counter() - begun) / STEPS


def together_and_alone(w_NW: np.ndarray, scores: pd.DataFrame) -> tuple[float, float]:
    """Seconds of a step of all transformations together, and of one alone: medians, in turns."""
    names = tuple(scores.columns[1:])
    rows = LabelledCodes(Codes("w", torch.from_numpy(w_NW)), scores[list(names)].to_numpy(), names)
    sides = [
        LatentTransformerTraining(rows, targets, TrainConfig(classifier_epochs=1)) for targets in (names, names[:1])
    ]
    for side in sides:
        while side.phase != "transformers":
            side.advance(STEPS)
        side.advance(STEPS)
    found = [[seconds_of_a_step(side) for side in sides] for _ in range(ROUNDS)]
    together, alone = (statistics.median(times) for times in zip(*found, strict=True))
    return together, alone


def timed(*words: str) -> float:
    begun = time.perf_counter()
    if code := stylemill([*words, "--local"]):
        raise SystemExit(code)
    return time.perf_counter() - begun


def main(rows: int = 10_000, edited: int = 20_000, train: bool = True) -> None:
    """rows: that are trained on. edited: rows edited by each. train: whether to time the whole training."""
    threads = cores()
    torch.set_num_threads(threads)
    generator = generators.load(GENERATOR, backend="eager")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        w_NW = latents(work / "latents", rows)
        scores = scores_of(w_NW)
        scores.to_csv(work / "labels.csv", index=False)
        together, alone = together_and_alone(w_NW, scores)
        given = ["--latents", f"{work}/latents", "--labels", f"{work}/labels.csv"]
        short = [] if train else ["--epochs", "1", "--classifier-epochs", "1"]
        training = timed("train", "latent-transformer", *given, *short, "--out", f"{work}/lt")
        raw = np.random.default_rng(2).standard_normal(generator.w_dim)
        direction = normalised("attribute_0", "svm", "w", raw, generator=generator.fingerprint)
        write_small_table(f"{work}/directions", schemas.directions(), to_rows([direction]), {"verb": "noise"})
        latents(work / "others", edited)
        editors = {
            "interfacegan": ["--directions", f"{work}/directions", f"--strengths={STRENGTHS}"],
            "latent-transformer": ["--artifact", f"{work}/lt/artifact", f"--alphas={STRENGTHS}"],
        }
        times: dict[str, list[float]] = {name: [] for name in editors}
        for turn in range(3):
            for name, words in editors.items():
                out = f"{work}/{name}-{turn}"
                where = ["--attribute", "attribute_0", "--latents", f"{work}/others", "--out", out]
                times[name].append(timed("edit", name, *words, *where))
    text = "# The Latent Transformer: training, and edits beside InterFaceGAN\n\n"
    flags = f"--rows {rows} --edited {edited}" + ("" if train else " --no-train")
    text += header("python -m benchmarks.latent_transformer", flags)
    text += (
        f"{ATTRIBUTES} attributes, {threads} threads, batches of 16. A step of all transformations together takes "
        f"{1000 * together:.1f} ms, of one alone {1000 * alone:.1f} ms: one after another takes "
        f"{ATTRIBUTES * alone / together:.2f} times as long.\n\n"
    )
    if train:
        text += f"`stylemill train latent-transformer` on {rows:,} rows, with its defaults: {training:.0f} s.\n\n"
    text += "| editor | rows | seconds | rows/s |\n|---|---:|---:|---:|\n"
    for name, found in times.items():
        seconds = statistics.median(found)
        text += f"| {name}, four strengths, tables sealed | {edited:,} | {seconds:.2f} | {edited / seconds:,.0f} |\n"
    if train:
        RESULTS.write_text(text)
    print(text)


if __name__ == "__main__":
    tyro.cli(main)
