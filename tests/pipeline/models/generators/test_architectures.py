"""What is built from a checkpoint, and what is refused before anything is built."""

from dataclasses import replace
from typing import Any

import original_cases as cases
import pytest
import torch

from pipeline.errors import ModelFileError, SpecError
from pipeline.models.backend import Backend
from pipeline.models.checkpoints.checkpoint import Checkpoint
from pipeline.models.codes import Codes
from pipeline.models.generators.architectures import build
from pipeline.models.generators.generator import Generator
from pipeline.models.generators.noise import Noise

KEPT = cases.kept()


def of(case: str, **options: Any) -> Checkpoint:
    checkpoint = cases.checkpoint(case, KEPT[case]["shapes"])
    named = {name.replace("__", "."): value for name, value in options.items()}
    return replace(checkpoint, options={**checkpoint.options, **named})


def built(checkpoint: Checkpoint, **asked: Any) -> Generator:
    return build(checkpoint, "mine", Backend.eager(), **asked)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("img_resolution", 48, "img_resolution is 48 px"),
        ("img_channels", 1, "img_channels is 1; supported: 3"),
        ("z_dim", "many", "z_dim is 'many', which is not a number"),
        ("z_dim", 2.5, "z_dim is 2.5"),
        ("mapping__num_layers", 10**9, "mapping.num_layers"),
        ("mapping__activation", "relu", "mapping.activation is 'relu'"),
        (
            "synthesis__architecture",
            "unet",
            "synthesis.architecture is 'unet'; supported: 'skip' or 'orig' or 'resnet'",
        ),
        ("synthesis__resample_filter", [1, 2, 1], "synthesis.resample_filter"),
        ("synthesis__channel_max", 32, "do not fit StyleGAN2: "),
    ],
)
def test_options_that_cannot_be_had_are_named(option: str, value: Any, message: str) -> None:
    with pytest.raises(ModelFileError, match="mine") as caught:
        built(of("stylegan2", **{option: value}))
    assert message in str(caught.value)


def test_a_missing_option_and_another_filter_are_named() -> None:
    whole = of("stylegan2")
    with pytest.raises(ModelFileError, match="the option w_dim is missing"):
        built(replace(whole, options={name: value for name, value in whole.options.items() if name != "w_dim"}))
    name = "synthesis.b8.resample_filter"
    for wrong in (torch.full((4, 4), 1 / 16), torch.ones(3)):
        with pytest.raises(ModelFileError, match=r"b8\.resample_filter is another filter"):
            built(replace(whole, tensors={**whole.tensors, name: wrong}))
    taps = torch.tensor([1.0, 3, 3, 1]) / 8
    built(replace(whole, tensors={**whole.tensors, name: torch.outer(taps, taps)}))


@pytest.mark.parametrize(
    ("case", "option", "value", "message"),
    [
        ("stylegan3-t", "synthesis__conv_kernel", 5, "synthesis.conv_kernel is 5; supported: 1 or 3"),
        ("stylegan3-t", "synthesis__num_critical", 14, "synthesis.num_critical is 14"),
        ("stylegan3-t", "synthesis__margin_size", 11, "do not fit StyleGAN3: "),
        ("stylegan3-t", "synthesis__first_cutoff", -1.0, "synthesis.first_cutoff is -1; it must be above 0"),
        ("stylegan3-t", "synthesis__first_cutoff", 1e300, "no filters can be made"),
        ("stylegan3-t", "synthesis__first_stopband", float("nan"), "first_stopband is nan, which is not a number"),
        ("stylegan", "c_dim", 2, "mine makes pictures of 2 classes"),
        ("stylegan", "synthesis__fused_scale", "maybe", "synthesis.fused_scale is 'maybe'"),
        ("stylegan", "synthesis__resample_filter", [1, 3, 3, 1], "synthesis.resample_filter"),
        ("pggan", "synthesis__fused_scale", True, "synthesis.fused_scale is True; supported: False"),
        ("pggan", "synthesis__channel_max", 25, "do not fit PGGAN: "),
    ],
)
def test_options_of_the_other_architectures_are_checked(case: str, option: str, value: Any, message: str) -> None:
    with pytest.raises((ModelFileError, SpecError), match="mine") as caught:
        built(of(case, **{option: value}))
    assert message in str(caught.value)


@pytest.mark.parametrize("case", ["stylegan", "pggan"])
def test_a_weight_that_is_no_convolution_is_named(case: str) -> None:
    whole = of(case)
    name = next(name for name in whole.tensors if name.endswith("layer2.weight"))
    with pytest.raises(ModelFileError, match=r"layer2\.weight has the shape \(5,\)"):
        built(replace(whole, tensors={**whole.tensors, name: torch.zeros(5)}))


