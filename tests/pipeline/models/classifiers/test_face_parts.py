"""Statistics of the parser's parts, on logits and pictures made by hand."""

import pytest
import torch

from pipeline.models.classifiers import parts
from pipeline.models.classifiers.parser import CLASSES, SCORED, STRIDE, Parsed

SIDE = SCORED.width // STRIDE


def parsed(part: str = "hair", height: float = 1.0, colour: tuple[float, ...] = (0.5, 0.5, 0.5), of: int = 1) -> Parsed:
    """Skin everywhere, and `part` on the upper `height` of the picture, which is of one colour in [0, 1]."""
    logits = torch.zeros(of, len(CLASSES), SIDE, SIDE)
    logits[:, CLASSES.index("skin")] = 4.0
    logits[:, CLASSES.index(part), : round(height * SIDE)] = 8.0
    picture = torch.tensor(colour).view(1, 3, 1, 1).expand(of, 3, SCORED.height, SCORED.width) * 2 - 1
    return Parsed(picture.contiguous(), logits)


@pytest.mark.parametrize(
    ("statistic", "part"), [(parts.mouth_open, "mouth"), (parts.hat, "hat"), (parts.bangs, "hair")]
)
def test_more_of_a_part_is_a_higher_statistic(statistic, part: str) -> None:
    found = [float(statistic(parsed(part, height))) for height in (0.0, 0.05, 0.3, 0.35, 0.9)]
    assert found == sorted(found)
    assert found[0] < 0 < found[-1]


@pytest.mark.parametrize(
    ("statistic", "colour"),
    [
        (parts.black_hair, (0.06, 0.05, 0.05)),
        (parts.blond_hair, (0.85, 0.7, 0.45)),
        (parts.grey_hair, (0.75, 0.75, 0.75)),
    ],
)
def test_hair_has_the_colour_that_it_has(statistic, colour: tuple[float, ...]) -> None:
    others = [(0.06, 0.05, 0.05), (0.85, 0.7, 0.45), (0.75, 0.75, 0.75), parts.BROWN, (0.6, 0.3, 0.2)]
    found = {other: float(statistic(parsed(colour=other))) for other in others}
    assert max(found, key=found.__getitem__) == colour


def test_where_no_hair_is_it_is_taken_for_brown() -> None:
    bald = parsed(height=0.0, colour=(0.9, 0.7, 0.6))
    torch.testing.assert_close(parts.hair_colour(bald), torch.tensor([parts.BROWN]), rtol=0, atol=0.02)


def test_statistics_are_differentiable_and_of_each_row() -> None:
    one = parsed(of=2)
    picture, logits = one.picture.requires_grad_(), one.logits.requires_grad_()
    for statistic in (parts.mouth_open, parts.hat, parts.bangs, parts.black_hair, parts.blond_hair, parts.grey_hair):
        value = statistic(Parsed(picture, logits))
        assert value.shape == (2,)
        (gradient,) = torch.autograd.grad(value[0], logits)
        assert gradient[0].abs().sum() > 0
        assert gradient[1].abs().sum() == 0
