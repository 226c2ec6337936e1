"""Where the feature maps are strong whose channels the sparse normals name (Style Intervention, Fig. 2).

Shapes: N faces, C channels of a layer, 19 classes of the face parser, H and W the picture's pixels.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn.functional import interpolate

from jobs.reproduce.faces import LabelledFaces
from jobs.reproduce.study import StudySpec
from pipeline.editors.style_intervention.regions import region_of
from pipeline.metrics.overlap import TOP, intersection_over_union, strongest
from pipeline.models.classifiers import parsing
from pipeline.models.classifiers.parser import CLASSES
from pipeline.models.faces import SCORED_SIZE, to_pixels
from pipeline.report import study
from pipeline.report.style_intervention.paper import NAMES
from pipeline.stages.codes import read_codes
from pipeline.tables import Table, store

FACES, CHANNELS, STRIPS = 8, 5, 1
"""Faces looked at, channels of each attribute, and faces shown."""
TINT = np.array((255, 60, 0))


@dataclass(frozen=True, eq=False)
class Strong:
    """layer, channel: which one. where: (N, H, W), the strongest places of its map in each face."""

    layer: str
    channel: int
    effect: float
    where: NDArray[np.bool_]


def section(spec: StudySpec, faces: LabelledFaces, fitted: str, attributes: Sequence[str]) -> study.Section:
    """The channels of the largest effect of each attribute, with the class that each lies on best.

    fitted: the folder of the sparse directions.
    """
    x_NHW3, class_NHW, found = _look(spec, faces, fitted, attributes)
    rows, shown = {}, []
    for attribute, channels in found.items():
        region_NHW = np.isin(class_NHW, [CLASSES.index(name) for name in region_of(attribute)])
        looks = [study.Look(_encoded(x_NHW3[0]), "face")]
        for one in channels:
            alike = {
                name: float(np.nan_to_num(intersection_over_union(one.where, class_NHW == place)).mean())
                for place, name in enumerate(CLASSES)
            }
            best = max(alike, key=lambda name: alike[name])
            inside = _mean(intersection_over_union(one.where, region_NHW))
            rows[f"{NAMES[attribute]}: {one.layer} {one.channel}"] = {
                "effect": one.effect, "best class": best, "IoU": alike[best], "IoU with the region": inside,
            }  # fmt: skip
            tinted = np.where(one.where[0][..., None], (x_NHW3[0] + TINT) // 2, x_NHW3[0])
            looks.append(study.Look(_encoded(tinted), f"{one.layer} {one.channel}", {best: f"{alike[best]:.2f}"}))
        shown.append(study.Strip(f"{NAMES[attribute]}: where its channels are strong", looks))
    sentence = (
        f"The {CHANNELS} channels that the sparse normal of each attribute weighs most (effect: in standard deviations "
        "of the channel, as a share of the largest). A map is what the layer takes in, times the channel's style; its "
        f"largest {TOP:.0%} are set beside the classes of the face parser by intersection over union, mean of "
        f"{len(x_NHW3)} faces, 0 in those that lack the class; with the region, of the faces that have it. The paper "
        "shows maps that lie on single classes."
    )
    frame = pd.DataFrame.from_dict(rows, orient="index")
    return study.Section("Maps of the channels (Fig. 2)", [sentence], [study.Grid("Channels", frame), *shown])


@torch.no_grad()
def _look(
    spec: StudySpec, faces: LabelledFaces, fitted: str, attributes: Sequence[str]
) -> tuple[NDArray[np.uint8], NDArray[np.int64], dict[str, list[Strong]]]:
    """Pictures (N, H, W, 3), the class of each pixel (N, H, W), and by attribute the maps, of the first other faces."""
    generator, parser = faces.generator, parsing.load(spec.classifiers)
    channels = Table.open(store.join(fitted, "channels")).read().to_pandas()
    channels = channels[channels["attribute"].isin(attributes)]
    largest = channels.reindex(channels["effect"].abs().sort_values(ascending=False, kind="stable").index)
    largest = largest.groupby("attribute", sort=False).head(CHANNELS)
    _, codes = read_codes(Table.open(spec.url("others", "latents")), "s", generator)
    s_NS = codes.values[:FACES]
    size = min(SCORED_SIZE, generator.resolution)
    names = [layer.name for layer in generator.style_layers]
    pictures, classes = [], []
    maps: dict[tuple[str, int], list[NDArray[np.bool_]]] = {}
    for row in range(len(s_NS)):  # one face at a time: its features are large
        s_1S, state = s_NS[row : row + 1], generator.start(1)
        for place, name in enumerate(names):
            wanted = sorted(set(largest[largest["layer"] == name]["channel"]))
            if wanted:
                own = generator.maps(state, s_1S, place)[:, wanted].float()
                large = interpolate(own, size=(size, size), mode="bilinear", align_corners=False)[0].numpy()
                for channel, where_HW in zip(wanted, strongest(large), strict=True):
                    maps.setdefault((name, int(channel)), []).append(where_HW)
            state = generator.run(s_1S, state, place, place + 1)
        x_13HW = generator.image(state, size)
        classes.append(parser.masks(x_13HW).argmax(dim=1)[0].numpy())
        pictures.append(to_pixels(x_13HW)[0])
    found: dict[str, list[Strong]] = {name: [] for name in attributes}
    for row in largest.to_dict("records"):
        where_NHW = np.stack(maps[row["layer"], row["channel"]])
        found[row["attribute"]].append(Strong(row["layer"], row["channel"], row["effect"], where_NHW))
    return np.stack(pictures), np.stack(classes), found


def _mean(values_N: NDArray[np.float64]) -> float:
    there = values_N[~np.isnan(values_N)]
    return float(there.mean()) if len(there) else float("nan")


def _encoded(pixels_HW3: NDArray[np.integer]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels_HW3.astype(np.uint8)).resize((256, 256)).save(buffer, "WEBP", quality=80, method=4)
    return buffer.getvalue()
