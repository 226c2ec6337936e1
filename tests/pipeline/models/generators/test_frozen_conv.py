import pytest
import torch
from torch.nn.functional import conv2d

from pipeline.models.generators.frozen_conv import frozen_conv


@pytest.mark.parametrize("shape", [(6, 6, 3, 3), (6, 1, 3, 3), (4, 6)])
def test_values_and_gradient_are_those_of_pytorch(shape: tuple[int, ...]) -> None:
    random = torch.Generator().manual_seed(1)
    weight, x = (torch.randn(s, generator=random, dtype=torch.float64) for s in (shape, (2, 6, 5, 7)))
    bias = torch.randn(shape[0], generator=random, dtype=torch.float64)
    kernel = weight.view(*shape, *(1,) * (4 - len(shape)))
    xs = [x.clone().requires_grad_() for _ in range(2)]
    ours = frozen_conv(xs[0], weight, bias)
    theirs = conv2d(xs[1], kernel, bias, padding=kernel.shape[-1] // 2, groups=6 // kernel.shape[1])
    torch.testing.assert_close(ours, theirs)
    for y in (ours, theirs):
        y.pow(3).sum().backward()
    torch.testing.assert_close(xs[0].grad, xs[1].grad)


def test_its_input_is_not_kept() -> None:
    kept: list[torch.Size] = []
    weight, x = torch.randn(4, 4, 3, 3), torch.randn(1, 4, 9, 9, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.shape) or t, lambda t: t):
        frozen_conv(x, weight)
    assert kept == [weight.shape]
