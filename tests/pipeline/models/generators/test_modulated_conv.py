"""The modulated convolution in bands against PyTorch's operators and their gradients, on the whole picture at once."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from pipeline.models.generators import modulated_conv as module
from pipeline.models.generators.modulated_conv import Fixed, modulated_conv


def drawn(up: bool, noisy: bool, bound: float | None, dtype: torch.dtype = torch.float64) -> tuple[list[Tensor], Fixed]:
    """x, s and scale of two rows with 6 channels of 10 x 7, and a layer to 4 channels."""
    random = torch.Generator().manual_seed(1)
    x, s, scale, weight, bias = (
        torch.randn(shape, generator=random, dtype=dtype)
        for shape in ((2, 6, 10, 7), (2, 6), (2, 4), (4, 6, 3, 3), (4,))
    )
    noise = (
        torch.randn((20, 14) if up else (10, 7), generator=random, dtype=dtype)
        if noisy
        else torch.zeros((), dtype=dtype)
    )
    return [x, s, scale.abs() + 0.1], Fixed(weight, noise, bias, up, bound)


def by_operators(x: Tensor, s: Tensor, scale: Tensor, fixed: Fixed) -> Tensor:
    x = x * s[:, :, None, None]
    if fixed.up:
        taps = torch.tensor([1.0, 3, 3, 1], dtype=x.dtype) / 4
        wide = functional.conv_transpose2d(x, fixed.weight.transpose(0, 1), stride=2)
        y = functional.conv2d(wide, torch.outer(taps, taps).expand(4, 1, 4, 4), padding=1, groups=4)
    else:
        y = functional.conv2d(x, fixed.weight, padding=1)
    y = functional.leaky_relu(y * scale[:, :, None, None] + fixed.noise + fixed.bias[:, None, None], 0.2)
    return y if fixed.bound is None else y.clamp(-fixed.bound, fixed.bound)


@pytest.mark.parametrize("numbers", [1, 700, 2**20])
@pytest.mark.parametrize(("up", "noisy", "bound"), [(False, True, 4.0), (True, True, None), (True, False, 4.0)])
def test_values_and_gradients_are_those_of_pytorch(
    up: bool, noisy: bool, bound: float | None, numbers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In bands of one row, of some with a shorter last one, and in a single band."""
    monkeypatch.setattr(module, "BAND", numbers)
    given, fixed = drawn(up, noisy, bound)
    both = []
    for function in (modulated_conv, by_operators):
        leaves = [one.clone().requires_grad_() for one in given]
        y = function(*leaves, fixed)
        y.pow(3).sum().backward()
        both.append((y, *(leaf.grad for leaf in leaves)))
    for ours, theirs in zip(*both, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("up", [False, True])
def test_what_is_compiled_is_the_same(up: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    given, fixed = drawn(up, True, 4.0)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    torch.testing.assert_close(modulated_conv(*given, fixed), by_operators(*given, fixed))


def test_between_the_passes_input_and_result_alone_are_kept() -> None:
    given, fixed = drawn(True, True, None)
    kept: list[torch.Size] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.shape) or t, lambda t: t):
        y = modulated_conv(given[0], given[1].requires_grad_(), given[2], fixed)
    assert kept == [*(one.shape for one in given), y.shape]


def test_gradients_to_styles_are_summed_in_their_own_precision() -> None:
    """Of features in bfloat16, whose sums over a picture would lose most of their digits."""
    given, fixed = drawn(False, True, None, torch.float32)
    rough = Fixed(*(one.bfloat16() if isinstance(one, Tensor) else one for one in fixed))
    leaves = [given[0].bfloat16(), *(one.clone().requires_grad_() for one in given[1:])]
    modulated_conv(*leaves, rough).sum().backward()
    assert [leaf.grad.dtype for leaf in leaves[1:]] == [torch.float32] * 2
