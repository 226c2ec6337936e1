"""The two moves that an edit in style space merges: of a latent direction, and of a sparse one (Sec. 3.2).

Shapes: N rows, S style channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pipeline.editors.editor import Faces
from pipeline.editors.moves import check_move
from pipeline.editors.request import EditRequest
from pipeline.errors import SpecError
from pipeline.models.codes import Codes
from pipeline.models.generators import Generator
from pipeline.models.randomness import standard_normal

if TYPE_CHECKING:
    from pipeline.directions.direction import Direction

SPREAD_ROWS, SPREAD_BATCH = 1024, 64
"""Latents that the spread of the channels is taken of, and how many are mapped together."""


class Displacements:
    """ds_z, the move along an attribute's direction in z, w or w+, as it comes out in s; and ds_n, along its sparse
    direction in s, of the same length in standard deviations of the channels (times `length`).

    Raises:
        SpecError: two directions are of one attribute and kind, or one in s is the normal of a sparse hyperplane.
    """

    def __init__(self, faces: Faces, directions: Sequence[Direction]) -> None:
        self._faces = faces
        self._latent: dict[str, Direction] = {}
        self._sparse: dict[str, Direction] = {}
        for direction in directions:
            check_move(direction)
            kind = self._sparse if direction.space == "s" else self._latent
            if direction.attribute in kind:
                raise SpecError(f"there are two directions of {direction.attribute} in {direction.space}: give one")
            kind[direction.attribute] = direction
        self._spread_S: Tensor | None = None

    def check(self, attribute: str) -> None:
        """Raises SpecError where one of its two directions is missing."""
        for kind, where in ((self._latent, "in z, w or w+"), (self._sparse, "in s (a sparse one)")):
            if attribute not in kind:
                raise SpecError(f"there is no direction of {attribute} {where}: fit it, and give both")

    def of(
        self, codes: Codes, s_NS: Tensor, requests: Sequence[EditRequest], sides: Sequence[float]
    ) -> tuple[Tensor, Tensor]:
        """ds_z and ds_n of each row, (N, S)."""
        moved = codes.values.clone()
        unit_NS = torch.zeros_like(s_NS)
        for row, (request, side) in enumerate(zip(requests, sides, strict=True)):
            along = self._latent[request.attribute].along(codes)
            moved[row] += side * request.options["move"] * along
            unit_NS[row] = side * self._sparse[request.attribute].along(Codes("s", s_NS))
        by_z_NS = self._faces.styles(Codes(codes.space, moved)) - s_NS
        spread_S = self.spread(s_NS)
        lengths_N1 = [torch.linalg.vector_norm(by_NS / spread_S, dim=1, keepdim=True) for by_NS in (by_z_NS, unit_NS)]
        scale = torch.tensor([[request.options["length"]] for request in requests], device=s_NS.device)
        return by_z_NS, unit_NS * (scale.to(s_NS) * lengths_N1[0] / lengths_N1[1])

    def spread(self, like: Tensor) -> Tensor:
        """Standard deviation of each style channel over the generator's own latents, (S,)."""
        if self._spread_S is None:
            self._spread_S = channel_spread(self._faces.generator)
        return self._spread_S.to(like)


@torch.no_grad()
def channel_spread(generator: Generator) -> Tensor:
    """Standard deviation of each style channel over latents of the generator, (S,); 1 for one that never moves. The
    same bits each time. Truncation shrinks all channels alike, so it is left out: only ratios count.
    """
    z = torch.from_numpy(standard_normal(0, range(SPREAD_ROWS), generator.z_dim)).to(generator.w_avg)
    s = torch.cat([generator.styles(generator.map(some)) for some in z.split(SPREAD_BATCH)]).double()
    spread_S = s.std(dim=0)
    return torch.where(spread_S > 0, spread_S, 1.0)
