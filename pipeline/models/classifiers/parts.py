"""What the face parser shows of mouth, hair and hat: statistics of `parser.Parsed`.

Shapes: N rows, 19 classes of the parser, h and w places of its logits.
"""

from torch import Tensor
from torch.nn.functional import avg_pool2d

from pipeline.models.classifiers.crops import LUMA
from pipeline.models.classifiers.margins import log_odds, soft_maximum
from pipeline.models.classifiers.parser import CLASSES, STRIDE, TEMPERATURE, Parsed, region

MOUTH = (0.32, 0.60, 0.68, 0.84)
FOREHEAD = (0.36, 0.25, 0.64, 0.36)
HEAD_TOP = (0.10, 0.00, 0.90, 0.36)
"""Left, top, right, bottom of where each is looked for, as fractions of the picture."""
NO_HAIR = 0.02
BROWN = (0.36, 0.28, 0.23)
"""Hair on less than about this share of the box is more and more taken for brown, which is none of the colours."""


def mouth_open(parsed: Parsed) -> Tensor:
    """How surely the inside of the mouth is seen, (N,): a soft maximum of its log-odds over the mouth region."""
    margins_Nhw = log_odds(region(parsed.logits, MOUTH), [CLASSES.index("mouth")])
    return soft_maximum(margins_Nhw.flatten(1), TEMPERATURE)


def hat(parsed: Parsed) -> Tensor:
    """How surely there is a hat, (N,): a soft maximum of its log-odds over the top of the head."""
    margins_Nhw = log_odds(region(parsed.logits, HEAD_TOP), [CLASSES.index("hat")])
    return soft_maximum(margins_Nhw.flatten(1), TEMPERATURE)


def bangs(parsed: Parsed) -> Tensor:
    """How much of the forehead hair covers, (N,): the mean of its log-odds over the forehead."""
    return log_odds(region(parsed.logits, FOREHEAD), [CLASSES.index("hair")]).mean((1, 2))


def black_hair(parsed: Parsed) -> Tensor:
    """How dark and colourless the hair is, (N,): 0 is black."""
    colour_N3 = hair_colour(parsed)
    return -luma(colour_N3) - (colour_N3[:, 0] - colour_N3[:, 2]).abs()


def blond_hair(parsed: Parsed) -> Tensor:
    """How light and yellow the hair is, (N,): its lightness, and by how much it is more yellow than blue."""
    colour_N3 = hair_colour(parsed)
    return luma(colour_N3) + colour_N3[:, :2].mean(1) - colour_N3[:, 2]


def grey_hair(parsed: Parsed) -> Tensor:
    """How light and colourless the hair is, (N,): its lightness less twice the distance of red and blue."""
    colour_N3 = hair_colour(parsed)
    return luma(colour_N3) - 2 * (colour_N3[:, 0] - colour_N3[:, 2]).abs()


def hair_colour(parsed: Parsed) -> Tensor:
    """Mean colour of the hair, (N, 3) in [0, 1], of each place by how surely it is hair, its fringes far less."""
    weights_N1hw = parsed.logits.softmax(1)[:, CLASSES.index("hair"), None] ** 4
    colours_N3hw = avg_pool2d(parsed.picture, STRIDE) / 2 + 0.5
    total_N1 = weights_N1hw.mean((2, 3))
    brown_3 = colours_N3hw.new_tensor(BROWN)
    return ((weights_N1hw * colours_N3hw).mean((2, 3)) + NO_HAIR * brown_3) / (total_N1 + NO_HAIR)


def luma(colour_N3: Tensor) -> Tensor:
    """Lightness, (N,) in [0, 1] (BT.601)."""
    return colour_N3 @ colour_N3.new_tensor(LUMA)
