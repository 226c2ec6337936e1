"""`stylemill directions list`: on the screen and for a script."""

import json

import pyarrow as pa
import pytest
from planted import ATTRIBUTES, directions, plant

from jobs.__main__ import main
from jobs.small_outputs import write_small_table
from pipeline.directions import normalised
from pipeline.directions.lookup import by_name
from pipeline.stages.direction_rows import to_rows
from pipeline.tables import Table
from schemas import directions as directions_schema


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    out = tmp_path_factory.mktemp("listed")
    plant(out)
    words = ["--latents", f"{out}/latents", "--labels", f"{out}/labels", "--out", f"{out}/fit", "--C", "0.01"]
    assert main(["directions", "fit", "--local", *words]) == 0
    return out / "fit"


@pytest.mark.parametrize("inside", ["", "directions"])
def test_lines_of_json_say_what_the_tables_say(fitted, capsys, inside):
    assert main(["directions", "list", str(fitted / inside), "--json-lines"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    rows = directions(fitted)
    assert [one["name"] for one in found] == list(ATTRIBUTES)
    for one, row in zip(found, rows, strict=True):
        assert one["accuracies"]["validation"] == row["accuracy_validation"][0]
        assert (one["C"], one["rows"], one["space"], one["method"]) == (0.01, row["rows"][0], "w", "svm")
        assert 0.5 < one["agreement"] <= 1


def test_the_table_shows_each_direction(fitted, capsys):
    assert main(["directions", "list", str(fitted)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [name for name in ("validation", "agreement", "rows", "method") if name not in "\n".join(lines)] == []
    for name in ATTRIBUTES:
        [line] = [line for line in lines if line.split()[:1] == [name]]
        assert "svm" in line
        assert "%" in line


def test_directions_that_were_not_fitted_and_conditions(tmp_path, capsys):
    kept = [normalised("old", "imported", "w", [3.0, 4.0], conditions=("male", "smile"))]
    write_small_table(f"{tmp_path}/d", directions_schema(), to_rows(kept), {"verb": "planted"})
    capsys.readouterr()
    assert main(["directions", "list", f"{tmp_path}/d"]) == 0
    assert "old|male,smile" in capsys.readouterr().out
    assert main(["directions", "list", f"{tmp_path}/d", "--json-lines"]) == 0
    [line] = capsys.readouterr().out.splitlines()
    found = json.loads(line)
    assert (found["conditions"], found["agreement"], found["accuracies"]) == (["male", "smile"], None, {})


def test_names_that_two_share_have_the_number_that_chooses_them(tmp_path, capsys):
    """Also where a component was rejected, which leaves a gap in the index."""
    two = [normalised("smile", "ganspace", "w", vector) for vector in ([1.0, 0.0], [0.0, 1.0])]
    rows = to_rows(two)
    place = rows.schema.get_field_index("index")
    rows = rows.set_column(place, rows.schema.field(place), pa.array([3, 5], rows.schema.field(place).type))
    table = Table.create(f"{tmp_path}/d", directions_schema(), rows=6, rows_per_shard=6)
    table.seal([table.publish(0, rows)], {"verb": "planted"}, "f" * 64)
    assert main(["directions", "list", f"{tmp_path}/d", "--json-lines"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["name"] for one in found] == [*by_name(two)] == ["smile#0", "smile#1"]
    assert [one["index"] for one in found] == [3, 5]


def test_a_table_is_named_from_within_its_directory(fitted, capsys, monkeypatch):
    monkeypatch.chdir(fitted)
    assert main(["directions", "list", "directions", "--json-lines"]) == 0
    assert all(json.loads(line)["agreement"] for line in capsys.readouterr().out.splitlines())


def test_what_has_no_directions_is_one_line(tmp_path, capsys):
    assert main(["directions", "list", str(tmp_path)]) != 0
    said = capsys.readouterr().err.strip()
    assert str(tmp_path) in said
    assert "\n" not in said
