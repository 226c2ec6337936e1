"""An editor that no job has heard of: a module with a Config and a line in the list; edited, measured and shown."""

import hashlib
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import numpy as np
import pytest
import safetensors.torch
import torch
from edits import HOW, TINY, edits, sample
from pydantic import Field

import schemas
from jobs.__main__ import main
from jobs.edit.spec import SPECS, spec_of
from pipeline.card import Card
from pipeline.editors import DONE, EDITORS, EditorConfig, EditRequest, Trace, Traits
from pipeline.editors.kept import ANY, Column, KeptTable
from pipeline.editors.trajectory import EditTrajectory
from pipeline.tables import Artifact, ArtifactFiles, Table

ROWS, STEPS = 6, 3
ROOT = Path(__file__).parents[2]


class Config(EditorConfig):
    """Move each row along a random direction of its own; write DIR/edits and DIR/requests.

    Example: stylemill edit random --latents out/faces/latents --attribute smile --step-size 2 --out out/random
    """

    GROUP: ClassVar[str | None] = "random walk"
    TAKES_DIRECTIONS: ClassVar[bool] = False

    step_size: float = Field(gt=0, description="Length of a step.")
    places: tuple[str, ...] = Field((), description="Not used.", json_schema_extra={"metavar": "PLACE,..."})

    def request(self, attribute: str, preserve: Sequence[str] = ()) -> EditRequest:
        strengths = tuple(self.step_size * step for step in range(1, STEPS + 1))
        return EditRequest(attribute, tuple(preserve), strengths=strengths, options={"luck": 7.0})

    def traits(self, requests):
        return Traits(steps=STEPS, keep="all", on_device=False)

    def keeps(self, shape):
        columns = {"even": Column("bool"), "first": Column("float32", shape[0]), "lengths": Column("float64", ANY)}
        return (KeptTable("walks", columns),)

    def open(self, faces, directions=(), artifact=None):
        assert not directions
        return Random(self.step_size)


