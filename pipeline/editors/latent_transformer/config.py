"""The flags of the Latent Transformer's edits, and the edits: T(z, alpha) = z + alpha H(z) (Eq. 1).

Shapes: N rows, K strengths; `...` stands for the shape of one row of codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import torch
from pydantic import Field, FiniteFloat, model_validator
from torch import Tensor

from pipeline.editors.editor import Artifact, EditorConfig, Faces, Traits
from pipeline.editors.latent_transformer.networks import TrainedNetworks
from pipeline.editors.request import SIDES, EditRequest, Target
from pipeline.editors.trace import DONE, NO_STEP, NOT_FINITE, Trace
from pipeline.errors import SpecError
from pipeline.models.codes import Codes, Space

if TYPE_CHECKING:
    from pipeline.directions.direction import Direction


class Config(EditorConfig):
    """Move latents by a transformation that was trained for each attribute; write DIR/edits and DIR/requests.

    Example: stylemill edit latent-transformer --artifact out/lt/artifact --latents out/faces/latents --attribute smile --target flip --out out/flipped
    """  # noqa: E501  one line can be pasted

    GROUP: ClassVar[str | None] = "latent-transformer"
    SPACES: ClassVar[tuple[Space, ...]] = ("w", "w+")
    TAKES_DIRECTIONS: ClassVar[bool] = False
    ARTIFACT: ClassVar[str | None] = "latent-transformer"

    alphas: tuple[FiniteFloat, ...] = Field(
        (), description="Scaling factors, a step for each, from -1.5 to 1.5 in the paper."
    )
    target: Target | None = Field(
        None, description="In place of --alphas: one step of --alpha, 1 to the attribute, 0 away from it, or flip."
    )
    alpha: float = Field(1.25, gt=0, allow_inf_nan=False, description="With --target: the scaling factor.")

    @model_validator(mode="after")
    def _alphas_or_target(self) -> Config:
        if bool(self.alphas) == (self.target is not None):
            raise ValueError("give --alphas, or --target with --alpha: one of the two")
        return self

    def request(self, attribute: str, preserve: Sequence[str] = ()) -> EditRequest:
        if preserve:
            raise SpecError("--preserve: what is preserved was decided when the transformation was trained")
        if self.target == "flip":
            return EditRequest(attribute, target="flip", strengths=(self.alpha,))
        return EditRequest(attribute, strengths=self.alphas or (self.alpha if self.target == "1" else -self.alpha,))

    def traits(self, requests: Sequence[EditRequest]) -> Traits:
        steps = max(len(request.strengths) for request in requests)
        return Traits(steps=steps, keep="all", on_device=False, independent_steps=True)

    def open(
        self, faces: Faces | None, directions: Sequence[Direction] = (), artifact: Artifact | None = None
    ) -> LatentTransformer:
        if artifact is None:
            raise SpecError("latent-transformer needs what stylemill train latent-transformer makes")
        return LatentTransformer(TrainedNetworks(artifact))


class LatentTransformer:
    """Moves each row by T of its attribute; the latent classifier says on which side of the boundary a row is."""

    def __init__(self, trained: TrainedNetworks) -> None:
        self._trained = trained

    @torch.no_grad()
    def edit(self, codes: Codes, requests: Sequence[EditRequest]) -> Trace:
        """Steps 1 to K are T(z, alpha) of the strengths, each of the source. Errors as `Editor.edit`."""
        if len(codes) != len(requests):
            raise SpecError(f"there are {len(codes)} codes and {len(requests)} requests: give one request for each row")
        if len({len(request.strengths) for request in requests}) != 1:
            raise SpecError("rows that are edited together have as many alphas each")
        alphas_NK = torch.tensor([request.strengths for request in requests], dtype=torch.float64)
        # A row at a time: the bits of a matrix product may depend on how many rows it has.
        moved, sides = zip(*map(self._row, codes.values, requests), strict=True)
        alphas_NK = alphas_NK * torch.tensor(sides, dtype=torch.float64)[:, None]
        strengths_NK = torch.cat([torch.zeros(len(codes), 1, dtype=torch.float64), alphas_NK], dim=1)
        apart = strengths_NK.reshape(*strengths_NK.shape, *[1] * (codes.values.dim() - 1)) * torch.stack(moved)[:, None]
        values = (codes.values.double()[:, None] + apart).to(codes.values.dtype)
        finite_NK = values.flatten(2).isfinite().all(dim=2)
        finite_NK = finite_NK & finite_NK[:, :1] & finite_NK[:, 1:].any(dim=1, keepdim=True)
        steps_NK = torch.where(finite_NK, torch.arange(values.shape[1]), NO_STEP)
        stops = tuple(DONE if all(row) else NOT_FINITE for row in finite_NK.tolist())
        return Trace(codes.space, values, steps_NK, strengths_NK, {}, stops)

    def _row(self, code: Tensor, request: EditRequest) -> tuple[Tensor, float]:
        """H of one code (...), float64, and which way it goes."""
        code = code.to("cpu", torch.float32)
        side = SIDES[request.target]
        if not side:
            side = -1.0 if float(self._trained.logit(code.flatten()[None], request.attribute)) > 0 else 1.0
        return self._trained.displacement(code, request.attribute).double(), side
