"""A family of classifiers: several networks that look at one picture, as one classifier.

Shapes: N rows, A attributes, 3HW pixels.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Protocol

import torch
from torch import Tensor, nn

from pipeline.models.classifiers.calibration import Scale

VERSION = 1
"""Raised by hand when equal weights and constants give other scores: another crop, another statistic."""

MEASURES = ("age_years", "yaw_degrees")
"""Columns in units of their own, beside the scores."""
_STANDS_ON = {"age_years": "age_years", "yaw_degrees": "yaw"}


def needed(attributes: Sequence[str], measures: Sequence[str]) -> list[str]:
    """The raw statistics that these columns stand on, each once."""
    return list(dict.fromkeys([*attributes, *(_STANDS_ON[m] for m in measures)]))


class Reader(Protocol):
    """One network, or several that share a pass, and the raw statistics that it gives of each picture."""

    @property
    def gives(self) -> tuple[str, ...]:
        """Names of the statistics."""
        ...

    def __call__(self, x_N3HW: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) in [-1, 1] -> raw statistics, (N,) each."""
        ...


class Family(nn.Module):
    """Scores and labels of pictures; batched; a row's result does not depend on its neighbours.

    name: as in `classifiers.FAMILIES`.
    fingerprint: hex digest of the networks' weights, the calibration constants and the version of this code.
    attributes: in the order of the columns of `scores`.
    measures: further columns of `labels`, in units of their own.
    weights: names of the networks behind it.
    differentiable: whether scores carry gradients; a judge's never do.
    """

    def __init__(
        self,
        name: str,
        readers: Sequence[Reader],
        scales: Mapping[str, Scale],
        attributes: Sequence[str],
        digests: Mapping[str, str],
        differentiable: bool = True,
        measures: Sequence[str] = MEASURES,
    ) -> None:
        super().__init__()
        self.name = name
        self.attributes = tuple(attributes)
        self.measures = tuple(measures)
        self.differentiable = differentiable
        self.weights = tuple(digests)
        self._readers = list(readers)
        self._modules_of_readers = nn.ModuleList(r for r in readers if isinstance(r, nn.Module))
        self.scales = dict(scales)
        used = {s: scales[s] for s in needed(attributes, measures) if s in scales}
        self.fingerprint = _fingerprint(name, digests, used)

    def scores(self, x_N3HW: Tensor, attributes: Sequence[str] | None = None) -> Tensor:
        """y (N, A) of pictures (N, 3, H, W) in [-1, 1]: 0 at the boundary, in standard deviations, never saturating.

        attributes: some of the family's, in the order wanted; networks that only the others need are not run.
        """
        names = self.attributes if attributes is None else tuple(attributes)
        raw = self.raw(x_N3HW, names)
        return torch.stack([self.scales[a].score(raw[a]) for a in names], dim=1)

    @torch.no_grad()
    def labels(self, x_N3HW: Tensor) -> dict[str, Tensor]:
        """What a row of the labels table says, (N,) each: the scores by attribute, then the measures.

        `age_years` is an apparent age. `yaw_degrees` is positive where the face turns to the right of the picture.
        """
        raw = self.raw(x_N3HW, needed(self.attributes, self.measures))
        labels = {a: self.scales[a].score(raw[a]) for a in self.attributes}
        if "age_years" in self.measures:
            labels["age_years"] = raw["age_years"]
        if "yaw_degrees" in self.measures:
            labels["yaw_degrees"] = raw["yaw"] - self.scales["yaw"].boundary
        return labels

    def raw(self, x_N3HW: Tensor, statistics: Sequence[str]) -> dict[str, Tensor]:
        """Raw statistics by name, (N,) each; only the networks that these need are run, each once."""
        wanted = set(statistics)
        found: dict[str, Tensor] = {}
        with torch.set_grad_enabled(self.differentiable and torch.is_grad_enabled()):
            for reader in self._readers:
                if wanted.intersection(reader.gives):
                    found.update(reader(x_N3HW))
        return {name: found[name].float() for name in statistics}


def _fingerprint(name: str, digests: Mapping[str, str], scales: Mapping[str, Scale]) -> str:
    facts = {
        "family": name,
        "version": VERSION,
        "networks": dict(digests),
        "scales": {attribute: asdict(scale) for attribute, scale in scales.items()},
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
