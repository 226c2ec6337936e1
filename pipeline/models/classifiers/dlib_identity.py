"""dlib-resnet: whose face it is, by dlib's own detector, five landmarks and network; none of it has a gradient.

Shapes: N rows, E = 128 numbers of an embedding.
"""

from __future__ import annotations

import tempfile
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.errors import SpecError
from pipeline.models import zoo

NETWORK = "dlib-resnet"
SAME_PERSON = 0.6
"""Embeddings of one person lie closer than this: the radius of the balls that the network was trained to make."""
WIDTH = 128
VERSION = 1
"""Raised by hand when equal pictures give other embeddings."""


class DlibIdentity:
    """Embeddings of faces by dlib, which opens its networks when the first face comes.

    fingerprint: of its files, and of the version of this code.
    """

    def __init__(self) -> None:
        try:
            import dlib
        except ModuleNotFoundError as error:
            raise SpecError(
                "dlib's network of identity needs dlib, which is not installed: run `pip install 'stylemill[identity]'`"
            ) from error
        self._dlib, self._weights = dlib, zoo.load(NETWORK)
        self.fingerprint = f"{self._weights.digest}+{VERSION}"

    def __call__(self, x_N3HW: Tensor) -> NDArray[np.float64]:
        """(N, 3, H, W) in [-1, 1] -> (N, E): of the largest face in each picture; NaN where the detector finds none."""
        pictures = (x_N3HW.permute(0, 2, 3, 1).float() * 127.5 + 127.5).round().clamp(0, 255).to(torch.uint8)
        return np.stack([self._embed(np.ascontiguousarray(one)) for one in pictures.cpu().numpy()])

    @cached_property
    def _detect(self) -> Any:
        return self._dlib.get_frontal_face_detector()

    @cached_property
    def _landmarks(self) -> Any:
        return _opened(self._dlib.shape_predictor, self._weights.tensors["shape_predictor_5_face_landmarks.dat"])

    @cached_property
    def _network(self) -> Any:
        content = self._weights.tensors["dlib_face_recognition_resnet_model_v1.dat"]
        return _opened(self._dlib.face_recognition_model_v1, content)

    def _embed(self, pixels_HW3: NDArray[np.uint8]) -> NDArray[np.float64]:
        found = self._detect(pixels_HW3, 0)
        if not found:
            return np.full(WIDTH, np.nan)
        points = self._landmarks(pixels_HW3, max(found, key=lambda box: box.area()))
        return np.array(self._network.compute_face_descriptor(pixels_HW3, points), dtype=np.float64)


def _opened(reader: Any, content: Tensor) -> Any:
    """What dlib reads from a file with this content: it takes a path alone."""
    with tempfile.TemporaryDirectory(prefix="stylemill-") as folder:
        path = Path(folder) / "model.dat"
        path.write_bytes(content.numpy().tobytes())
        return reader(str(path))
