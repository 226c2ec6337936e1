"""How near fitted directions come to those that others fitted on far more faces of the same generator.

    stylemill dataset --rows 1500 --seed 1 --psi 0.7 --out out/faces
    stylemill directions import --format e4e age.pt smile.pt ... --generator mobilestylegan-ffhq --out out/e4e
    python -m benchmarks.directions --latents out/faces/latents --labels out/faces/labels \
        --references out/e4e/directions ... --rows 375 750 1500

The references are tables of directions in w of the built-in generator that others published, one table for each
project: encoder4editing (https://github.com/omertov/encoder4editing, editings/interfacegan_directions), StyleGAN-NADA,
STIT and generators-with-stylegan2. Accuracy hardly tells good
directions from poor ones, and the agreement of two halves of the rows does not see what both miss; the cosine with a
direction that somebody else fitted, on other faces and by other classifiers, does.
No method uses it here. How alike two references are of one attribute says how high it can rise.
"""

import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import tyro
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import schemas
from benchmarks.machine import header
from pipeline.directions import Direction
from pipeline.directions.aliases import resolve
from pipeline.directions.method import FitConfig, FitInputs
from pipeline.directions.ridge import Config as Ridge
from pipeline.directions.svm import Config as Svm
from pipeline.models.codes import Codes
from pipeline.stages.direction_rows import read_directions
from pipeline.tables import Table

RESULTS = Path(__file__).parent / "results" / "directions.md"
WAYS: dict[str, FitConfig] = {
    "(default)": Svm(),
    "--margin 0.05": Svm(margin=0.05),
    "--margin 0": Svm(margin=0.0),
    **{f"--fraction 0.2 --C {C:g}": Svm(C=C, fraction=0.2) for C in (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)},
    **{f"--method ridge --alpha {alpha:g}": Ridge(alpha=alpha) for alpha in (100, 300, 1000, 3000, 10000)},
}


def main(
    latents: str, labels: str, references: tuple[str, ...], rows: tuple[int, ...] = (750, 1500), keep: bool = True
) -> None:
    """Measure, print and keep the table.

    Args:
        latents: of the built-in generator.
        labels: of these latents.
        references: tables of directions in w, under any name of an attribute.
        rows: how many are fitted on: as many disjoint sets of them as there are.
        keep: write the table to its place.
    """
    w_NW = schemas.to_numpy(Table.open(latents).read(["w"])["w"])
    scores: dict[str, NDArray[np.float64]] = {}
    judges: dict[str, list[NDArray[np.float64]]] = {}
    for direction in (one for url in references for one in read_directions(Table.open(url))):
        if known := resolve(direction.attribute):
            name, vector = known[0], _of_w(direction)
            scores[name] = schemas.to_numpy(Table.open(labels).read([name])[name]).astype(np.float64)
            turn = np.sign(np.corrcoef(w_NW @ vector, scores[name])[0, 1])  # some point where the attribute falls
            judges.setdefault(name, []).append(turn * vector)
    flags = f"--rows {' '.join(map(str, rows))}"
    parts = [
        "# Directions beside those of others\n",
        header("python -m benchmarks.directions --latents T --labels T --references T T", flags),
        f"{len(w_NW):,} labelled faces of mobilestylegan-ffhq at psi 0.7. Cosine of the direction of an attribute with "
        "the published ones of it, the mean over them and over disjoint sets of rows. No way of fitting looks at them.",
        "",
        "Published: " + "; ".join(f"{len(found)} of {name}{_alike(found)}" for name, found in judges.items()) + ".",
    ]
    for count in rows:
        starts = range(0, len(w_NW) - count + 1, count)
        parts += ["", f"{len(starts)} x {count:,} rows", "", f"| | {' | '.join(judges)} | mean | CPU s |"]
        parts += [f"| --- |{' ---: |' * (len(judges) + 2)}"]
        for way, config in WAYS.items():
            parts.append(_line(way, config, [slice(start, start + count) for start in starts], w_NW, scores, judges))
            print(parts[-1], flush=True)
    text = "\n".join(parts) + "\n"
    print(text)
    if keep:
        RESULTS.write_text(text)


def _line(
    way: str,
    config: FitConfig,
    sets: Sequence[slice],
    w_NW: NDArray[np.float32],
    scores: dict[str, NDArray[np.float64]],
    judges: dict[str, list[NDArray[np.float64]]],
) -> str:
    """The means over the sets."""
    begun = time.process_time()
    means = []
    for name, vectors in judges.items():
        cosines = []
        for rows in sets:
            codes = Codes("w", torch.from_numpy(w_NW[rows]))
            with threadpool_limits(1), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                fitted = config.fit(FitInputs(codes, scores[name][rows], name)).direction
            cosines.append(np.mean([fitted.vector @ vector for vector in vectors]))
        means.append(float(np.mean(cosines)))
    seconds = (time.process_time() - begun) / len(sets) / len(judges)
    cells = " | ".join(f"{mean:.2f}" for mean in means)
    return f"| `{way}` | {cells} | {np.mean(means):.3f} | {seconds:.2f} |"


def _of_w(direction: Direction) -> NDArray[np.float64]:
    """(W,) of norm 1; of one with a vector for each layer their mean."""
    vector = direction.vector.astype(np.float64).reshape(-1, direction.vector.shape[-1]).mean(axis=0)
    return vector / np.linalg.norm(vector)


def _alike(vectors: Sequence[NDArray[np.float64]]) -> str:
    """The cosines between them."""
    cosines = [f"{first @ second:.2f}" for place, first in enumerate(vectors) for second in vectors[:place]]
    return f" (cosines {', '.join(cosines)})" if cosines else ""


if __name__ == "__main__":
    tyro.cli(main)
