"""What is said after a fit: its accuracies and agreement, and one warning of what proves nothing."""

import json

import numpy as np
import pytest
from planted import plant, write_labels

import schemas
from jobs.__main__ import main
from jobs.directions.supervised import fit_load
from jobs.resolve import FITS
from pipeline.directions import ridge, svm
from pipeline.directions.unreliable import RIGHT
from pipeline.engine.job_records import JobRecords
from pipeline.stages.fit_rows import FitRows
from pipeline.tables import Table


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    out = tmp_path_factory.mktemp("planted")
    plant(out)
    return out


def fit(faces, out, *words, labels=None) -> int:
    given = ["--latents", f"{faces}/latents", "--labels", f"{labels or faces}/labels", "--out", str(out)]
    return main(["directions", "fit", "--local", *given, *words])


def warnings(capsys) -> list[str]:
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith("Warn")]


def test_a_fit_takes_memory_for_a_float64_copy_of_its_rows_or_what_its_method_needs():
    rows = FitRows("w", np.zeros((1000, 512), np.float32))
    assert fit_load(rows, svm.Config()).open_bytes == FITS.open_bytes + 8 * 1000 * 512
    sparse = svm.Config(penalty="l1").variant
    assert fit_load(rows, sparse).open_bytes == FITS.open_bytes + sparse.bytes_needed(1000, 512)
    assert sparse.bytes_needed(1000, 512) == pytest.approx(44 * 700 * 512)


def test_a_good_fit_tells_its_numbers_and_warns_of_nothing(faces, tmp_path, capsys):
    assert fit(faces, tmp_path, "--attributes", "old,smile", "--C", "0.01") == 0
    said = capsys.readouterr().err
    table = Table.open(f"{tmp_path}/directions").read().to_pylist()
    grid = Table.open(f"{tmp_path}/grids").read().to_pandas()
    for row in table:
        its = grid[grid["index"] == row["index"]]
        agreement = its.loc[(its["fraction"] - row["fraction"][0]).abs().idxmin(), "agreement"]
        share = f"validation {100 * row['accuracy_validation'][0]:.0f} %, all {100 * row['accuracy_all'][0]:.0f} %"
        facts = f"{share}, two halves agree {agreement:.2f}, {row['rows'][0]:,} rows, C 0.01"
        assert f"      {row['attribute']:<5}  {facts}" in said
    assert "Warn" not in said
    assert fit(faces, tmp_path, "--attributes", "old,smile", "--C", "0.01") == 0  # all is done, and told again
    assert "two halves agree" in capsys.readouterr().err


def test_shuffled_scores_are_warned_of_in_one_line(faces, tmp_path, capsys):
    """51 % of the validation rows, and "Done": now it is said that this is chance."""
    scores = np.random.default_rng(1).permutation(np.linspace(-2, 2, 600))
    write_labels(tmp_path / "labels", range(600), np.stack([scores, scores[::-1], scores], axis=1))
    assert fit(faces, tmp_path / "out", "--attributes", "old,male", labels=tmp_path) == 0
    [line] = warnings(capsys)
    assert "old (" in line
    assert "male (" in line
    assert "by chance 50 %" in line or "halves of the rows agree" in line


def test_few_rows_are_warned_of(faces, tmp_path, capsys):
    assert fit(faces, tmp_path, "--attributes", "old", "--fraction", "0.1", "--C", "0.01") == 0
    [line] = warnings(capsys)
    assert "old (fitted on 42 rows of old in the smaller class)" in line


def test_the_driver_fits_no_ridge_again(faces, tmp_path, monkeypatch):
    solved, solve = [], ridge.Config._solved
    monkeypatch.setattr(ridge.Config, "_solved", lambda *given: solved.append(given[1].shape) or solve(*given))
    assert fit(faces, tmp_path, "--attributes", "old", "--method", "ridge", "--threshold", "0.1") == 0
    assert [len(solved), solved[0][0] > solved[1][0]] == [2, True]  # all rows, and those that are not held out
    [outcome] = JobRecords(str(tmp_path), "directions").outcomes().values()
    assert all(outcome.counters[name] > 0 for name in RIGHT)


def test_a_rare_class_that_is_never_found_is_warned_of_and_weights_are_named(faces, tmp_path, capsys):
    """97 % are right since all are said to be negative: that is chance, whatever the accuracy."""
    old = schemas.to_numpy(Table.open(f"{faces}/labels").read()["old"])
    threshold = str(float(np.quantile(old, 0.9)))
    words = ["--attributes", "old", "--threshold", threshold, "--C", "0.001"]
    assert fit(faces, tmp_path / "plain", *words) == 0
    [line] = warnings(capsys)
    why = "50 % of the held-out rows of each class on its side, by chance 50 %, --class-weight balanced may help"
    assert why in line
    assert main(["report", str(tmp_path / "plain")]) == 0
    assert f"old is unreliable: {why}." in (tmp_path / "plain/report.html").read_text()
    stored = json.loads((tmp_path / "plain/.stylemill/directions/doubts.json").read_text())
    assert set(stored["doubts"]) == {"old"}  # these names are in the folders of earlier versions too
    assert fit(faces, tmp_path / "weighted", *words, "--class-weight", "balanced") == 0
    assert not any("by chance" in line for line in warnings(capsys))


def test_a_dry_run_tells_nothing_of_fits(faces, tmp_path, capsys):
    assert fit(faces, tmp_path, "--attributes", "old", "--C", "0.01", "--dry-run") == 0
    assert "validation" not in capsys.readouterr().err
