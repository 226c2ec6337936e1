"""What every architecture promises, on random weights."""

from itertools import pairwise

import original_cases as cases
import pytest
import torch
from torch import Tensor

from pipeline.errors import ModelFileError, SpecError
from pipeline.models.backend import Backend
from pipeline.models.codes import Codes
from pipeline.models.generators import select
from pipeline.models.generators.architectures import build
from pipeline.models.generators.generator import Generator
from pipeline.models.generators.stylegan import StyleGAN
from pipeline.models.generators.stylegan2 import StyleGAN2, tiny_stylegan2
from pipeline.models.generators.stylegan3 import StyleGAN3


def latents(generator: Generator, rows: int) -> Tensor:
    return torch.randn(rows, generator.z_dim, generator=torch.Generator().manual_seed(5))


@torch.no_grad()
def test_the_four_spaces_of_one_latent_give_one_image(generator: Generator) -> None:
    z = latents(generator, 2)
    ws = generator.map(z)
    assert ws.shape == (2, generator.num_ws, generator.w_dim)
    s = generator.styles(ws)
    assert s.shape == (2, generator.num_styles) == (2, sum(layer.width for layer in generator.style_layers))
    size = generator.sizes[-1]
    images = [
        generator.synthesize(Codes(space, values), size)  # type: ignore[arg-type]
        for space, values in {"z": z, "w": ws[:, 0], "w+": ws, "s": s}.items()
    ]
    assert images[0].shape == (2, 3, size, size)
    assert images[0].dtype == torch.float32
    assert all(torch.equal(image, images[0]) for image in images[1:])


