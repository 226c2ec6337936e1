"""Programs: traced, written down, read back, run, differentiated, moved, and refused."""

import copy
import json

import pytest
import torch
from torch import nn

from pipeline.errors import ModelFileError
from pipeline.models.program import OPERATORS, Program
from pipeline.models.tracing import trace


class Network(nn.Module):
    """A little of everything: a convolution, a normalisation, a split, a constant made on the way, two heads."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(3, 8, 3, 2, 1)
        self.normalisation = nn.BatchNorm2d(8)
        self.dropout = nn.Dropout()
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        y = torch.relu(self.normalisation(self.convolution(x)))
        first, second = torch.split(y, 4, 1)
        logits = self.head(self.dropout(torch.cat([second, first], 1).mean((2, 3))))
        mean = (logits.softmax(1) * torch.arange(5, device=x.device)).sum(1)
        return logits, mean, y.reshape(x.shape[0], -1).clamp(max=float("inf"))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = Network().eval()
    network.normalisation.running_var.uniform_(0.5, 2)
    return network


@pytest.fixture(scope="module")
def program(network):
    return trace(network, torch.zeros(1, 3, 16, 16), ["logits", "mean", "features"], "toy.onnx")


def _pictures(rows):
    return torch.rand(rows, 3, 16, 16, generator=torch.Generator().manual_seed(rows))


def _written_and_read(program):
    graph, tensors = program.parts()
    return Program.from_parts(json.loads(json.dumps(graph, allow_nan=False)), tensors, program.name)


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_a_program_equals_its_module_for_any_number_of_rows_and_after_a_round_trip(network, program, rows):
    x_N3HW = _pictures(rows)
    for run in (program, _written_and_read(program)):
        with torch.no_grad():
            for output, expected in zip(run(x_N3HW).values(), network(x_N3HW), strict=True):
                torch.testing.assert_close(output, expected, rtol=1e-5, atol=1e-6)


def test_it_names_its_outputs_and_its_input(program):
    assert program.outputs == ("logits", "mean", "features")
    assert program.input_shape == (3, 16, 16)
    with pytest.raises(ValueError, match=r"toy.onnx takes a batch of shape \(N, 3, 16, 16\), not \(1, 3, 8, 8\)"):
        program(torch.zeros(1, 3, 8, 8))


def test_gradients_reach_the_input_and_nothing_else(network, program):
    ours, theirs = _pictures(2).requires_grad_(), _pictures(2).requires_grad_()
    program(ours)["mean"].sum().backward()
    network(theirs)[1].sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-6)
    assert ours.grad.abs().max() > 0
    assert not list(program.parameters())


def test_float16_weights_are_promoted_and_narrowed_again_where_that_loses_nothing(program):
    graph, tensors = program.parts()
    halves = {k: v.half() if v.is_floating_point() else v for k, v in tensors.items()}
    promoted = Program.from_parts(graph, halves, "half")
    assert {b.dtype for b in promoted.buffers() if b.is_floating_point()} == {torch.float32}
    assert promoted(_pictures(1))["logits"].dtype == torch.float32
    stored = promoted.parts()[1]
    assert {v.dtype for v in stored.values() if v.is_floating_point()} == {torch.float16}
    assert all(torch.equal(stored[k], halves[k]) for k in halves)
    assert tensors["convolution.weight"].dtype == torch.float32  # random float32 values do not fit


def test_it_runs_in_the_type_that_is_asked_for(program):
    double = Program.from_parts(*program.parts(), "double", dtype=torch.float64)
    y = double(_pictures(1).double())["logits"]
    assert y.dtype == torch.float64
    torch.testing.assert_close(y.float(), program(_pictures(1))["logits"], rtol=1e-5, atol=1e-6)


def test_selecting_an_output_drops_what_only_others_need(program):
    features = program.select("features")
    assert features.outputs == ("features",)
    torch.testing.assert_close(features(_pictures(2))["features"], program(_pictures(2))["features"])
    assert "head.weight" in program.parts()[1]
    assert "head.weight" not in features.parts()[1]
    with pytest.raises(ModelFileError, match=r"toy.onnx has no output age; it has logits, mean, features"):
        program.select("age")


def test_what_depends_on_weights_alone_is_computed_at_conversion():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.rand(4, 3))

        def forward(self, x):
            return nn.functional.linear(x, self.weight * torch.arange(3, device=x.device))

    module = Scaled()
    graph, _ = trace(module, torch.zeros(1, 3), ["y"]).parts()
    assert [node["op"] for node in graph["nodes"]] == ["aten.linear.default"]
    x = torch.rand(4, 3)
    torch.testing.assert_close(trace(module, x, ["y"])(x)["y"], module(x))


def test_constants_made_on_the_way_follow_the_input_to_its_device():
    class Ramp(nn.Module):
        def forward(self, x):
            return x + torch.arange(x.shape[0], device=x.device)[:, None] * 0

    program = trace(Ramp(), torch.zeros(1, 3), ["y"])
    assert "aten.arange.default" in [node["op"] for node in program.parts()[0]["nodes"]]
    assert program(torch.zeros(2, 3, device="meta"))["y"].device.type == "meta"


def test_it_compiles_as_one_graph(program):
    compiled = torch.compile(program, backend="eager", fullgraph=True)
    for rows in (2, 3):
        torch.testing.assert_close(compiled(_pictures(rows))["logits"], program(_pictures(rows))["logits"])


def test_convolutions_and_channel_shuffles_stay_channels_last():
    class Shuffled(nn.Module):
        def __init__(self):
            super().__init__()
            self.convolution = nn.Conv2d(3, 8, 3, padding=1)

        def forward(self, x):
            y = self.convolution(x).reshape(-1, 2, 4, 6, 5).permute(0, 2, 1, 3, 4).reshape(-1, 8, 6, 5)
            return torch.relu(y)

    module = Shuffled().eval()
    program = trace(module, torch.zeros(1, 3, 6, 5), ["y"])
    x_N3HW = torch.rand(4, 3, 6, 5)
    y_NCHW = program(x_N3HW)["y"]
    torch.testing.assert_close(y_NCHW, module(x_N3HW))
    assert y_NCHW.is_contiguous(memory_format=torch.channels_last)
    assert all(v.is_contiguous() for v in program.parts()[1].values())  # as safetensors wants them


@pytest.mark.parametrize(
    ("name", "forward", "says"),
    [
        ("fixed", lambda x: x.reshape(1, -1), r"output 'y' of 3 rows has shape \(1, 576\)"),
        ("of two", lambda x: x.reshape(2, -1), "for a free number of rows"),
        ("data-dependent", lambda x: x[: int(x.sum())], "for a free number of rows"),
        ("mixed", lambda x: x - x.mean(), "output 'y' of a row changes with the rows beside it"),
        (
            "unknown",
            lambda x: torch.fft.fft(x).real,
            "asks for operator 'aten.fft_fft.default', which programs may not",
        ),
    ],
)
def test_modules_that_cannot_be_programs_are_refused(capfd, name, forward, says):
    class Module(nn.Module):
        def forward(self, x):
            return forward(x)

    with pytest.raises(ModelFileError, match=says) as caught:
        trace(Module(), torch.zeros(1, 3, 8, 8), ["y"], "bad.onnx")
    assert str(caught.value).startswith("bad.onnx: ")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def _damaged(graph, tensors, how):
    graph, tensors = copy.deepcopy(graph), dict(tensors)
    node = next(n for n in graph["nodes"] if n["op"] == "aten.conv2d.default")
    match how:
        case "operator":
            node["op"] = "aten._unsafe_view.default"
        case "python":
            node["op"] = "os.system"
        case "tensor":
            del tensors["convolution.weight"]
        case "version":
            graph["version"] = 99
        case "order":
            node["args"][0] = {"node": graph["nodes"][-1]["name"]}
        case "field":
            del graph["nodes"]
        case "mark":
            node["args"][0] = {"code": "exit()"}
    return graph, tensors


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("operator", "asks for operator 'aten._unsafe_view.default', which programs may not use"),
        ("python", "asks for operator 'os.system', which programs may not use"),
        ("tensor", "uses tensor 'convolution.weight', which the file does not have"),
        ("version", "of version 99"),
        ("order", "damaged program graph"),
        ("field", "damaged program graph"),
        ("mark", "damaged program graph: KeyError at 'code'"),
    ],
)
def test_damaged_programs_are_refused_naming_the_file(program, how, says):
    with pytest.raises(ModelFileError, match=says) as caught:
        Program.from_parts(*_damaged(*program.parts(), how), "broken")
    assert str(caught.value).startswith("broken: ")


def test_every_allowed_operator_exists_in_this_torch():
    for name in OPERATORS:
        room, *path = name.split(".")
        if room == "aten":
            assert callable(getattr(getattr(torch.ops.aten, path[0]), path[1])), name
