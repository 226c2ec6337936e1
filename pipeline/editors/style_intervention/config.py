"""The flags of Style Intervention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, FiniteFloat, field_validator

from pipeline.editors.editor import Artifact, EditorConfig, Faces, Needed, Traits
from pipeline.editors.kept import KeptTable
from pipeline.editors.request import EditRequest, Target
from pipeline.editors.style_intervention.coefficients import coefficients
from pipeline.editors.style_intervention.intervention import Mask, StyleIntervention
from pipeline.editors.style_intervention.losses import PixelLoss
from pipeline.editors.style_intervention.regions import region_of
from pipeline.editors.style_intervention.solver import Settings
from pipeline.errors import SpecError
from pipeline.models.classifiers.regions import DILATION
from pipeline.models.codes import Space

if TYPE_CHECKING:
    from pipeline.directions.direction import Direction


class Config(EditorConfig):
    """Edit in style space, with little change outside the region of the attribute (Style Intervention); write
    DIR/edits, DIR/requests and DIR/coefficients, and DIR/edit_images if pictures are asked for.

    Example: stylemill edit style-intervention --latents out/faces/latents --directions out/fit/directions,out/sparse/directions --attribute smile --out out/intervened
    """  # noqa: E501  one line can be pasted

    GROUP: ClassVar[str | None] = "style-intervention"
    SPACES: ClassVar[tuple[Space, ...]] = ("z", "w", "w+")

    target: Target = Field(
        "1", description="1 towards the attribute, 0 away from it, flip to the other side of the boundary."
    )
    always: bool = Field(False, description="Edit faces that are on the target's side already, too.")
    move: float = Field(
        3.0,
        gt=0,
        allow_inf_nan=False,
        description="Distance to move along the direction in z, w or w+; the change of styles that results is ds_z.",
    )
    length: float = Field(
        1.0,
        gt=0,
        allow_inf_nan=False,
        description="Length of ds_n, the move along the sparse direction in s, as a multiple of the length of ds_z; "
        "both in standard deviations of the channels.",
    )
    strengths: tuple[FiniteFloat, ...] = Field(
        (),
        description="Factors of ds_n, one step for each; the solved coefficients (Lambda) stay the same (Fig. 5). "
        "Default: 1, the edit.",
    )
    mask: Mask = Field(
        "source", description="Where pixels may change: the region in the source, or also (union) in the moved picture."
    )
    dilation: int = Field(DILATION, ge=0, description="Grow the mask by so many pixels of a 512 px picture.")
    region: tuple[str, ...] = Field(
        (),
        description="Classes of the face parser that may change: hair,hat. Default: those of the attribute.",
        json_schema_extra={"metavar": "CLASS,..."},
    )
    pixel_loss: PixelLoss = Field(
        "mean", description="Eq. 9: mean of squares outside the mask, or (norm) the paper's norm."
    )
    lambda_attr: float = Field(1e-2, ge=0, allow_inf_nan=False, description="Weight of the attribute loss (Eq. 11).")
    lambda_norm: float = Field(1e-6, ge=0, allow_inf_nan=False, description="Weight of the norm loss (Eq. 11).")
    steps: int = Field(6, ge=1, le=1000, description="Adam steps for each layer, at most.")
    step_size: float = Field(0.2, gt=0, allow_inf_nan=False, description="Adam's learning rate.")
    tolerance: float = Field(
        1e-3, ge=0, lt=1, description="A layer stops when a step lowers its loss by less than this share."
    )
    at_once: bool = Field(False, description="Solve for all layers together, not layer by layer (ablation).")

    @field_validator("region")
    @classmethod
    def _with_commas(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for word in words for name in word.split(","))

    @property
    def settings(self) -> Settings:
        """Of the solver."""
        return Settings(
            self.steps, self.step_size, self.tolerance, self.at_once, self.pixel_loss, self.lambda_attr,
            self.lambda_norm,
        )  # fmt: skip

    def needed(self, attributes: Sequence[str], preserve: Sequence[str]) -> Needed:
        why = "style-intervention moves along a direction in z, w or w+ and a sparse one in s: give both tables"
        return Needed(tuple(attributes), why=why, also_in="s")

    def edits_in(self, space: Space) -> Space:
        return "s"

    def request(self, attribute: str, preserve: Sequence[str] = ()) -> EditRequest:
        if preserve:
            raise SpecError("style-intervention preserves what is outside the region: leave out --preserve")
        region_of(attribute, self.region)
        sign = -1.0 if self.target == "0" else 1.0
        strengths = tuple(sign * strength + 0.0 for strength in self.strengths or (1.0,))
        options = {"move": self.move, "length": self.length}
        return EditRequest(attribute, target=self.target, strengths=strengths, options=options)

    def traits(self, requests: Sequence[EditRequest]) -> Traits:
        looks = not self.always or self.target == "flip"
        return Traits(
            steps=max(len(request.strengths) for request in requests),
            keep="all" if self.strengths else "last",
            looks_at=tuple(dict.fromkeys(request.attribute for request in requests)) if looks else (),
            needs_generator=True,
            rows_may_stop=True,
            masks=True,
        )

    def keeps(self, shape: tuple[int, ...]) -> Sequence[KeptTable]:
        return (coefficients(shape[0]),)

    def open(
        self, faces: Faces | None, directions: Sequence[Direction] = (), artifact: Artifact | None = None
    ) -> StyleIntervention:
        if faces is None:
            raise SpecError("style-intervention makes faces: give the generator")
        return StyleIntervention(
            faces, directions, self.settings, mask=self.mask, dilation=self.dilation, region=self.region,
            always=self.always,
        )  # fmt: skip
