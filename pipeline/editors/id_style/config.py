"""The flags of ID-Style's edits, and the edits (Eq. 3 to 5; several attributes at once by Eq. 12).

Shapes: N rows, L layers of w+, W w_dim, M attributes, S steps, the source first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
import torch
from pydantic import Field, FiniteFloat
from torch import Tensor

from pipeline.editors.compared import Compared
from pipeline.editors.editor import Artifact, EditorConfig, Faces, Traits
from pipeline.editors.gradients import score_gradients, score_of
from pipeline.editors.id_style.blocks import Blocks
from pipeline.editors.id_style.networks import IDStyle, combine, strongest
from pipeline.editors.request import SIDES, EditRequest, Target
from pipeline.editors.trace import DONE, NO_STEP, NOT_FINITE, Trace
from pipeline.errors import SpecError
from pipeline.models.codes import Codes, Space

if TYPE_CHECKING:
    from pipeline.directions.direction import Direction


class Config(EditorConfig):
    """Move latents along trained directions that keep the identity; write DIR/edits and DIR/requests. Edits are in w+.

    Several attributes at once are joined by a plus sign: --attribute smile+old,male has two requests.

    Example: stylemill edit id-style --artifact out/ids/artifact --latents out/faces/latents --attribute smile --out out/smiles
    """  # noqa: E501  one line can be pasted

    GROUP: ClassVar[str | None] = "id-style"
    SPACES: ClassVar[tuple[Space, ...]] = ("w", "w+")
    TAKES_DIRECTIONS: ClassVar[bool] = False
    ARTIFACT: ClassVar[str | None] = "id-style"
    COMPARED: ClassVar[Compared | None] = Compared(
        flag="intensity",
        strengths=(0.5, 0.75, 1.0, 1.5, 2.0),
        usual=1.0,
        signed=False,
        networks="gradients of the editing family's scores and of fr-feature's identity",
        claims={"identity_dlib": "directions trained to keep the identity keep more of it"},
    )

    target: Target = Field("1", description="1: towards the attribute; 0: away from it; flip: to the side where a face "
                           "is not, by --classifiers, for one attribute at a time.")  # fmt: skip
    top_k: int | None = Field(
        None, ge=1, description="Move only this many entries of each layer, those that move most. Default: all."
    )
    intensity: tuple[Annotated[FiniteFloat, Field(gt=0)], ...] = Field(
        (1.0,), min_length=1, description="Factors of all moves, a step for each, as in 0.5,1,2."
    )

    def edits_in(self, space: Space) -> Space:
        return "w+"

    def check_artifact(self, artifact: Artifact, shape: tuple[int, ...]) -> None:
        network = IDStyle.of_tensors(artifact)
        network.check(shape if len(shape) == 2 else (network.layers, *shape))

    def request(self, attribute: str, preserve: Sequence[str] = ()) -> EditRequest:
        if preserve:
            raise SpecError("--preserve: what is preserved was decided when ID-Style was trained")
        way = -1 if self.target == "0" else 1
        made = EditRequest(attribute, target=self.target, strengths=tuple(way * one for one in self.intensity))
        if twice := [name for place, name in enumerate(made.attributes) if name in made.attributes[:place]]:
            raise SpecError(f"--attribute {attribute}: {twice[0]} is named twice")
        _check_flip(made)
        return made

    def traits(self, requests: Sequence[EditRequest]) -> Traits:
        flipped = [name for request in requests if request.target == "flip" for name in request.attributes]
        looks = tuple(dict.fromkeys(flipped))
        return Traits(steps=len(self.intensity), keep="all", looks_at=looks, on_device=bool(flipped))

    def open(
        self, faces: Faces | None, directions: Sequence[Direction] = (), artifact: Artifact | None = None
    ) -> IDStyleEditor:
        if artifact is None:
            raise SpecError("id-style needs what stylemill train id-style makes")
        return IDStyleEditor(IDStyle.of_tensors(artifact), faces, self.top_k)


class IDStyleEditor:
    """Adds to each row what the network says of its request's attributes, times each strength of the request.

    faces: their scores tell which side a row is on, where a target is flip.
    """

    def __init__(self, network: IDStyle, faces: Faces | None, top_k: int | None = None) -> None:
        self._network, self._faces, self._top_k = network, faces, top_k
        self._seen: dict[bytes, dict[str, float]] = {}
        self._blocks = Blocks(network)

    @torch.no_grad()
    def edit(self, codes: Codes, requests: Sequence[EditRequest]) -> Trace:
        """Step k is w + x * delta w of the k-th strength x, of the sign of the side that a row goes to. Errors as
        `Editor.edit`, and where it was trained for another generator or not for an attribute."""
        if len(codes) != len(requests):
            raise SpecError(f"there are {len(codes)} codes and {len(requests)} requests: give one request for each row")
        if len({len(request.strengths) for request in requests}) != 1:
            raise SpecError("requests of one batch take as many steps: give each as many strengths")
        for request in requests:
            _check_flip(request)
        sides = self._sides(codes, requests)
        values = codes.values if codes.space == "w+" else codes.values[:, None].expand(-1, self._network.layers, -1)
        self._network.check(tuple(values.shape[1:]))
        by_NLW = self._moves(values.to("cpu", torch.float32), requests, sides).double()
        far_NS = torch.tensor([[0.0, *map(abs, one.strengths)] for one in requests], dtype=torch.float64)
        moved_NSLW = values.double().cpu()[:, None].addcmul(far_NS[:, 1:, None, None], by_NLW[:, None])
        all_NSLW = torch.cat([values[:, None], moved_NSLW.to(values)], dim=1)
        finite_N1 = all_NSLW.flatten(1).abs().amax(dim=1, keepdim=True).isfinite().cpu()
        stops = tuple(DONE if there else NOT_FINITE for there in finite_N1[:, 0].tolist())
        steps_NS = torch.arange(far_NS.shape[1]).expand_as(far_NS)
        strengths_NS = far_NS * torch.tensor(sides, dtype=torch.float64)[:, None]
        return Trace("w+", all_NSLW, torch.where(finite_N1, steps_NS, NO_STEP), strengths_NS, {}, stops)

    def _moves(self, ws_NLW: Tensor, requests: Sequence[EditRequest], sides: Sequence[float]) -> Tensor:
        """What is added to each code at strength 1, (N, L, W); no row's depends on another row."""
        places = [tuple(self._place(name) for name in request.attributes) for request in requests]
        intensity_NLW, moves_NLW = self._blocks.intensity(ws_NLW), torch.empty_like(ws_NLW)
        for its in dict.fromkeys(places):
            rows = [row for row, other in enumerate(places) if other == its]
            every = len(rows) == len(places)  # an index would copy them
            deltas = self._network(*((x if every else x[rows]) for x in (ws_NLW, intensity_NLW)), places=list(its))
            attr = torch.tensor([sides[row] for row in rows])
            by = combine(deltas, attr[:, None].expand(-1, len(its)))
            if self._top_k is not None:
                by = strongest(by, self._top_k)
            if every:
                return by
            moves_NLW[rows] = by
        return moves_NLW

    def _place(self, attribute: str) -> int:
        if attribute not in self._network.attributes:
            known = ", ".join(self._network.attributes)
            raise SpecError(f"ID-Style was not trained for {attribute}: it was for {known}")
        return self._network.attributes.index(attribute)

    def _sides(self, codes: Codes, requests: Sequence[EditRequest]) -> list[float]:
        """attr of each row, -1 or 1, the same for all attributes of its request."""
        flipped = [SIDES[request.target] == 0 for request in requests]
        seen: list[Mapping[str, float]] = [{} for _ in requests]
        if any(flipped):
            if self._faces is None:
                raise SpecError("target flip needs scores of faces: give a scorer of faces")
            finite_N = codes.values.flatten(1).isfinite().all(dim=1)
            flipped = [flip and there for flip, there in zip(flipped, finite_N.tolist(), strict=True)]
            known = Codes(codes.space, torch.where(finite_N.view(-1, *[1] * (codes.values.dim() - 1)), codes.values, 0))
            seen = self._scores(self._faces, known, flipped)
        found = []
        for row, request in enumerate(requests):
            there = flipped[row] and score_of(request.attribute, seen[row]) > 0
            found.append(SIDES[request.target] or (-1.0 if there else 1.0))
        return found

    def _scores(self, faces: Faces, codes: Codes, wanted: Sequence[bool]) -> list[Mapping[str, float]]:
        """Of each row that is wanted. One code, as the requests for it come one after the other, is looked at once."""
        keys = [code.detach().cpu().numpy().tobytes() for code in codes.values]
        first = {key: row for row, key in reversed(list(enumerate(keys))) if wanted[row]}
        new = [first.get(key) == row and key not in self._seen for row, key in enumerate(keys)]
        nothing: list[list[tuple[str, float]]] = [[] for _ in keys]
        found, _ = score_gradients(faces, codes, nothing, at_once=faces.at_once, looked_at=new)
        rows = {keys[row]: {name: float(score[row]) for name, score in found.items()} for row in np.flatnonzero(new)}
        self._seen = {key: rows[key] if key in rows else self._seen[key] for key in first}
        return [self._seen.get(key, {}) for key in keys]


def _check_flip(request: EditRequest) -> None:
    """Raise SpecError where a row would go up in one attribute and down in another: a table has one strength for both,
    and the rows could not be told apart in what is measured."""
    if SIDES[request.target] == 0 and len(request.attributes) > 1:
        raise SpecError(
            f"--target flip with --attribute {request.attribute}: a face is flipped in one attribute at a time, since "
            "its sides may differ; take --target 1 or 0, or one attribute"
        )
