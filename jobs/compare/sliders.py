"""Commands that make pages on which the edits of a comparison are dragged along their strengths."""

import shlex
from collections.abc import Mapping, Sequence

from jobs.compare.entrants import Entrant
from jobs.compare.spec import RANDOM, CompareSpec
from jobs.export import ExportSpec
from jobs.flags import command_of
from pipeline.exports.slider import FACES, Slider


def sliders(
    spec: CompareSpec, compared: Sequence[Entrant], chosen: Mapping[str, Mapping[bool, Sequence[int]]]
) -> list[str]:
    """Of each attribute one: the first faces that all edit, as many each way, by all methods but random moves."""
    shown = [one for one in compared if one.name != RANDOM]
    fewest = min(FACES, *(one.rows for one in shown)) // 2
    found = []
    for attribute in spec.attributes:
        folders = [(url, one.name) for one in shown for both in one.folders(attribute) for url, _ in both]
        faces = sorted(face for its in chosen[attribute].values() for face in its[:fewest])
        asked = ExportSpec(
            tables=tuple(url for url, _ in folders), names=tuple(name for _, name in folders), format=Slider.name,
            index=tuple(map(str, faces)), out=spec.url(f"slider-{attribute}"), local=True,
        )  # fmt: skip
        found.append(shlex.join(["stylemill", *command_of(asked)]))
    return found
