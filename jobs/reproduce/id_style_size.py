"""How large the methods of a study of ID-Style are, and how long they take to move a code (Table 2)."""

import platform
import statistics
import time
from collections.abc import Mapping

import torch

from jobs.reproduce.faces import LabelledFaces
from jobs.reproduce.id_style_edits import ATTRIBUTES, STRENGTHS, EditedFaces
from jobs.reproduce.study import cached
from pipeline.editors import Editor, EditorConfig, config_of
from pipeline.models.codes import Codes
from pipeline.report.id_style.paper import LINEAR, NON_LINEAR, OURS
from pipeline.stages.codes import read_codes
from pipeline.stages.models import read_artifact
from pipeline.tables import Artifact, Table

TIMES, BEFORE = 30, 3
"""How often a code is moved, and how often before that."""
TRANSFORMATIONS = "transformer."
"""Tensors of a Latent Transformer that move codes; its others are of the classifier."""
FIXED = "masks."
"""Tensors of ID-Style as released that are not learned."""


def size_and_time(
    spec: EditedFaces, faces: LabelledFaces, artifact: str
) -> tuple[dict[str, int], dict[str, float], str]:
    """By method the numbers that are learned, and milliseconds a code; and on what these were measured.

    The milliseconds are kept in DIR/milliseconds.json.
    """
    artifacts = {OURS: artifact, **({NON_LINEAR: spec.latent_transformer} if spec.latent_transformer else {})}
    directions = tuple(faces.directions("w", ATTRIBUTES).values())
    parameters = {OURS: _count(artifact, "id-style"), LINEAR: sum(one.vector.size for one in directions)}
    if spec.latent_transformer is not None:
        parameters[NON_LINEAR] = _count(spec.latent_transformer, "latent-transformer", TRANSFORMATIONS)

    def made() -> dict[str, list[float]]:
        config = config_of("interfacegan").model_validate({"strengths": (STRENGTHS[LINEAR].usual,)})
        opened = {LINEAR: (config, config.open(None, directions[:1]))}
        for method, url in artifacts.items():
            name, flags = _EDITORS[method]
            config = config_of(name).model_validate(flags)
            opened[method] = config, config.open(None, artifact=read_artifact(url, name).tensors)
        codes = read_codes(Table.open(spec.others), "w", faces.generator)[1].select(torch.tensor([0]))
        wide = Codes("w+", codes.values[:, None].expand(-1, faces.generator.num_ws, -1))
        found = {}
        for method, (config, editor) in opened.items():
            in_w_plus = method in artifacts and _space(artifacts[method]) == "w+"
            found[method] = [_milliseconds(config, editor, wide if in_w_plus else codes)]
        return {**found, "threads": [float(torch.get_num_threads())]}

    of = {
        "artifacts": {method: Artifact(url).digest for method, url in artifacts.items()},
        "machine": f"{platform.node()} {platform.machine()}",
    }
    kept = cached(spec.url("milliseconds.json"), of, made)
    threads = round(kept["threads"][0])
    machine = f"{threads} thread{'s' if threads > 1 else ''} of a processor with "
    machine += torch.backends.cpu.get_cpu_capability()
    return parameters, {method: kept[method][0] for method in parameters}, machine


_EDITORS: Mapping[str, tuple[str, Mapping[str, object]]] = {
    OURS: ("id-style", {}),
    NON_LINEAR: ("latent-transformer", {"alphas": (STRENGTHS[NON_LINEAR].usual,)}),
}


def _count(url: str, what: str, first: str = "") -> int:
    tensors = read_artifact(url, what).tensors
    return sum(
        value.numel() for name, value in tensors.items() if name.startswith(first) and not name.startswith(FIXED)
    )


def _space(url: str) -> str | None:
    codes = Artifact(url).card().codes
    return None if codes is None else codes.space


def _milliseconds(config: EditorConfig, editor: Editor, codes: Codes) -> float:
    """The median of some edits of one code in one attribute."""
    requests = [config.request(ATTRIBUTES[0])]
    took = []
    for _ in range(BEFORE + TIMES):
        begun = time.perf_counter()
        editor.edit(codes, requests)
        took.append(1000 * (time.perf_counter() - begun))
    return statistics.median(took[BEFORE:])
