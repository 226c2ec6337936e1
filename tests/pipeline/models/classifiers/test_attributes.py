"""The list of attributes: what is declared, and that all else follows it."""

import pytest
import torch

from pipeline.errors import SpecError
from pipeline.models import classifiers
from pipeline.models.classifiers import attributes, tiny
from pipeline.models.classifiers.attribute import Attribute
from pipeline.models.classifiers.attributes import ATTRIBUTES, BY_NAME, DEFAULT_ATTRIBUTES, LIST, MEASURES
from schemas.labels import MEASURES as COLUMNS

FINGERPRINTS = {
    ("faces", MEASURES): "f5da45f6cc8a",
    ("judge", MEASURES): "f9c5801412b2",
}
"""Of the five attributes by the committed constants: they change with a network, a statistic or a constant alone."""


def test_the_columns_keep_their_order() -> None:
    assert ATTRIBUTES[:5] == DEFAULT_ATTRIBUTES == ("smile", "male", "old", "eyeglasses", "yaw")
    assert MEASURES == COLUMNS == ("age_years", "yaw_degrees")


def test_every_attribute_is_declared_whole() -> None:
    names = [alias for one in LIST for alias in (one.name, *one.aliases)]
    assert len(names) == len(set(names))
    for one in LIST:
        assert one.meaning.endswith(".")
        assert "faces" in one.readings
        assert set(one.aliases.values()) <= {-1, 1}


def test_a_region_is_of_classes_of_the_parser() -> None:
    assert BY_NAME["smile"].region == ("mouth", "upper_lip", "lower_lip")
    assert "background" not in BY_NAME["male"].region
    with pytest.raises(ValueError, match="the region of beard has no class 'beard' of the face parser"):
        Attribute("beard", "There is a beard.", {}, region=("skin", "beard"))


@pytest.mark.parametrize(("stand_in", "model"), tiny.STANDS_IN.items())
def test_tiny_families_give_what_their_models_give(stand_in: str, model: str) -> None:
    assert classifiers.attributes_of(stand_in) == classifiers.attributes_of(model)
    assert classifiers.load(stand_in).attributes == classifiers.attributes_of(model)


def test_an_attribute_that_a_family_does_not_see(monkeypatch: pytest.MonkeyPatch) -> None:
    without = {name: reading for name, reading in classifiers.READINGS["tiny-judge"].items() if name != "old"}
    monkeypatch.setitem(classifiers.READINGS, "tiny-judge", without)
    assert classifiers.load("tiny-judge").attributes == ("smile", "male", "eyeglasses", "yaw", "mouth_open")
    with pytest.raises(
        SpecError, match="tiny-judge does not score old: it scores smile, male, eyeglasses, yaw, mouth_open"
    ):
        classifiers.load("tiny-judge", ("smile", "old"))


def test_a_further_attribute_moves_none_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
    before = classifiers.load("tiny")
    reading = classifiers.READINGS["tiny"]["smile"]
    further = attributes.Reading(reading.reader, tiny.statistic("scarf", 1))
    monkeypatch.setitem(classifiers.READINGS, "tiny", {**classifiers.READINGS["tiny"], "scarf": further})
    family = classifiers.load("tiny")
    assert family.fingerprint == before.fingerprint
    raw = family.statistics(x, family.attributes)
    assert all(torch.equal(raw[name], found) for name, found in before.raw(x, before.attributes).items())
    seen = classifiers.statistics_of("tiny", ("smile", "scarf"))(x, ("smile", "scarf"))
    assert seen["scarf"].std() > 1e-3
    assert not torch.allclose(seen["scarf"], seen["smile"])


@pytest.mark.weights
@pytest.mark.parametrize(("family", "measures"), FINGERPRINTS)
def test_the_fingerprints_of_committed_constants(family: str, measures: tuple[str, ...]) -> None:
    found = classifiers.load(family, DEFAULT_ATTRIBUTES, measures=measures).fingerprint
    assert found.startswith(FINGERPRINTS[family, measures])
