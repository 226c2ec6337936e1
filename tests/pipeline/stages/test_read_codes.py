"""The codes of a latents table in all four spaces, against the networks on what `sample` wrote."""

import numpy as np
import pyarrow as pa
import pytest
import torch

import schemas
from jobs.__main__ import main
from pipeline.errors import SpecError
from pipeline.models import generators
from pipeline.models.codes import Codes
from pipeline.models.randomness import standard_normal
from pipeline.stages.codes import read_codes
from pipeline.tables import Table

ROWS, SEED, PSI = 150, 3, 0.7


@pytest.fixture(scope="module")
def generator():
    return generators.load("stylegan2-tiny", backend="eager")


def sample(out, *words):
    asked = ["--generator", "stylegan2-tiny", "--rows", str(ROWS), "--seed", str(SEED), "--psi", str(PSI), *words]
    how = ["--rows-per-shard", "64", "--batch-size", "8", "--threads", "1", "--local"]
    assert main(["sample", *asked, *how, "--out", str(out)]) == 0
    return Table.open(f"{out}/latents")


@pytest.fixture(scope="module")
def latents(tmp_path_factory):
    return sample(tmp_path_factory.mktemp("sampled"))


@pytest.fixture(scope="module")
def cut(tmp_path_factory):
    """Truncated in the first three layers alone: w+ is kept."""
    return sample(tmp_path_factory.mktemp("cut"), "--cutoff", "3")


def test_w_is_as_kept_and_needs_no_generator(latents):
    index, codes = read_codes(latents, "w", None)
    assert codes.space == "w"
    assert index.tolist() == list(range(ROWS))
    assert np.array_equal(codes.values.numpy(), schemas.to_numpy(latents.read()["w"]))


def test_w_plus_is_w_in_every_layer_or_ws_as_kept(latents, cut, generator):
    _, codes = read_codes(latents, "w+", generator)
    assert codes.values.shape == (ROWS, generator.num_ws, generator.w_dim)
    assert torch.equal(codes.values[:, 5], read_codes(latents, "w", None)[1].values)
    _, kept = read_codes(cut, "w+", None)
    assert np.array_equal(kept.values.numpy(), schemas.to_numpy(cut.read()["ws"]))


@pytest.mark.parametrize("table", ["latents", "cut"])
def test_z_is_what_the_rows_were_sampled_from(table, request, generator):
    latents = request.getfixturevalue(table)
    _, codes = read_codes(latents, "z", generator)
    assert np.array_equal(codes.values.numpy(), standard_normal(SEED, range(ROWS), generator.z_dim))
    ws_NLW = generator.map(codes.values, PSI, 3 if table == "cut" else None)
    assert torch.allclose(ws_NLW, read_codes(latents, "w+", generator)[1].values, atol=1e-5)


@pytest.mark.parametrize("table", ["latents", "cut"])
def test_s_makes_the_picture_that_w_plus_makes(table, request, generator):
    latents = request.getfixturevalue(table)
    _, codes = read_codes(latents, "s", generator)
    _, ws = read_codes(latents, "w+", generator)
    assert torch.allclose(codes.values, generator.styles(ws.values), atol=1e-5)
    picture = generator.synthesize(codes.select(slice(4)))
    assert torch.allclose(picture, generator.synthesize(ws.select(slice(4))), atol=1e-4)


@pytest.mark.parametrize("space", ["z", "w", "w+", "s"])
def test_some_shards_are_those_rows_bit_for_bit(space, latents, generator):
    codes = read_codes(latents, space, generator)[1]
    some, its = read_codes(latents, space, generator, shards=[1, 2])
    assert some.tolist() == list(range(64, ROWS))
    assert torch.equal(its.values, codes.values[64:])


def test_rows_that_are_missing_move_no_other(latents, generator, tmp_path):
    rows = latents.read()
    gaps = rows.filter(pa.array(rows["index"].to_numpy() % 3 > 0))
    table = Table.create(str(tmp_path), latents.schema, rows=ROWS, rows_per_shard=192)
    table.publish(0, gaps)
    for space in ("z", "s"):
        index, codes = read_codes(table, space, generator)
        assert torch.equal(codes.values, read_codes(latents, space, generator)[1].values[index])


def test_z_that_is_not_theirs_is_refused(latents, generator, tmp_path):
    rows = latents.read()
    other = rows.set_column(rows.schema.get_field_index("seed"), rows.schema.field("seed"), pa.array([9] * ROWS))
    table = Table.create(str(tmp_path), latents.schema, rows=ROWS, rows_per_shard=192)
    table.publish(0, other)
    with pytest.raises(SpecError, match=r"the z of row 0 maps to a latent that is .* away .*: choose another space"):
        read_codes(table, "z", generator)


def test_what_a_table_does_not_have_is_said(latents, cut, generator):
    with pytest.raises(SpecError, match=r"keeps w\+ \(ws\).*choose the space w\+ or s"):
        read_codes(cut, "w", generator)
    with pytest.raises(SpecError, match="computed by the generator: name it"):
        read_codes(latents, "s", None)
    with pytest.raises(SpecError, match="unknown latent space 'x'"):
        read_codes(latents, "x", generator)
    labels = Table("nowhere", schemas.labels(["smile"]))
    with pytest.raises(SpecError, match="a table of labels, not of latents"):
        read_codes(labels, "w", None)


def test_latents_of_another_width_are_refused(generator, tmp_path):
    schema = schemas.latents("w", 16)
    columns = {"index": np.arange(3), "w": np.zeros((3, 16), np.float32), "psi": 1.0, "seed": 1, "generator": "other"}
    table = Table.create(str(tmp_path), schema, rows=3, rows_per_shard=8)
    table.publish(0, schema.rows(columns))
    assert isinstance(read_codes(table, "w", None)[1], Codes)
    for space in ("z", "w+", "s"):
        with pytest.raises(SpecError, match=r"shape \(512,\) in stylegan2-tiny, this table's have \(16,\)"):
            read_codes(table, space, generator)
