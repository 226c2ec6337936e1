"""The flags of the Latent Transformer's edits, and the edits: T(z, alpha) = z + alpha H(z) (Eq. 1).

Shapes: N rows, K strengths; `...` stands for the shape of one row of codes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from pydantic import Field, FiniteFloat, field_validator, model_validator
from torch import Tensor

from pipeline.editors.compared import Compared
from pipeline.editors.editor import Artifact, EditorConfig, Faces, Traits
from pipeline.editors.latent_transformer.trained import TrainedNetworks
from pipeline.editors.request import SIDES, TARGETS, EditRequest, Target
from pipeline.editors.trace import DONE, NO_STEP, NOT_FINITE, Trace
from pipeline.errors import SpecError
from pipeline.models.codes import Codes, Space
from pipeline.models.generators import Generator
from pipeline.models.layers import spans
from pipeline.stage_names import AND, stage_name

if TYPE_CHECKING:
    from pipeline.directions.direction import Direction

WHERE_LACKING: Mapping[str, Target] = {"present": "1", "absent": "0"}
"""Targets of a sequence alone: of rows that the latent classifier does not see there yet; others stay as they are."""


class Config(EditorConfig):
    """Move latents by a transformation that was trained for each attribute; write DIR/edits and DIR/requests.

    Example: stylemill edit latent-transformer --artifact out/lt/artifact --latents out/faces/latents --attribute smile --target flip --out out/flipped
    """  # noqa: E501  one line can be pasted

    GROUP: ClassVar[str | None] = "latent-transformer"
    SPACES: ClassVar[tuple[Space, ...]] = ("w", "w+")
    TAKES_DIRECTIONS: ClassVar[bool] = False
    ARTIFACT: ClassVar[str | None] = "latent-transformer"
    NAMES_ATTRIBUTES: ClassVar[bool] = True
    COMPARED: ClassVar[Compared | None] = Compared(
        flag="alphas",
        strengths=(0.5, 1.25, 1.75, 2.25, 3.0),
        usual=1.25,
        networks="labels by the editing family",
        claims={
            "identity_dlib": "a trained transformation keeps more of the identity",
            "kept": "a trained transformation keeps the other attributes better",
        },
    )

    alphas: tuple[FiniteFloat, ...] = Field(
        (), description="Scaling factors, a step for each, from -1.5 to 1.5 in the paper."
    )
    target: Target | None = Field(
        None, description="In place of --alphas: one step of --alpha, 1 towards the attribute, 0 away from it, or flip."
    )
    alpha: float = Field(
        1.25, gt=0, allow_inf_nan=False, description="With --target and --sequence: the scaling factor."
    )
    layers: str | None = Field(
        None, description="Rows of w+ (layers) to move, as in 0-7 or 0,2,4-6; the public code moves 0-10. Default: all."
    )
    sequence: str | None = Field(
        None,
        description="In place of --attribute: edits one after the other, a step for each, as in smile:1,hat:0,old:1; "
        "flip is a target too, and each moves by --alpha. present and absent are as 1 and 0, for faces that the latent "
        "classifier does not see so yet; it leaves the others as they are.",
        json_schema_extra={"metavar": "A:1,B:0,..."},
    )

    @field_validator("layers")
    @classmethod
    def _are_layers(cls, text: str | None) -> str | None:
        if text is not None:
            spans(text, "rows of w+")
        return text

    @property
    def resolved(self) -> Mapping[str, Any]:
        return {"layers": self.rows_of_w_plus}

    @property
    def rows_of_w_plus(self) -> tuple[int, ...] | None:
        """The rows of w+ to move; None for all."""
        return None if self.layers is None else spans(self.layers, "rows of w+")

    def check_artifact(self, artifact: Artifact, shape: tuple[int, ...]) -> None:
        TrainedNetworks(artifact).check(shape)

    def check(self, space: Space, generator: Generator) -> None:
        layers = self.rows_of_w_plus
        if layers and space != "w+":
            raise SpecError(f"--layers are rows of w+, these edits are in {space}: leave them out")
        if layers and max(layers) >= generator.num_ws:
            raise SpecError(f"--layers {self.layers}: {generator.name} has the rows of w+ 0 to {generator.num_ws - 1}")

    @model_validator(mode="after")
    def _alphas_or_target(self) -> Config:
        given = [name for name in ("alphas", "target", "sequence") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError("give --alphas, or --target with --alpha, or --sequence with --alpha: one of the three")
        if self.alphas and self.alpha != type(self).model_fields["alpha"].default:
            raise ValueError("--alpha goes with --target and --sequence; --alphas has its own numbers")
        self.stages  # noqa: B018  raises where it is none
        return self

    @property
    def stages(self) -> tuple[tuple[str, str], ...]:
        """The attribute and target of each edit of a sequence."""
        found: list[tuple[str, str]] = []
        for word in self.sequence.split(",") if self.sequence else ():
            attribute, _, target = word.strip().rpartition(":")
            if not attribute or target not in (*TARGETS, *WHERE_LACKING):
                raise ValueError(
                    f"--sequence {word.strip()!r}: write ATTRIBUTE:1, ATTRIBUTE:0 or ATTRIBUTE:flip; or "
                    "ATTRIBUTE:present, ATTRIBUTE:absent"
                )
            if AND in attribute or "#" in attribute:
                raise ValueError(f"--sequence {word.strip()!r}: name one attribute, as the artifact does")
            found.append((attribute, target))
        if twice := [stage for place, stage in enumerate(found) if stage in found[:place]]:
            raise ValueError(f"--sequence: {':'.join(twice[0])} is given twice")
        return tuple(found)

    def asked(self, attributes: Sequence[str]) -> Sequence[str]:
        if self.sequence and attributes:
            raise ValueError("--sequence names its attributes: leave out --attribute")
        return [AND.join(name for name, _ in self.stages)] if self.sequence else super().asked(attributes)

    def request(self, attribute: str, preserve: Sequence[str] = ()) -> EditRequest:
        if preserve:
            raise SpecError("--preserve: what is preserved was decided when the transformation was trained")
        if self.sequence:
            stages = range(1, len(self.stages) + 1)
            return EditRequest(attribute, strengths=tuple(map(float, stages)), options=self._options())
        if AND in attribute:
            raise SpecError(f"--attribute {attribute}: one attribute moves at a time; --sequence moves several in turn")
        if self.target is None:
            return EditRequest(attribute, strengths=self.alphas)
        return EditRequest(
            attribute, target=self.target, strengths=(-self.alpha if self.target == "0" else self.alpha,)
        )

    def traits(self, requests: Sequence[EditRequest]) -> Traits:
        steps = max(len(request.strengths) for request in requests)
        stages = tuple(self._options())
        return Traits(steps=steps, keep="all", on_device=False, independent_steps=not stages, stages=stages)

    def _options(self) -> dict[str, float]:
        """What is asked of each stage, in words, and its alpha."""
        return {stage_name(name, target): self.alpha for name, target in self.stages}

    def open(
        self, faces: Faces | None, directions: Sequence[Direction] = (), artifact: Artifact | None = None
    ) -> LatentTransformer:
        if artifact is None:
            raise SpecError("latent-transformer needs what stylemill train latent-transformer makes")
        return LatentTransformer(TrainedNetworks(artifact), self.stages, self.alpha, self.rows_of_w_plus)


class LatentTransformer:
    """Moves each row by T of its attribute; the latent classifier says on which side of the boundary a row is.

    stages, alpha: of a sequence, whose steps are made one of the other; without them, each of the source. layers: rows
        of w+ to move; None for all.
    """

    def __init__(
        self,
        trained: TrainedNetworks,
        stages: Sequence[tuple[str, str]] = (),
        alpha: float = 1.25,
        layers: Sequence[int] | None = None,
    ) -> None:
        self._trained, self._stages, self._alpha, self._layers = trained, stages, alpha, layers

    @torch.no_grad()
    def edit(self, codes: Codes, requests: Sequence[EditRequest]) -> Trace:
        """Steps 1 to K are T(z, alpha) of the strengths, or the stages of the sequence. Errors as `Editor.edit`."""
        if len(codes) != len(requests):
            raise SpecError(f"there are {len(codes)} codes and {len(requests)} requests: give one request for each row")
        if len({len(request.strengths) for request in requests}) != 1:
            raise SpecError("rows that are edited together need equally many alphas")
        # A row at a time: the bits of a matrix product may depend on how many rows it has.
        row = self._sequence if self._stages else self._row
        values, strengths = zip(*map(row, codes.values, requests), strict=True)
        strengths_NK = torch.tensor(strengths, dtype=torch.float64)
        values_NK = torch.stack(values).to(codes.values)
        finite_NK = values_NK.flatten(2).isfinite().all(dim=2)
        if self._stages:
            finite_NK = finite_NK.all(dim=1, keepdim=True).expand_as(finite_NK)
        finite_NK = finite_NK & finite_NK[:, :1] & finite_NK[:, 1:].any(dim=1, keepdim=True)
        steps_NK = torch.where(finite_NK, torch.arange(values_NK.shape[1]), NO_STEP)
        stops = tuple(DONE if all(row) else NOT_FINITE for row in finite_NK.tolist())
        return Trace(codes.space, values_NK, steps_NK, strengths_NK, {}, stops)

    def _row(self, code: Tensor, request: EditRequest) -> tuple[Tensor, list[float]]:
        """The source and T of it at each alpha, (1 + K, ...) in float64, and the alphas, 0 first."""
        side = self._side(code, request.attribute, "flip") if request.target == "flip" else 1.0
        alphas = [0.0, *(side * alpha for alpha in request.strengths)]
        moved = self._displacement(code, request.attribute)
        return torch.stack([code.double() + alpha * moved for alpha in alphas]), alphas

    def _sequence(self, code: Tensor, request: EditRequest) -> tuple[Tensor, list[float]]:
        """The source and what each stage made of the one before, (1 + K, ...), and the numbers of the stages."""
        found = [code.double()]
        for attribute, target in self._stages:
            last = found[-1].to(code.dtype)
            alpha = self._alpha * self._side(last, attribute, target)
            found.append(last.double() + alpha * self._displacement(last, attribute))
        return torch.stack(found), [0.0, *request.strengths]

    def _side(self, code: Tensor, attribute: str, target: str) -> float:
        """1 towards the attribute, -1 away from it, 0 where the row is to stay."""
        if side := SIDES.get(target):
            return side
        other = -1.0 if float(self._trained.logit(_as_input(code).flatten()[None], attribute)) > 0 else 1.0
        return other if target not in WHERE_LACKING or other == SIDES[WHERE_LACKING[target]] else 0.0

    def _displacement(self, code: Tensor, attribute: str) -> Tensor:
        """H of one code (...), float64."""
        moved = self._trained.displacement(_as_input(code), attribute).double()
        if self._layers is None:
            return moved
        some = torch.zeros_like(moved)
        some[list(self._layers)] = moved[list(self._layers)]
        return some


def _as_input(code: Tensor) -> Tensor:
    return code.to("cpu", torch.float32)
