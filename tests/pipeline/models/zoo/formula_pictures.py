"""Pictures that are formulas, so that fixtures keep outputs only. `make_tfjs_fixtures.mjs` has the same two."""

import numpy as np


def noise(height: int, width: int, channels: int) -> np.ndarray:
    """White noise in [0, 1), shape (H, W, C)."""
    x = (np.arange(height * width * channels, dtype=np.uint32) + np.uint32(1)) * np.uint32(0x9E3779B1)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x85EBCA6B)
    x ^= x >> np.uint32(13)
    return ((x >> np.uint32(8)) / 2**24).reshape(height, width, channels)


def waves(height: int, width: int, channels: int) -> np.ndarray:
    """Smooth slanted waves in [0, 1], shifted by channel, shape (H, W, C)."""
    h, w, c = np.ogrid[:height, :width, :channels]
    return 0.5 + 0.5 * np.sin(2 * np.pi * (3 * h / height + 2 * w / width + c / 3))


def batch(pictures: list[np.ndarray], low: float, high: float) -> np.ndarray:
    """Pictures brought to [low, high], as float32 of shape (N, C, H, W)."""
    x_NHWC = (low + (high - low) * np.stack(pictures)).astype(np.float32)
    return np.ascontiguousarray(x_NHWC.transpose(0, 3, 1, 2))


def four(shape: tuple[int, ...], low: float, high: float) -> np.ndarray:
    """Noise, waves, and both inverted: (4, C, H, W)."""
    channels, height, width = shape
    first, second = noise(height, width, channels), waves(height, width, channels)
    return batch([first, second, 1 - first, 1 - second], low, high)