class Random:
    def __init__(self, step_size: float) -> None:
        self.step_size = step_size

    def edit(self, codes, requests) -> Trace:
        trajectory = EditTrajectory(codes)
        for _ in range(STEPS):
            trajectory.move(self.step_size * torch.stack([self.direction(row) for row in codes.values]))
        trajectory.stop(torch.ones(len(codes), dtype=torch.bool), [DONE] * len(codes))
        trace = trajectory.trace(torch.ones(len(codes), dtype=torch.float64), self.step_size)
        lengths = torch.full((len(codes), STEPS), self.step_size, dtype=torch.float64)
        lengths[1::2, 1:] = torch.nan
        even = torch.arange(len(codes)) % 2 == 0
        return replace(trace, tables={"walks": {"even": even, "first": trace.values[:, 1], "lengths": lengths}})

    @staticmethod
    def direction(row):
        seed = int.from_bytes(hashlib.sha256(row.numpy().tobytes()).digest()[:7], "little")
        noise = torch.randn(row.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        return noise / noise.norm()


class TrainedConfig(Config):
    """Move each row along a direction that was trained; write DIR/edits and DIR/requests.

    Example: stylemill edit trained --latents out/faces/latents --artifact out/t/artifact --attribute smile --out out/t
    """

    ARTIFACT: ClassVar[str | None] = "toy"

    step_size: float = Field(1.0, gt=0, description="Length of a step.")

    def open(self, faces, directions=(), artifact=None):
        return Trained(self.step_size, artifact["direction"])


class Trained(Random):
    def __init__(self, step_size, vector) -> None:
        super().__init__(step_size)
        self.vector = vector

    def direction(self, row):
        return self.vector.double()


@pytest.fixture
def trained_editor(monkeypatch):
    module = ModuleType("pipeline.editors.trained")
    module.Config = TrainedConfig
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(EDITORS, "trained", "each row along a direction that was trained")
    monkeypatch.setitem(SPECS, "trained", spec_of("trained"))


def train(place, what="toy", **about) -> str:
    artifact = Artifact(f"{place}/artifact")
    model = safetensors.torch.save({"direction": torch.eye(512)[0]})
    record = artifact.publish(ArtifactFiles({"model.safetensors": model}, Card(what=what, **about)))
    artifact.seal([record], {"verb": "train"}, "f" * 64)
    return artifact.url


@pytest.mark.usefixtures("trained_editor")
def test_what_was_trained_for_it_is_opened_and_is_part_of_what_decides_the_rows(tmp_path, capsys):
    latents = sample(tmp_path / "sampled", ROWS, 4)
    words = ["edit", "trained", "--latents", latents, "--attribute", "smile", *HOW, "--out", str(tmp_path / "edited")]
    assert main([*words, "--artifact", train(tmp_path / "toy")]) == 0
    moved = schemas.to_numpy(Table.open(f"{tmp_path}/edited/edits").read()["latent"]).reshape(ROWS, STEPS + 1, -1)
    np.testing.assert_allclose((moved[:, -1] - moved[:, 0])[:, 0], 3.0, rtol=1e-5)
    capsys.readouterr()
    assert main([*words, "--artifact", train(tmp_path / "again", citation="another card")]) == 4
    assert "artifact_digest" in capsys.readouterr().err
    for place, about, message in (
        ("other", {"what": "other"}, "is an artifact of other, not of toy"),
        (
            "elsewhere",
            {"generator": "theirs", "generator_fingerprint": "e" * 64},
            "was trained for theirs (eeee",
        ),
    ):
        assert main([*words, "--artifact", train(tmp_path / place, **about)]) == 2
        assert message in capsys.readouterr().err


@pytest.fixture
def random_editor(monkeypatch):
    module = ModuleType("pipeline.editors.random")
    module.Config = Config
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(EDITORS, "random", "each row along a random direction of its own")
    monkeypatch.setitem(SPECS, "random", spec_of("random"))


@pytest.mark.usefixtures("random_editor")
def test_it_edits_is_measured_and_shown(tmp_path, capsys):
    latents = sample(tmp_path / "sampled", ROWS, 4)
    words = ["--attribute", "smile", "--preserve", "old", "--step-size", "2", "--scores", "both", "--images", "png"]
    out = ["--latents", latents, "--out", str(tmp_path / "edited"), "--size", "32", *TINY]
    assert main(["edit", "random", *words, *out]) == 0
    moved = schemas.to_numpy(Table.open(f"{tmp_path}/edited/edits").read()["latent"]).reshape(ROWS, STEPS + 1, -1)
    np.testing.assert_allclose(np.linalg.norm(np.diff(moved, axis=1), axis=2), 2.0, rtol=1e-5)
    assert [row["step"] for row in edits(tmp_path / "edited")] == [0, 1, 2, 3] * ROWS
    (request,) = Table.open(f"{tmp_path}/edited/requests").read().to_pylist()
    assert (request["attribute"], request["conditions"], request["lambdas"]) == ("smile", ["old"], [])
    assert (request["strengths"], request["options"], request["option_values"]) == ([2.0, 4.0, 6.0], ["luck"], [7.0])
    how = ["--families", "tiny-judge", "--measured", "smile", *HOW]
    assert main(["measure", "--edits", f"{tmp_path}/edited/edits", *how, "--out", f"{tmp_path}/measured"]) == 0
    assert Table.open(f"{tmp_path}/measured/measured").read()["strength"].to_pylist() == [2.0, 4.0, 6.0]
    walks = Table.open(f"{tmp_path}/edited/walks")
    assert walks.schema.key == ("index", "request")
    kept = walks.read().to_pylist()
    assert [(row["index"], row["request"], row["attribute"]) for row in kept] == [(i, 0, "smile") for i in range(ROWS)]
    assert [row["even"] for row in kept] == [True, False] * (ROWS // 2)
    assert [row["lengths"] for row in kept[:2]] == [[2.0, 2.0, 2.0], [2.0]]
    np.testing.assert_array_equal([row["first"] for row in kept], moved[:, 1])
    assert main(["verify", f"{tmp_path}/edited"]) == 0
    assert main(["report", f"{tmp_path}/edited"]) == 0
    assert "random" in (tmp_path / "edited/report.html").read_text()
    with pytest.raises(SystemExit, match="0"):
        main(["edit", "random", "--help"])
    shown = capsys.readouterr().out
    assert "--step-size" in shown
    assert "--places PLACE,..." in shown
    assert "--directions" not in shown


def test_who_uses_editors_knows_none_by_its_name():
    names = "|".join(EDITORS)
    places = ("pipeline/stages", "pipeline/report", "pipeline/metrics", "jobs/edit", "jobs/dt", "jobs/measure.py")
    files = [
        file for place in places for file in ([ROOT / place] if place.endswith("py") else (ROOT / place).glob("*.py"))
    ]
    assert len(files) > 30
    for file in files:
        assert not re.findall(rf"""["']({names})["']""", file.read_text()), file
