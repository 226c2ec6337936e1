"""Each form of generator files gives the same generator; what was converted reads the same."""

import hashlib
import re

import pytest
import torch

from pipeline.errors import ModelFileError
from pipeline.models.checkpoints import own, reading
from tests.pipeline.models.checkpoints import made

FILES = {
    "NVIDIA's, protocol 2": (lambda: made.nvidia(2), "NVIDIA's pickle of PyTorch, G_ema"),
    "NVIDIA's, protocol 3": (lambda: made.nvidia(3), "NVIDIA's pickle of PyTorch, G_ema"),
    "NVIDIA's, protocol 4": (lambda: made.nvidia(4), "NVIDIA's pickle of PyTorch, G_ema"),
    "NVIDIA's, protocol 5": (lambda: made.nvidia(5), "NVIDIA's pickle of PyTorch, G_ema"),
    "a tuned module": (made.tuned, "a module of NVIDIA's, as PTI saves it"),
    "rosinality's": (made.rosinality, "rosinality's checkpoint (converted), g_ema"),
    "rosinality's before 1.6": (lambda: made.rosinality(False), "rosinality's checkpoint (converted), g_ema"),
    "rosinality's, trained": (lambda: made.rosinality(trained=True), "rosinality's checkpoint (trained), g_ema"),
    "a bare state dict": (
        lambda: made.saved(made.rosinality_state(made.stylegan2())), "a state dict of rosinality's generator"
    ),
    "an encoder's": (
        made.encoder, "the decoder of an encoder's checkpoint (pSp, e4e, ReStyle, HyperStyle) (left out: encoder)"
    ),
    "HyperStyle's": (
        lambda: made.encoder("hypernet"),
        "the decoder of an encoder's checkpoint (pSp, e4e, ReStyle, HyperStyle) (left out: hypernet)",
    ),
    "genforce's": (made.genforce, "genforce's checkpoint of StyleGAN2, generator_smooth"),
    "Hammer's": (made.hammer, "Hammer's checkpoint of StyleGAN2, generator_smooth"),
    "TensorFlow's, protocol 2": (lambda: made.tensorflow(2), "TensorFlow's pickle, Gs"),
    "TensorFlow's, protocol 4": (lambda: made.tensorflow(4), "TensorFlow's pickle, Gs"),
    "TensorFlow's, protocol 5": (lambda: made.tensorflow(5), "TensorFlow's pickle, Gs"),
}  # fmt: skip
WITHOUT_MEAN = ("rosinality's, trained", "a bare state dict")


@pytest.mark.parametrize("which", FILES)
def test_each_form_gives_the_same_stylegan2(which):
    make, form = FILES[which]
    data = make()
    found = reading.read(data, "a.pkl")
    assert (found.architecture, found.form) == ("stylegan2", form)
    assert found.digest == hashlib.sha256(data).hexdigest()
    expected = made.stylegan2()
    if which in WITHOUT_MEAN:
        del expected["mapping.w_avg"]
    assert found.tensors.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(found.tensors[name], tensor, rtol=0, atol=1e-6)
    exact = made.SIZES | {"mapping.num_layers": 2, "synthesis.channel_base": 128, "synthesis.channel_max": 8}
    assert exact.items() <= found.options.items()
    clamp = 256.0 if "NVIDIA" in which or "tuned" in which else None
    assert found.options["synthesis.conv_clamp"] == clamp
    options = {name: value for name, value in found.options.items() if name != "synthesis.conv_clamp"}
    whole = reading.read(made.nvidia(), "b.pkl").options
    assert options == {name: value for name, value in whole.items() if name != "synthesis.conv_clamp"}


def test_what_was_converted_reads_the_same(tmp_path):
    first = reading.read(made.genforce(), "a.pth")
    own.write(first, tmp_path / "b.safetensors")
    second = reading.read((tmp_path / "b.safetensors").read_bytes(), "b.safetensors")
    assert (second.architecture, second.options) == (first.architecture, first.options)
    assert second.tensors.keys() == first.tensors.keys()
    assert all(torch.equal(second.tensors[name], tensor) for name, tensor in first.tensors.items())
    said = re.fullmatch(r"stylemill's safetensors, converted from (.*) with sha256 (.*)", second.form)
    assert said.groups() == (first.form, first.digest[:12])


def test_strides_offsets_and_shared_storages_are_honoured():
    tensors = made.stylegan2()
    both = torch.cat([tensors["synthesis.b8.conv0.weight"], tensors["synthesis.b8.conv1.weight"]])
    tensors["synthesis.b8.conv0.weight"] = both[: made.CHANNELS]
    tensors["synthesis.b8.conv1.weight"] = both[made.CHANNELS :]
    last = tensors["synthesis.b16.conv1.weight"].contiguous(memory_format=torch.channels_last)
    assert last.stride() != tensors["synthesis.b16.conv1.weight"].stride()
    tensors["synthesis.b16.conv1.weight"] = last
    found = reading.read(made.nvidia(tensors=tensors), "a.pkl").tensors
    expected = made.stylegan2()
    for name in expected:
        assert torch.equal(found[name], expected[name]), name
        assert found[name].is_contiguous()


@pytest.mark.parametrize(
    ("data", "looks_like"),
    [
        (lambda: made.saved({"epoch": 3, "net": torch.zeros(2)}), r"a dictionary of 2 \('epoch', 'net'\)"),
        (lambda: made.saved([torch.zeros(2)]), "a list"),
        (lambda: b"\x93NUMPY\x01\x00" + bytes(80), "an array of NumPy"),
        (lambda: b"print('hello')\n", "neither a pickle of protocol 2 to 5 nor a file of torch.save"),
        (lambda: made.nvidia(options={"rgb_features": 9}), "the argument 'rgb_features', which NVIDIA's does not have"),
    ],
)  # fmt: skip
def test_another_file_is_one_line_that_says_what_it_looks_like(data, looks_like):
    with pytest.raises(ModelFileError, match=rf"a\.bin: .*{looks_like}.*; generators are read from .*networks\.md"):
        reading.read(data(), "a.bin")


def test_safetensors_of_others_are_told_from_ours(tmp_path):
    from safetensors.torch import save

    with pytest.raises(ModelFileError, match=r"that stylemill did not write \(1 tensors, such as weight\)"):
        reading.read(save({"weight": torch.zeros(2)}), "a.safetensors")
