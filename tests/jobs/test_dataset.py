"""The main job end to end on the tiny networks: rows, bytes, resume."""

import json

import numpy as np
import pytest
from PIL import Image
from tiny_jobs import TINY, dataset, rows

import schemas
from jobs.__main__ import main
from pipeline.models import generators
from pipeline.models.classifiers.attributes import DEFAULT_ATTRIBUTES
from pipeline.models.randomness import standard_normal
from pipeline.tables import Table


def test_the_tables_hold_what_the_networks_gave(made):
    generator = generators.load("stylegan2-tiny", backend="eager")
    latents, labels, images = (Table.open(f"{made}/{name}") for name in ("latents", "labels", "images"))
    assert [table.read()["index"].to_pylist() for table in (latents, labels, images)] == [list(range(20))] * 3
    w_NW = schemas.to_numpy(latents.read()["w"])
    import torch

    z_NZ = torch.from_numpy(standard_normal(1, range(20), generator.z_dim))
    np.testing.assert_allclose(w_NW, generator.map(z_NZ, 0.7)[:, 0].numpy(), atol=1e-5)
    assert set(latents.read()["psi"].to_pylist()) == {float(np.float32(0.7))}
    assert labels.schema.arrow.names == ["index", *DEFAULT_ATTRIBUTES, "age_years", "yaw_degrees"]


def test_the_kept_pictures_are_the_generators(made):
    import io

    import torch

    generator = generators.load("stylegan2-tiny", backend="eager")
    w_NW = torch.from_numpy(schemas.to_numpy(Table.open(f"{made}/latents").read()["w"]).copy())
    x_N3HW = generator.synthesize(generators.Codes("w", w_NW[:4]))
    expected = (x_N3HW.permute(0, 2, 3, 1) * 127.5 + 128).clamp(0, 255).to(torch.uint8).numpy()
    kept = rows(made, "images")[:4]
    for place, row in enumerate(kept):
        assert row["image"]["path"] == f"{place:09d}.png"
        pixels = np.asarray(Image.open(io.BytesIO(row["image"]["bytes"])))
        assert abs(pixels.astype(int) - expected[place].astype(int)).max() <= 1


def test_more_rows_begin_with_the_same_rows(made, tmp_path):
    assert dataset(tmp_path, "--rows", "23") == 0
    assert rows(tmp_path, "labels")[:20] == rows(made, "labels")
    assert rows(tmp_path, "latents")[:20] == rows(made, "latents")


def test_a_resume_takes_open_choices_from_the_first_start(made, tmp_path):
    words = ["--rows", "8", "--out", str(tmp_path), *TINY[:6]]
    assert main(["dataset", *words, "--local", "--backend", "eager", "--threads", "1", "--batch-size", "4"]) == 0
    assert main(["dataset", *words, "--local"]) == 0


def test_sample_and_label_make_what_dataset_makes(made, tmp_path):
    common = ["--out", str(tmp_path), "--local", "--backend", "eager", "--threads", "1", "--batch-size", "4"]
    sample = ["sample", "--generator", "stylegan2-tiny", "--rows", "20", "--rows-per-shard", "8", *common]
    assert main(sample) == 0
    assert rows(tmp_path, "latents") == rows(made, "latents")
    assert main(["label", "--latents", f"{tmp_path}/latents", "--classifiers", "tiny", *common]) == 0
    assert rows(tmp_path, "labels") == rows(made, "labels")
    assert main(["verify", str(tmp_path)]) == 0


def test_the_stored_spec_says_what_was_asked_and_what_it_stands_on(made):
    stored = json.loads((made / ".stylemill/dataset/spec.json").read_text())
    assert stored["spec"]["rows"] == 20
    assert stored["spec"]["batch_size"] == 4
    assert "workers" not in stored["spec"]
    assert "out" not in stored["spec"]
    assert set(stored["resolved"]) == {"generator_digest", "classifiers_digest"}
    manifest = Table.open(f"{made}/labels").require_sealed()
    assert manifest["fingerprint"] == stored["fingerprint"]


@pytest.mark.parametrize("words", [["nothing"], []])
def test_no_such_verb_is_2(words):
    assert main(words) == 2


def test_every_open_choice_has_a_default(made, tmp_path):
    words = ["--generator", "stylegan2-tiny", "--classifiers", "tiny", "--rows", "20", "--local"]
    assert main(["dataset", *words, "--out", str(tmp_path)]) == 0
    stored = json.loads((tmp_path / ".stylemill/dataset/spec.json").read_text())["spec"]
    assert {"device", "threads", "backend", "precision", "batch_size", "rows_per_shard"} <= stored.keys()
    assert [row["index"] for row in rows(tmp_path, "labels")] == list(range(20))


def test_the_quality_of_pictures_decides_bytes_where_there_are_pictures(tmp_path, capsys):
    bare, pictures = tmp_path / "bare", tmp_path / "pictures"
    assert dataset(bare, "--rows", "4", "--quality", "80") == 0
    assert dataset(bare, "--rows", "4", "--quality", "90") == 0
    assert dataset(pictures, "--rows", "4", "--images", "jpeg", "--size", "32", "--quality", "80") == 0
    capsys.readouterr()
    assert dataset(pictures, "--rows", "4", "--images", "jpeg", "--size", "32", "--quality", "90") == 4
    assert "quality: 80 there, 90 asked" in capsys.readouterr().err
