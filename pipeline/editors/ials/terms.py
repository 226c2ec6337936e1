"""The primal attribute or one condition of each row: its attribute-level and its instance-specific direction, mixed.

Shapes: N rows, J slots of gradients, D numbers of a direction.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.editors.ials.orthogonal import row_norm
from pipeline.editors.trace import NOT_FINITE
from pipeline.editors.trajectory import EditTrajectory

VANISHED = 1e-6
"""Norm below which a sum of unit vectors, or a projection of one, counts as zero."""


@dataclass(frozen=True, eq=False)
class Term:
    """The part that one attribute of each row plays in its direction (IALS, Eq. 4 and 5).

    names: (N), empty where a row has none. sides: (N) 2y - 1.
    followed: (N) whether a gradient takes part. slots: (N) which of the row's gradients it is.
    level: (N, D) float64, (2y - 1) |d_X|; zero where it is not needed. share: (N, 1), lambda.
    """

    names: tuple[str, ...]
    sides: tuple[float, ...]
    followed: tuple[bool, ...]
    slots: tuple[int, ...]
    level: Tensor
    share: Tensor

    def mixed(self, gradients_NJD: Tensor | None, trajectory: EditTrajectory) -> Tensor:
        """Eq. 5, normalised: (N, D), zero where a row has no such attribute. Rows where it vanishes stop."""
        own_ND = self._own(gradients_NJD)
        norm_N1 = row_norm(own_ND)
        trajectory.stop(~torch.isfinite(norm_N1[:, 0]), [NOT_FINITE] * len(self.names))
        trajectory.stop(
            self._mask(self.followed) & ~(norm_N1[:, 0] > 0),
            [f"the score of {name} has no gradient" for name in self.names],
        )
        instance_ND = torch.where(norm_N1 > 0, own_ND / norm_N1, 0.0)
        vector_ND = self.share * self.level + (1 - self.share) * instance_ND
        norm_N1 = row_norm(vector_ND)
        trajectory.stop(
            self._mask(tuple(map(bool, self.names))) & ~(norm_N1[:, 0] > VANISHED),
            [f"the attribute-level and the instance-specific direction of {name} cancel" for name in self.names],
        )
        return torch.where(norm_N1 > VANISHED, vector_ND / norm_N1, 0.0)

    def level_where_mixed(self) -> Tensor:
        """The attribute-level direction where lambda is not 1, (N, D)."""
        return torch.where(self.share < 1, self.level, 0.0)

    def _own(self, gradients_NJD: Tensor | None) -> Tensor:
        """The gradient that is d_X(x) once it is normalised: (N, D), zero where none takes part."""
        if gradients_NJD is None:
            return torch.zeros_like(self.level)
        slot_N = torch.tensor(self.slots, device=self.level.device).clamp(max=gradients_NJD.shape[1] - 1)
        found_ND = gradients_NJD[torch.arange(len(slot_N), device=slot_N.device), slot_N]
        return torch.where(self._mask(self.followed)[:, None], found_ND, 0.0)

    def _mask(self, flags: tuple[bool, ...]) -> Tensor:
        return torch.tensor(flags, device=self.level.device)
