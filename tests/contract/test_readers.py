"""What every reader of other people's files promises: a path and its URL give the same; a file that is missing, empty,
cut off, a web page, or a pickle that would run code ends in one line that names it, with 2, and nothing is made."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import safetensors.torch
import torch

from jobs.__main__ import main
from pipeline.models.classifiers import calibration
from tests.jobs.planted import plant
from tests.traps import Trap

NOISE = np.random.default_rng(7)
W, VECTOR = NOISE.standard_normal((13, 512)).astype(np.float32), NOISE.standard_normal((1, 512)).astype(np.float32)
LAYERS = torch.from_numpy(VECTOR[None]).repeat(1, 8, 1)
CODES, SCORES = NOISE.standard_normal((60, 16)).astype(np.float32), NOISE.standard_normal(60)
LABELS = pd.DataFrame({"index": range(60), "beard": SCORES})

LATENTS = "latents import {file} --generator stylegan2-tiny --space w --rows-per-shard 16 --batch-size 4 --out {out}"
DIRECTIONS = "directions import {file} --out {out} --format "
FIT = "directions fit --local --C 1 --fraction 0.5 --out {out} "
ARRAYS = FIT + "--attribute old --codes {codes} --scores {scores}"
OWN = FIT + "--latents {flat}/latents --labels {flat}/own,{file}"
READERS = {
    "latents npy": (LATENTS, "x.npy", lambda file: np.save(file, W)),
    "latents npz": (LATENTS, "x.npz", lambda file: np.savez(file, w=W)),
    "latents pt": (LATENTS, "x.pt", lambda file: torch.save({"latents": torch.from_numpy(W)}, file)),
    "latents parquet": (LATENTS, "x.parquet", lambda file: pq.write_table(pa.table({"w": W.tolist()}), file)),
    "interfacegan": (DIRECTIONS + "interfacegan", "old_w_boundary.npy", lambda file: np.save(file, VECTOR)),
    "anycost": (DIRECTIONS + "anycost", "x.pt", lambda file: torch.save({"20_Male": torch.from_numpy(VECTOR)}, file)),
    "e4e": (DIRECTIONS + "e4e", "age.pt", lambda file: torch.save(LAYERS, file)),
    "higan": (
        DIRECTIONS + "higan", "wood_boundary.npy",
        lambda file: file.write_bytes(pickle.dumps({"boundary": VECTOR, "meta_data": {"manipulate_layers": "6-8"}})),
    ),
    "codes": (ARRAYS.replace("{codes}", "{file}"), "codes.npy", lambda file: np.save(file, CODES)),
    "scores": (ARRAYS.replace("{scores}", "{file}"), "scores.npy", lambda file: np.save(file, SCORES)),
    "labels csv": (OWN, "x.csv", lambda file: LABELS.to_csv(file, index=False)),
    "labels tsv": (OWN, "x.tsv", lambda file: LABELS.to_csv(file, index=False, sep="\t")),
    "labels parquet": (OWN, "x.parquet", lambda file: LABELS.to_parquet(file, index=False)),
    "calibration": (
        "dataset --generator stylegan2-tiny --classifiers tiny --rows 4 --local --out {out} --calibration {file}",
        "c.json", lambda file: file.write_bytes(calibration.default().to_json()),
    ),
    "spec": (
        "sample --spec {file} --generator stylegan2-tiny --local --out {out}", "job.yaml",
        lambda file: file.write_text("rows: 4\nseed: 3\n"),
    ),
    "weights": (
        "models show {file}", "x.safetensors",
        lambda file: safetensors.torch.save_file({"layer.weight": torch.zeros(4, 5)}, file),
    ),
    "weights pt": ("models show {file}", "x.pt", lambda file: torch.save({"layer.weight": torch.zeros(4, 5)}, file)),
}  # fmt: skip
each = pytest.mark.parametrize("name", READERS)


@pytest.fixture(scope="module")
def flat(tmp_path_factory):
    out = tmp_path_factory.mktemp("flat")
    plant(out, rows=60)
    (out / "labels").rename(out / "own")
    np.save(out / "codes.npy", CODES)
    np.save(out / "scores.npy", SCORES)
    return out


def read(name, file, flat, out) -> int:
    given = {"flat": flat, "codes": f"{flat}/codes.npy", "scores": f"{flat}/scores.npy", "out": out}
    try:
        return main(READERS[name][0].format(file=file, **given).split())
    except SystemExit as ended:
        return ended.code


@each
def test_a_good_file_is_read_by_its_path_and_by_its_url(name, flat, tmp_path):
    _, called, write = READERS[name]
    write(tmp_path / called)
    url = (
        tmp_path / called if name == "spec" else f"file://{tmp_path}/{called}"
    )  # a spec lies where the command is given
    for place, file in (("path", tmp_path / called), ("url", url)):
        assert read(name, file, flat, tmp_path / place) == 0
    found = [
        {str(part.relative_to(tmp_path / place)): part.read_bytes() for part in (tmp_path / place).rglob("*.parquet")}
        for place in ("path", "url")
    ]
    assert found[0] == found[1]


def cut(file: Path, write) -> None:
    write(file)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


BAD = {
    "not there": lambda file, write: None,
    "empty": lambda file, write: file.touch(),
    "a web page": lambda file, write: file.write_text("<!DOCTYPE html>\n<html><body>404: [not found</body></html>\n"),
    "cut off": cut,
    "a trap": lambda file, write: file.write_bytes(pickle.dumps(Trap(file.with_name("trap")))),
    "a trap of torch": lambda file, write: torch.save({"w": Trap(file.with_name("trap"))}, file),
    "a trap of numpy": lambda file, write: write_objects(file),
}


def write_objects(file: Path) -> None:
    with file.open("wb") as opened:
        np.save(opened, np.array([Trap(file.with_name("trap"))], dtype=object), allow_pickle=True)


@each
@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_read_is_one_line_that_names_the_file(name, what, flat, tmp_path, capsys):
    _, called, write = READERS[name]
    if what == "cut off" and called.endswith((".csv", ".tsv", ".yaml")):
        pytest.skip("half of such a file is a whole one")
    file = tmp_path / called
    BAD[what](file, write)
    capsys.readouterr()
    code = read(name, file, flat, tmp_path / "out")
    said = capsys.readouterr().err.strip()
    assert (code, said.count("\n")) == (2, 0), said
    assert called in said
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "trap").exists()


def test_the_traps_would_have_written(tmp_path):
    trap = tmp_path / "trap"
    for what in ("a trap", "a trap of torch", "a trap of numpy"):
        BAD[what](tmp_path / "file", None)
        match what:
            case "a trap of torch":
                torch.load(tmp_path / "file", weights_only=False)
            case "a trap of numpy":
                np.load(tmp_path / "file", allow_pickle=True)
            case _:
                pickle.loads((tmp_path / "file").read_bytes())
        trap.unlink()