def test_an_unknown_architecture_is_named() -> None:
    other = replace(of("stylegan2"), architecture="stylegan9")  # type: ignore[arg-type]
    with pytest.raises(ModelFileError, match="architecture 'stylegan9'; supported are stylegan2"):
        built(other)


def test_huge_options_allocate_nothing() -> None:
    """The network would have 2^16 x 2^16 weights in a layer: it is compared with the tensors before it is made."""
    with pytest.raises(ModelFileError, match="do not fit"):
        built(of("stylegan2", z_dim=1 << 16, w_dim=1 << 16, synthesis__channel_max=1 << 16))


@pytest.mark.parametrize(
    ("case", "chosen", "message"),
    [
        ("stylegan2-classes", None, "pictures of 5 classes: choose one of class=0 to class=4"),
        ("stylegan2-classes", 5, "has the classes 0 to 4"),
        ("stylegan2", 0, "has no classes: leave out class=0"),
        ("stylegan3-classes", None, "pictures of 5 classes"),
    ],
)
def test_a_class_is_asked_for_where_there_are_classes(case: str, chosen: int | None, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        built(of(case), chosen=chosen)


@torch.no_grad()
def test_classes_and_noises_make_other_pictures_of_other_fingerprints() -> None:
    z = cases.latents(48)
    checkpoint = of("stylegan2-classes")
    asked = [
        {"chosen": chosen, "noise": Noise.parse(noise)}
        for chosen, noise in ((0, "const"), (1, "const"), (0, "none"), (0, "random:1"), (0, "random:2"))
    ]
    made = [built(checkpoint, **one) for one in asked]
    assert len({generator.fingerprint for generator in made}) == len(made)
    pictures = [generator.synthesize(Codes("z", z)) for generator in made]
    for i, one in enumerate(pictures):
        assert all((one - other).abs().max() > 1e-3 for other in pictures[:i])
    again = built(checkpoint, chosen=0, noise=Noise("random", 1))
    assert torch.equal(again.synthesize(Codes("z", z)), pictures[3])
    assert again.fingerprint == made[3].fingerprint


def test_drawn_noise_is_normal_and_another_in_each_layer() -> None:
    tensors = Noise("random", 7).applied(of("stylegan2-256").tensors)
    drawn = [tensor for name, tensor in tensors.items() if name.endswith("noise_const")]
    large = drawn[-1]
    assert large.shape == (256, 256)
    assert abs(float(large.mean())) < 0.02
    assert abs(float(large.std()) - 1) < 0.02
    assert len({float(tensor[0, 0]) for tensor in drawn}) == len(drawn)


@pytest.mark.parametrize("text", ["", "random", "random:-1", "random:x", "some"])
def test_unknown_noise_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="choose const, none, or random with a seed"):
        Noise.parse(text)


def test_a_mean_w_that_is_missing_is_computed_and_is_no_part_of_the_fingerprint() -> None:
    whole = of("stylegan2-small")
    without = {name: tensor for name, tensor in whole.tensors.items() if name != "mapping.w_avg"}
    generator = built(replace(whole, tensors=without))
    w_NW = generator.map(torch.randn(20_000, 32, generator=torch.Generator().manual_seed(3)))[:, 0]
    error_W = (generator.w_avg - w_NW.mean(dim=0)).abs() / w_NW.std(dim=0)
    assert error_W.max() < 0.06, "ten thousand rows leave an error of about 0.01 standard deviations"
    assert generator.fingerprint == built(replace(whole, tensors=without)).fingerprint
    assert generator.fingerprint != built(whole).fingerprint


@pytest.mark.parametrize(
    "case", ["stylegan2-resnet", "stylegan2-orig", "stylegan", "stylegan3-t", "stylegan3-r", "pggan"]
)
@torch.no_grad()
def test_bf16_makes_nearly_the_same_picture_in_float32(case: str) -> None:
    exact, rough = (
        build(of(case), "mine", Backend("eager", torch.device("cpu"), precision)) for precision in ("fp32", "bf16")
    )
    codes = Codes("z", cases.latents(exact.z_dim))
    x, y = exact.synthesize(codes), rough.synthesize(codes)
    assert y.dtype == torch.float32
    difference = (x - y).square().mean().sqrt() / x.std()
    assert 1e-4 < difference < 0.1
