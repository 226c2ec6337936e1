"""What --move, --length and --dilation of Style Intervention do: numbers, and a picture to look at.

    python -m benchmarks.style_intervention_defaults --directions out/fit/directions out/sparse/directions

Faces without an attribute are moved towards it. A row of OUT.png is one edit: the source, moved along the direction in
w, moved along the sparse one, and the edit. OUT.csv has the scores of both families of classifiers there, the mean
square of the change (pixels in [0, 1]), and that outside the mask at the start and at the end. Minutes for each edit.
"""

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
import tyro
from PIL import Image
from torch import Tensor

from benchmarks.ials_contest import GENERATOR, latents
from pipeline.editors.style_intervention import Config
from pipeline.editors.style_intervention.displacements import channel_spread
from pipeline.models import classifiers, generators
from pipeline.models.classifiers import parsing
from pipeline.models.codes import Codes
from pipeline.models.faces import FaceScorer
from pipeline.stages.direction_rows import DirectionTables

PLACES = ("source", "in w", "sparse", "edit")
SIDE = 256
LOOKED_AT = 64
"""Faces among which those without the attribute are looked for."""


@dataclass(frozen=True)
class Trial:
    """Every combination is tried. faces: of each attribute."""

    directions: tuple[str, ...]
    attributes: tuple[str, ...] = ("smile", "male", "old", "eyeglasses")
    faces: int = 1
    moves: tuple[float, ...] = (3.0,)
    lengths: tuple[float, ...] = (0.25, 0.5, 1.0)
    dilations: tuple[int | None, ...] = (None,)
    out: Path = Path("out/tried")


def without(faces: FaceScorer, attribute: str, count: int) -> Iterator[tuple[int, Tensor]]:
    """Number and w (1, W) of the first faces that both families say are without the attribute."""
    for face in range(LOOKED_AT):
        w_NW = latents(face, face + 1)
        seen = faces.look(Codes("w", w_NW), [attribute, f"judge_{attribute}"])
        if all(score[0] < 0 for score in seen.values()):
            yield face, w_NW
            count -= 1
        if not count:
            return


def codes_of(faces: FaceScorer, w_NW: Tensor, table: DirectionTables, config: Config, attribute: str) -> tuple:
    """s (4, S) at the PLACES, and the errors of the edit."""
    own = [one for one in table.directions if one.attribute == attribute]
    trace = config.open(faces, own).edit(Codes("w", w_NW), [config.request(attribute)])
    [in_w], [sparse] = ([one for one in own if one.space == space] for space in ("w", "s"))
    source_NS = trace.at(0).values
    by_z_NS = faces.styles(Codes("w", w_NW + config.move * torch.tensor(in_w.vector))) - source_NS
    spread_S, unit_S = channel_spread(faces.generator).float(), torch.tensor(sparse.vector)
    by_n_NS = unit_S * config.length * (by_z_NS / spread_S).norm() / (unit_S / spread_S).norm()
    places = [source_NS, source_NS + by_z_NS, source_NS + by_n_NS, trace.at(1).values]
    return torch.cat(places), trace.tables["coefficients"]["errors"][0]


def main(trial: Trial) -> None:
    generator = generators.load(GENERATOR, backend="eager")
    families = {
        prefix: classifiers.load(name, trial.attributes, measures=())
        for prefix, name in (("", "faces"), ("judge_", "judge"))
    }
    faces = FaceScorer(generator, families, follow=[""], parser=parsing.load("faces"), picture_size=512)
    table = DirectionTables.open(trial.directions)
    rows, strips = [], []
    for attribute in trial.attributes:
        for face, w_NW in list(without(faces, attribute, trial.faces)):
            for move, length, dilation in itertools.product(trial.moves, trial.lengths, trial.dilations):
                config = Config(always=True, move=move, length=length, dilation=dilation)
                begun = time.perf_counter()
                s_KS, errors = codes_of(faces, w_NW, table, config, attribute)
                seconds = time.perf_counter() - begun
                seen = [faces.look(Codes("s", s_NS)) for s_NS in s_KS.split(1)]
                pixels = torch.cat([torch.from_numpy(one["pixels"]).float() / 255 for one in seen])
                row = {"attribute": attribute, "face": face, "move": move, "length": length, "dilation": dilation}
                for place, one, picture in zip(PLACES, seen, pixels, strict=True):
                    row |= {f"{place}: {name}": float(one[name][0]) for name in (attribute, f"judge_{attribute}")}
                    row[f"{place}: mean square"] = float((picture - pixels[0]).square().mean())
                row |= {"outside at the start": float(errors[0]), "outside": float(errors[-1]), "seconds": seconds}
                rows.append({name.replace(f": {attribute}", ": score").replace(f"_{attribute}", ""): value
                             for name, value in row.items()})  # fmt: skip
                strips.append([Image.fromarray(one["pixels"][0]).resize((SIDE, SIDE)) for one in seen])
                print(pd.Series(rows[-1]).to_string(), "\n", flush=True)
                write(trial.out, rows, strips)


def write(out: Path, rows: list[dict], strips: list[list[Image.Image]]) -> None:
    """What there is so far."""
    out.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(out.with_suffix(".csv"), index=False)
    sheet = Image.new("RGB", (SIDE * len(PLACES), SIDE * len(strips)))
    for row, strip in enumerate(strips):
        for place, picture in enumerate(strip):
            sheet.paste(picture, (SIDE * place, SIDE * row))
    sheet.save(out.with_suffix(".png"))


if __name__ == "__main__":
    main(tyro.cli(Trial, description=__doc__))
