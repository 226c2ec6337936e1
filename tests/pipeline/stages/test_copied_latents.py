"""A few rows of a latents table, copied."""

import numpy as np

import schemas
from jobs.small_outputs import write_small_table
from pipeline.stages.copied_latents import copy_rows
from pipeline.tables import Table


def test_chosen_latents_are_the_same_bits(tmp_path):
    schema = schemas.latents("w", 4)
    w = np.random.default_rng(0).standard_normal((40, 4)).astype(np.float32)
    rows = schema.rows({"index": np.arange(40), "w": w, "psi": 0.5, "seed": 7, "generator": "g"})
    facts = {"verb": "sample", "spec": {"generator": "g"}, "resolved": {"generator_digest": "d"}}
    write_small_table(str(tmp_path / "all"), schema, rows, facts)
    whole, chosen = Table.open(str(tmp_path / "all")), list(range(3, 40, 2))
    copy_rows(whole, chosen, str(tmp_path / "some"))
    some = Table.open(str(tmp_path / "some"))
    assert some.verify() == []
    found = some.read()
    assert found["index"].to_pylist() == list(range(19))
    assert found["key"].to_pylist() == list(map(str, chosen))
    assert schemas.to_numpy(found["w"]).tobytes() == w[chosen].tobytes()
    assert set(found["psi"].to_pylist()) == {0.5}
    assert some.require_sealed()["facts"]["resolved"] == {"generator_digest": "d", "latents_digest": whole.digest}
    written = [path.stat().st_mtime_ns for path in sorted((tmp_path / "some").glob("*.parquet"))]
    assert len(written) == 2
    copy_rows(whole, chosen, str(tmp_path / "some"))
    assert [path.stat().st_mtime_ns for path in sorted((tmp_path / "some").glob("*.parquet"))] == written
    copy_rows(whole, [5], str(tmp_path / "some"))
    assert Table.open(str(tmp_path / "some")).read()["key"].to_pylist() == ["5"]
