"""A step of IALS the way the public code goes: what ours is compared with. Written from its description.

Eager, channels first, plain convolutions; one face at a time; for each classifier a generator pass of its own at full
size, forward and back, the picture of 1024 px reduced to what the classifier takes. Networks and weights are ours, and
no weight asks for a gradient, both of which is kind to it: the classifiers run as fast as they do for us.

Shapes: W w_dim, C channels; one row (1) in front.
"""

from collections.abc import Mapping
from itertools import count

import torch
from torch import Tensor
from torch.nn.functional import conv2d, leaky_relu, linear, normalize, pixel_shuffle, softplus

from pipeline.models import classifiers, zoo
from pipeline.models.generators.mobilestylegan import LEAK


class PlainSynthesis:
    """MobileStyleGAN's synthesis network, an operator after the other: w (1, W) -> x (1, 3, 1024, 1024)."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        prefix = "synthesis."
        self.tensors = {key[len(prefix) :]: t.contiguous() for key, t in tensors.items() if key.startswith(prefix)}

    def __call__(self, w_1W: Tensor) -> Tensor:
        x = self.convolved("conv1", self.tensors["const"][None], w_1W)
        for block in count():
            if f"blocks.{block}.up.affine.weight" not in self.tensors:
                break
            x = inverse_haar(self.modulated(f"blocks.{block}.up", x, w_1W))
            x = self.convolved(f"blocks.{block}.conv1", x, w_1W)
            x = self.convolved(f"blocks.{block}.conv2", x, w_1W)
        of = self.tensors
        x = conv2d(self.modulated("to_image", x, w_1W), of["to_image.weight"][..., None, None], of["to_image.bias"])
        return inverse_haar(x)

    def modulated(self, layer: str, x: Tensor, w_1W: Tensor) -> Tensor:
        s_1C = linear(w_1W, self.tensors[f"{layer}.affine.weight"], self.tensors[f"{layer}.affine.bias"])
        return x * s_1C[:, :, None, None]

    def convolved(self, layer: str, x: Tensor, w_1W: Tensor) -> Tensor:
        of, x = self.tensors, self.modulated(layer, x, w_1W)
        if f"{layer}.weight" in of:
            x = conv2d(x, of[f"{layer}.weight"], padding=1)
        else:
            x = conv2d(x, of[f"{layer}.depthwise"], padding=1, groups=x.shape[1])
            x = conv2d(x, of[f"{layer}.pointwise"][..., None, None])
        return leaky_relu(x + of[f"{layer}.noise"] + of[f"{layer}.bias"][:, None, None], LEAK)


def inverse_haar(x: Tensor) -> Tensor:
    """(1, 4 C, H, W) -> (1, C, 2 H, 2 W); the bands LL, LH, HL, HH."""
    ll, lh, hl, hh = (x * 0.5).chunk(4, dim=1)
    upper, lower = (ll + lh, hl + hh), (ll - lh, hl - hh)
    four = [upper[0] + upper[1], upper[0] - upper[1], lower[0] + lower[1], lower[0] - lower[1]]
    return pixel_shuffle(torch.stack(four, dim=2).flatten(1, 2), 2)


class PublicIALS:
    """Eq. 4 and 6 with lambda1 = lambda2 = 0.

    generator: name of the weights. attributes: those that will be asked for.
    """

    def __init__(self, generator: str, attributes: tuple[str, ...]) -> None:
        self.synthesis = PlainSynthesis(zoo.load(generator).tensors)
        self.families = {name: classifiers.load("faces", (name,), measures=()) for name in attributes}

    def direction(self, w_1W: Tensor, attribute: str) -> Tensor:
        """Eq. 4 with y = 1: minus the gradient of the loss, normalised; (1, W)."""
        w_1W = w_1W.detach().requires_grad_()
        x_13HW = self.synthesis(w_1W)
        loss = softplus(-self.families[attribute].scores(x_13HW)).sum()
        (gradient,) = torch.autograd.grad(loss, w_1W)
        return normalize(-gradient)

    def step(self, w_1W: Tensor, attribute: str, condition: str, step_size: float) -> Tensor:
        """w after one step towards the attribute, the condition held."""
        primal_1W, other_1W = self.direction(w_1W, attribute), self.direction(w_1W, condition)
        left_1W = primal_1W - (primal_1W * other_1W).sum() * other_1W
        return w_1W + step_size * normalize(left_1W)
