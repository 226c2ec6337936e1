"""The editor of docs/add-an-editor.md as it stands: it edits, keeps what every editor promises, and is compared."""

import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from pixels import load_pixels
from studies import MODELS, RUN, centred, frame

import schemas
from jobs.__main__ import main
from jobs.edit.spec import SPECS, spec_of
from pipeline.editors import EDITORS, NOT_FINITE
from pipeline.models import classifiers
from pipeline.models.classifiers import identity, tiny
from pipeline.models.codes import Codes
from pipeline.tables import Table
from tests.pipeline.editors import faces64

TEXT = (Path(__file__).parents[2] / "docs" / "add-an-editor.md").read_text()
CODE, LISTED = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
FEW = ["--labelled", "400", "--rows", "6", "--others", "48", "--attributes", "smile", "--metrics", "identity"]
FEW += ["--shown", "2", "--resamples", "200"]


@pytest.fixture
def editor(monkeypatch):
    """The module, in the list."""
    [name] = re.findall(r'"([\w-]+)": "', LISTED)
    module = ModuleType("pipeline.editors." + name.replace("-", "_"))
    exec(compile(CODE, "docs/add-an-editor.md", "exec"), module.__dict__)
    module.Config.__module__ = module.__name__
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(EDITORS, name, "along directions, each code back to its own norm")
    monkeypatch.setitem(SPECS, name, spec_of(name))
    monkeypatch.setattr(tiny, "scales", centred)
    one_reader = {name: classifiers.READINGS["tiny"][name] for name in classifiers.READINGS["tiny-judge"]}
    monkeypatch.setitem(classifiers.READINGS, "tiny-judge", one_reader)
    monkeypatch.setattr(identity, "load", load_pixels)
    return module


def test_it_is_about_forty_lines():
    lines = [line for line in CODE.splitlines() if line.strip()]
    assert len(lines) <= 45


def test_it_keeps_what_every_editor_promises(editor):
    config = editor.Config(distances=(-2.0, 3.0))
    codes = Codes("w", faces64.codes("w", 4, 0).values.float())
    request = config.request("old")
    opened = config.open(None, faces64.directions("w", shared=True))
    trace = opened.edit(codes, [request] * 4)
    assert torch.equal(trace.at(0).values, codes.values)
    norms = trace.values.double().norm(dim=2)
    torch.testing.assert_close(norms, norms[:, :1].expand_as(norms), rtol=1e-5, atol=0)
    others = codes.values.clone()
    others[1] = torch.nan
    found = opened.edit(Codes("w", others), [request] * 4)
    assert torch.equal(found.values[[0, 2, 3]], trace.values[[0, 2, 3]])
    assert [stop == NOT_FINITE for stop in found.stops] == [False, True, False, False]
    assert not (found.steps[1] >= 0).any()


@pytest.mark.slow
def test_it_is_compared_without_another_change(editor, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["compare", "--editors", "interfacegan,same-norm", *MODELS, *RUN, *FEW, "--out", str(out)]
    assert main(words) == 0
    text = (out / "report.md").read_text()
    assert re.search(r"\| same-norm \| \d", text)
    moved = frame(out, "smile-same-norm-up", "edits")
    assert sorted(moved["strength"].unique()) == [0.0, 1.0, 2.0, 3.0, 4.5, 6.0]
    lengths = np.linalg.norm(schemas.to_numpy(Table.open(f"{out}/smile-same-norm-up/edits").read()["latent"]), axis=1)
    np.testing.assert_allclose(lengths.reshape(-1, 6), lengths.reshape(-1, 6)[:, :1].repeat(6, 1), rtol=1e-5)
    assert "all done" not in capsys.readouterr().err
    assert main(words) == 0  # each step goes on where it stopped: none is computed again
    said = capsys.readouterr().err
    assert said.count("Step  stylemill ") == said.count("all done")
    assert (out / "report.md").read_text() == text
