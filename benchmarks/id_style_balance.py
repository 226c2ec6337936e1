"""Where the objective of ID-Style's training is least along its first directions: at no edit, or at one that is seen.

    stylemill dataset --rows 1500 --seed 1 --out out/faces      # or the faces of `stylemill reproduce interfacegan`
    python -m benchmarks.id_style_balance out/faces      # 100 faces are made: half a minute on quiet cores

Held-out faces are moved along the SVM normals that the training starts from, each attribute to the other side of its
boundary, all layers alike. The sum of the weighed losses of Eq. 8 to 10, of one edit, is shown as the training has it,
and with the norm of Eq. 8 as printed (`--reduction sum`), then with the score itself in Eq. 9 besides. Eq. 6 and 7 do
not change along a direction.

Shapes: L layers of w+, M attributes.
"""

from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
import tyro

import schemas
from benchmarks.machine import header
from pipeline.editors.id_style import losses
from pipeline.editors.id_style.training import IDStyleTraining, TrainConfig
from pipeline.editors.training import FacesOfTraining, LabelledCodes
from pipeline.engine.machine import cores
from pipeline.models import classifiers, generators
from pipeline.models.classifiers import identity
from pipeline.models.codes import Codes
from pipeline.models.faces import FaceScorer
from pipeline.tables import Table

RESULTS = Path(__file__).parent / "results" / "id-style-balance.md"
GENERATOR = "mobilestylegan-ffhq"
NAMES = ("male", "eyeglasses", "old", "smile")
LENGTHS = (0.0, 1.0, 2.0, 3.0)


def opened(dataset: Path, rows: int) -> IDStyleTraining:
    """A training on a dataset, with so many held-out rows."""
    w_NW = torch.from_numpy(schemas.to_numpy(Table.open(f"{dataset}/latents").read()["w"]).copy())
    labels = Table.open(f"{dataset}/labels").read()
    scores_NM = np.stack([labels[name].to_numpy() for name in NAMES], axis=1)
    generator = generators.load(GENERATOR, backend="eager", threads=torch.get_num_threads())
    faces = FaceScorer(generator, {"": classifiers.load("faces", NAMES, measures=())})
    labelled = LabelledCodes(Codes("w", w_NW), scores_NM, NAMES, generator.num_ws)
    config = TrainConfig(held_out=rows, start_move=0.0)
    return config.open(labelled, torch.device("cpu"), FacesOfTraining(faces, identity.load()))


@torch.no_grad()
def objectives(training: IDStyleTraining) -> dict[float, list[dict[str, float]]]:
    """By length of the move of a layer: of each held-out face and attribute what comes of it."""
    config, found = training.config, defaultdict(list)
    unit_MW = torch.nn.functional.normalize(training.network.direction_MW, dim=1)
    for row in training.codes.held_out.tolist():
        ws_1LW = training.codes.row(row)[None]
        before, before_1E = training.faces.recognise(Codes("w+", ws_1LW), NAMES)
        for name, unit_W in zip(NAMES, unit_MW, strict=True):
            attr_1 = torch.tensor([-1.0 if float(before[name]) > 0 else 1.0])
            for length in LENGTHS:
                move_1LW = (attr_1 * length * unit_W).expand_as(ws_1LW)
                moved = Codes("w+", ws_1LW + move_1LW)
                after, after_1E = training.faces.recognise(moved, [name]) if length else (before, before_1E)
                unlike = float(losses.identity(before_1E, after_1E))
                ours, printed, alone = (
                    config.lambda_class * float(losses.classification(after[name], attr_1, scale))
                    + config.lambda_nb * float(losses.neighbourhood(move_1LW[:, None], reduction))
                    + config.lambda_id * unlike
                    for scale, reduction in ((config.logit_scale, "mean"), (config.logit_scale, "sum"), (1.0, "sum"))
                )
                reached = float(attr_1 * float(after[name]) > 0)
                losses_by = {"ours": ours, "printed": printed, "alone": alone}
                found[length].append({"reached": reached, "alike": 1 - unlike, **losses_by})
    return found


def main(dataset: tyro.conf.Positional[Path], rows: int = 8, threads: int = 0, out: Path = RESULTS) -> None:
    """Measure, print and keep the table.

    Args:
        dataset: what `stylemill dataset` wrote: latents and labels.
        rows: faces that are edited, of those that the directions are not fitted on.
        threads: of the networks of faces; 0 for all cores.
        out: a file for the table.
    """
    threads = threads or cores()
    torch.set_num_threads(threads)
    text = "# ID-Style: the objective along the first directions\n\n"
    text += header(f"python -m benchmarks.id_style_balance {dataset}", f"--rows {rows} --threads {threads}")
    training = opened(dataset, rows)
    text += f"Directions of {len(training.codes.learned):,} faces, {rows} others, each in {len(NAMES)} attributes. "
    text += "The losses of Eq. 8 to 10 of one edit, weighed:\n\n"
    text += "| move of a layer | on the other side | likeness | losses, the default | norm as printed | "
    text += "and the score alone |\n"
    text += "|---:|---:|---:|---:|---:|---:|\n"
    for length, edits in objectives(training).items():
        means = [np.mean([edit[name] for edit in edits]) for name in ("reached", "alike", "ours", "printed", "alone")]
        text += f"| {length:g} | " + " | ".join(f"{mean:.2f}" for mean in means) + " |\n"
    print(text)
    out.write_text(text)


if __name__ == "__main__":
    tyro.cli(main)
