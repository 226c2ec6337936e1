"""A family of classifiers: several networks that look at one picture, as one classifier.

Shapes: N rows, A attributes, 3HW pixels.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.models.classifiers.attribute import Measure, Reading
from pipeline.models.classifiers.attributes import MEASURES, MEASURES_LIST
from pipeline.models.classifiers.calibration import Scale
from pipeline.models.classifiers.networks import Networks
from pipeline.models.classifiers.own_name import short_name

VERSION = 2
"""Raised by hand when equal weights and constants give other scores: another crop, another statistic."""

_MEASURES: Mapping[str, Measure] = {one.name: one for one in MEASURES_LIST}


def needed(columns: Iterable[str]) -> list[str]:
    """The raw statistics that these attributes and measures stand on, each once."""
    return list(dict.fromkeys(_MEASURES[name].statistic if name in _MEASURES else name for name in columns))


class Statistics(nn.Module):
    """Raw statistics of pictures. Networks that several of them share are run once."""

    def __init__(self, readings: Mapping[str, Reading], networks: Networks) -> None:
        super().__init__()
        self._statistics = {name: (reading.reader, reading.statistic) for name, reading in readings.items()}
        readers = dict.fromkeys(reading.reader for reading in readings.values())
        self._readers = {reader: reader(networks) for reader in readers}
        self._modules_of_readers = nn.ModuleList(one for one in self._readers.values() if isinstance(one, nn.Module))
        self.digests = dict(networks.digests)
        """Of the weights of each network behind them, by name."""
        self.weights = tuple(networks.sources.get(name, name) for name in self.digests)
        """Names of these networks; of a user's own its file and digest."""

    @property
    def fingerprint(self) -> str:
        """Hex digest of the networks' weights and the version of this code."""
        return _digest({"version": VERSION, "networks": self.digests})

    def forward(self, x_N3HW: Tensor, names: Sequence[str], constant: Sequence[str] = ()) -> dict[str, Tensor]:
        """(N, 3, H, W) in [-1, 1] -> statistics by name, (N,) each, by the networks that these need, each run once.

        constant: further ones, without gradients.
        """
        followed = {self._statistics[name][0] for name in names}
        x_N3HW = x_N3HW.contiguous()  # once, and not in every crop
        seen = {}
        for reader in dict.fromkeys(self._statistics[name][0] for name in (*names, *constant)):
            with torch.set_grad_enabled(torch.is_grad_enabled() and reader in followed):
                seen[reader] = self._readers[reader](x_N3HW)
        found = {name: self._statistics[name][1](seen[self._statistics[name][0]]) for name in (*names, *constant)}
        return {name: value if name in names else value.detach() for name, value in found.items()}


class Family(nn.Module):
    """Scores and labels of pictures; batched; a row's result does not depend on its neighbours.

    name: as in `classifiers.FAMILIES`, or the YAML file of a user's own.
    fingerprint: hex digest of the networks' weights, the calibration constants and the version of this code.
    attributes: in the order of the columns of `scores`.
    measures: further columns of `labels`, in units of their own.
    weights: names of the networks behind it; of a user's own its file and digest.
    differentiable: whether scores carry gradients; a judge's never do.
    """

    def __init__(
        self,
        name: str,
        statistics: Statistics,
        scales: Mapping[str, Scale],
        attributes: Sequence[str],
        differentiable: bool = True,
        measures: Sequence[str] = MEASURES,
    ) -> None:
        super().__init__()
        self.name = name
        self.attributes = tuple(attributes)
        self.measures = tuple(measures)
        self.differentiable = differentiable
        self.statistics = statistics
        self.weights = statistics.weights
        self.scales = {s: scales[s] for s in needed((*attributes, *measures)) if s in scales}
        self.fingerprint = _fingerprint(short_name(name), statistics.digests, self.scales)

    def scores(self, x_N3HW: Tensor, attributes: Sequence[str] | None = None) -> Tensor:
        """y (N, A) of pictures (N, 3, H, W) in [-1, 1]: 0 at the boundary, in standard deviations, never saturating.

        attributes: some of the family's, in the order wanted; networks that only the others need are not run.
        """
        names = self.attributes if attributes is None else tuple(attributes)
        raw = self.raw(x_N3HW, names)
        return torch.stack([self.scales[a].score(raw[a]) for a in names], dim=1)

    @torch.no_grad()
    def labels(self, x_N3HW: Tensor) -> dict[str, Tensor]:
        """What a row of the labels table says, (N,) each: the scores by attribute, then the measures."""
        return self.columns(x_N3HW, (*self.attributes, *self.measures))

    def columns(self, x_N3HW: Tensor, names: Sequence[str], constant: Sequence[str] = ()) -> dict[str, Tensor]:
        """Scores and measures by name, (N,) each; only the networks that these need are run, each once.

        names: differentiable where the family is. constant: further ones, without gradients.
        """
        followed = needed(names)
        raw = self.raw(x_N3HW, followed, [name for name in needed(constant) if name not in followed])
        return {name: self._column(name, raw) for name in (*names, *constant)}

    def raw(self, x_N3HW: Tensor, names: Sequence[str], constant: Sequence[str] = ()) -> dict[str, Tensor]:
        """Raw statistics by name, (N,) each, those of `constant` without gradients."""
        with torch.set_grad_enabled(self.differentiable and torch.is_grad_enabled()):
            return {name: value.float() for name, value in self.statistics(x_N3HW, names, constant).items()}

    def _column(self, name: str, raw: Mapping[str, Tensor]) -> Tensor:
        if name not in _MEASURES:
            return self.scales[name].score(raw[name])
        measure = _MEASURES[name]
        return raw[measure.statistic] - (self.scales[measure.of].boundary if measure.of else 0.0)


def _fingerprint(name: str, digests: Mapping[str, str], scales: Mapping[str, Scale]) -> str:
    used = {attribute: asdict(scale) for attribute, scale in scales.items()}
    return _digest({"family": name, "version": VERSION, "networks": dict(digests), "scales": used})


def _digest(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
