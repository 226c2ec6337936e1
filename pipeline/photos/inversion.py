"""Codes whose faces look like given pictures: found by descent, in w first, then in w+.

    find = Inverter(generator, prior_of(generator), likeness.load(), Settings(steps=60))
    found = find(x_N3HW, start_NLW)

Steps are taken in whitened coordinates of w (`pipeline.photos.prior`): principal components, in standard deviations.

Shapes: N rows, L layers, W w_dim, 3HW pixels, E numbers of an embedding, P = 5 points.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from pipeline.errors import SpecError
from pipeline.models.classifiers.crops import Crop
from pipeline.models.classifiers.regions import mask_of
from pipeline.models.codes import Codes
from pipeline.models.generators import Generator
from pipeline.photos.inversion_losses import (
    identity_loss,
    perceptual_loss,
    pixel_loss,
    prior_loss,
    spread_loss,
    weights_of,
)
from pipeline.photos.likeness import Likeness
from pipeline.photos.prior import Prior

LOOKED_AT = 256
"""Pixels of a side of the pictures that losses are of, or the nearest size above that the generator makes."""
FACE = (
    "skin", "left_brow", "right_brow", "left_eye", "right_eye", "eyeglasses", "left_ear", "right_ear", "nose", "mouth",
    "upper_lip", "lower_lip", "hair",
)  # fmt: skip
"""Classes of the face parser that count fully."""
BETAS = (0.9, 0.99)
"""Of Adam: the second moment forgets sooner than usual, since there are few steps."""
WARM_UP = 4
"""Steps in w, and again in w+, that are shorter: Adam's first ones know only the signs of gradients."""


@dataclass(frozen=True)
class Settings:
    """steps: at most. in_w: share of them in w. step_size_w, step_size: of Adam in w and in w+, in standard deviations;
    after WARM_UP, and in w+ they fall to 0 with a cosine. until: a row stops at this perceptual distance. background:
    what counts of the places outside the face. identity_every: the network of identity looks at every so many steps.
    lambda_...: of the losses; that of the perceptual distance is 1.
    """

    steps: int = 60
    in_w: float = 0.2
    step_size_w: float = 0.1
    step_size: float = 0.1
    until: float | None = None
    background: float = 0.5
    identity_every: int = 4
    lambda_pixel: float = 0.3
    lambda_identity: float = 0.1
    lambda_prior: float = 0.002
    lambda_spread: float = 0.002

    def __post_init__(self) -> None:
        if self.steps < 1 or self.identity_every < 1 or not 0 <= self.in_w <= 1:
            raise SpecError(f"an inversion takes one step or more, a share of them in w of 0 to 1: {self}")


@dataclass(frozen=True, eq=False)
class Inverted:
    """ws (N, L, W), not finite where a row is not. steps (N,): that each row took. distances (N,): the perceptual
    distance that is followed, as it was before the last step.
    """

    ws: Tensor
    steps: Tensor
    distances: Tensor


@dataclass(frozen=True, eq=False)
class Target:
    """What does not change from step to step: the pictures and what the networks see in them."""

    pixels: Tensor
    features: list[Tensor]
    embedding: Tensor
    points: Tensor
    weights: Tensor


