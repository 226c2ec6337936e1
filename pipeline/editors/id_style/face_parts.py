"""What a step of ID-Style's training asks of faces, in parts: each can be computed by any worker, with the same bits.

A part carries all that it needs but the networks that make faces and look at them. The gradient of a face ends at its
code: what is behind that, the network that is trained, is the same for all parts of a step and is passed once.

Shapes: N rows of a part, L layers of w+, W w_dim, E numbers of an embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.editors.id_style import losses
from pipeline.editors.training import FacesOfTraining
from pipeline.models.codes import Codes

ON_A_GPU = 8
"""Faces of a part where they are best computed together."""


@dataclass(frozen=True, eq=False)
class Seen:
    """One face: scores by attribute, and its embedding (E,)."""

    scores: dict[str, float]
    embedding: Tensor

    def side(self, attribute: str) -> float:
        """attr to the other side of the boundary: -1 where the face has the attribute, else 1."""
        return -1.0 if self.scores[attribute] > 0 else 1.0


@dataclass(frozen=True, eq=False)
class Look:
    """See a face. code: its own (L, W). attributes: whose scores are wanted. by_judge: not by those who are learned
    from."""

    code: Tensor
    attributes: tuple[str, ...]
    by_judge: bool = False

    @torch.no_grad()
    def __call__(self, faces: FacesOfTraining) -> Seen:
        see = faces.judge if self.by_judge else faces.recognise
        scores, embedding_1E = see(Codes("w+", self.code[None].to(faces.device)), self.attributes)
        return Seen({name: float(score) for name, score in scores.items()}, embedding_1E[0].cpu())


@dataclass(frozen=True, eq=False)
class Slope:
    """Of N edited faces: the gradient of their weighed losses in their codes (N, L, W), and the losses of Eq. 9 and 10,
    (N,) each."""

    gradient: Tensor
    classification: Tensor
    identity: Tensor


@dataclass(frozen=True, eq=False)
class Edited:
    """Faces after their edit.

    codes: (N, L, W). names: the attribute in which each was edited. attr: to which side, -1 or 1, (N,). before: what
    was seen of each before, (N, E). weights: of Eq. 9 and of Eq. 10, (N,) each. scale: of the score in Eq. 9.
    """

    codes: Tensor
    names: tuple[str, ...]
    attr: Tensor
    before: Tensor
    weights: tuple[Tensor, Tensor]
    scale: float

    def __call__(self, faces: FacesOfTraining) -> Slope:
        ws_NLW = self.codes.to(faces.device, copy=True).requires_grad_()
        scores, after_NE = faces.recognise(Codes("w+", ws_NLW), sorted(set(self.names)))
        score_N = torch.stack([scores[name][row] for row, name in enumerate(self.names)])
        class_N = losses.classification(score_N, self.attr.to(score_N), self.scale)
        identity_N = losses.identity(self.before.to(after_NE), after_NE)
        of_class_N, of_identity_N = (weight_N.to(class_N) for weight_N in self.weights)
        [gradient_NLW] = torch.autograd.grad((of_class_N * class_N + of_identity_N * identity_N).sum(), ws_NLW)
        return Slope(gradient_NLW.cpu(), class_N.detach().cpu(), identity_N.detach().cpu())


def in_parts(rows: int, at_once: int | None) -> Sequence[slice]:
    """So many faces, in parts of `at_once` or of ON_A_GPU: how they are cut depends on nothing else."""
    size = at_once or ON_A_GPU
    return [slice(first, min(first + size, rows)) for first in range(0, rows, size)]
