"""The port against the authors' networks in OpenVINO, float32."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmarks.openvino_reference import OpenVINOReference, members
from pipeline.errors import ModelFileError
from pipeline.models import generators, zoo
from pipeline.models.codes import Codes
from pipeline.models.generators import w_avg
from pipeline.models.generators.generator import Generator
from pipeline.models.generators.mapping import mean_w
from pipeline.models.zoo.formats.mobilestylegan import convert

pytestmark = pytest.mark.weights
ROWS = 16


@pytest.fixture(scope="module")
def faces() -> Generator:
    return generators.load("mobilestylegan-ffhq", backend="eager")


@pytest.fixture(scope="module")
def z() -> NDArray[np.float32]:
    return np.random.Generator(np.random.Philox(11)).standard_normal((ROWS, 512), dtype=np.float32)


@pytest.mark.slow
@torch.no_grad()
def test_w_and_image_of_16_random_z(faces: Generator, z: NDArray[np.float32]) -> None:
    mapping, synthesis = OpenVINOReference("MappingNetwork", rows=ROWS), OpenVINOReference("SynthesisNetwork")
    w = mapping(z)
    np.testing.assert_allclose(faces.mapping(torch.from_numpy(z)).numpy(), w, atol=1e-4, rtol=0)
    for row in range(ROWS):
        image = faces.synthesize(Codes("z", torch.from_numpy(z[row : row + 1]))).numpy()
        np.testing.assert_allclose(image, synthesis(w[row : row + 1]), atol=1e-3, rtol=0, err_msg=f"z {row}")


@torch.no_grad()
def test_the_shortcut_to_512_px_is_the_mean_of_openvinos_1024(faces: Generator, z: NDArray[np.float32]) -> None:
    w = faces.mapping(torch.from_numpy(z[:1]))
    full = torch.from_numpy(OpenVINOReference("SynthesisNetwork")(w.numpy()))
    for size in (512, 256):
        mean = torch.nn.functional.avg_pool2d(full, 1024 // size)
        torch.testing.assert_close(faces.synthesize(Codes("w", w), size), mean, atol=1e-3, rtol=0)


def test_what_is_known_of_the_network(faces: Generator, z: NDArray[np.float32]) -> None:
    assert (faces.num_ws, faces.num_styles, len(faces.style_layers), faces.resolution) == (23, 6752, 23, 1024)
    assert faces.style_layers[0] == ("conv1", 512, 0)
    assert faces.style_layers[-1] == ("to_image", 64, 22)
    assert [layer.name for layer in faces.style_layers[1:4]] == ["blocks.0.up", "blocks.0.conv1", "blocks.0.conv2"]
    assert faces.w_avg.norm().item() == pytest.approx(4.12, abs=0.01)


def test_the_committed_mean_is_that_of_its_command(faces: Generator) -> None:
    assert torch.equal(faces.w_avg, w_avg.load("mobilestylegan-ffhq"))
    few = mean_w(faces.mapping, faces.z_dim, rows=20_500)
    deviation = (99.8 / 20_500) ** 0.5  # of such a mean, from the trace of the covariance of w
    assert (few - faces.w_avg).norm() < 1.5 * deviation


def test_the_cache_holds_what_the_converter_makes() -> None:
    tensors = zoo.load("mobilestylegan-ffhq").tensors
    converted = convert(members())
    assert converted.keys() == tensors.keys()
    assert all(torch.equal(converted[name], tensors[name]) for name in converted)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("m.layers.3.conv2.conv.weight_dw", "renamed", None),
        ("m.layers.5.conv1.bias", "renamed", "m.layers.5.conv1.bias"),
        ("m.layers.2.up.modulation.weight", "renamed", "m.layers.2.up.modulation.weight"),
        ('type="PReLU"', 'type="Relu"', "PReLU"),
        ('type="GroupConvolution"', 'type="Other"', "Convolution or GroupConvolution"),
    ],
)
def test_another_graph_is_refused_with_the_layer_named(old: str, new: str, message: str | None) -> None:
    files = members()
    name = "MappingNetwork.xml" if "PReLU" in old else "SynthesisNetwork.xml"
    assert old.encode() in files[name]
    damaged = {**files, name: files[name].replace(old.encode(), new.encode())}
    if message is None:  # a name that nothing looks for
        assert convert(damaged).keys() == convert(files).keys()
    else:
        with pytest.raises(ModelFileError, match=message):
            convert(damaged)


def test_other_constants_are_refused() -> None:
    files = members()
    slopes = np.frombuffer(files["MappingNetwork.bin"], np.float32)
    assert slopes[1050664 // 4] == np.float32(0.2)
    damaged = bytearray(files["MappingNetwork.bin"])
    damaged[1050664:1050668] = np.float32(0.1).tobytes()
    with pytest.raises(ModelFileError, match="factor"):
        convert({**files, "MappingNetwork.bin": bytes(damaged)})


def test_a_missing_file_is_named() -> None:
    files = members()
    del files["SynthesisNetwork.bin"]
    with pytest.raises(ModelFileError, match=r"SynthesisNetwork\.bin is missing"):
        convert(files)
