"""StyleGAN3's filters: up-sampling and down-sampling with low-pass filters.

Karras et al., "Alias-Free Generative Adversarial Networks", 2021 (arXiv:2106.12423), Appendix C.

Shapes: N rows, C channels, T taps.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import j1
from torch import Tensor
from torch.nn import functional


def low_pass(taps: int, cutoff: float, width: float, rate: float, radial: bool = False) -> Tensor:
    """A Kaiser filter (T,), or the radially symmetric one (T, T).

    Args:
        taps: T, an even number if `radial`.
        cutoff, width: of the pass band, and of the transition band, in cycles per picture.
        rate: of sampling, in the same unit.
    """
    from scipy.signal import firwin, kaiser_atten, kaiser_beta  # takes a second, which every command would wait for

    if not radial:
        return torch.from_numpy(firwin(numtaps=taps, cutoff=cutoff, width=width, fs=rate)).float()
    place = (np.arange(taps) - (taps - 1) / 2) / rate
    radius = np.hypot(place[:, None], place)
    window = np.kaiser(taps, kaiser_beta(kaiser_atten(taps, width / (rate / 2))))
    jinc = j1(2 * np.pi * cutoff * radius) / (np.pi * radius) * np.outer(window, window)
    return torch.from_numpy(jinc / jinc.sum()).float()


def up_sampled(x_NChw: Tensor, filter_T: Tensor, factor: int, before: int, size: int) -> Tensor:
    """(N, C, size, size): x with `factor` - 1 zeros after each pixel, padded, filtered along both axes, times factor^2.

    Args:
        filter_T: T is a multiple of `factor`.
        before: zeros to the left and above; those on the other side are as many as `size` needs. It may be negative,
            which crops.
    """
    x = _up_sampled_rows(x_NChw, filter_T, factor, before, size)
    return _up_sampled_rows(x.transpose(2, 3), filter_T, factor, before, size).transpose(2, 3)


def _up_sampled_rows(x_NChw: Tensor, filter_T: Tensor, factor: int, before: int, size: int) -> Tensor:
    """Along the last axis. Each of `factor` phases is a filter of T / factor taps on the pixels themselves."""
    channels, taps = x_NChw.shape[1], len(filter_T) // factor
    first = len(filter_T) - 1 - before
    start, stop = first // factor, (first + size - 1) // factor + 1
    padding = (taps - 1 - start, stop - x_NChw.shape[3])
    phases_PT = filter_T.reshape(taps, factor).T.flip(1).to(x_NChw.dtype) * factor
    kernel = phases_PT[:, None, None].repeat(channels, 1, 1, 1)
    y = functional.conv2d(functional.pad(x_NChw, padding), kernel, groups=channels)
    y = y.unflatten(1, (channels, factor)).permute(0, 1, 3, 4, 2).flatten(3)
    return y[..., first - start * factor :][..., :size]


def down_sampled(x_NCHW: Tensor, filter_T: Tensor, factor: int) -> Tensor:
    """Every `factor`-th pixel of x, filtered without padding; filter_T is (T,) or (T, T)."""
    channels, taps = x_NCHW.shape[1], filter_T.flip(tuple(range(filter_T.dim()))).to(x_NCHW.dtype)
    if taps.dim() == 2:
        return functional.conv2d(x_NCHW, taps.expand(channels, 1, -1, -1), stride=factor, groups=channels)
    along = taps.expand(channels, 1, 1, -1)
    x = functional.conv2d(x_NCHW, along, stride=(1, factor), groups=channels)
    return functional.conv2d(x, along.transpose(2, 3), stride=(factor, 1), groups=channels)
