"""Labels by several families in one pass of the generator: a table each, as if each family had been asked alone."""

import numpy as np
import pytest
import torch
from tiny_jobs import rows, tables

from jobs.__main__ import main
from pipeline.models import classifiers
from pipeline.models.classifiers.attributes import DEFAULT_ATTRIBUTES
from pipeline.models.generators.stylegan2 import StyleGAN2
from pipeline.stages.joined import classifier_of, join
from pipeline.stages.source import Latents
from pipeline.tables import Table

HOW = ["--local", "--backend", "eager", "--threads", "1", "--batch-size", "4"]
WORDS = ["--generator", "stylegan2-tiny", "--rows", "20", "--rows-per-shard", "8", "--images", "png", "--size", "32"]
BOTH, JUDGED = "tiny,tiny-judge", "labels_tiny-judge"


def dataset(out, families=BOTH, *words):
    return main(["dataset", *WORDS, "--classifiers", families, *HOW, "--out", str(out), *words])


def label(latents, out, families=BOTH, *words):
    return main(["label", "--latents", str(latents), "--classifiers", families, *HOW, "--out", str(out), *words])


@pytest.fixture(scope="module")
def passes():
    """Rows of each pass through the generator."""
    seen, real = [], StyleGAN2.run

    def run(self, s_NS, state, first, last):
        seen.append(len(s_NS))
        return real(self, s_NS, state, first, last)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StyleGAN2, "run", run)
        yield seen


@pytest.fixture(scope="module")
def both(passes, tmp_path_factory):
    out = tmp_path_factory.mktemp("both")
    passes.clear()
    assert dataset(out) == 0
    assert passes == [4] * (1 + 5)  # to warm up, and a micro-batch of each four rows
    return out


def test_each_table_has_the_bytes_of_a_run_for_its_family_alone(both, tmp_path, capsys):
    for family, table in (("tiny", "labels"), ("tiny-judge", JUDGED)):
        assert dataset(tmp_path / family, family) == 0
        alone, here = tables(tmp_path / family), tables(both)
        assert [name for name in alone if name.startswith("labels/")]
        for name, content in alone.items():
            assert here[name.replace("labels/", f"{table}/")] == content
    assert dataset(both) == 0
    assert "20 rows: all done" in capsys.readouterr().err
    assert main(["verify", str(both)]) == 0
    assert f"{both}/{JUDGED}: 3 parts, 20 rows" in capsys.readouterr().err


def test_labels_of_latents_that_are_there(both, passes, tmp_path):
    passes.clear()
    assert label(f"{both}/latents", tmp_path / "out") == 0
    assert passes == [4] * (1 + 5)
    for table in ("labels", JUDGED):
        assert rows(tmp_path / "out", table) == rows(both, table)
    assert main(["verify", str(tmp_path / "out")]) == 0


def test_each_table_says_whose_labels_it_has(both, tmp_path):
    latents, asked = Latents.open([f"{both}/latents"]), DEFAULT_ATTRIBUTES
    for family, name in (("tiny", "labels"), ("tiny-judge", JUDGED)):
        table = Table.open(f"{both}/{name}")
        assert classifier_of(table) == classifiers.load(family, asked).fingerprint
        assert table.manifest()["facts"]["spec"]["classifiers"] == family
        assert len(join(latents, [table], ["smile"]).index) == 20
    words = ["--where", 'smile > -9 and "tiny-judge_smile" > -9', "--labels", f"{both}/labels,{both}/{JUDGED}"]
    assert label(f"{both}/latents", tmp_path, "tiny", *words) == 0
    assert len(rows(tmp_path, "labels")) == 20


def test_a_row_that_one_family_cannot_score_is_in_no_table(both, tmp_path, monkeypatch):
    real = classifiers.Family.raw

    def raw(self, *about):
        found = real(self, *about)
        bad = np.isclose(found["old"].numpy(), mark, rtol=0, atol=1e-6)
        found["smile"][torch.from_numpy(bad)] = torch.nan
        return found

    mark = np.float32(rows(both, JUDGED)[6]["old"])  # of the tiny families, raw statistic and score are one
    monkeypatch.setattr(classifiers.Family, "raw", raw)
    assert dataset(tmp_path) == 0
    kept = [row["index"] for row in rows(both, "labels") if row["index"] != 6]
    for table in ("latents", "labels", JUDGED, "images"):
        assert [row["index"] for row in rows(tmp_path, table)] == kept
    [aside] = rows(tmp_path, "rejects/dataset")
    assert (aside["index"], aside["detail"]) == (6, "tiny-judge_smile")


def test_an_attribute_that_the_judge_does_not_see_is_said_to_be_unjudged(both, tmp_path, capsys):
    words = ["--attributes", "smile,mouth_open,bangs", "--limit", "1"]
    assert label(f"{both}/latents", tmp_path / "one", "tiny,tiny-judge", *words) == 0
    assert "unjudged: tiny-judge does not score bangs" in capsys.readouterr().err
    first = {table: rows(tmp_path / "one", table)[0] for table in ("labels", JUDGED)}
    assert first["labels"].keys() - first[JUDGED].keys() == {"bangs"}
    assert label(f"{both}/latents", tmp_path / "two", "tiny-judge", "--attributes", "bangs") == 2
    assert "tiny-judge does not score bangs" in capsys.readouterr().err
