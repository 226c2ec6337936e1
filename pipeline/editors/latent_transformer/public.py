"""The trained files of the Latent Transformer's public code (ICCV 2021): `tnet_NUMBER.pth.tar` for each attribute, and
the latent classifier; for the 18 rows of StyleGAN2 at 1024 px.

Shapes: L layers of w+, W w_dim, D = L * W.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import torch
from torch import Tensor

from pipeline.directions.aliases import resolve
from pipeline.editors.latent_transformer.trained import SLOPE
from pipeline.editors.latent_transformer.training import CITATION
from pipeline.editors.others import OthersEditor, take
from pipeline.errors import ModelFileError
from pipeline.models.zoo.formats import pth

__all__ = ["ADVICE", "CITATION", "LICENCE", "NORMS", "ROWS", "read"]

LICENCE = "InterDigital Limited Software Evaluation License: research and evaluation, no commercial use"
ROWS, WIDTH, HIDDEN = 18, 512, (2048, 512)
NORMS = (311.7, 321.8, 336.9)
"""Of the 9 codes of its `data/test`, which the encoder pSp made of photographs."""
ADVICE = "the public code moves rows 0 to 10 of w+: pass --layers 0-10"
LEAK = 0.2
"""Of its latent classifier, where the paper has ReLU."""
CLASSIFIER, NUMBERED = "fcs.0.weight", re.compile(r"tnet_(\d+)\.pth\.tar")
# fmt: off
ATTRIBUTES = (
    "5_o_Clock_Shadow", "Arched_Eyebrows", "Attractive", "Bags_Under_Eyes", "Bald", "Bangs", "Big_Lips", "Big_Nose",
    "Black_Hair", "Blond_Hair", "Blurry", "Brown_Hair", "Bushy_Eyebrows", "Chubby", "Double_Chin", "Eyeglasses",
    "Goatee", "Gray_Hair", "Heavy_Makeup", "High_Cheekbones", "Male", "Mouth_Slightly_Open", "Mustache",
    "Narrow_Eyes", "No_Beard", "Oval_Face", "Pale_Skin", "Pointy_Nose", "Receding_Hairline", "Rosy_Cheeks",
    "Sideburns", "Smiling", "Straight_Hair", "Wavy_Hair", "Wearing_Earrings", "Wearing_Hat", "Wearing_Lipstick",
    "Wearing_Necklace", "Wearing_Necktie", "Young",
)
# fmt: on
"""Of CelebA, in its order: the number in a file's name is the place."""


def read(files: Mapping[str, bytes]) -> OthersEditor:
    """As `Format.read`."""
    found = {file: pth.read(content, file) for file, content in files.items()}
    classifiers = [file for file, tensors in found.items() if CLASSIFIER in tensors]
    if len(classifiers) != 1:
        raise ModelFileError(
            f"{len(classifiers)} of the files {', '.join(files)} are a latent classifier: give one, "
            "latent_classifier_epoch_20.pth, which says on which side of an attribute a code is"
        )
    (classifier,) = classifiers
    tensors, attributes = _classifier(found[classifier], classifier), []
    for file, theirs in found.items():
        if file == classifier:
            continue
        number = _number(file)
        if (name := _named(number)) in attributes:
            raise ModelFileError(f"{file}: {name} is in two files: give one of them")
        attributes.append(name)
        tensors |= _transformer(theirs, file, name)
        tensors |= _output(found[classifier], classifier, number, name)
    if not attributes:
        raise ModelFileError(f"{classifier}: a transformation is needed besides: give tnet_NUMBER.pth.tar files")
    return OthersEditor(tensors, tuple(attributes))


def _number(file: str) -> int:
    named = NUMBERED.fullmatch(file)
    if named is None or int(named[1]) >= len(ATTRIBUTES):
        raise ModelFileError(
            f"{file}: the number of its attribute is not in its name: call it tnet_NUMBER.pth.tar, "
            f"0 to {len(ATTRIBUTES) - 1}, as the public code does"
        )
    return int(named[1])


def _named(number: int) -> str:
    """Our attribute where that is the same one, else theirs in small letters: `young` is the other side of `old`."""
    ours = resolve(ATTRIBUTES[number])
    return ours[0] if ours and ours[1] > 0 else ATTRIBUTES[number].lower()


def _classifier(theirs: Mapping[str, Tensor], file: str) -> dict[str, Tensor]:
    """All layers but the last one."""
    widths = (ROWS * WIDTH, *HIDDEN)
    kept = {SLOPE: torch.tensor(LEAK)}
    for place in range(len(HIDDEN)):
        shape = (widths[place + 1], widths[place])
        kept[f"classifier.{place}.weight"] = take(theirs, f"fcs.{place}.weight", shape, file)
        kept[f"classifier.{place}.bias"] = take(theirs, f"fcs.{place}.bias", shape[:1], file)
    return kept


def _output(theirs: Mapping[str, Tensor], file: str, number: int, name: str) -> dict[str, Tensor]:
    """Of one attribute."""
    outputs = len(ATTRIBUTES)
    weight_AH = take(theirs, f"fcs.{len(HIDDEN)}.weight", (outputs, HIDDEN[-1]), file)
    bias_A = take(theirs, f"fcs.{len(HIDDEN)}.bias", (outputs,), file)
    return {f"classifier.out.{name}.weight": weight_AH[number], f"classifier.out.{name}.bias": bias_A[number]}


def _transformer(theirs: Mapping[str, Tensor], file: str, name: str) -> dict[str, Tensor]:
    """One linear layer for each row; its weights are used times 1 / sqrt(W)."""
    weights = [take(theirs, f"dense.{row}.weight", (WIDTH, WIDTH), file) for row in range(ROWS)]
    biases = [take(theirs, f"dense.{row}.bias", (WIDTH,), file) for row in range(ROWS)]
    return {
        f"transformer.{name}.layers": torch.stack(weights) / math.sqrt(WIDTH),
        f"transformer.{name}.biases": torch.stack(biases),
    }
