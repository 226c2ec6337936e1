"""In place of the network of identity, which tests on the tiny networks do without."""

import torch


class PixelsAreTheFace(torch.nn.Module):
    """The embedding of a face is its picture."""

    fingerprint = "pixels"

    def forward(self, x_N3HW: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(x_N3HW.flatten(1))


def load_pixels(device: object = "cpu") -> PixelsAreTheFace:
    """In place of `identity.load`."""
    return PixelsAreTheFace()
