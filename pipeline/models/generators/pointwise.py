"""1x1 convolutions of modulated features."""

import torch
from torch import Tensor


def modulated_pointwise(x_NHWC: Tensor, weight_DC: Tensor, s_NC: Tensor) -> Tensor:
    """(N, H, W, D): a 1x1 convolution of modulated features, with the styles in each row's weights.

    A depthwise convolution may come between style and weights, as it mixes no channels. It is one pass over the
    features less than to multiply them, and equal but for rounding.
    """
    weight_NCD = weight_DC.t() * s_NC[:, :, None].to(weight_DC.dtype)
    return torch.bmm(x_NHWC.flatten(1, 2), weight_NCD).unflatten(1, x_NHWC.shape[1:3])
