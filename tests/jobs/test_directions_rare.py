"""Labels of which few are yes: every setting ends in a direction, and the classes can be weighted."""

import json
from pathlib import Path

import numpy as np
import pytest
from planted import directions

from jobs.__main__ import main
from pipeline.tables import Table


@pytest.fixture(scope="module")
def codes():
    """1,000 codes N(0, 1) of 64 numbers, and scores along the first with half noise."""
    draw = np.random.default_rng(11)
    w_NW = draw.standard_normal((1000, 64)).astype(np.float32)
    return w_NW, w_NW[:, 0] + 0.5 * draw.standard_normal(1000)


def fit(where: Path, codes, share: float, *words: str) -> int:
    w_NW, scores = codes
    np.save(where / "codes.npy", w_NW)
    np.save(where / "scores.npy", (scores >= np.quantile(scores, 1 - share)).astype(np.float32))
    given = ["--codes", f"{where}/codes.npy", "--scores", f"{where}/scores.npy", "--attribute", "rare"]
    return main(["directions", "fit", "--local", *given, "--threshold", "0.5", "--out", f"{where}/out", *words])


@pytest.mark.parametrize("words", [(), ("--C", "1"), ("--class-weight", "balanced")])
def test_rare_attributes_are_fitted(tmp_path, codes, words):
    """26 of 1,000 ended in "C = 1 did not converge: give a smaller C", which nobody had given."""
    assert fit(tmp_path, codes, 0.026, *words) == 0
    [row] = directions(tmp_path / "out")
    assert row["vector"][0] > 0.2
    assert np.isfinite(row["intercept"])


def test_weights_find_the_rare_rows(tmp_path, codes):
    w_NW, scores = codes
    few = scores >= np.quantile(scores, 0.974)
    found = {}
    for name, words in {"plain": (), "weighted": ("--class-weight", "balanced")}.items():
        (tmp_path / name).mkdir()
        assert fit(tmp_path / name, codes, 0.026, "--C", "0.001", *words) == 0
        [row] = directions(tmp_path / name / "out")
        found[name] = ((w_NW @ np.float32(row["vector"]) + row["intercept"]) > 0)[few].mean()
    assert found["plain"] < 0.1
    assert found["weighted"] > 0.6
    spec = json.loads(Path(tmp_path, "weighted/out/.stylemill/directions/spec.json").read_text())
    assert spec["spec"]["class_weight"] == "balanced"


@pytest.fixture(scope="module")
def noise():
    """1,000 codes N(0, 1) of 8 numbers, and scores that have nothing to do with them."""
    draw = np.random.default_rng(0)
    return draw.standard_normal((1000, 8)).astype(np.float32), draw.standard_normal(1000)


def test_choices_without_a_hyperplane_are_null_and_the_next_best_is_taken(tmp_path, capsys):
    """One NaN in the grid ended the whole fit in "column 'agreement', row 5: not finite"."""
    draw = np.random.default_rng(0)
    noise = draw.standard_normal((1000, 16)).astype(np.float32), draw.standard_normal(1000)
    assert fit(tmp_path, noise, 0.02) == 0
    said = capsys.readouterr().err
    assert "1 of the directions: on all rows the best C has no hyperplane, and the next best was taken" in said
    cells = Table.open(f"{tmp_path}/out/grids").read()
    assert cells["agreement"].null_count == cells["validation"].null_count == 1
    best = max((cell for cell in cells.to_pylist() if cell["agreement"] is not None), key=lambda it: it["agreement"])
    [row] = directions(tmp_path / "out")
    assert row["C"] != [best["C"]]
    [agreement] = [cell["agreement"] for cell in cells.to_pylist() if [cell["C"]] == row["C"]]
    assert f"two halves agree {agreement:.2f}" in said
    assert main(["verify", str(tmp_path / "out")]) == 0
    assert main(["report", str(tmp_path / "out")]) == 0
    assert fit(tmp_path, noise, 0.02) == 0
    assert "the next best was taken" in capsys.readouterr().err  # nothing ran, and it is still so


def test_where_no_choice_has_a_hyperplane_weights_are_named(tmp_path, noise, capsys):
    assert fit(tmp_path, noise, 0.008, "--C", "0.1") == 1
    said = capsys.readouterr().err
    assert "rare: no hyperplane separates the two classes of " in said
    assert "--class-weight balanced may help" in said
