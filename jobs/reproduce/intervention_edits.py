"""Edits of a study of Style Intervention: the same faces by every method, a shard each, so that each has numbers of its
own.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field

from jobs.flags import Names
from jobs.reproduce.faces import FacesFlags, LabelledFaces
from jobs.reproduce.study import edit_spec, step
from pipeline.editors.style_intervention import Config
from pipeline.models.codes import Space
from pipeline.report.style_intervention.paper import CONDITIONAL, EDITED, IN_W, IN_Z, OURS
from pipeline.report.style_intervention.result import EDIT

STRENGTHS = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.5, 6.0)
"""Of the moves in z and w, in standard deviations of the faces' distance to the boundary."""
INTERPOLATED = (0.0, 0.5, EDIT, 1.5, 2.0)
"""Coefficients of the sparse move, with Lambda fixed (Fig. 5)."""
FOLDERS = {IN_Z: "in-z", IN_W: "in-w", CONDITIONAL: "conditional", OURS: "intervention"}
SPACE_OF: dict[str, Space] = {IN_Z: "z", IN_W: "w", CONDITIONAL: "z"}
PICTURE, LOOKS = 256, 7
"""Pixels of a side, and after how many layers pictures are kept (Fig. 6)."""


class InterventionFlags(FacesFlags):
    """Of a study that edits by the intervention."""

    attributes: Names = Field(EDITED, min_length=1, description="Attributes to edit, out of the paper's four.")
    space: Literal["z", "w"] = Field("z", description="Space of the first move (ds_z); the paper's is z.")
    move: float = Field(
        3.0,
        gt=0,
        allow_inf_nan=False,
        description="Length of the first move, in standard deviations of the faces' distance to the boundary.",
    )
    length: float = Field(
        Config.model_fields["length"].default,
        gt=0,
        allow_inf_nan=False,
        description="The --length of stylemill edit style-intervention.",
    )

    @property
    def strengths(self) -> tuple[float, ...]:
        """Of the moves, that of the first move among them."""
        return tuple(sorted({*STRENGTHS, self.move}))

    def folder(self, attribute: str, method: str) -> str:
        """Of the edits."""
        return self.url(f"{attribute}-{FOLDERS[method]}")


def edit(spec: InterventionFlags, faces: LabelledFaces, attribute: str, rows: Sequence[int]) -> None:
    """Edit these faces by moves and by the intervention."""
    for method, space in SPACE_OF.items():
        preserve = tuple(name for name in EDITED if name != attribute) if method == CONDITIONAL else ()
        unit = faces.unit(space, attribute)
        moved = edit_spec(
            "interfacegan", **_same(spec, faces, attribute, rows), directions=(faces.fitted(space),), preserve=preserve,
            space=space, strengths=tuple(round(k * unit, 4) for k in spec.strengths),
            out=spec.folder(attribute, method),
        )  # fmt: skip
        step(moved, "--judge or the flags of the run")
    _intervene(spec, faces, attribute, rows, spec.folder(attribute, OURS), strengths=INTERPOLATED)


def keep_layers(spec: InterventionFlags, faces: LabelledFaces, attribute: str, row: int) -> tuple[str, tuple[int, ...]]:
    """Intervene in one face once more, with its pictures after some layers (Fig. 6a): the folder, and after which."""
    last = len(faces.generator.style_layers) - 1
    layers = (0, *sorted(set(np.geomspace(1, last, LOOKS).round().astype(int).tolist())))
    out = spec.url(f"{attribute}-by-layer")
    _intervene(spec, faces, attribute, [row], out, after_layers=layers)
    return out, layers


def _intervene(
    spec: InterventionFlags,
    faces: LabelledFaces,
    attribute: str,
    rows: Sequence[int],
    out: str,
    **steps: tuple[float, ...],
) -> None:
    directions = (faces.fitted(spec.space), spec.url("fit-s", "directions"))
    solved = edit_spec(
        "style-intervention", **_same(spec, faces, attribute, rows), directions=directions,
        move=round(spec.move * faces.unit(spec.space, attribute), 4), length=spec.length, out=out, **steps,
    )  # fmt: skip
    step(solved, "--space, --move, --length or the flags of the run")


def _same(spec: InterventionFlags, faces: LabelledFaces, attribute: str, rows: Sequence[int]) -> dict[str, Any]:
    return {
        "latents": (spec.url("others", "latents"),), "index": tuple(map(str, rows)),
        "attribute": (attribute,), "scores": "judge", "scored": spec.attributes, "judge": spec.judge,
        "classifiers": spec.classifiers, "images": "webp", "size": min(PICTURE, faces.generator.resolution),
        **spec.scoring, "batch_size": 1, "rows_per_shard": 1,
    }  # fmt: skip
