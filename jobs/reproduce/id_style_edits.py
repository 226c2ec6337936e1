"""Edits of a study of ID-Style: the same faces by every method and setting, a shard each, so that each has numbers of
its own. No face is made here but of sources: those that are edited are made where they are measured.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from pydantic import Field

from jobs.reproduce.faces import LabelledFaces, judge_others
from jobs.reproduce.study import StudySpec, edit_spec, step
from pipeline.report.id_style.at_strengths import Strengths
from pipeline.report.id_style.paper import ALPHA, ENOUGH, LINEAR, NAMES, NON_LINEAR, OURS, STRENGTH
from pipeline.report.id_style.top_k import Setting
from pipeline.tables import Table, store

ATTRIBUTES = tuple(NAMES)
STRENGTHS = {
    OURS: Strengths((0.5, 0.75, 1.0, 1.5, 2.0), 1.0),
    LINEAR: Strengths((0.75, 1.5, STRENGTH, 4.5, 6.0), STRENGTH),
    NON_LINEAR: Strengths((0.5 * ALPHA, ALPHA, 1.5 * ALPHA, 2 * ALPHA), ALPHA),
}
"""By method: intensities, distances in w, scaling factors."""
TOP_K, FEW_K, INTENSITIES = (10, 50, 100, ENOUGH, 200, 300), (2, 5, 7), (1.0, 5.0, 20.0)
WHOLE = Setting(None)
SETTINGS = (
    *(Setting(k, intensity) for k in FEW_K for intensity in INTENSITIES),
    *map(Setting, TOP_K),
    WHOLE,
)
"""Of Fig. 9; the last one is that of Table 1."""
PICTURE = 256
SIDES = {"up": "1", "down": "0"}


def other_intensities() -> tuple[Setting, ...]:
    """Of ours, those that are not of Table 1."""
    ours = STRENGTHS[OURS]
    return tuple(Setting(None, one) for one in ours.tried if one != ours.usual)


class EditedFaces(StudySpec):
    """Of a study that edits other faces by what was trained."""

    rows: int | None = Field(None, ge=4, description="Faces edited. Default: 24; on a GPU 200. The paper's are 1,000.")
    latent_transformer: str | None = Field(
        None,
        description="An artifact of `train latent-transformer`, of the same attributes, to be compared as well.",
        json_schema_extra={"metavar": "DIR"},
    )

    @property
    def each(self) -> int:
        """Faces edited."""
        return self.rows or (200 if self.on_gpu else 24)

    @property
    def methods(self) -> tuple[str, ...]:
        """Those that are compared."""
        return (OURS, LINEAR) if self.latent_transformer is None else (OURS, LINEAR, NON_LINEAR)

    @property
    def others(self) -> str:
        """The latents of the edited faces."""
        return self.url("others", "latents")

    def one_a_shard(self, **flags: Any) -> dict[str, Any]:
        """Flags of edits of all faces; no face is made."""
        alone = {"index": (f"0:{self.each}",), **self.scoring, "batch_size": 1, "rows_per_shard": 1}
        return {"latents": (self.others,), "attribute": ATTRIBUTES, **alone, **flags}


def judge_faces(spec: EditedFaces) -> pd.DataFrame:
    """Other faces, and the judge's scores of them, by face."""
    judge_others(spec, "others", spec.each, spec.seed + 1, ATTRIBUTES)
    return Table.open(spec.url("others-judged", "labels")).read().to_pandas().set_index("index")


def to_both_sides(spec: EditedFaces, artifact: str, name: str) -> list[str]:
    """Edits of all faces by what was trained, towards each attribute and away from it: the urls of both tables."""
    urls = []
    for side, target in SIDES.items():
        out = spec.url(f"{name}-{side}")
        step(edit_spec("id-style", **spec.one_a_shard(artifact=artifact, target=target, out=out)), "--artifact")
        urls.append(store.join(out, "edits"))
    return urls


def edit(spec: EditedFaces, faces: LabelledFaces, artifact: str) -> dict[str, str]:
    """Edits by each method at the strengths of both sides: by url, which method it is."""
    urls = dict.fromkeys(to_both_sides(spec, artifact, "ours"), OURS)
    both = {method: tuple(sign * one for sign in (-1, 1) for one in its.tried) for method, its in STRENGTHS.items()}
    out = spec.url("linear")
    moved = spec.one_a_shard(directions=(faces.fitted("w"),), strengths=both[LINEAR], out=out)
    step(edit_spec("interfacegan", **moved), "--from")
    urls[store.join(out, "edits")] = LINEAR
    if spec.latent_transformer is not None:
        out = spec.url("non-linear")
        moved = spec.one_a_shard(artifact=spec.latent_transformer, alphas=both[NON_LINEAR], out=out)
        step(edit_spec("latent-transformer", **moved), "--latent-transformer")
        urls[store.join(out, "edits")] = NON_LINEAR
    return urls


def toggle(spec: EditedFaces, artifact: str) -> dict[str, str]:
    """Edits by what was trained to the side where the judge does not see a face, at each setting but that of Table 1:
    by url, which setting it is.
    """
    urls = {}
    for setting in (*(one for one in SETTINGS if one != WHOLE), *other_intensities()):
        out = spec.url(f"top-{setting.k or 'all'}-by-{setting.intensity:g}")
        flags = {"artifact": artifact, "top_k": setting.k, "intensity": setting.intensity}
        asked = spec.one_a_shard(target="flip", classifiers=spec.judge, out=out, **flags)
        step(edit_spec("id-style", **asked), "--artifact")
        urls[store.join(out, "edits")] = str(setting)
    return urls


def picture(
    spec: EditedFaces, faces: LabelledFaces, artifact: str, rows: Sequence[int], alike: Sequence[int]
) -> Mapping[str, str]:
    """Folders of edits with pictures: by method, of some faces at its usual strength; and "together", of faces with few
    of the attributes, several of them at once.
    """
    kept = {
        "scores": "judge", "scored": ATTRIBUTES, "judge": spec.judge, "images": "webp",
        "size": min(PICTURE, faces.generator.resolution), **spec.scoring, "batch_size": 1,
    }  # fmt: skip
    shown = {"latents": (spec.others,), "attribute": ATTRIBUTES, "index": tuple(map(str, rows)), **kept}
    usual = {method: (-its.usual, its.usual) for method, its in STRENGTHS.items()}
    asked = {
        OURS: edit_spec("id-style", **shown, artifact=artifact, target="flip", classifiers=spec.judge,
                        out=spec.url("pictures-ours")),
        LINEAR: edit_spec("interfacegan", **shown, directions=(faces.fitted("w"),), strengths=usual[LINEAR],
                          out=spec.url("pictures-linear")),
    }  # fmt: skip
    if spec.latent_transformer is not None:
        asked[NON_LINEAR] = edit_spec(
            "latent-transformer", **shown, artifact=spec.latent_transformer, alphas=usual[NON_LINEAR],
            out=spec.url("pictures-non-linear"),
        )  # fmt: skip
    several = tuple("+".join(ATTRIBUTES[:count]) for count in range(2, len(ATTRIBUTES) + 1))
    asked["together"] = edit_spec(
        "id-style", **{**shown, "attribute": (*ATTRIBUTES, *several), "index": tuple(map(str, alike))},
        artifact=artifact, target="1", out=spec.url("pictures-together"),
    )  # fmt: skip
    for one in asked.values():
        step(one, "--judge or the flags of the run")
    return {name: one.out for name, one in asked.items()}
