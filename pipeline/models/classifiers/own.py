"""A classifier of one's own as a family: the network that its file names, and how its logits are read.

Shapes: N rows, K logits, F features, h and w pixels.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath

import torch
from torch import Tensor, nn

from pipeline.errors import ModelFileError, SpecError
from pipeline.models.classifiers import own_file, own_name
from pipeline.models.classifiers.attribute import Reading
from pipeline.models.classifiers.boundary import Fixed
from pipeline.models.classifiers.calibration import Calibration, Scale
from pipeline.models.classifiers.crops import Crop, Pixels
from pipeline.models.classifiers.margins import log_odds
from pipeline.models.classifiers.networks import Networks
from pipeline.models.classifiers.own_file import OwnAttribute

VERSION = 1
"""Raised by hand when an equal file gives other scores."""


@dataclass(frozen=True)
class OwnFamily:
    """What a file says.

    name: its absolute path or URL. short: what columns, tables and calibrations call it. joins: the family whose
    attributes are scored too. readings: by attribute. units: None where a calibration is needed.
    """

    name: str
    short: str
    joins: str | None
    readings: Mapping[str, Reading]
    units: Mapping[str, float | None]
    meanings: Mapping[str, str]

    def scales(
        self, attributes: Sequence[str], calibration: Calibration | None, version: int, digests: Mapping[str, str]
    ) -> dict[str, Scale]:
        """Boundary and unit of some of its attributes: of the calibration, if that has them, else of the file.

        Raises:
            SpecError: neither has a unit.
            ModelFileError: as `Calibration.scales`.
        """
        if calibration is not None and self.short in calibration.families:
            return calibration.scales(self.short, attributes, version, digests)
        found = {}
        for name in attributes:
            boundary, unit = self.readings[name].boundary, self.units[name]
            assert isinstance(boundary, Fixed)
            if unit is None:
                raise SpecError(
                    f"{self.name} has no unit of {name}, the standard deviation of its statistic over many faces: "
                    f"stylemill calibrate --classifiers {self.name} --out DIR measures it; then pass --calibration "
                    "DIR/calibration.json, or write it into the file"
                )
            found[name] = Scale(boundary.value, unit)
        return found


def open_own(name: str) -> OwnFamily:
    """The family of a file. Its weights are not read.

    Raises:
        SpecError: there is no such file, or it is not valid.
    """
    name = own_name.canonical(name)
    file, short, where = own_file.read(name), own_name.short_name(name), PurePosixPath(name).name
    statistics = {attribute: Statistic.of(attribute, one) for attribute, one in file.attributes.items()}
    network = OwnNetwork(
        short, file.place(name), file.sha256, Crop(*file.crop, *file.size), file.mean, file.std, file.channels,
        file.range, file.output, file.features, tuple(statistics.values()),
    )  # fmt: skip
    readings = {
        attribute: Reading(network, statistics[attribute], Fixed(one.boundary, f"as {where} says"))
        for attribute, one in file.attributes.items()
    }
    joins = file.joins
    return OwnFamily(
        name=name,
        short=short,
        joins=own_name.beside(name, joins) if joins and own_name.is_own(joins) else joins,
        readings=readings,
        units={attribute: one.unit for attribute, one in file.attributes.items()},
        meanings={attribute: one.meaning or f"{attribute}, by {where}." for attribute, one in file.attributes.items()},
    )


@dataclass(frozen=True)
class OwnNetwork:
    """Opens the network of a file: called with the networks that are at hand, as the reader of a `Reading`."""

    short: str
    place: str
    sha256: str | None
    crop: Crop
    mean: tuple[float, ...]
    std: tuple[float, ...]
    channels: str
    range: float
    output: str | None
    features: tuple[str, ...]
    read_by: tuple[Statistic, ...]

    def __call__(self, networks: Networks) -> nn.Module:
        """Raises SpecError and ModelFileError as `own_weights.read`, and where it does not take such pictures, or has
        not the logits that are read.
        """
        from pipeline.models.classifiers import own_weights  # where no file is named, its readers are not needed

        if self.features:
            found = own_weights.read_head(self.place, self.sha256, self.features, networks)
            reader: nn.Module = found.network
        else:
            size = (self.crop.height, self.crop.width)
            found = own_weights.read(self.place, self.sha256, self.output, size)
            pixels = Pixels(
                tuple(value / self.range for value in self.mean), tuple(value / self.range for value in self.std),
                self.channels,
            )  # fmt: skip
            reader = Cropped(self.crop, pixels, found.network)
        about = {key: value for key, value in asdict(self).items() if key not in ("short", "place")}
        facts = json.dumps({**about, "version": VERSION, "sha256": found.digest}, sort_keys=True)
        networks.digests[self.short] = hashlib.sha256(facts.encode()).hexdigest()
        networks.sources[self.short] = f"{found.place}#sha256={found.digest}"
        named = _Named(self.place, reader.to(networks.device).eval())
        for statistic in self.read_by:
            try:
                statistic(torch.zeros(1, named.logits))
            except SpecError as error:
                raise SpecError(f"{self.place}: {error}") from None
        return named


class Cropped(nn.Module):
    """A network with its crop and what it was trained on."""

    def __init__(self, crop: Crop, pixels: Pixels, network: nn.Module) -> None:
        super().__init__()
        self.crop, self.pixels, self.network = crop, pixels, network

    def forward(self, x_N3HW: Tensor) -> Tensor:
        logits: Tensor = self.network(self.pixels(self.crop(x_N3HW)))
        return logits


class _Named(nn.Module):
    """Logits (N, K) of pictures (N, 3, H, W) in [-1, 1]; tried once, so that what does not fit is said at the start."""

    def __init__(self, name: str, network: nn.Module) -> None:
        super().__init__()
        self.network, self.name = network, name
        device = next((one.device for one in (*network.buffers(), *network.parameters())), torch.device("cpu"))
        try:
            with torch.no_grad():
                logits = self.network(torch.zeros(1, 3, 64, 64, device=device))
        except (RuntimeError, ValueError, IndexError) as error:
            first = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise ModelFileError(
                f"{name}: does not take pictures of the `size` and `channels` given: {first}"
            ) from error
        if (
            logits.dim() < 1
            or logits.shape[0] != 1
            or not logits.is_floating_point()
            or not 0 < logits.numel() <= 10**6
        ):
            raise ModelFileError(f"{name}: gives {tuple(logits.shape)} for one picture, and a row of logits is needed")
        self.logits = logits.numel()

    def forward(self, x_N3HW: Tensor) -> Tensor:
        return self.network(x_N3HW).flatten(1)


@dataclass(frozen=True)
class Statistic:
    """From logits (N, K) to the raw statistic of an attribute, (N,); never saturating.

    classes, against: log p(classes) - log p(against, or all others) of the softmax. logit: in their place one logit,
    times `sign`.
    """

    attribute: str
    classes: tuple[int, ...]
    against: tuple[int, ...]
    logit: int | None
    sign: int

    @classmethod
    def of(cls, attribute: str, one: OwnAttribute) -> Statistic:
        return cls(attribute, one.classes, one.against, one.logit, -1 if one.negated else 1)

    def __call__(self, logits_NK: Tensor) -> Tensor:
        """Raises SpecError where there are not so many logits."""
        count = logits_NK.shape[1]
        last = max((*self.classes, *self.against, self.logit or 0))
        if last >= count:
            raise SpecError(f"{self.attribute} is read from logit {last}, and the network gives {count}, from 0 on")
        if self.logit is not None:
            return self.sign * logits_NK[:, self.logit]
        if count == 1 or len(set(self.classes)) == count:
            raise SpecError(
                f"{self.attribute}: `classes` are some of a softmax over several, and the network gives {count}: a "
                "network of one logit has `logit: 0`"
            )
        if self.against:
            chosen = [*self.classes, *self.against]
            return log_odds(logits_NK[:, chosen], range(len(self.classes)))
        return log_odds(logits_NK, self.classes)
