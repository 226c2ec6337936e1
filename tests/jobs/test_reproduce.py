"""`stylemill reproduce interfacegan` on the tiny networks: every step, the page, and its numbers made once more."""

import json
import math
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from pixels import load_pixels
from studies import MODELS, RUN

from jobs import reproduce
from jobs.__main__ import main
from jobs.reproduce import interfacegan
from jobs.reproduce.study import cached, step
from jobs.sample import SampleSpec
from pipeline.errors import OutputDiffers
from pipeline.models.classifiers import identity
from pipeline.report import study, wording
from pipeline.report.fits import said_jackknifed
from pipeline.report.interfacegan import TABLE_1, TABLE_2, TABLE_3
from pipeline.tables import Table

WORDS = [*MODELS, "--rows", "400", "--edited", "4", "--attributes", "smile,old,eyeglasses", *RUN]


@pytest.fixture(scope="module")
def quick():
    """Without the network of identity, and with fewer refits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identity, "load", load_pixels)
        patch.setattr(interfacegan, "GROUPS", 4)
        patch.setattr(interfacegan, "CURVE_SHARES", (2,))
        yield patch


@pytest.fixture(scope="module")
def out(quick, tmp_path_factory):
    out = tmp_path_factory.mktemp("study")
    before = set(sys.modules)
    assert main(["reproduce", "interfacegan", *WORDS, "--out", str(out)]) == 0
    assert "ray" in before or "ray" not in sys.modules  # --local among the flags is for every step
    return out


@pytest.fixture(scope="module")
def page(out):
    return Path(out, "report.html").read_text()


@pytest.mark.slow
def test_it_has_every_table_beside_the_papers(page):
    for heading in (
        "Separation (Table 1)",
        "Entanglement of the directions (Table 2, Sec. 3.4)",
        "Correlation of the scores (Table 3)",
        "Conditional manipulation: old, with eyeglasses preserved",
        "Faces: old, without and with eyeglasses left alone",
        "Distance (Fig. 3)",
    ):
        assert f"<h2>{heading}</h2>" in page
    assert page.index("data:image/webp") < page.index("<table")
    assert f"{TABLE_1['All']['Age']:.1f}" in page
    for table in (TABLE_2, TABLE_3):
        assert f">{study.cell(float(table.loc['Age', 'Eyeglasses']))}</td>" in page
    for words in ("old in w", "old|eyeglasses in w", "old in z", "old|eyeglasses in z"):
        assert words in page
    # two spaces, with and without condition, three faces, source and four steps; three attributes, source and six steps
    assert page.count("data:image/webp;base64,") == 4 * 3 * 5 + 3 * 7


@pytest.mark.slow
def test_its_numbers_are_those_of_the_tables(out, page):
    labels = Table.open(f"{out}/faces/labels").read().to_pandas()
    assert len(labels) == 400
    assert f">{study.cell(float(labels['smile'].corr(labels['old'])))}</td>" in page
    for space in ("w", "z"):
        rows = Table.open(f"{out}/fit-{space}/directions").read().to_pandas().set_index("attribute")
        cosine = float(np.dot(rows["vector"]["smile"], rows["vector"]["old"]))
        assert f">{study.cell(cosine)}</td>" in page
        assert f"{100 * rows['accuracy_all']['old'][0]:.1f} (" in page
    edits = Table.open(f"{out}/far/edits").read().to_pandas()
    one = edits[(edits["request"] == 1) & (edits["index"] == 0) & (edits["step"] == 6)].iloc[0]
    assert f"{one['strength']:+.2f}, old {one['old']:+.1f}".replace("-", "\N{MINUS SIGN}") in page
    measured = Table.open(f"{out}/measured/measured").read().to_pandas()
    assert set(measured["metric"]) == {"effects", "identity"}
    assert set(measured["count"]) == {4}
    assert wording.count(400) in page


@pytest.mark.slow
def test_claims_are_told_with_intervals(out, page):
    edits = {name: Table.open(f"{out}/{name}/edits").read().to_pandas() for name in ("edit-z", "edit-z-on")}
    change = {
        name: (
            rows[rows["step"] == 2].set_index("index")["judge_eyeglasses"]
            - rows[rows["step"] == 0].set_index("index")["judge_eyeglasses"]
        ).abs()
        for name, rows in edits.items()
    }
    less = (change["edit-z"] - change["edit-z-on"]).mean()
    line = next(line for line in Path(out, "report.md").read_text().splitlines() if "changes less, in z" in line)
    assert f"| yes | {wording.score(less, 3)} |" in line
    assert "<h2>The paper&#39;s claims</h2>" in page


def test_numbers_that_were_damaged_are_made_anew(tmp_path, capsys):
    url = str(tmp_path / "kept.json")
    made = []

    def make():
        made.append(1)
        return {"means": [0.25, 0.5]}

    assert cached(url, {"rows": 4}, make) == cached(url, {"rows": 4}, make) == {"means": [0.25, 0.5]}
    assert len(made) == 1
    cached(url, {"rows": 5}, make)
    assert len(made) == 2
    for damaged in ('{"of": {"rows": 5}, "numbers": {"means": [0.25]}, "digest": "0"}', '{"of": {"rows": 5}}', "[]"):
        Path(url).write_text(damaged)
        assert cached(url, {"rows": 5}, make) == {"means": [0.25, 0.5]}
    assert len(made) == 5
    assert "was changed: its numbers are computed again" in capsys.readouterr().err


@pytest.mark.slow
def test_the_same_command_makes_nothing_anew(quick, out, page, capsys):
    kept = {name: Path(out, name).read_bytes() for name in ("entanglement-w.json", "entanglement-z.json")}
    assert [len(json.loads(one)["numbers"]["means"]) for one in kept.values()][:1] == [5]  # all faces, and four groups
    capsys.readouterr()
    assert main(["reproduce", "interfacegan", *WORDS, "--out", str(out)]) == 0
    said = capsys.readouterr().err
    assert said.count("all done") == said.count("Plan  ")
    assert Path(out, "report.html").read_text() == page
    assert {name: Path(out, name).read_bytes() for name in kept} == kept


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--attributes", "old,freckles"], "unknown attribute 'freckles'"),
        (["--condition", "freckles"], "unknown attribute 'freckles'"),
        (["--attributes", "old,old,smile"], "two or more, each once"),
        (["--attributes", "old"], "two or more"),
        (["--attributes", "smile,male"], "--primal must be one of --attributes"),
        (["--condition", "old"], "and not --condition"),
        (["--rows", "10"], "--rows 10"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_made(words, message, tmp_path, capsys):
    assert main(["reproduce", "interfacegan", *WORDS, *words, "--out", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_halves_that_do_not_agree_leave_the_rest_of_the_page():
    claim = interfacegan.less_entangled({"w": [], "z": [0.1]})
    assert (math.isnan(claim.ours), claim.interval, claim.verdict) == (True, "", "not decided")
    assert "not known" in said_jackknifed([])
    assert said_jackknifed([0.2, 0.2, 0.2]) == "0.200 (0.200 to 0.200)"
    less = interfacegan.less_entangled({"w": [0.1, 0.1, 0.1], "z": [0.3, 0.3, 0.31]})
    assert less.verdict == "holds"
    assert less.ours == pytest.approx(-0.2)


@pytest.mark.slow
def test_a_dry_run_says_how_many_faces_will_be_made_and_makes_none(out, tmp_path, capsys):
    words = ["reproduce", "interfacegan", *WORDS, "--out", str(tmp_path / "none")]
    assert main([*words, "--dry-run"]) == 0
    said = capsys.readouterr().err
    assert not (tmp_path / "none").exists()
    made = Table.open(f"{out}/faces/labels").read().num_rows
    for name, times in {"edit-w": 2, "edit-w-on": 2, "edit-z": 2, "edit-z-on": 2, "far": 1}.items():  # 2: to measure
        rows = Table.open(f"{out}/{name}/edits").read(columns=["index", "request", "step"]).to_pylist()
        made += times * len({(row["index"], row["request"] if row["step"] else 0, row["step"]) for row in rows})
    assert f"Study {made:,} passes through the generator: {made:,} forward, 0 backward" in said
    assert " on this machine in one process, at " in said


def test_a_step_that_fails_names_the_flags_of_the_study(tmp_path, capsys):
    words = ["reproduce", "interfacegan", *WORDS, "--precision", "tf32", "--out", str(tmp_path)]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert (
        "`stylemill dataset` ended with exit code 2, for the reason above: change --generator, --classifiers or the "
        "flags of the run" in said
    )


def test_a_step_of_another_spec_names_its_folder_and_what_is_lost(tmp_path, capsys):
    made = {"generator": "stylegan2-tiny", "rows": 4, "local": True, "out": str(tmp_path / "others")}
    step(SampleSpec(**made))
    kept = list((tmp_path / "others" / "latents").glob("*.parquet"))
    capsys.readouterr()
    with pytest.raises(OutputDiffers, match=r"the step `stylemill sample` ended with exit code 4") as error:
        step(SampleSpec(**made, seed=5))
    assert "seed: 1 there, 5 asked" in capsys.readouterr().err
    words = rf"delete {re.escape(str(tmp_path))}/others \(\d+ s of computing\) and run the same study again"
    assert re.search(words, str(error.value))
    assert error.value.exit_code == 4
    assert kept
    assert all(part.exists() for part in kept)
    shutil.rmtree(tmp_path / "others")
    step(SampleSpec(**made, seed=5))


@pytest.mark.parametrize("paper", reproduce.VERBS)
def test_a_paper_is_one_file_that_can_be_read(paper):
    lines = Path(reproduce.__file__).with_name(f"{reproduce.VERBS[paper][0]}.py").read_text().splitlines()
    assert len(lines) <= 250
