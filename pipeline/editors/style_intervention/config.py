"""The flags of Style Intervention."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, FiniteFloat, field_validator, model_validator

from pipeline.editors.compared import Compared
from pipeline.editors.editor import Artifact, EditorConfig, Faces, Needed, Rows, Traits
from pipeline.editors.kept import Earlier, KeptTable
from pipeline.editors.request import EditRequest, Target
from pipeline.editors.style_intervention.coefficients import coefficients, place_of, shared
from pipeline.editors.style_intervention.intervention import Mask, StyleIntervention
from pipeline.editors.style_intervention.losses import AttributeLoss, PixelLoss
from pipeline.editors.style_intervention.regions import grown_by_default, region_of
from pipeline.editors.style_intervention.solver import Settings
from pipeline.errors import SpecError
from pipeline.models.codes import Space
from pipeline.models.generators import Generator

if TYPE_CHECKING:
    from pipeline.directions.direction import Direction

OF_THE_SOLVER = (
    "mask", "dilation", "region", "pixel_loss", "attribute_loss", "lambda_attr", "lambda_norm", "steps", "step_size",
    "tolerance", "at_once", "after_layers",
)  # fmt: skip
"""Fields that mean nothing where the coefficients are given."""
SHARE = 0.8
"""Of whole passes that the solver runs, since it begins at the layer that is solved for."""


class Config(EditorConfig):
    """Edit in style space, with little change outside the region of the attribute (Style Intervention); write
    DIR/edits, DIR/requests and DIR/coefficients, and DIR/edit_images if pictures are asked for.

    Example: stylemill edit style-intervention --latents out/faces/latents --directions out/fit/directions,out/sparse/directions --attribute smile --out out/intervened
    """  # noqa: E501  one line can be pasted

    GROUP: ClassVar[str | None] = "style-intervention"
    SPACES: ClassVar[tuple[Space, ...]] = ("z", "w", "w+")
    COMPARED: ClassVar[Compared | None] = Compared(
        flag="strengths",
        strengths=(0.0, 0.5, 1.0, 1.5, 2.0),
        usual=1.0,
        signed=False,
        settings={"always": True},
        rows=16,
        networks="pixels outside the face parser's region; labels by the editing family",
        claims={
            "mse_outside": "less of the picture changes outside the region",
            "identity_dlib": "more of the identity is kept",
        },
    )

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
        0.25,
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
    dilation: int | None = Field(
        None,
        ge=0,
        description="Grow the mask by this many pixels of a 512 px picture. Default: as the attribute says, "
        f"{grown_by_default()}.",
    )
    region: tuple[str, ...] = Field(
        (),
        description="Classes of the face parser that may change: hair,hat. Default: those of the attribute.",
        json_schema_extra={"metavar": "CLASS,..."},
    )
    pixel_loss: PixelLoss = Field(
        "mean", description="Eq. 9: mean of squares outside the mask, or (norm) the paper's norm."
    )
    attribute_loss: AttributeLoss = Field(
        "progress",
        description="How much of ds_n the merged move goes, up to all of it, or (cosine) the paper's Eq. 10.",
    )
    lambda_attr: float = Field(1e-2, ge=0, allow_inf_nan=False, description="Weight of the attribute loss (Eq. 11).")
    lambda_norm: float = Field(1e-6, ge=0, allow_inf_nan=False, description="Weight of the norm loss (Eq. 11).")
    steps: int = Field(6, ge=1, le=1000, description="Adam steps for each layer, at most.")
    step_size: float = Field(0.2, gt=0, allow_inf_nan=False, description="Adam's learning rate.")
    tolerance: float = Field(
        1e-3, ge=0, lt=1, description="A layer stops when a step lowers its loss by less than this share."
    )
    at_once: bool = Field(False, description="Solve for all layers together, not layer by layer (ablation).")
    after_layers: tuple[int, ...] = Field(
        (),
        description="Keep the picture after these layers are solved for, a step for each: 1,4,10; the edit is the last "
        "step. 0 is the start (Fig. 6).",
    )
    shared_coefficients: str | None = Field(
        None,
        description="Take the coefficients of an earlier edit for all faces, and solve for none: the table "
        "DIR/coefficients; the mean of its rows, or the row of one face: DIR/coefficients#17.",
        json_schema_extra={"metavar": "TABLE[#ROW]"},
    )

    @field_validator("region")
    @classmethod
    def _with_commas(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for word in words for name in word.split(","))

    @field_validator("after_layers")
    @classmethod
    def _rising(cls, layers: tuple[int, ...]) -> tuple[int, ...]:
        if any(layer < 0 for layer in layers) or any(last <= first for first, last in pairwise(layers)):
            raise ValueError("give numbers of layers that rise, from 0 on")
        return layers

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        if self.after_layers and self.at_once:
            raise ValueError("--after-layers: --at-once solves for all layers together: leave out one of the two")
        if self.after_layers and self.strengths:
            raise ValueError("--after-layers and --strengths both say what the steps are: leave out one of the two")
        if self.shared_coefficients is not None:
            changed = [name for name in OF_THE_SOLVER if getattr(self, name) != Config.model_fields[name].default]
            if changed:
                flag = f"--{changed[0].replace('_', '-')}"
                raise ValueError(f"{flag}: with --shared-coefficients nothing is solved for: leave out one of the two")
        return self

    @property
    def settings(self) -> Settings:
        """Of the solver."""
        return Settings(
            self.steps, self.step_size, self.tolerance, self.at_once, self.pixel_loss, self.attribute_loss,
            self.lambda_attr, self.lambda_norm,
        )  # fmt: skip

    def needed(self, attributes: Sequence[str], preserve: Sequence[str]) -> Needed:
        why = "style-intervention moves along a direction in z, w or w+ and a sparse one in s: give both tables"
        return Needed(tuple(attributes), why=why, also_in="s")

    def edits_in(self, space: Space) -> Space:
        return "s"

    def request(self, attribute: str, preserve: Sequence[str] = ()) -> EditRequest:
        if preserve:
            raise SpecError("style-intervention preserves what is outside the region: leave out --preserve")
        if self.shared_coefficients is None:
            region_of(attribute, self.region)
        sign = -1.0 if self.target == "0" else 1.0
        steps = self.strengths or (1.0,) * (len(self.after_layers) + 1)
        strengths = tuple(sign * strength + 0.0 for strength in steps)
        options = {"move": self.move, "length": self.length}
        return EditRequest(attribute, target=self.target, strengths=strengths, options=options)

    def traits(self, requests: Sequence[EditRequest]) -> Traits:
        looks = not self.always or self.target == "flip"
        return Traits(
            steps=max(len(request.strengths) for request in requests),
            keep="all",
            looks_at=tuple(dict.fromkeys(request.attribute for request in requests)) if looks else (),
            needs_generator=True,
            rows_may_stop=True,
            masks=self.shared_coefficients is None,
        )

    def keeps(self, shape: tuple[int, ...]) -> Sequence[KeptTable]:
        return (coefficients(shape[0]),) if self.shared_coefficients is None else ()

    def earlier(self, shape: tuple[int, ...]) -> Earlier | None:
        if self.shared_coefficients is None:
            return None
        return Earlier("shared_coefficients", place_of(self.shared_coefficients)[0], coefficients(shape[0]))

    def take(self, rows: Iterable[Rows], attributes: Sequence[str]) -> Artifact:
        _, index = place_of(self.shared_coefficients or "")
        return shared(rows, attributes, index)

    def check(self, space: Space, generator: Generator) -> None:
        layers = len(generator.style_layers)
        if self.after_layers and self.after_layers[-1] >= layers:
            raise SpecError(
                f"--after-layers {self.after_layers[-1]}: {generator.name} has {layers} layers, and after the last one "
                "stands the edit itself, which is the last step: give numbers below that"
            )

    def passes(self, requests: Sequence[EditRequest], generator: Generator) -> tuple[int, int]:
        solved = 0 if self.shared_coefficients else len(generator.style_layers) * self.steps * len(requests)
        return round(SHARE * (solved + bool(solved))), round(SHARE * solved)

    def open(
        self, faces: Faces | None, directions: Sequence[Direction] = (), artifact: Artifact | None = None
    ) -> StyleIntervention:
        if faces is None:
            raise SpecError("style-intervention makes faces: give the generator")
        return StyleIntervention(
            faces, directions, self.settings, mask=self.mask, dilation=self.dilation, region=self.region,
            always=self.always, after_layers=self.after_layers, shared=artifact if self.shared_coefficients else None,
        )  # fmt: skip
