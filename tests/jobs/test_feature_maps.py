"""Which class of the face parser the map of a channel lies on."""

import numpy as np

from jobs.reproduce import feature_maps
from jobs.reproduce.feature_maps import Strong
from pipeline.models.classifiers.parser import CLASSES

FACES = 8


def test_a_class_that_one_face_has_is_not_the_best(monkeypatch):
    """The map lies on all of a hat, which one face of eight has, and on half of the mouth in each."""
    hat, lip = (CLASSES.index(name) for name in ("hat", "upper_lip"))
    class_NHW = np.zeros((FACES, 8, 8), np.int64)
    class_NHW[:, :2] = lip
    where_NHW = np.zeros((FACES, 8, 8), bool)
    where_NHW[:, :1] = True
    class_NHW[0] = 0
    class_NHW[0, :1] = hat
    found = {"smile": [Strong("b4.conv1", 3, 1.0, where_NHW)]}
    pictures = np.zeros((FACES, 8, 8, 3), np.uint8)
    monkeypatch.setattr(feature_maps, "_look", lambda *_: (pictures, class_NHW, found))
    grid, _ = feature_maps.section(None, None, "fit-s", ["smile"]).parts
    [row] = grid.frame.to_dict("records")
    assert row["best class"] == "upper_lip"
    assert row["IoU"] == (FACES - 1) / FACES / 2
