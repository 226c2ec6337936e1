"""Sampled latents, directions planted in them, and edits of them, on the tiny networks."""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import safetensors.torch

from jobs.__main__ import main
from jobs.command_line import flag_of
from jobs.small_outputs import write_small_table
from jobs.train.spec import SPECS as TRAINED
from pipeline.card import Card, TrainedCodes
from pipeline.directions import Direction, normalised
from pipeline.editors import EDITORS, config_of
from pipeline.editors.id_style.networks import IDStyle
from pipeline.editors.training import config_of as training_of
from pipeline.models import generators
from pipeline.stages.direction_rows import to_rows
from pipeline.stages.models import MODEL
from pipeline.tables import Artifact, ArtifactFiles, Table
from schemas import directions as directions_schema

HOW = ["--batch-size", "4", "--threads", "1", "--backend", "eager", "--local"]
TINY = ["--classifiers", "tiny", "--judge", "tiny-judge", *HOW]
ALONE = tuple(name for name, spec in TRAINED.items() if "backend" in spec.NOT_TAKEN)
"""Trainings that make no face, and so need no network."""
WIDTHS = {"z": 512, "w": 512, "s": 320}


def sample(out, rows=22, per_shard=8, *words):
    asked = ["--generator", "stylegan2-tiny", "--rows", str(rows), "--rows-per-shard", str(per_shard), *words]
    assert main(["sample", *asked, *HOW, "--out", str(out)]) == 0
    return f"{out}/latents"


def planted(out, spaces=("w", "z", "s"), generator=None, names=("old", "eyeglasses", "young")) -> list[Direction]:
    """A table of random directions, each of every space; `generator`: whose they are, the tiny one's by default."""
    noise = np.random.default_rng(5)
    whose = generator or generators.load("stylegan2-tiny", backend="eager").fingerprint
    found = [
        normalised(name, "svm", space, noise.standard_normal(WIDTHS[space]), intercept=0.7, generator=whose)
        for space in spaces
        for name in names
    ]
    write_small_table(str(out), directions_schema(), to_rows(found), {"verb": "planted"})
    return found


def short(training: str) -> list[str]:
    """Flags that make a training short: one of all that it counts."""
    counted = [name for name in training_of(training).model_fields if name.endswith(("epochs", "steps"))]
    return [word for name in counted for word in (flag_of(name), "1")]


@functools.cache
def trained(what: str, space: str = "w") -> str:
    """An artifact of a training of few steps on 64 faces of random labels; its URL."""
    folder = Path(tempfile.mkdtemp(prefix="stylemill-trained-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if what == "id-style":
        return _untrained_id_style(str(folder), space)
    latents = sample(folder, 64, 64, "--seed", "9")
    labels = np.random.default_rng(9).integers(0, 2, (64, 3))
    named = dict(zip(("old", "male", "eyeglasses"), labels.T, strict=True))
    pd.DataFrame({"index": range(64), **named}).to_csv(folder / "labels.csv", index=False)
    words = ["--latents", latents, "--labels", f"{folder}/labels.csv", "--space", space, "--out", f"{folder}/{space}"]
    assert main(["train", what, *words, *short(what), "--threads", "1", "--local"]) == 0
    return f"{folder}/{space}/artifact"


def _untrained_id_style(url: str, space: str) -> str:
    """An artifact with the first weights, since it is trained by networks that these tests do without."""
    generator = generators.load("stylegan2-tiny", backend="eager")
    names = ("old", "male", "eyeglasses")
    network = IDStyle(generator.num_ws, generator.w_dim, names, 9)
    network.start_moving(2.0)
    codes = TrainedCodes(space=space, norm_mean=100, norm_min=0, norm_max=1000)
    card = Card(what="id-style", generator_fingerprint=generator.fingerprint, codes=codes, attributes=names)
    files = {MODEL: safetensors.torch.save({name: value.contiguous() for name, value in network.named().items()})}
    made = Artifact(url)
    made.seal([made.publish(ArtifactFiles(files, card))], {})
    return url


def written_again(out, rows):
    """The table of edits in `out` with these rows, a frame, as if the job had made them."""
    table = Table.open(f"{out}/edits")
    manifest, layout = table.require_sealed(), table.layout
    made = Table(table.url, table.schema, layout)
    parts = [rows[rows["index"].isin(layout.indices(shard))] for shard in range(layout.shards)]
    tables = [pa.Table.from_pandas(part, table.schema.arrow, preserve_index=False) for part in parts]
    records = [made.publish(shard, part) for shard, part in enumerate(tables)]
    made.seal(records, manifest["facts"], manifest["fingerprint"])


def edit(latents, directions, out, *words) -> int:
    """`stylemill edit` by the editor that is named among the words, interfacegan by default."""
    editor = next((word for word in words if word in EDITORS), "interfacegan")
    flags, config = [word for word in words if word != editor], config_of(editor)
    where = ["--latents", str(latents), "--out", str(out)]
    where += ["--directions", str(directions)] if config.TAKES_DIRECTIONS else []
    if config.ARTIFACT and "--artifact" not in words:
        where += ["--artifact", trained(config.ARTIFACT, "w+" if "w+" in words else "w")]
    return main(["edit", editor, *where, *TINY, *flags])


def edits(out) -> list[dict]:
    return Table.open(f"{out}/edits").read().to_pylist()
