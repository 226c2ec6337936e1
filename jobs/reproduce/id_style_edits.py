"""Edits of a study of ID-Style: the same faces by every method and setting, a shard each, so that each has numbers of
its own. No face is made here but of sources: those that are edited are made where they are measured.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from pydantic import Field

from jobs.edit.spec import EditSpec
from jobs.reproduce.faces import LabelledFaces, judge_others
from jobs.reproduce.study import StudySpec, edit_spec, step
from jobs.reproduce.toggled_edits import WAYS
from pipeline.report.id_style.paper import ALPHA, ENOUGH, LINEAR, NAMES, NON_LINEAR, OURS, STRENGTH
from pipeline.report.id_style.top_k import Setting
from pipeline.report.toggles import Strengths
from pipeline.tables import Table, store

ATTRIBUTES = tuple(NAMES)
STRENGTHS = {
    OURS: Strengths((0.5, 0.75, 1.0, 1.5, 2.0), 1.0),
    LINEAR: Strengths((0.75, 1.5, STRENGTH, 4.5, 6.0), STRENGTH),
    NON_LINEAR: Strengths((0.5 * ALPHA, ALPHA, 1.5 * ALPHA, 2 * ALPHA), ALPHA),
}
"""By method: intensities, distances in w, scaling factors."""
TOP_K, FEW_K, INTENSITIES = (10, 50, 100, ENOUGH, 200, 300), (2, 5, 7), (1.0, 5.0)
"""At 20 times the intensity, two entries a layer move a face so far that the judge has no finite score of it."""
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

    @property
    def judged(self) -> str:
        """The judge's labels of them."""
        return self.url("others-judged", "labels")

    def one_a_shard(self, **flags: Any) -> dict[str, Any]:
        """Flags of edits of all faces; no face is made."""
        alone = {"index": (f"0:{self.each}",), **self.scoring, "batch_size": 1, "rows_per_shard": 1}
        return {"latents": (self.others,), "attribute": ATTRIBUTES, **alone, **flags}


def judge_faces(spec: EditedFaces) -> pd.DataFrame:
    """Other faces, and the judge's scores of them, by face."""
    judge_others(spec, "others", spec.each, spec.seed + 1, ATTRIBUTES)
    return Table.open(spec.judged).read().to_pandas().set_index("index")


def to_both_sides(spec: EditedFaces, artifact: str, name: str) -> list[str]:
    """Edits of all faces by what was trained, towards each attribute and away from it: the urls of both tables."""
    urls = []
    for side, target in SIDES.items():
        out = spec.url(f"{name}-{side}")
        step(edit_spec("id-style", **spec.one_a_shard(artifact=artifact, target=target, out=out)), "--artifact")
        urls.append(store.join(out, "edits"))
    return urls


@dataclass(frozen=True)
class Other:
    """A method beside ours. editor: that edits by it. flag: of the editor, for strengths. flags: its other ones. named:
    the flag of the study that decides them. folder: start of the names of its folders.
    """

    editor: str
    flag: str
    flags: Mapping[str, Any]
    named: str
    folder: str

    def at(self, strengths: Sequence[float], **flags: Any) -> EditSpec:
        """Edits at these strengths."""
        return edit_spec(self.editor, **{self.flag: tuple(strengths), **self.flags, **flags})


def others(spec: EditedFaces, faces: LabelledFaces) -> dict[str, Other]:
    """By method."""
    found = {LINEAR: Other("interfacegan", "strengths", {"directions": (faces.fitted("w"),)}, "--from", "linear")}
    if (artifact := spec.latent_transformer) is not None:
        by = {"artifact": artifact}
        found[NON_LINEAR] = Other("latent-transformer", "alphas", by, "--latent-transformer", "non-linear")
    return found


def edit(spec: EditedFaces, faces: LabelledFaces, artifact: str, judged: pd.DataFrame) -> dict[str, str]:
    """Edits by each method: by url, which method it is. judged: the judge's scores of the faces.

    Only what the page reads: of another method both sides at its usual strength (Table 1), and at its other strengths
    the side of an attribute where the judge does not see a face (identity at equal accuracy).
    """
    urls = dict.fromkeys(to_both_sides(spec, artifact, "ours"), OURS)
    for method, other in others(spec, faces).items():
        its = STRENGTHS[method]
        asked = [other.at((-its.usual, its.usual), **spec.one_a_shard(out=spec.url(other.folder)))]
        more = [one for one in its.tried if one != its.usual]
        for attribute in ATTRIBUTES if more else ():
            for to in sorted((judged[attribute] <= 0).unique()):
                chosen = {"labels": (spec.judged,), "where": f"{attribute} {'<=' if to else '>'} 0"}
                out = spec.url(f"{other.folder}-{attribute}-{WAYS[to]}")
                flags = spec.one_a_shard(attribute=(attribute,), out=out, **chosen)
                asked.append(other.at([one if to else -one for one in more], **flags))
        for one in asked:
            step(one, other.named)
            urls[store.join(one.out, "edits")] = method
    return urls


def toggle(spec: EditedFaces, artifact: str) -> dict[str, str]:
    """Edits by what was trained to the side where the judge does not see a face, at each setting but that of Table 1:
    by url, which setting it is.
    """
    urls = {}
    for setting in (*(one for one in SETTINGS if one != WHOLE), *other_intensities()):
        out = spec.url(f"top-{setting.k or 'all'}-by-{setting.intensity:g}")
        flags = {"artifact": artifact, "top_k": setting.k, "intensity": (setting.intensity,)}
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
    asked = {
        OURS: edit_spec("id-style", **shown, artifact=artifact, target="flip", classifiers=spec.judge,
                        out=spec.url("pictures-ours")),
    }  # fmt: skip
    for method, other in others(spec, faces).items():
        usual = STRENGTHS[method].usual
        asked[method] = other.at((-usual, usual), **shown, out=spec.url(f"pictures-{other.folder}"))
    several = tuple("+".join(ATTRIBUTES[:count]) for count in range(2, len(ATTRIBUTES) + 1))
    asked["together"] = edit_spec(
        "id-style", **{**shown, "attribute": (*ATTRIBUTES, *several), "index": tuple(map(str, alike))},
        artifact=artifact, target="1", out=spec.url("pictures-together"),
    )  # fmt: skip
    for one in asked.values():
        step(one, "--judge or the flags of the run")
    return {name: one.out for name, one in asked.items()}
