"""A small job of each verb that runs shards, and what the verbs read."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from jobs.__main__ import main
from jobs.options import RunFlags
from pipeline.editors import EDITORS, config_of
from pipeline.editors.training import TRAININGS, FacesOfTraining
from pipeline.models.classifiers import identity
from pipeline.stages.train import FacesRef
from tests.jobs.discs import discs
from tests.jobs.edits import ALONE as TRAINED_ALONE
from tests.jobs.edits import planted, short, trained
from tests.jobs.planted import plant
from tests.jobs.test_readme import SPECS, kind_of

NETWORKS = ("--batch-size", "4", "--threads", "1", "--backend", "eager", "--device", "cpu")
HERE = ("--local",)
ON_RAY = ("--address", "auto", "--workers", "2")
ALONE = ("latents import",)
"""Verbs that know no other worker than their own process."""
FACELESS = ("sample", "import", "measure", "latent-transformer", "id-style", "train", "train-classifier", "align")
"""Jobs that open networks and make no face; those edits that `measure` is given have their scores."""
VERBS = [verb for verb in SPECS if issubclass(kind_of(verb), RunFlags)]


@dataclass(frozen=True)
class Case:
    """Words of a command, with `{name}` where an input goes. `changed`: flags that make it another job, and how the
    refusal names the field; `free`: flags that decide no row. `last`: what is not there before all rows are. `cut`: the
    words that cut it into shards of another size. `rows`: the function that gives a stage its codes, from an index.
    `steps`: whether its one task is a training.
    """

    words: str
    changed: dict[str, str]
    free: str = "--max-rejects 0"
    rows: str = ""
    last: tuple[str, ...] = ()
    cut: str = ""
    networks: tuple[str, ...] = NETWORKS
    steps: bool = False

    @property
    def verb(self) -> str:
        return max((verb for verb in VERBS if self.words.startswith(f"{verb} ")), key=len)

    def run(self, inputs: dict[str, str], out: Path, *words: str, where: tuple[str, ...] = HERE) -> int:
        given = self.words.format(**inputs).split()
        return main([*given, *self.networks, *(() if self.verb in ALONE else where), "--out", str(out), *words])


class PixelsAreTheFace(torch.nn.Module):
    """In place of the network of identity, which these tests do without: the embedding is the picture."""

    fingerprint = "pixels"

    def forward(self, x_N3HW: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(x_N3HW[:, :, ::4, ::4].flatten(1), dim=1)


def load_pixels(device: object = "cpu") -> PixelsAreTheFace:
    return PixelsAreTheFace()


class FacesByPixels(FacesRef):
    """Opens it in whatever process a worker is."""

    def open(self) -> FacesOfTraining:
        identity.load = load_pixels
        return super().open()


class FacesOfTheKilled(FacesByPixels):
    """Two processes, or more where one was killed: each waits until there are two, and the first two are killed on the
    way. What has happened is told by files in `marks`."""

    marks = ""

    def open(self) -> FacesOfTraining:
        faces, seen, marks = super().open(), [], Path(self.marks)
        search = faces._faces.search_with_pictures
        (marks / f"opened-{os.getpid()}").touch()

        def killed(*given: object) -> object:
            seen.append(given)
            latest = time.monotonic() + 120
            while len(list(marks.glob("opened-*"))) < 2 and time.monotonic() < latest:
                time.sleep(0.05)
            if len(seen) == 3:
                for number in range(2):
                    try:
                        (marks / f"killed-{number}").touch(exist_ok=False)
                    except FileExistsError:
                        continue
                    os.kill(os.getpid(), signal.SIGKILL)
            return search(*given)

        faces._faces.search_with_pictures = killed
        return faces


ROWS = "--rows 12 --rows-per-shard 8"
CUT = "--rows-per-shard 12"
NORMAL = "pipeline.stages.dataset.standard_normal"
CODES = "pipeline.stages.codes.codes_of"
TINY = "--generator stylegan2-tiny"
EDITED = "--latents {latents} --directions {directions} --rows-per-shard 8 --attribute old"
JUDGED = "--classifiers tiny --judge tiny-judge --scores both"
CASES = {
    "dataset": Case(
        f"dataset {TINY} --classifiers tiny,tiny-judge {ROWS} --images png --size 32",
        changed={
            "--seed 2": "seed: 1 there, 2 asked", "--psi 0.5": "psi: 0.7 there, 0.5 asked", "--images jpeg": "images: ",
            "--attributes smile": "attributes: ", "--batch-size 2": "batch_size: 4 there, 2 asked",
        },
        free="--attributes yaw,eyeglasses,old,male,smile --classifiers tiny,tiny-judge", rows=NORMAL, cut=CUT,
    ),
    "sample": Case(
        f"sample {TINY} {ROWS} --cutoff 2",
        changed={"--psi 0.5": "psi: 0.7 there, 0.5 asked"}, rows=NORMAL, cut=CUT,
    ),
    "import": Case(
        f"latents import {{codes}} {TINY} --space z --psi 0.7 --rows-per-shard 8",
        changed={"--psi 0.5": "psi: 0.7 there, 0.5 asked"}, cut=CUT,
    ),
    "align": Case(
        "photos align {photos} --networks tiny --size 32 --min-sharpness 0 --min-size 20 --rows-per-shard 2",
        changed={"--size 16": "size: 32 there, 16 asked", "--faces largest": "faces: all there, largest asked"},
        cut="--rows-per-shard 3", networks=("--device", "cpu"),
    ),
    "invert": Case(
        f"photos invert {{aligned}} {TINY} --networks tiny --classifiers tiny --steps 2 --images png --size 32 "
        "--max-lpips 9 --max-identity-dlib 9 --rows-per-shard 4",
        changed={"--steps 3": "steps: 2 there, 3 asked", "--max-lpips 8": "max_lpips: 9.0 there, 8.0 asked"},
        cut="--rows-per-shard 8",
    ),
    "paste": Case(
        "photos paste {photos} --aligned {aligned} --inverted {inverted} --edits {to_paste} --networks tiny "
        "--rows-per-shard 2",
        changed={"--format webp": "format: null there, webp asked", "--exif keep": "exif: strip there, keep asked"},
        cut="--rows-per-shard 3", networks=("--device", "cpu"),
    ),
    "label": Case(
        "label --latents {latents} --classifiers tiny --rows-per-shard 8",
        changed={"--classifiers tiny-judge": "classifiers: tiny there"}, rows=CODES, cut=CUT,
    ),
    "calibrate": Case(
        f"calibrate {TINY} --classifiers tiny,tiny-judge {ROWS}",
        changed={"--seed 3": "seed: 7 there, 3 asked"}, last=("calibration.json",), cut=CUT,
    ),
    "svm": Case(
        "directions fit --latents {planted}/latents --labels {planted}/labels --fraction 0.5",
        changed={"--seed 1": "seed: 0 there, 1 asked"}, networks=(),
    ),
    "svm-l1": Case(
        "directions fit --penalty l1 --latents {planted}/latents --labels {planted}/labels",
        changed={"--C 0.5": "c: chosen there, 0.5 asked"}, networks=(),
    ),
    "ridge": Case(
        "directions fit --method ridge --latents {planted}/latents --labels {planted}/labels",
        changed={"--alpha 10": "alpha: 300.0 there, 10.0 asked"}, networks=(),
    ),
    "mean-gradient": Case(
        "directions fit --method mean-gradient --latents {latents} --classifiers tiny --attributes smile,male,old",
        changed={"--opposite": "opposite: false there, true asked"}, last=("directions",),
    ),
    "ganspace": Case(
        "directions fit --method ganspace --latents {latents} --classifiers tiny --components 3 --measure-rows 6",
        changed={"--measure-rows 5": "measure_rows: 6 there, 5 asked"},
    ),
    "strips": Case(
        "directions strips --latents {latents} --directions {directions} --faces 2 --size 32",
        changed={"--faces 3": "faces: [0, 1] there"},
    ),
    "interfacegan": Case(
        f"edit interfacegan {EDITED},young --strengths=-2,2 {JUDGED} --images png --size 32",
        changed={"--strengths=-2,3": "strengths"}, rows=CODES, last=("requests",), cut=CUT,
    ),
    "ials": Case(
        f"edit ials {EDITED} --preserve eyeglasses --steps 3 --step-size 0.5 --keep all {JUDGED}",
        changed={"--lambda1 0.5": "lambda1"}, free="--recompute", rows=CODES, last=("requests",), cut=CUT,
    ),
    "style-intervention": Case(
        "edit style-intervention --latents {latents} --directions {directions},{sparse} --rows-per-shard 8 "
        f"--attribute old --steps 1 --always {JUDGED}",
        changed={"--move 2": "move: 3.0 there, 2.0 asked"}, rows=CODES, last=("requests",), cut=CUT,
    ),
    "latent-transformer": Case(
        "edit latent-transformer --latents {latents} --artifact {artifact} --rows-per-shard 8 --attribute old "
        "--alphas=-1,0.5,1.25",
        changed={"--alphas=-1,1": "alphas"}, rows=CODES, last=("requests",), cut=CUT,
    ),
    "id-style": Case(
        "edit id-style --latents {latents} --artifact {id_style} --rows-per-shard 8 --attribute old,old+male",
        changed={"--top-k 5": "top_k", "--intensity 2": "intensity"}, rows=CODES, last=("requests",), cut=CUT,
    ),
    "train": Case(
        "train latent-transformer --latents {planted}/latents --labels {planted}/labels --epochs 1 "
        "--classifier-epochs 1",
        changed={
            "--epochs 2": "epochs: 1 there, 2 asked", "--attributes smile": "attributes: ",
            "--batch-size 8": "batch_size: 16 there, 8 asked",
        },
        networks=("--threads", "1", "--device", "cpu"), steps=True,
    ),
    "train-id-style": Case(
        "train id-style --latents {latents} --labels {labels} --classifiers tiny --judge tiny-judge "
        "--attributes old,smile --steps 2 --crossovers 2 --held-out 2",
        changed={
            "--steps 3": "steps: 2 there, 3 asked", "--lambda-id 1": "lambda_id: 5.0 there, 1.0 asked",
            "--start random": "start: ", "--judge-every 2": "judge_every: 6 there, 2 asked",
        },
        free="--classifiers tiny", steps=True,
    ),
    "train-classifier": Case(
        "train classifier --image-table {images}/images --labels {hand} --attribute beard --features tiny --joins tiny "
        "--other-rows 4",
        changed={"--seed 1": "seed: 0 there, 1 asked", "--attribute hat": "attribute: ", "--joins none": "joins: "},
        networks=("--threads", "1", "--device", "cpu"), steps=True,
    ),
    "train-encoder": Case(
        f"train encoder {TINY} --features tiny --held-out 2 --rank 8 {ROWS}",
        changed={"--seed 1": "seed: 3 there, 1 asked", "--rank 4": "rank: 8 there, 4 asked"},
        rows=NORMAL, last=("artifact",), cut=CUT,
    ),
    "export": Case(
        "export {pictures} --format files --rows-per-shard 8",
        changed={"--where step>0": "chosen: "}, last=("metadata.csv", "README.md"), cut=CUT, networks=(),
    ),
    "measure": Case(
        "measure --edits {edits} --families tiny-judge",
        changed={"--measured yaw,old": "measured: "}, last=("measured", "measured.csv"),
    ),
    "dt": Case(
        "dt --latents {latents} --labels {judged} --directions {directions} --pairs male:eyeglasses --rows 5 --steps 3 "
        "--step-size 4 --lambdas 1:1,0.75:0 --rows-per-shard 4 --classifiers tiny --judge tiny-judge",
        changed={"--loss bce": "loss"}, last=("dt_curves", "dt_auc", "requests", "metrics"),
        cut="--rows-per-shard 8",
    ),
}  # fmt: skip


def edit_by(editor: str) -> Case:
    """Of an editor without a case of its own: what all editors take."""
    directions = "--directions {directions}" if config_of(editor).TAKES_DIRECTIONS else ""
    directions += " --artifact {artifact}" if config_of(editor).ARTIFACT else ""
    words = f"edit {editor} --latents {{latents}} {directions} --rows-per-shard 8 --attribute old {JUDGED}"
    return Case(words, changed={"--attribute male": "attribute"}, rows=CODES, last=("requests",), cut=CUT)


CASES |= {editor: edit_by(editor) for editor in EDITORS if editor not in CASES}


def train_by(training: str) -> Case:
    """Of a training without a case of its own: what all trainings take."""
    tables = "--latents {latents} --labels {labels} --classifiers tiny"
    if training in TRAINED_ALONE:
        tables = "--latents {planted}/latents --labels {planted}/labels"
    words = " ".join(["train", training, tables, *short(training)])
    networks = ("--threads", "1", "--device", "cpu") if training in TRAINED_ALONE else NETWORKS
    return Case(words, changed={"--seed 1": "seed: 0 there, 1 asked"}, networks=networks, steps=True)


CASES |= {
    f"train-{name}": train_by(name)
    for name in TRAININGS
    if not any(case.words.startswith(f"train {name} ") for case in CASES.values())
}


def make_inputs(folder: Path, generator: str = "stylegan2-tiny") -> dict[str, str]:
    """Sampled latents, their labels by both families, directions and edits; latents whose directions are known; codes
    of one's own."""
    inputs = {
        "latents": f"{folder}/latents/latents",
        "labels": f"{folder}/labels/labels",
        "judged": f"{folder}/judged/labels",
        "directions": f"{folder}/directions",
        "sparse": f"{folder}/sparse",
        "edits": f"{folder}/edits/edits",
        "pictures": f"{folder}/edits",
        "planted": f"{folder}/planted",
        "codes": f"{folder}/codes.npy",
        "photos": f"{folder}/photos",
        "aligned": f"{folder}/aligned",
        "inverted": f"{folder}/inverted",
        "to_paste": f"{folder}/to_paste",
        "images": f"{folder}/images",
        "hand": f"{folder}/hand.csv",
        "artifact": trained("latent-transformer"),
        "id_style": trained("id-style"),
    }
    plant(inputs["planted"])
    planted(inputs["directions"], ("w",), names=("old", "young", "eyeglasses", "male"))
    planted(inputs["sparse"], ("s",), names=("old",))
    discs(inputs["photos"])
    np.save(inputs["codes"], np.random.default_rng(1).standard_normal((12, 512)).astype(np.float32))
    lines = [f"{row},{row % 2}" for row in range(20)]
    Path(inputs["hand"]).write_text("\n".join(["index,label", *lines]) + "\n")
    aligned = CASES["align"].words.format(**inputs).split()
    assert main([*aligned, *CASES["align"].networks, *HERE, "--out", inputs["aligned"]]) == 0
    for name, words in {
        "latents": f"sample {TINY} {ROWS}",
        "images": f"dataset {TINY} --classifiers tiny --rows 24 --images png --size 32",
        "labels": "label --latents {latents} --classifiers tiny",
        "judged": "label --latents {latents} --classifiers tiny-judge",
        "edits": CASES["interfacegan"].words,
        "inverted": CASES["invert"].words,
        "to_paste": (
            "edit interfacegan --latents {inverted}/latents --directions {sparse} --attribute old --strengths 2"
        ),
    }.items():
        given = words.replace("stylegan2-tiny", generator).format(**inputs).split()
        assert main([*given, *NETWORKS, *HERE, "--out", str(folder / name)]) == 0
    return inputs
