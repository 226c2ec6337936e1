"""Up-sampling by a transposed convolution, as in PGGAN and StyleGAN."""

from torch import Tensor
from torch.nn import functional


def transposed_kernel(weight_DC33: Tensor) -> Tensor:
    """(C, D, 4, 4) of a transposed convolution of stride 2 and padding 1.

    It does what TensorFlow's fused `upscale2d_conv2d` does with a 3x3 kernel. With the flipped kernel it does what a
    doubling of each pixel and a convolution do.
    """
    padded = functional.pad(weight_DC33, (1, 1, 1, 1))
    summed = padded[:, :, 1:, 1:] + padded[:, :, :-1, 1:] + padded[:, :, 1:, :-1] + padded[:, :, :-1, :-1]
    return summed.transpose(0, 1).contiguous()
