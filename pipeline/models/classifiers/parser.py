"""bisenet-celebamask: the face parser, 19 classes (BiSeNet V2; RGB -1..1): masks at 448 px, scores at 288.

Shapes: N rows, 19 classes, H and W the picture's pixels, h and w those of the network's own map.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from pipeline.models.classifiers.crops import Crop, Pixels
from pipeline.models.classifiers.margins import log_odds, soft_maximum
from pipeline.models.classifiers.networks import Networks
from pipeline.models.program import Program

CLASSES = (
    "background", "skin", "left_brow", "right_brow", "left_eye", "right_eye", "eyeglasses", "left_ear", "right_ear",
    "ear_ring", "nose", "mouth", "upper_lip", "lower_lip", "neck", "necklace", "cloth", "hair", "hat",
)  # fmt: skip
"""In the order of CelebAMask-HQ, checked by eye. Of a pair, "left" is mostly on the picture's left; in some faces the
network swaps the two, so add a pair's masks where the side matters."""

TRACED = 448
"""Width and height of the pictures that the network was converted for; masks are of the whole picture at this size."""
WHOLE = Crop(0.0, 0.0, 1.0, 1.0, TRACED, TRACED)
SCORED = Crop(0.05, 0.0, 0.95, 0.9, 288, 288)
"""What scores are read from: most of the picture, at the scale that a whole one has at 320 px. It takes 0.41 of the
arithmetic of TRACED, and of 200 faces labelled by eye the same ones get eyeglasses."""
STRIDE = 8
"""Pixels of the picture for one of the logits."""
EYES = (0.20, 0.38, 0.80, 0.60)
"""Left, top, right, bottom of the region where eyeglasses are looked for, as fractions of the picture."""
TEMPERATURE = 1.0


class Parsed(NamedTuple):
    """What scores are read from, and where its parts are.

    picture: (N, 3, 288, 288) in [-1, 1], the box of SCORED. logits: (N, 19, 36, 36) of CLASSES, before the softmax.
    """

    picture: Tensor
    logits: Tensor


class Parser(nn.Module):
    """Where the parts of a face are."""

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.network = networks.program("bisenet-celebamask", "parsing_logits")
        self.small = at_size(self.network, SCORED.width)
        self.pixels = Pixels((0.5,), (0.5,))

    def masks(self, x_N3HW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] -> (N, 19, H, W): probabilities, in the order of CLASSES."""
        logits_N19hw = self.network(self.pixels(WHOLE(x_N3HW)))["parsing_logits"]
        return interpolate(logits_N19hw, size=x_N3HW.shape[2:], mode="bilinear", align_corners=False).softmax(1)

    def forward(self, x_N3HW: Tensor) -> Parsed:
        """(N, 3, H, W) in [-1, 1] -> what statistics of parts and of their colours are taken from."""
        picture_N3hw = SCORED(x_N3HW)
        return Parsed(picture_N3hw, self.small(self.pixels(picture_N3hw))["parsing_logits"])


def at_size(network: Program, pixels: int) -> Program:
    """The parser for pictures of another width and height, a multiple of 32, by which all its layers divide evenly.

    It is convolutions, but three kinds of numbers in its graph are of the size that it was converted for: the sizes of
    enlarged features and of what is kept of them, both an eighth of the picture, and the share of a mean's window that
    lies inside of its features, which is less than one in the last row and column alone.
    """
    if pixels % 32:
        raise ValueError(f"the parser takes pictures whose size is a multiple of 32, not {pixels}")
    graph, tensors = network.parts()
    before, after = TRACED // STRIDE, pixels // STRIDE
    nodes = []
    for node in graph["nodes"]:
        args = list(node["args"])
        if node["op"] == "aten.upsample_bilinear2d.vec":
            args[1] = [after + 1 if size == before + 1 else size for size in args[1]]
        elif node["op"] == "aten.slice.Tensor":
            args[3] = after if args[3] == before else args[3]
        elif node["op"] == "aten.div.Tensor":
            share = args[1]["tensor"]
            tensors[share] = _with_inside_repeated(tensors[share], pixels // STRIDE // 4)
        nodes.append({**node, "args": args})
    graph = {**graph, "nodes": nodes, "input": {**graph["input"], "shape": [3, pixels, pixels]}}
    return Program.from_parts(graph, tensors, network.name)


def _with_inside_repeated(share_11hw: Tensor, size: int) -> Tensor:
    """(1, 1, size, size): the first row and column as often as it takes, then the last."""
    places = torch.zeros(size, dtype=torch.long)
    places[-1] = -1
    return share_11hw[:, :, places][..., places]


def region(logits_N19hw: Tensor, box: tuple[float, float, float, float]) -> Tensor:
    """Of the logits of `Parsed`, those in a box of the whole picture: left, top, right, bottom, as fractions of it."""
    across, down = SCORED.right - SCORED.left, SCORED.bottom - SCORED.top
    height, width = logits_N19hw.shape[2:]
    left, right = (round((x - SCORED.left) / across * width) for x in box[::2])
    top, bottom = (round((y - SCORED.top) / down * height) for y in box[1::2])
    return logits_N19hw[:, :, top:bottom, left:right]


def eyeglasses(parsed: Parsed) -> Tensor:
    """How surely there are eyeglasses, (N,): a soft maximum of their log-odds over the eye region."""
    margins_Nhw = log_odds(region(parsed.logits, EYES), [CLASSES.index("eyeglasses")])
    return soft_maximum(margins_Nhw.flatten(1), TEMPERATURE)
