"""Families on small random networks: order, gradients, independence of rows, fingerprints, messages."""

import torch

from pipeline.models import classifiers
from pipeline.models.classifiers.attribute import Reading
from pipeline.models.classifiers.calibration import Scale
from pipeline.models.classifiers.family import Family, Statistics, needed
from pipeline.models.classifiers.networks import Networks


def pictures(rows: int = 4, size: int = 32) -> torch.Tensor:
    return torch.rand(rows, 3, size, size, generator=torch.Generator().manual_seed(3)) * 2 - 1


def test_scores_are_the_labels_in_the_order_asked() -> None:
    family = classifiers.load("tiny", ("yaw", "smile"))
    x = pictures()
    scores, labels = family.scores(x), family.labels(x)
    assert scores.shape == (4, 2)
    assert list(labels) == ["yaw", "smile", "age_years", "yaw_degrees"]
    torch.testing.assert_close(scores, torch.stack([labels["yaw"], labels["smile"]], dim=1), rtol=0, atol=0)
    torch.testing.assert_close(labels["yaw_degrees"], labels["yaw"] * family.scales["yaw"].unit)


def test_gradients_are_those_of_finite_differences() -> None:
    family = classifiers.load("tiny", measures=()).double()
    x = pictures(1, 8).double().requires_grad_()
    (gradient,) = torch.autograd.grad(family.scores(x)[0, 0], x)
    step = torch.zeros_like(x)
    step[0, 1, 3, 4] = 1e-2
    with torch.no_grad():
        difference = (family.scores(x + step) - family.scores(x - step))[0, 0] / 2e-2
    torch.testing.assert_close(gradient[0, 1, 3, 4], difference, rtol=1e-3, atol=1e-5, check_dtype=False)


def test_the_two_tiny_families_differ() -> None:
    x, attributes = pictures(), classifiers.attributes_of("tiny-judge")
    scores = [classifiers.load(family, attributes).scores(x) for family in ("tiny", "tiny-judge")]
    assert not torch.allclose(*scores)


def test_only_the_readers_that_are_needed_are_run() -> None:
    class Reader(torch.nn.Module):
        def __init__(self, networks: Networks) -> None:
            super().__init__()
            self.calls = 0
            opened.append(self)

        def forward(self, x_N3HW: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return x_N3HW.mean((1, 2, 3))

    class Other(Reader):
        pass

    opened: list[Reader] = []
    readings = {"smile": Reading(Reader), "yaw": Reading(Other), "male": Reading(Reader, torch.neg)}
    statistics = Statistics(readings, Networks())
    family = Family("test", statistics, dict.fromkeys(readings, Scale(0.0, 1.0)), tuple(readings), measures=())
    scores = family.scores(pictures(), ("male", "smile"))
    torch.testing.assert_close(scores[:, 0], -scores[:, 1])
    assert [(type(one), one.calls) for one in opened] == [(Reader, 1), (Other, 0)]


def test_fingerprint_follows_attributes_scales_and_weights() -> None:
    def fingerprint(boundary: float = 0.0, digest: str = "a", attributes: tuple[str, ...] = ("smile",)) -> str:
        scales = {a: Scale(boundary, 1.0) for a in ("smile", "male")}
        networks = Networks()
        networks.digests["network"] = digest
        return Family("test", Statistics({}, networks), scales, attributes, measures=()).fingerprint

    prints = {fingerprint(), fingerprint(1e-6), fingerprint(digest="b"), fingerprint(attributes=("male",))}
    assert len(prints) == 4
    assert fingerprint() == fingerprint()


def test_needed_names_each_statistic_once() -> None:
    assert needed(("yaw", "smile", "age_years", "yaw_degrees")) == ["yaw", "smile", "age_years"]
