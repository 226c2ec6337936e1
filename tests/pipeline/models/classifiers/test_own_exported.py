"""Classifiers as programs of torch.export: logits and gradients of the network that was exported; hostile archives."""

import io
import json
import zipfile

import pytest
import torch
from plain_resnet import resnet18
from torch import nn

from pipeline.errors import ModelFileError, SpecError
from pipeline.models.classifiers import own_weights

HW = (32, 24)


class Small(nn.Module):
    """What a graph can hold besides a ResNet: branches, a split, constants, sizes of the batch, a softmax."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8)
        self.deep, self.head = nn.Conv2d(4, 4, 3, padding=1, groups=4), nn.Linear(8, 4)
        self.register_buffer("shift", torch.linspace(-1, 1, 8))

    def forward(self, x):
        one, two = self.norm(self.conv(x)).relu().split(4, dim=1)
        x = torch.cat([nn.functional.max_pool2d(self.deep(one), 2), nn.functional.avg_pool2d(two, 2)], dim=1)
        x = nn.functional.adaptive_avg_pool2d(x, 1).view(x.shape[0], -1) + self.shift
        return self.head(nn.functional.dropout(x, 0.5, self.training)).softmax(dim=1)


def network(kind=Small):
    torch.manual_seed(0)
    made = kind().eval()
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return made


def exported(module, rows="any"):
    dynamic = ({0: torch.export.Dim("rows")},) if rows == "any" else None
    stream = io.BytesIO()
    shape = (2 if rows == "any" else rows, 3, *HW)
    torch.export.save(torch.export.export(module, (torch.zeros(shape),), dynamic_shapes=dynamic), stream)
    return stream.getvalue()


@pytest.fixture(scope="module")
def small():
    return exported(network())


def read(path, content, output=None, hw=HW):
    path.write_bytes(content)
    return own_weights.read(str(path), None, output, hw).network


@pytest.mark.parametrize("rows", ["any", 1])
def test_logits_before_the_softmax_are_those_of_the_network(rows, tmp_path):
    module = network()
    x = torch.randn(3, 3, *HW, requires_grad=True)
    logits = read(tmp_path / "net.pt2", exported(module, rows))(x)
    torch.testing.assert_close(logits.softmax(1), module(x), atol=1e-5, rtol=1e-5)
    assert abs(float(logits.detach().sum(1).mean()) - 1) > 1e-3
    (gradient,) = torch.autograd.grad(logits[0, 1], x)
    assert gradient[0].abs().max() > 0
    assert not gradient[1:].any()


def test_a_resnet_is_read(tmp_path):
    module, x = network(lambda: resnet18(2)), torch.randn(2, 3, *HW)
    with torch.no_grad():
        torch.testing.assert_close(read(tmp_path / "net.pt2", exported(module))(x), module(x), atol=1e-4, rtol=1e-4)


def changed(content, change):
    """The archive with another graph."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(stream, "w") as after:
        for name in before.namelist():
            data = before.read(name)
            if name.endswith("models/model.json"):
                said = json.loads(data)
                change(said, said["graph_module"]["graph"])
                data = json.dumps(said).encode()
            after.writestr(name, data)
    return stream.getvalue()


def first(**values):
    return lambda said, graph: graph["nodes"][0].update(values)


def of_kind(kind):
    return lambda said, graph: graph["nodes"][0]["inputs"][0].update(arg={kind: "os.system"})


def expression(said, graph):
    rows = graph["tensor_values"]["x"]["sizes"][0]["as_expr"]
    rows["expr_str"] = "__import__('os').system('touch ran')"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (first(target="torch.ops.aten.from_file.default"), "asks for operator 'aten.from_file.default'"),
        (first(target="os.system"), "asks for operator 'os.system'"),
        (first(target="torch.ops.aten.__class__.default"), "asks for operator"),
        (of_kind("as_operator"), "an argument of the kind 'as_operator'"),
        (of_kind("as_graph"), "an argument of the kind 'as_graph'"),
        (lambda said, graph: said["schema_version"].update(major=9), "form 9; form 8 is read"),
        (lambda said, graph: graph["nodes"].clear(), "damaged"),
        (lambda said, graph: graph["nodes"].reverse(), "damaged"),
        (lambda said, graph: said.pop("graph_module"), "damaged"),
    ],
)
def test_a_graph_that_asks_for_more_is_one_line(change, message, small, tmp_path):
    with pytest.raises(ModelFileError, match=message) as caught:
        read(tmp_path / "net.pt2", changed(small, change))
    assert len(str(caught.value).splitlines()) == 1


def test_expressions_of_the_file_are_not_looked_at(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read(tmp_path / "net.pt2", changed(small, expression))(torch.zeros(1, 3, *HW)).shape == (1, 4)
    assert not (tmp_path / "ran").exists()


def test_what_cannot_be_a_classifier_is_told(small, tmp_path):
    with pytest.raises(ModelFileError, match="takes pictures of 3 x 32 x 24, and `size` is 24 x 24"):
        read(tmp_path / "net.pt2", small, hw=(24, 24))
    with pytest.raises(ModelFileError, match="no output logits"):
        read(tmp_path / "net.pt2", small, output="logits")
    with pytest.raises(ModelFileError, match="exported for 2 rows"):
        read(tmp_path / "net.pt2", exported(network(), 2))
    with pytest.raises(ModelFileError, match=r"is in training: export network\.eval"):
        read(tmp_path / "net.pt2", exported(network().train(), 1))
    with pytest.raises((ModelFileError, SpecError), match=r"zip archive|damaged"):
        read(tmp_path / "net.pt2", small[: len(small) // 2])
