"""What networks say of faces before any boundary and unit: the statistics that boundaries and units are found from.

Shapes: N rows, 3HW pixels.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from pipeline.models import classifiers
from pipeline.models.classifiers.boundary import Mirror
from pipeline.models.classifiers.family import Family

OF_MIRROR_IMAGE = "_mirrored"
"""With which the name of a statistic ends that is the face's mirror image's."""


def statistics(family: str) -> tuple[str, ...]:
    """The raw statistics of a family's own, and those of mirror images where a boundary is found from them."""
    return (*classifiers.own_readings(family), *(name + OF_MIRROR_IMAGE for name in _mirrored(family)))


class RawFamily(Family):
    """A family whose columns are its `statistics`, and `picture`, which is finite where the picture is.

    Pictures are rounded to 8 bits first: the constants of the built-in generator were measured on such.
    """

    def __init__(self, name: str, device: torch.device) -> None:
        self._own = tuple(classifiers.own_readings(name))
        networks = classifiers.statistics_of(name, self._own, device)
        super().__init__(name, networks, {}, (), False, ())
        self.measures = (*statistics(name), "picture")

    @torch.no_grad()
    def columns(self, x_N3HW: Tensor, names: Sequence[str], constant: Sequence[str] = ()) -> dict[str, Tensor]:
        """(N, 3, H, W) in [-1, 1] -> columns by name, (N,) each; none carries a gradient."""
        rounded_N3HW = (x_N3HW * 127.5 + 128).clamp(0, 255).to(torch.uint8).float().div(127.5).sub(1)
        found = self.raw(rounded_N3HW, self._own)
        of_mirror_images = self.raw(rounded_N3HW.flip(3), _mirrored(self.name))
        found |= {name + OF_MIRROR_IMAGE: raw_N for name, raw_N in of_mirror_images.items()}
        found["picture"] = x_N3HW.mean(dim=(1, 2, 3))
        return {name: found[name] for name in (*names, *constant)}


def _mirrored(family: str) -> list[str]:
    """The attributes whose boundary is found from mirror images."""
    return [name for name, one in classifiers.own_readings(family).items() if isinstance(one.boundary, Mirror)]
