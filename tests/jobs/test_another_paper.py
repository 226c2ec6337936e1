"""Another paper is one file and one line in the list: here thirty lines, on the tiny networks."""

import shlex
import sys
from types import ModuleType

import pytest

from jobs import reproduce
from jobs.__main__ import main
from jobs.flags import command_of, parse
from jobs.reproduce.cost import Passes
from jobs.reproduce.faces import label_faces, sample
from jobs.reproduce.study import StudySpec, edit_spec, run_study, step
from pipeline.report import study
from pipeline.report.claims import Claim, Page, decided
from pipeline.report.pictured import strips
from pipeline.tables import Table

HOW = ["--generator", "stylegan2-tiny", "--classifiers", "tiny", "--judge", "tiny-judge"]
HOW += ["--local", "--backend", "eager", "--threads", "1", "--batch-size", "4"]


class ToySpec(StudySpec):
    """Move faces towards a smile, and see whether they smile more.

    Example: stylemill reproduce toy --out out/toy
    """

    VERB = "reproduce toy"

    rows: int = 100


def make(spec: ToySpec) -> Page:
    faces = label_faces(spec, spec.rows, ("w",), ("smile",))
    asked = edit_spec(
        "interfacegan", latents=(sample(spec, "others", 4, spec.seed + 1),), directions=(faces.fitted("w"),),
        attribute=("smile",), strengths=(2.0,), scores="judge", judge=spec.judge, images="webp", size=32,
        out=spec.url("edits"), **spec.machine,
    )  # fmt: skip
    step(asked, "--judge")
    edits = Table.open(spec.url("edits", "edits")).read().to_pandas().set_index(["index", "step"])["judge_smile"]
    more = (edits.xs(1, level="step") - edits.xs(0, level="step")).mean()
    claim = Claim("An edit is seen", "the judge's smile", "more", more, more - 1, more + 1, decided(-1, 1, True))
    shown = study.Section("Faces", [], strips(spec.url("edits"), "smile", 2))
    return Page("Toy", "A paper.", [shown], [claim], [study.Section("Numbers", ["None."])])


@pytest.fixture
def toy(monkeypatch):
    module = ModuleType("jobs.reproduce.toy")
    module.main = lambda argv: run_study(ToySpec, argv, make, lambda spec: Passes(spec.rows + 8))
    monkeypatch.setitem(sys.modules, "jobs.reproduce.toy", module)
    monkeypatch.setitem(reproduce.VERBS, "toy", ("toy", "a paper that nobody wrote"))


def test_it_has_steps_that_can_be_pasted_a_page_and_a_cost(toy, tmp_path, capsys):
    out = ["--out", str(tmp_path / "toy")]
    assert main(["reproduce", "toy", *HOW, *out, "--dry-run"]) == 0
    assert "Study 108 passes through the generator: 108 forward, 0 backward" in capsys.readouterr().err
    assert main(["reproduce", "toy", *HOW, *out]) == 0
    said = capsys.readouterr().err
    steps = [shlex.split(line)[2:] for line in said.splitlines() if line.startswith("Step  stylemill ")]
    assert [words[0] for words in steps] == ["dataset", "directions", "sample", "edit"]
    for words in steps:
        assert main(words) == 0
        assert "all done" in capsys.readouterr().err
    text = (tmp_path / "toy" / "report.md").read_text()
    assert "An edit is seen: holds in 0 of 1 (1 not decided)." in text
    assert "| the judge's smile | more |" in text
    assert (tmp_path / "toy" / "report.html").read_text().count("data:image/webp") == 4
    assert main(["reproduce"]) == 2
    assert "a paper that nobody wrote" in capsys.readouterr().out


def test_its_own_flags_come_back_from_the_command_that_is_written():
    spec = parse(ToySpec, [*HOW, "--rows", "7", "--out", "out/toy"])
    assert parse(ToySpec, command_of(spec)[2:]) == spec


def test_a_step_that_is_not_valid_is_one_line(toy, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "label_faces", lambda *_: edit_spec("interfacegan", out="x"))
    assert main(["reproduce", "toy", *HOW, "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("stylemill reproduce: --latents")
    assert "\n" not in said