@torch.no_grad()
def test_run_in_two_parts_is_the_whole(generator: Generator) -> None:
    s = generator.styles(generator.map(latents(generator, 1)))
    layers = len(generator.style_layers)
    whole = generator.run(s, generator.start(1), 0, layers)
    for cut in (1, layers // 2, layers - 1):
        part = generator.run(s, generator.start(1), 0, cut)
        for ours, theirs in zip(generator.run(s, part, cut, layers), whole, strict=True):
            assert torch.equal(ours, theirs)


@torch.no_grad()
def test_maps_are_what_a_layer_takes_in_times_its_styles(generator: Generator) -> None:
    s = generator.styles(generator.map(latents(generator, 1)))
    state, start = generator.start(1), 0
    for place, layer in enumerate(generator.style_layers):
        maps = generator.maps(state, s, place)
        assert maps.shape[:2] == (1, layer.width)
        assert maps.shape[2] == maps.shape[3]
        twice, channel = s.clone(), layer.width // 2
        twice[:, start + channel] *= 2
        wanted = maps.clone()
        wanted[:, channel] *= 2
        torch.testing.assert_close(generator.maps(state, twice, place), wanted)
        state, start = generator.run(s, state, place, place + 1), start + layer.width


@torch.no_grad()
def test_a_state_is_selected_by_row(generator: Generator) -> None:
    s = generator.styles(generator.map(latents(generator, 3)))
    cut = 4
    state = generator.run(s, generator.start(3), 0, cut)
    alone = generator.run(s[1:2], generator.start(1), 0, cut)
    for rows in (slice(1, 2), torch.tensor([1]), torch.tensor([False, True, False])):
        chosen = select(state, rows)
        assert type(chosen) is type(state)
        for ours, theirs in zip(chosen, alone, strict=True):
            torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_the_pixels_of_a_row_are_the_same_beside_other_rows(generator: Generator) -> None:
    size = generator.sizes[-1]
    z = latents(generator, 4)
    others = z.clone()
    others[:1], others[2:] = 100, -z[2:]
    first, second = (generator.synthesize(Codes("z", rows), size) for rows in (z, others))
    assert torch.equal(first[1], second[1])
    assert not torch.equal(first[2], second[2])


@torch.no_grad()
def test_smaller_sizes_are_means_of_the_full_image(generator: Generator) -> None:
    s = generator.styles(generator.map(latents(generator, 1)))
    rounded = generator.run(s, generator.start(1), 0, len(generator.style_layers))
    state = type(rounded)(*(tensor.double() for tensor in rounded))  # random weights make large bands: sum them exactly
    full = generator.image(state)
    assert full.shape[-1] == generator.resolution == generator.sizes[0]
    for size in generator.sizes[1:]:
        mean = torch.nn.functional.avg_pool2d(full, generator.resolution // size)
        torch.testing.assert_close(generator.image(state, size), mean, atol=1e-5, rtol=1e-5)


def test_truncation_goes_towards_the_mean_in_the_first_rows(generator: Generator) -> None:
    z = latents(generator, 2)
    ws, cutoff = generator.map(z), generator.num_ws // 2
    torch.testing.assert_close(generator.map(z, 0.5), (ws + generator.w_avg) / 2)
    torch.testing.assert_close(generator.map(z, 0.0), generator.w_avg.expand_as(ws))
    truncated = generator.map(z, 0.5, cutoff)
    torch.testing.assert_close(truncated[:, :cutoff], (ws[:, :cutoff] + generator.w_avg) / 2)
    assert torch.equal(truncated[:, cutoff:], ws[:, cutoff:])
    assert torch.equal(generator.map(z, 0.5, 0), ws)


@torch.no_grad()
def test_each_row_is_like_a_row_of_stylegan2_at_the_same_size(generator: Generator) -> None:
    """There conv0 of 2^(i + 2) px takes row 2i - 1, and conv1 row 2i."""
    s, state = generator.styles(generator.map(latents(generator, 1))), generator.start(1)
    rows = generator.stylegan2_rows
    assert len(rows) == generator.num_ws
    assert (rows[:8] == tuple(range(8))) == isinstance(generator, StyleGAN2 | StyleGAN)
    assert rows[0] == 0
    assert {after - before for before, after in pairwise(rows)} <= {0, 1}
    if isinstance(generator, StyleGAN3):  # its features have other sizes
        assert rows[-1] == tiny_stylegan2(0, generator.resolution).num_ws - 1
        return
    for place, layer in enumerate(generator.style_layers[:-1]):
        state = generator.run(s, state, place, place + 1)
        if not layer.name.endswith(("torgb", "to_image")):
            assert generator._channels_first(state).shape[-1] == 4 << (rows[layer.row] + 1) // 2, layer.name
        if layer.name.endswith(("conv0", "up")):
            assert rows[layer.row] % 2 == 1, layer.name


@pytest.mark.parametrize(("psi", "cutoff"), [(float("nan"), None), (float("inf"), None), (1.0, -1), (0.7, 99)])
def test_truncation_out_of_range_is_refused(tiny: Generator, psi: float, cutoff: int | None) -> None:
    with pytest.raises(SpecError, match=r"psi is|cutoff is"):
        tiny.map(latents(tiny, 1), psi, cutoff)


@pytest.mark.parametrize("space", ["z", "w", "w+", "s"])
def test_gradients_reach_every_space(space: str) -> None:
    """Against central differences, in float64, along a random direction."""
    generator = tiny_stylegan2(seed=1, resolution=16).double()
    z = latents(generator, 1).double()
    ws = generator.map(z)
    values = {"z": z, "w": ws[:, 0], "w+": ws, "s": generator.styles(ws)}[space].clone().requires_grad_()

    def loss(values: Tensor) -> Tensor:
        return generator.synthesize(Codes(space, values)).pow(2).mean()  # type: ignore[arg-type]

    (gradient,) = torch.autograd.grad(loss(values), values)
    direction = torch.randn(values.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    step = 1e-6
    with torch.no_grad():
        difference = (loss(values + step * direction) - loss(values - step * direction)) / (2 * step)
    torch.testing.assert_close((gradient * direction).sum(), difference, rtol=1e-5, atol=1e-9)
    assert gradient.abs().max() > 0


@pytest.mark.parametrize("case", ["stylegan2-resnet", "stylegan-fused", "stylegan3-classes", "pggan"])
def test_gradients_reach_the_codes_of_every_architecture(case: str) -> None:
    """As above, from the widest of its spaces that is not s."""
    checkpoint = cases.checkpoint(case, cases.kept()[case]["shapes"])
    chosen = cases.CLASS if checkpoint.options["c_dim"] else None
    generator = build(checkpoint, case, Backend.eager(), chosen=chosen).double()
    z = latents(generator, 1).double()
    space = "w+" if "w+" in generator.spaces else "z"
    values = (generator.map(z) if space == "w+" else z).clone().requires_grad_()

    def loss(values: Tensor) -> Tensor:
        return generator.synthesize(Codes(space, values)).pow(2).mean()  # type: ignore[arg-type]

    (gradient,) = torch.autograd.grad(loss(values), values)
    direction = torch.randn(values.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    step = 1e-6
    with torch.no_grad():
        difference = (loss(values + step * direction) - loss(values - step * direction)) / (2 * step)
    torch.testing.assert_close((gradient * direction).sum(), difference, rtol=1e-5, atol=1e-8)
    assert gradient.abs().max() > 0


def test_gradients_of_the_separable_layers() -> None:
    """Also against central differences: every layer of MobileStyleGAN, small and in float64."""
    from pipeline.models.generators import mobilestylegan as m

    random = torch.Generator().manual_seed(4)
    layers = torch.nn.ModuleList([m.DenseConv(8, 4), m.Up(8), m.SeparableConv(2, 5, 8), m.ToImage(5)]).double()
    for parameter in layers.parameters():
        parameter.data = torch.randn(parameter.shape, generator=random, dtype=torch.float64)
    layers.requires_grad_(False)
    s = torch.randn(2, 8 + 8 + 2 + 5, generator=random, dtype=torch.float64, requires_grad=True)
    x = torch.randn(2, 4, 4, 8, generator=random, dtype=torch.float64, requires_grad=True)

    def through(x: Tensor, s: Tensor) -> Tensor:
        state = m.State(x)
        for layer, style in zip(layers, s.split([8, 8, 2, 5], dim=1), strict=True):
            state = layer(state, style)
        return state.features

    assert torch.autograd.gradcheck(through, (x, s), fast_mode=True)


def test_codes_of_another_shape_and_unknown_sizes_are_refused(tiny: Generator) -> None:
    with pytest.raises(SpecError, match=r"a row of w has the shape \(512,\).*\(511,\)"):
        tiny.synthesize(Codes("w", torch.zeros(1, 511)))
    with pytest.raises(SpecError, match="32, 16, 8, 4 px, not of 31"):
        tiny.synthesize(Codes("z", torch.zeros(1, 512)), 31)


def test_an_image_needs_all_layers(generator: Generator) -> None:
    with pytest.raises(SpecError, match=f"after all {len(generator.style_layers)} layers"):
        generator.image(generator.start(1))


def test_the_fingerprint_is_of_weights_shape_and_mean() -> None:
    first = tiny_stylegan2(seed=0)
    assert len(first.fingerprint) == 64
    assert first.fingerprint == tiny_stylegan2(seed=0).fingerprint
    assert len({first.fingerprint, tiny_stylegan2(seed=1).fingerprint, tiny_stylegan2(0, 16).fingerprint}) == 3
    tensors = {k: v for k, v in first.state_dict().items() if k != "w_avg"}
    moved = StyleGAN2(first.name, first.shape, tensors, first.w_avg + 1, Backend.eager())
    assert moved.fingerprint != first.fingerprint
    again = StyleGAN2("another name", first.shape, tensors, first.w_avg, Backend.eager())
    assert again.fingerprint == first.fingerprint


def test_weights_that_do_not_fit_are_named(tiny: Generator) -> None:
    assert isinstance(tiny, StyleGAN2)
    tensors = {k: v for k, v in tiny.state_dict().items() if k != "w_avg"}
    missing = {k: v for k, v in tensors.items() if k != "synthesis.b8.conv1.bias"}
    wrong = {**tensors, "mapping.fc0.weight": torch.zeros(3, 3)}
    for damaged, name in ((missing, "synthesis.b8.conv1.bias"), (wrong, "mapping.fc0.weight")):
        with pytest.raises(ModelFileError, match=name):
            StyleGAN2("tiny", tiny.shape, damaged, tiny.w_avg, Backend.eager())


def test_weights_are_frozen(generator: Generator) -> None:
    assert not any(parameter.requires_grad for parameter in generator.parameters())
