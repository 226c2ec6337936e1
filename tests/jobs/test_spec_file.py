"""Spec files: strict YAML 1.2; a value is what the same text is behind its flag, or is refused with its line."""

from pathlib import Path
from typing import Annotated, Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.dataset import DatasetSpec
from jobs.directions.spec import FitSpec
from jobs.edit.spec import SPECS
from jobs.flags import Spec, parse
from jobs.spec_file import read
from pipeline.errors import SpecError


def written(folder: Path, text: str | bytes) -> Path:
    file = folder / "job.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def dataset(file: Path, *words: str) -> DatasetSpec:
    return parse(DatasetSpec, ["--spec", str(file), *words])


def test_a_file_gives_defaults_and_flags_win(tmp_path):
    file = written(tmp_path, "out: there\nrows: 5\nattributes: [male, yaw]\nrows-per-shard: 4\nimages: jpeg\n")
    spec = dataset(file, "--rows", "9")
    assert (spec.out, spec.rows, spec.attributes, spec.rows_per_shard) == (
        str(Path("there").absolute()),
        9,
        ("male", "yaw"),
        4,
    )
    assert parse(DatasetSpec, [f"--spec={file}"]).images == "jpeg"


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("rows: 0100", "rows", 100),  # 64 in YAML 1.1
        ("psi: 1", "psi", 1.0),
        ("psi: -.5", "psi", -0.5),
        ("range: 0:64", "range", "0:64"),  # 64 in base 60 in YAML 1.1
        ("local: true", "local", True),
        ("workers: auto", "workers", "auto"),
        ("generator: 2026", "generator", "2026"),
        ("generator: yes", "generator", "yes"),
        ("attributes: smile, old", "attributes", ("smile", "old")),
        ("attributes: [smile]", "attributes", ("smile",)),
        ("local: !!bool true", "local", True),
        ("generator: !!str 2026", "generator", "2026"),
        ("out: \u00e9t\u00e9", "out", str(Path("\u00e9t\u00e9").absolute())),
        ('{"seed": 3, "local": true}', "seed", 3),  # JSON is YAML
        ("\ufeffseed: 3", "seed", 3),
        ("%YAML 1.2\n---\nseed: 3", "seed", 3),
    ],
)
def test_values_are_those_of_the_flags(tmp_path, text, name, value):
    words = [] if name == "out" else ["--out", "x"]
    found = getattr(dataset(written(tmp_path, text), *words), name)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rows: 5\nroes: 6", "line 2: unknown key 'roes'"),
        ("rows: 5\nseed: 2\nrows: 6", "line 3: rows is given twice"),
        ("rows-per-shard: 5\nrows_per_shard: 6", "line 2: rows_per_shard is given twice"),
        ("rows:", "line 1: --rows has no value"),
        ("title: ~", "unknown key 'title'"),
        ("seed: true", "--seed true: give a whole number"),
        ("psi: yes", "--psi yes: give a number"),
        ("local: yes", "--local yes: give true or false"),
        ("local: 1", "--local 1: give true or false"),
        ("generator: true", "--generator true: give text: put it in quotes"),
        ("rows: many", "--rows many: give a whole number"),
        ('rows: "5"', '--rows "5": give a whole number'),
        ("rows: 1:30", "--rows 1:30: give a whole number"),  # 90 in YAML 1.1
        ("rows: 1_000", "--rows 1_000: give a whole number"),
        ("rows: 5.0", "--rows 5.0: give a whole number"),
        (f"rows: {'9' * 5000}", "give a whole number"),
        ("psi: .inf", "--psi .inf: give a number"),
        ("rows: 0", "--rows 0: input should be greater than 0"),
        ("rows: [5]", "--rows takes one value, not a list"),
        ("attributes: [[smile]]", "--attributes takes no list in a list"),
        ("rows: {a: 1}", "--rows takes no keys of its own"),
        ("rows: &x [*x]", "--rows takes one value"),
        ("<<: {rows: 5}", "unknown key '<<'"),
        ("rows: !!python/name:os.system x", "--rows: the tag !!python/name:os.system is not one of spec files"),
        ("generator: !!python/object:os.system x", "line 1: --generator: the tag !!python/object:os.system is not"),
        ("generator: !foo {a: 1}", "--generator: the tag !foo is not one of spec files: leave it out"),
        ("generator: !!binary YQ==", "--generator: the tag !!binary is not"),
        ("attributes: !!seq smile", "--attributes: the tag !!seq is not"),
        ("local: !!bool maybe", "--local maybe: give true or false"),
        ("rows: !!int five", "--rows five: give a whole number"),
        ("!foo rows: 5", "line 1: the tag !foo is not"),
        ("!!map [rows]", "must hold 'flag: value' lines"),
        ("rows: [", "is not YAML"),
        ("rows: 5\n\tseed: 6", "is not YAML"),
        ("rows: 5\n---\nrows: 6", "is not YAML"),
        ("[" * 100_000, "is not YAML"),
        ("", "must hold 'flag: value' lines"),
        ("%YAML 1.1\n---\nrows: 5", "begins with '%YAML 1.1'"),
        ("# a\n%TAG ! tag:x,2000:\n---\nrows: 5", "begins with '%TAG"),
        (b"rows: 5\nout: caf\xe9\n", "line 2 is not UTF-8 (byte 0xe9)"),
        ("rows: 5".encode("utf-16"), "line 1 is not UTF-8 (byte 0xff)"),
    ],
)
def test_what_is_not_meant_so_is_one_line_that_names_file_and_line(tmp_path, text, message):
    file = written(tmp_path, text)
    with pytest.raises(SpecError) as raised:
        dataset(file, "--out", "x")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
    if "greater" not in message:
        assert str(file) in str(raised.value)


