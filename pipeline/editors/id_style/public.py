"""The trained file of ID-Style's public code (`100000.ckpt`): a state dict for the 18 rows of StyleGAN2 at 1024 px.

Shapes: M attributes, L layers of w+.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.editors.id_style.flags import CITATION
from pipeline.editors.others import OthersEditor, take
from pipeline.errors import ModelFileError
from pipeline.models.zoo.formats import pth

__all__ = ["ADVICE", "CITATION", "LICENCE", "NORMS", "ROWS", "read"]

LICENCE = "the public code of ID-Style states none"
ROWS, WIDTH = 18, 512
NORMS = (28.74, 32.46, 36.44)
"""Of the 8 codes of its `data/test_latents.npy`, whose rows are equal."""
ADVICE = "it was trained on codes whose rows are equal or crossed over: edit latents in w, or in w+ of such norms"
ATTRIBUTES = {"gender": "male", "glasses": "eyeglasses", "age": "old", "smile": "smile"}
"""Ours by theirs, in the order of the rows of `embedding_attr`; by its `data/test_attributes.txt` 1 is a man,
eyeglasses, an old person and a smile."""
LINEAR = {"rows_1": "iaip.fc.1", "columns": "iaip.l18", "rows_2": "iaip.l1024.0", "norm": "iaip.fc.0"}
"""Their layers by ours."""
SHAPES = {"rows_1": (WIDTH, 2 * WIDTH), "columns": (ROWS, ROWS), "rows_2": (WIDTH, WIDTH), "norm": (2 * WIDTH,)}


def read(files: Mapping[str, bytes]) -> OthersEditor:
    """As `Format.read`."""
    if len(files) != 1:
        raise ModelFileError(f"ID-Style's public code has one file, and {len(files)} are given: pass one")
    ((file, content),) = files.items()
    theirs = pth.read(content, file)
    layers_ML = take(theirs, "embedding_attr.weight", (len(ATTRIBUTES), ROWS), file).relu()
    tensors = {}
    for place, (its, name) in enumerate(ATTRIBUTES.items()):
        tensors[f"direction.{name}"] = take(theirs, f"iaip.{its}_shared", (1, WIDTH), file)[0]
        tensors[f"masks.{name}"] = layers_ML[place]
    for name, its in LINEAR.items():
        for which, shape in (("weight", SHAPES[name]), ("bias", SHAPES[name][:1])):
            tensors[f"{name}.{which}"] = take(theirs, f"{its}.{which}", shape, file)
    return OthersEditor(tensors, tuple(ATTRIBUTES.values()))
