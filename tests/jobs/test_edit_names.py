"""Directions chosen for an edit by the names that the program prints, conditions and numbers included."""

import pytest
from edits import edit, planted, sample

from jobs.small_outputs import write_small_table
from pipeline.directions.conditional import project
from pipeline.directions.lookup import by_name
from pipeline.stages.direction_rows import to_rows
from pipeline.tables import Table
from schemas import directions as directions_schema


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Latents; a table of old, eyeglasses, young, and old with both projected out, twice."""
    out = tmp_path_factory.mktemp("names")
    latents = sample(out / "faces", 4, 4)
    old, eyeglasses, young = planted(out / "plain", ("w",))
    found = [old, eyeglasses, young, *(project(old, [eyeglasses, young]),) * 2, project(old, [young])]
    write_small_table(f"{out}/directions", directions_schema(), to_rows(found), {"verb": "planted"})
    return latents, f"{out}/directions", found


@pytest.mark.parametrize("row", range(6))
def test_each_printed_name_is_typed_to_choose_it(made, tmp_path, row):
    latents, directions, found = made
    name = list(by_name(found))[row]
    assert edit(latents, directions, tmp_path, "--attribute", name, "--strengths", "1") == 0
    [request] = Table.open(f"{tmp_path}/requests").read().to_pylist()
    assert (request["attribute"], tuple(request["conditions"])) == (found[row].attribute, found[row].conditions)


def test_several_are_typed_with_commas_between_them(made, tmp_path):
    latents, directions, found = made
    names = [list(by_name(found))[row] for row in (3, 5, 0)]
    assert names == ["old|eyeglasses,young#3", "old|young", "old"]
    assert edit(latents, directions, tmp_path, "--attribute", ",".join(names), "--strengths", "1") == 0
    rows = Table.open(f"{tmp_path}/requests").read()["conditions"].to_pylist()
    assert rows == [["eyeglasses", "young"], ["young"], []]


def test_a_name_of_two_directions_says_how_to_choose_one(made, tmp_path, capsys):
    latents, directions, _ = made
    assert edit(latents, directions, tmp_path, "--attribute", "old|eyeglasses,young", "--strengths", "1") == 2
    said = capsys.readouterr().err
    assert "several directions of old|eyeglasses,young: choose old|eyeglasses,young#3 (svm, w)" in said


def test_a_name_twice_is_refused(made, tmp_path, capsys):
    latents, directions, _ = made
    assert edit(latents, directions, tmp_path, "--attribute", "old|young,old|young", "--strengths", "1") == 2
    assert "old|young is named twice" in capsys.readouterr().err
