"""Strips of edits with the outline of the mask within which an intervention may change the picture."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from jobs.reproduce.faces import LabelledFaces
from jobs.reproduce.intervention_edits import FOLDERS, InterventionFlags
from pipeline.editors.style_intervention.regions import grown, region_of
from pipeline.models.classifiers import parsing
from pipeline.models.classifiers.regions import dilated, mask_of
from pipeline.models.faces import SCORED_SIZE
from pipeline.report import study, wording
from pipeline.report.pictured import pictured
from pipeline.report.style_intervention.paper import NAMES, OURS
from pipeline.report.style_intervention.result import Result
from pipeline.stages.codes import read_codes
from pipeline.tables import Table
from schemas.edits import JUDGE

COLOUR = (255, 220, 0)


class Masks:
    """Of the study's other faces, where an intervention may change the picture, as the editor finds it."""

    def __init__(self, spec: InterventionFlags, faces: LabelledFaces) -> None:
        self._generator, self._parser = faces.generator, parsing.load(spec.classifiers)
        self._rows, self._codes = read_codes(Table.open(spec.url("others", "latents")), "w", faces.generator)

    @torch.no_grad()
    def of(self, attribute: str, index: int) -> NDArray[np.bool_]:
        """(H, W) of the picture that masks are found in."""
        codes = self._codes.select(torch.from_numpy(self._rows == index))
        x_N3HW = self._generator.synthesize(codes, min(SCORED_SIZE, self._generator.resolution))
        return dilated(mask_of(self._parser.masks(x_N3HW), region_of(attribute)), grown(attribute))[0, 0].numpy()


def outlined(picture: bytes, mask_HW: NDArray[np.bool_]) -> bytes:
    """The picture with the border of the mask drawn in it, as WebP."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    small = np.asarray(Image.fromarray(mask_HW).resize(image.size, Image.Resampling.NEAREST))
    padded = np.pad(small, 1, mode="edge")
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    pixels = np.array(image)
    pixels[small & ~inner] = COLOUR
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=80, method=4)
    return buffer.getvalue()


def strips(spec: InterventionFlags, masks: Masks, result: Result, count: int) -> study.Section:
    """Of the first faces: the source with the outline, and of each method the step whose judge's score is nearest to
    the intervention's.
    """
    name = JUDGE + result.attribute
    kept = {method: pictured(spec.folder(result.attribute, method), [name]) for method in FOLDERS}
    shown = []
    for place, face in enumerate(result.faces[:count]):
        outline = masks.of(result.attribute, face)
        looks: list[study.Look] = []
        for method, frame in kept.items():
            its = frame[frame["index"] == face].sort_values("step").to_dict("records")
            nearest = min(its, key=lambda row: abs(row[name] - result.reached[place]))
            own = method == OURS
            row = its[result.own] if own else nearest
            if not looks:
                looks.append(_look(its[0], "source", name, outline))
            looks.append(_look(row, method, name, outline if own else None))
        shown.append(study.Strip(f"{NAMES[result.attribute]}: face {face}", looks))
    sentence = (
        "The source and the intervention with the border of the mask, outside which the intervention is to change "
        "little; of each other method the step whose judge's score is nearest to the intervention's."
    )
    return study.Section(f"Strips: {NAMES[result.attribute]}", [sentence], shown)


def _look(row: Mapping[Any, Any], words: str, name: str, outline: NDArray[np.bool_] | None) -> study.Look:
    picture = row["picture"] if outline is None else outlined(row["picture"], outline)
    return study.Look(picture, words, {"judge": wording.score(row[name], 1)}, ["judge"])