def test_a_nul_character_in_a_path_is_refused(tmp_path):
    with pytest.raises(SpecError, match="a path with a NUL character") as raised:
        dataset(written(tmp_path, 'out: "a\\0b"'))
    assert "\0" not in str(raised.value)


@pytest.mark.parametrize("file", ["nowhere.yaml", "."])
def test_a_file_that_cannot_be_read_is_named(file):
    with pytest.raises(SpecError, match=rf"--spec {file}: (No such file|Is a directory)"):
        dataset(Path(file))


def test_two_files_are_one_too_many(tmp_path):
    file = written(tmp_path, "rows: 5")
    with pytest.raises(SpecError, match="--spec is given twice"):
        dataset(file, "--spec", str(file))


def test_numbers_of_a_list_and_words_that_look_like_numbers(tmp_path):
    rest = ["--latents", "l", "--directions", "d", "--attribute", "old", "--out", "x"]
    for text in ("strengths: -3,1.5", "strengths: [-3, 1.5]", "strengths: [-3.0, 15e-1]"):
        file = written(tmp_path, text)
        assert parse(SPECS["interfacegan"], ["--spec", str(file), *rest]).strengths == (-3.0, 1.5)
    file = written(tmp_path, "target: 0\nkeep: 3\nlambda1: 0")
    spec = parse(SPECS["ials"], ["--spec", str(file), *rest])
    assert (spec.target, spec.keep, spec.lambda1) == ("0", "3", 0.0)
    file = written(tmp_path, "latents: l\nlabels: a,b\nC: 2\nout: x")
    spec = parse(FitSpec, ["--spec", str(file)])
    assert (spec.labels, spec.C) == ((str(Path("a").absolute()), str(Path("b").absolute())), 2.0)


CHARACTERS = "abeflnorstuyE0179.:,-+_~#'\"{}[]() %&*!|>@`=?é日"


class Kinds(Spec):
    whole: int | None = None
    number: Annotated[float, "unit"] = 0.0
    text: str = ""
    yes: bool = False
    many: tuple[str, ...] = ()


@settings(max_examples=40)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "whole": st.integers(-(10**20), 10**20),
            "number": st.floats(allow_nan=False, allow_infinity=False),
            "text": st.text(CHARACTERS),
            "yes": st.booleans(),
            "many": st.lists(st.from_regex(r"[a-z]{1,5}", fullmatch=True)),
        },
    )
)
def test_what_a_yaml_writer_writes_is_read_as_it_was(tmp_path_factory, values: dict[str, Any]):
    file = tmp_path_factory.mktemp("spec") / "job.yaml"
    file.write_text(yaml.safe_dump(values, allow_unicode=True) if values else "{}", encoding="utf-8")
    assert read(file, Kinds) == {name: tuple(v) if name == "many" else v for name, v in values.items()}
