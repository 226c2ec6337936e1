"""`directions strips`: pictures are those of the moved codes; the page shows them beside the fit."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from planted import directions, plant
from test_report_edits import strips
from tiny_jobs import tables

from jobs.__main__ import main
from pipeline.models import generators
from pipeline.models.codes import Codes
from pipeline.stages.codes import read_codes
from pipeline.stages.direction_rows import read_directions
from pipeline.stages.pictures import Keep
from pipeline.tables import Table

HOW = ["--threads", "1", "--backend", "eager", "--local"]
GIVEN = ["--C", "0.01", "--fraction", "0.4"]


def fit(faces, out, *words: str) -> int:
    given = ["--latents", f"{faces}/latents", "--labels", f"{faces}/labels", "--attributes", "smile,old"]
    return main(["directions", "fit", *given, *HOW, "--out", str(out), *words])


def show(table, latents, out, *words: str) -> int:
    given = ["--directions", str(table), "--latents", str(latents), "--size", "32", "--batch-size", "4"]
    return main(["directions", "strips", *given, *HOW, "--out", str(out), *words])


def test_after_a_fit_the_command_that_shows_it_is_named_and_leaves_the_fit_as_it_is(eighty, tmp_path, capsys):
    assert fit(eighty, tmp_path, *GIVEN) == 0
    [line] = [line for line in capsys.readouterr().err.splitlines() if "makes pictures" in line]
    before = tables(tmp_path)
    words = shlex.split(line.removesuffix(" makes pictures of them"))
    assert words[:3] == ["stylemill", "directions", "strips"]
    more = ["--faces", "2", "--size", "32", "--batch-size", "4", "--threads", "1", "--backend", "eager"]
    assert main([*words[1:], *more]) == 0
    after = tables(tmp_path)
    assert {name: after[name] for name in before} == before
    rows = Table.open(f"{tmp_path}/strips").read().to_pandas()
    assert rows[["index", "face", "step"]].to_numpy().tolist() == [
        [index, face, step] for index in range(2) for face in range(2) for step in range(5)
    ]
    assert set(rows["deviations"]) == {0.0, -3.0, -1.5, 1.5, 3.0}
    assert main(["verify", str(tmp_path)]) == 0
    assert main([*words[1:], *more, "--faces", "3"]) == 4  # another number of faces is another spec


@pytest.mark.parametrize("space", ["z", "w+", "s"])
def test_pictures_are_of_codes_moved_by_deviations_of_the_latents(eighty, tmp_path, space):
    assert fit(eighty, tmp_path, *GIVEN, "--space", space, *(["--per-layer"] if space == "w+" else [])) == 0
    words = ["--faces", "1", "--deviations=-2,4"]
    assert show(f"{tmp_path}/directions", f"{eighty}/latents", tmp_path, *words) == 0
    rows = Table.open(f"{tmp_path}/strips").read().to_pylist()
    generator = generators.load("stylegan2-tiny", backend="eager")
    latents = Table.open(f"{eighty}/latents")
    codes = read_codes(latents, space, generator)[1]
    for number, direction in enumerate(read_directions(Table.open(f"{tmp_path}/directions"))):
        unit = float(direction.distance(Codes(space, codes.values)).std())
        its = [row for row in rows if row["index"] == number]
        np.testing.assert_allclose([row["strength"] for row in its], [0, -2 * unit, 4 * unit], rtol=1e-5)
        for row in its:
            moved = Codes(space, codes.values[:1] + row["strength"] * direction.along(codes))
            if space == "z":
                moved = Codes("w+", generator.map(moved.values, 0.7))
            x_3HW = generator.synthesize(moved, size=32)[0]
            pixels = (x_3HW.permute(1, 2, 0) * 127.5 + 128).clamp(0, 255).to(torch.uint8).numpy()
            made = decoded(row["image"]["bytes"])
            assert np.abs(made - decoded(Keep("webp", 32).encode(pixels))).max() <= 8  # one step of 255, encoded


def decoded(picture: bytes) -> np.ndarray:
    import io

    from PIL import Image

    with Image.open(io.BytesIO(picture)) as image:
        return np.asarray(image.convert("RGB"), dtype=int)


def test_the_page_has_what_each_does_and_how_well_it_was_fitted(eighty, tmp_path, capsys):
    assert fit(eighty, tmp_path) == 0
    assert show(f"{tmp_path}/directions", f"{eighty}/latents", tmp_path, "--faces", "2") == 0
    capsys.readouterr()
    assert main(["report", str(tmp_path)]) == 0
    assert capsys.readouterr().out.split() == [f"{tmp_path}/report.html"]
    text = Path(tmp_path, "report.html").read_text()
    shown = strips(text)
    assert list(shown) == [f"{name}: face {face}" for name in ("smile", "old") for face in (0, 1)]
    words = [look.split(",")[0].replace("\N{MINUS SIGN}", "-") for look, _ in shown["old: face 1"]]
    assert words == ["source", "-3.0 sd", "-1.5 sd", "+1.5 sd", "+3.0 sd"]
    grid = Table.open(f"{tmp_path}/grids").read().to_pandas()
    cells = re.findall(r"<tr><th scope=\"row\">(\w+)</th>(.*?)</tr>", text, re.DOTALL)
    assert [name for name, _ in cells] == ["smile", "old"]
    for row, (_, found) in zip(directions(tmp_path), cells, strict=True):
        its = grid[(grid["index"] == row["index"]) & (grid["C"] == row["C"][0])]
        its = its.iloc[(its["fraction"] - row["fraction"][0]).abs().argsort()]
        values = re.findall("<td>([^<]*)</td>", found)
        assert f"{100 * row['accuracy_validation'][0]:.1f} %" in values
        assert f"{100 * row['accuracy_all'][0]:.1f} %" in values
        assert f"{its['agreement'].iloc[0]:.2f}".replace("-", "\N{MINUS SIGN}") in values
        assert str(row["rows"][0]) in values
    assert "<dt>generator</dt><dd>stylegan2-tiny</dd>" in text
    assert main(["report", str(tmp_path), "--faces", "1"]) == 0
    assert list(strips(Path(tmp_path, "report.html").read_text())) == ["smile: face 0", "old: face 0"]


def test_without_strips_the_page_says_how_to_make_them_and_what_is_near_chance(tmp_path, capsys):
    plant(tmp_path)
    frame = Table.open(f"{tmp_path}/labels").read().to_pandas()[["index"]]
    frame.assign(noise=np.random.default_rng(2).standard_normal(600)).to_csv(tmp_path / "hand.csv", index=False)
    words = ["--latents", f"{tmp_path}/latents", "--labels", f"{tmp_path}/hand.csv", "--local"]
    assert main(["directions", "fit", *words, "--out", f"{tmp_path}/fit"]) == 0
    assert main(["report", f"{tmp_path}/fit"]) == 0
    text = Path(tmp_path, "fit/report.html").read_text()
    assert "stylemill directions strips --directions DIR/directions" in text
    assert "noise is unreliable: " in text


def test_pictures_of_directions_that_were_replaced_are_not_shown(eighty, tmp_path):
    assert fit(eighty, tmp_path, *GIVEN) == 0
    assert show(f"{tmp_path}/directions", f"{eighty}/latents", tmp_path, "--faces", "1") == 0
    assert fit(eighty, tmp_path, "--C", "1", "--fraction", "0.4", "--replace") == 0
    assert main(["report", str(tmp_path)]) == 0
    text = Path(tmp_path, "report.html").read_text()
    assert "are of directions that have been replaced since" in text
    assert strips(text) == {}
    assert show(f"{tmp_path}/directions", f"{eighty}/latents", tmp_path, "--faces", "1") == 4
    assert show(f"{tmp_path}/directions", f"{eighty}/latents", tmp_path, "--faces", "1", "--replace") == 0
    assert main(["report", str(tmp_path)]) == 0
    assert len(strips(Path(tmp_path, "report.html").read_text())) == 2


def test_beside_faces_the_page_has_a_name_of_its_own(eighty, capsys):
    assert fit(eighty, eighty, *GIVEN) == 0
    capsys.readouterr()
    assert main(["report", str(eighty)]) == 0
    assert capsys.readouterr().out.split() == [f"{eighty}/{name}.html" for name in ("report", "directions")]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--faces 0", "--faces"),
        ("--deviations=nan", "--deviations"),
        ("--rows-per-shard 2", "a shard is one direction: leave out --rows-per-shard"),
    ],
)
def test_what_cannot_be_shown_is_one_line(tmp_path, refused, words, message):
    refused(show("directions", "latents", tmp_path / "out", *words.split()), message, out=tmp_path / "out")
