"""A direction that runs against its classifier is warned of on the screen, whichever editor follows it."""

import numpy as np
import pytest
from edits import edit, sample

import schemas
from jobs.small_outputs import write_small_table
from pipeline.directions import normalised
from pipeline.models import classifiers, generators
from pipeline.models.codes import Codes
from pipeline.stages.codes import read_codes
from pipeline.stages.direction_rows import to_rows
from pipeline.tables import Table


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Latents, and two tables with a direction named old: along it the tiny classifier's score rises, and falls."""
    out = tmp_path_factory.mktemp("against")
    latents = sample(out / "faces", 8, 8)
    generator = generators.load("stylegan2-tiny", backend="eager")
    codes = read_codes(Table.open(latents), "w", None)[1].values.clone().requires_grad_()
    family = classifiers.load("tiny", ("old",), measures=())
    family.scores(generator.synthesize(Codes("w", codes))).sum().backward()
    vector = codes.grad.mean(0).double().numpy()
    for name, sign in (("with", 1), ("against", -1)):
        direction = normalised("old", "svm", "w", np.sign(sign) * vector, generator=generator.fingerprint)
        write_small_table(f"{out}/{name}", schemas.directions(), to_rows([direction]), {"verb": "planted"})
    return latents, out


WAYS = {
    "until": ["--until", "50", "--target", "1"],
    "until 0": ["--until", "50", "--target", "0"],
    "strengths": ["--strengths=-3,3", "--scores", "faces"],
    "judge alone": ["--strengths=-3,3", "--scores", "judge", "--judge", "tiny"],
    "ials": ["ials", "--lambda1", "1", "--steps", "3", "--step-size", "1", "--until", "50"],
    "ials, keep last": ["ials", "--lambda1", "0.95", "--steps", "3", "--step-size", "1"],
}


@pytest.mark.parametrize("way", WAYS)
def test_it_is_warned_of(made, tmp_path, capsys, way):
    latents, out = made
    assert edit(latents, out / "against", tmp_path, "--attribute", "old", *WAYS[way]) == 0
    [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Warn")]
    assert "rows the score went against the edit" in line
    assert "the direction runs against the classifier of old" in line
    assert edit(latents, out / "against", tmp_path, "--attribute", "old", *WAYS[way]) == 0
    assert "went against the edit" in capsys.readouterr().err  # nothing ran, and it is still so


@pytest.mark.parametrize("way", ["strengths", "ials, keep last"])
def test_where_it_runs_with_it_nothing_is_said(made, tmp_path, capsys, way):
    latents, out = made
    assert edit(latents, out / "with", tmp_path, "--attribute", "old", *WAYS[way]) == 0
    assert "Warn" not in capsys.readouterr().err


def test_a_score_that_is_not_reached_is_told(made, tmp_path, capsys):
    latents, out = made
    assert edit(latents, out / "with", tmp_path, "--attribute", "old", "--until", "5000", "--target", "1") == 0
    assert "Warn  old: 8 of 8 rows did not reach 5000 (column stop)" in capsys.readouterr().err