class Inverter:
    """Inverts pictures by one generator. Rows do not depend on each other.

    at_once: rows that share a pass through the networks: on a CPU one, so that a row has the same bits whoever is
    beside it, and rows that have stopped cost nothing. None for all: rows that have stopped are padding then.
    """

    def __init__(self, generator: Generator, prior: Prior, likeness: Likeness, settings: Settings) -> None:
        self.generator, self.settings = generator, settings
        self._prior, self._likeness = prior, likeness
        self.at_once = 1 if generator.backend.device.type == "cpu" else None
        self.size = next((size for size in sorted(generator.sizes) if size >= LOOKED_AT), generator.resolution)

    def __call__(self, x_N3HW: Tensor, start_NLW: Tensor, wanted: tuple[bool, ...] | None = None) -> Inverted:
        """The codes of aligned pictures in [-1, 1], from a start in w+. wanted: rows that are no padding; None for all.

        Raises:
            SpecError: the start does not fit the generator, or there are other than N.
        """
        self.generator.check_codes(Codes("w+", start_NLW))
        if len(start_NLW) != len(x_N3HW):
            raise SpecError(f"there are {len(x_N3HW)} pictures and {len(start_NLW)} starts: give one for each")
        going_N = torch.tensor(wanted or (True,) * len(x_N3HW), device=start_NLW.device)
        ws, steps, distances = [], [], []
        for first in range(0, len(x_N3HW), most := self.at_once or len(x_N3HW)):
            some = slice(first, first + most)
            found = self._descend(x_N3HW[some], start_NLW[some], going_N[some])
            ws.append(found.ws)
            steps.append(found.steps)
            distances.append(found.distances)
        return Inverted(torch.cat(ws), torch.cat(steps), torch.cat(distances))

    @torch.no_grad()
    def target(self, x_N3HW: Tensor) -> Target:
        """What is seen of the pictures that codes are looked for of."""
        x_N3hw = resized(x_N3HW, self.size)
        face_N1hw = mask_of(self._likeness.parser.masks(x_N3hw), FACE)
        points_NP2 = self._likeness.identity.points(x_N3hw)
        return Target(
            pixels=x_N3hw,
            features=self._likeness.distance(x_N3hw),
            embedding=self._likeness.identity(x_N3hw, points_NP2),
            points=points_NP2,
            weights=weights_of(face_N1hw, self.settings.background),
        )

    def losses(self, v_NLW: Tensor, target: Target, with_identity: bool) -> tuple[Tensor, Tensor]:
        """What is minimised, and the perceptual distance without weights, (N,) each. v: whitened codes in w+."""
        settings, seen = self.settings, self._likeness
        x_N3hw = self.generator.synthesize(Codes("w+", self._prior.coloured(v_NLW)), self.size)
        maps = seen.distance.maps(seen.distance(x_N3hw), target.features)
        loss_N = perceptual_loss(maps, target.weights)
        loss_N = loss_N + settings.lambda_pixel * pixel_loss(x_N3hw, target.pixels, target.weights)
        loss_N = loss_N + settings.lambda_prior * prior_loss(v_NLW) + settings.lambda_spread * spread_loss(v_NLW)
        if with_identity:
            embedding_NE = seen.identity(x_N3hw, target.points)
            loss_N = loss_N + settings.lambda_identity * identity_loss(embedding_NE, target.embedding)
        return loss_N, torch.stack([found.detach().mean(dim=(1, 2, 3)) for found in maps]).sum(0)

    def _descend(self, x_N3HW: Tensor, start_NLW: Tensor, going_N: Tensor) -> Inverted:
        settings = self.settings
        steps_N = torch.zeros(len(start_NLW), dtype=torch.int64, device=start_NLW.device)
        distance_N = torch.zeros_like(start_NLW[:, 0, 0])
        v_NLW = self._prior.whitened(start_NLW)
        if not going_N.any():
            return Inverted(start_NLW, steps_N, distance_N)
        target = self.target(x_N3HW)
        first_in_own = round(settings.in_w * settings.steps)
        for first, last in ((0, first_in_own), (first_in_own, settings.steps)):
            rows = 1 if last <= first_in_own else v_NLW.shape[1]
            by_NLW = torch.zeros_like(v_NLW[:, :rows])
            adam = torch.optim.Adam([by_NLW], betas=BETAS)
            for step in range(first, last):
                if not going_N.any():
                    break
                asked_NLW = by_NLW.clone().requires_grad_()
                with_identity = settings.lambda_identity > 0 and step % settings.identity_every == 0
                loss_N, seen_N = self.losses(v_NLW + asked_NLW, target, with_identity)
                distance_N = torch.where(going_N, seen_N, distance_N)
                if settings.until is not None:
                    going_N = going_N & (seen_N > settings.until)
                if not going_N.any():
                    break
                (by_NLW.grad,) = torch.autograd.grad(loss_N.sum(), asked_NLW)
                adam.param_groups[0]["lr"] = self._step_size(step, first_in_own)
                adam.step()
                by_NLW.copy_(torch.where(going_N[:, None, None], by_NLW, asked_NLW.detach()))
                steps_N += going_N
            v_NLW = v_NLW + by_NLW
        return Inverted(self._prior.coloured(v_NLW), steps_N, distance_N)

    def _step_size(self, step: int, in_w: int) -> float:
        settings = self.settings
        if step < in_w:
            return settings.step_size_w * min(1.0, (step + 1) / WARM_UP)
        done = (step - in_w) / (settings.steps - in_w)
        return settings.step_size * min(1.0, (step - in_w + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * done))


def resized(x_N3HW: Tensor, size: int) -> Tensor:
    """Square pictures at another size: by means of whole blocks, as generators reduce theirs, where the sizes allow it;
    else bilinear, with antialiasing.
    """
    height, width = x_N3HW.shape[2:]
    if (height, width) == (size, size):
        return x_N3HW
    if height == width and height % size == 0:
        return avg_pool2d(x_N3HW, height // size)
    return Crop(0.0, 0.0, 1.0, 1.0, size, size)(x_N3HW)
