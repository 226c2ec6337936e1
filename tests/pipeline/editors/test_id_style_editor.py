"""Edits of ID-Style: each row as its network says, whoever is beside it."""

import pytest
import torch

from pipeline.editors import DONE, NOT_FINITE, EditRequest
from pipeline.editors.id_style import Config
from pipeline.editors.id_style.networks import IDStyle, combine, strongest
from pipeline.errors import SpecError
from pipeline.models.codes import Codes

L, W = 6, 8
NETWORK = IDStyle(L, W, ("smile", "old"), 3)
ARTIFACT = NETWORK.named()


class Halves:
    """Scores that are the sum of a half of a code."""

    at_once = 1

    def __call__(self, codes, attributes=None):
        w_NW = codes.values.mean(dim=1) if codes.space == "w+" else codes.values
        return {"smile": w_NW[:, : W // 2].sum(dim=1), "old": w_NW[:, W // 2 :].sum(dim=1)}


def codes(space="w+", rows=4) -> Codes:
    shape = (rows, L, W) if space == "w+" else (rows, W)
    return Codes(space, torch.randn(shape, generator=torch.Generator().manual_seed(1)))


def edit(source, requests, **asked):
    return Config(**asked).open(Halves(), artifact=ARTIFACT).edit(source, requests)


def moves(source, attr, keep=W):
    ws = source.values if source.space == "w+" else source.values[:, None].expand(-1, L, -1)
    attr = torch.tensor(attr, dtype=torch.float64)
    with torch.no_grad():
        places = [IDStyle.of_tensors(ARTIFACT).attributes.index(name) for name in ("smile", "old")]
        deltas = torch.cat([IDStyle.of_tensors(ARTIFACT)(ws[row : row + 1]) for row in range(len(ws))])[:, places]
    return ws, strongest(combine(deltas.double(), attr), keep)


@pytest.mark.parametrize("space", ["w", "w+"])
def test_rows_of_one_batch_may_ask_for_different_attributes(space):
    source = codes(space)
    names = ("smile", "old", "smile+old", "old+smile")
    trace = edit(source, [Config(intensity=(2, 0.5)).request(name) for name in names], intensity=(2, 0.5))
    ws, by = moves(source, [[1, 0], [0, 1], [1, 1], [1, 1]])
    torch.testing.assert_close(trace.values[:, 0], ws)
    torch.testing.assert_close(trace.values[:, 1], (ws.double() + 2 * by).float())
    torch.testing.assert_close(trace.values[:, 2], (ws.double() + 0.5 * by).float())
    assert (trace.space, trace.stops) == ("w+", (DONE,) * 4)
    assert trace.strengths.tolist() == [[0, 2, 0.5]] * 4
    assert trace.steps.tolist() == [[0, 1, 2]] * 4
    for row, name in enumerate(names):
        alone = edit(source.select(slice(row, row + 1)), [Config(intensity=(2, 0.5)).request(name)], intensity=(2, 0.5))
        assert torch.equal(alone.values[0], trace.values[row])


def test_away_is_the_opposite_and_top_k_moves_as_many_numbers_of_each_layer():
    source = codes()
    up = edit(source, [Config().request("smile+old")] * 4, top_k=3)
    down = edit(source, [Config(target="0").request("smile+old")] * 4, target="0", top_k=3)
    ws, by = moves(source, [[1, 1]] * 4, keep=3)
    torch.testing.assert_close(up.values[:, 1], (ws.double() + by).float())
    torch.testing.assert_close(down.values[:, 1], (ws.double() - by).float())
    assert ((up.values[:, 1] != ws).sum(dim=2) == 3).all()
    assert down.strengths[:, 1].tolist() == [-1] * 4


@pytest.mark.parametrize("space", ["w", "w+"])
def test_flip_goes_to_the_other_side_of_the_attribute_of_each_row(space):
    source, names = codes(space, 6), ("smile", "old") * 3
    scores = Halves()(source)
    sides = [-1 if float(scores[name][row]) > 0 else 1 for row, name in enumerate(names)]
    assert len(set(zip(names, sides, strict=True))) > 2
    requests = [Config(target="flip").request(name) for name in names]
    trace = edit(source, requests, target="flip")
    ws, by = moves(
        source, [[side, 0] if name == "smile" else [0, side] for name, side in zip(names, sides, strict=True)]
    )
    torch.testing.assert_close(trace.values[:, 1], (ws.double() + by).float())
    assert trace.strengths[:, 1].tolist() == sides
    assert Config(target="flip").traits(requests).looks_at == ("smile", "old")
    assert Config().traits([Config().request("smile")]).looks_at == ()


def test_a_code_is_looked_at_once_for_all_of_its_requests():
    class Counted(Halves):
        looks = 0

        def __call__(self, codes, attributes=None):
            self.looks += len(codes)
            return super().__call__(codes, attributes)

    faces, source, asked = Counted(), codes(rows=3), Config(target="flip")
    editor, requests = asked.open(faces, artifact=ARTIFACT), [asked.request(name) for name in ("smile", "old")]
    found = [editor.edit(source.select(slice(row, row + 1)), [one]) for row in (0, 1, 2, 0) for one in requests]
    assert faces.looks == 4  # of the first one twice: only the last codes are remembered
    for place, trace in enumerate(found):
        row, one = (0, 1, 2, 0)[place // 2], requests[place % 2]
        alone = asked.open(Halves(), artifact=ARTIFACT).edit(source.select(slice(row, row + 1)), [one])
        assert torch.equal(trace.values, alone.values)
        assert torch.equal(trace.strengths, alone.strengths)
    twice = Codes("w+", source.values[[0, 1, 0, 1]])
    faces.looks = 0
    asked.open(faces, artifact=ARTIFACT).edit(twice, [requests[0]] * 2 + [requests[1]] * 2)
    assert faces.looks == 2


@pytest.mark.parametrize("target", ["1", "flip"])
def test_a_row_that_is_not_finite_stops_alone(target):
    source = codes(rows=3)
    whole = edit(source, [Config(target=target).request("old")] * 3, target=target)
    source.values[1, 0, 0] = float("nan")
    trace = edit(source, [Config(target=target).request("old")] * 3, target=target)
    assert trace.stops == (DONE, NOT_FINITE, DONE)
    assert trace.steps.tolist() == [[0, 1], [-1, -1], [0, 1]]
    assert torch.equal(trace.values[[0, 2]], whole.values[[0, 2]])


def test_what_cannot_be_edited():
    request = Config().request("smile")
    with pytest.raises(SpecError, match="not trained for male: it was for old, smile"):
        edit(codes(), [Config().request("smile+male")] * 4)
    with pytest.raises(SpecError, match="trained for 6 layers of 8 numbers, these codes have 5 of 8"):
        edit(Codes("w+", codes().values[:, :5]), [request] * 4)
    with pytest.raises(SpecError, match="flipped in one attribute at a time"):
        Config(target="flip").request("smile+old")
    with pytest.raises(SpecError, match="flipped in one attribute at a time"):
        edit(codes(), [EditRequest("smile+old", target="flip", strengths=(1.0,))] * 4)
    with pytest.raises(SpecError, match=r"smile\+smile: smile is named twice"):
        Config().request("smile+smile")
    for name in ("old+", "+", ""):
        with pytest.raises(SpecError, match="an attribute without a name"):
            Config().request(name)
    with pytest.raises(SpecError, match="4 codes and 3 requests"):
        edit(codes(), [request] * 3)
    with pytest.raises(SpecError, match="as many steps"):
        edit(codes(), [EditRequest("smile", strengths=(1.0,) * steps) for steps in (1, 2, 1, 1)])
    with pytest.raises(SpecError, match="needs what stylemill train id-style makes"):
        Config().open(None)
    with pytest.raises(SpecError, match="what is preserved was decided"):
        Config().request("smile", ("old",))
    with pytest.raises(SpecError, match="give a scorer of faces"):
        Config(target="flip").open(None, artifact=ARTIFACT).edit(codes(), [Config(target="flip").request("old")] * 4)


def test_many_codes_have_the_bits_of_each_alone(monkeypatch):
    """In blocks, and one at a time where a block would give others."""
    source, names = codes(rows=40), ("smile", "old", "smile+old", "old") * 10
    requests = [Config().request(name) for name in names]
    alone = torch.cat([edit(source.select(slice(n, n + 1)), [one]).values for n, one in enumerate(requests)])
    assert torch.equal(edit(source, requests).values, alone)
    of_one = IDStyle.intensity
    monkeypatch.setattr(IDStyle, "intensity", lambda self, ws: of_one(self, ws) * (1 + 0.1 * (len(ws) > 1)))
    assert torch.equal(edit(source, requests).values, alone)
