"""What the tests of several studies share: the tiny networks, centred so that half of the faces have an attribute."""

from pathlib import Path

import pandas as pd
import pytest

from pipeline.models import classifiers
from pipeline.models.classifiers import tiny
from pipeline.models.classifiers.calibration import Scale
from pipeline.tables import Table

RUN = ["--local", "--backend", "eager", "--threads", "1", "--batch-size", "4"]
MODELS = ["--generator", "stylegan2-tiny", "--classifiers", "tiny", "--judge", "tiny-judge"]
MIDDLES = {"smile": (0.72, 0.25), "male": (-1.05, 0.32), "old": (0.85, 0.2), "eyeglasses": (0.94, 0.32)}
"""Mean and standard deviation of the tiny reader's statistics."""


def centred(family: str, scales=tiny.scales) -> dict[str, Scale]:
    """In place of `tiny.scales`: the judge is a little off."""
    away = 0.0 if family == "tiny" else 0.02
    return scales(family) | {name: Scale(middle + away, sd) for name, (middle, sd) in MIDDLES.items()}


def centre(patch: pytest.MonkeyPatch) -> None:
    """Both families look with one reader."""
    patch.setattr(tiny, "scales", centred)
    patch.setitem(classifiers.READINGS, "tiny-judge", classifiers.READINGS["tiny"])


def frame(out, *names) -> pd.DataFrame:
    """A table of a study's folder."""
    return Table.open(str(Path(out, *names))).read().to_pandas()
