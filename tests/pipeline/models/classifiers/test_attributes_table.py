"""docs/attributes.md says what the list says."""

from pathlib import Path

import pytest

from pipeline.models import classifiers
from pipeline.models.classifiers.attribute import Attribute
from pipeline.models.classifiers.attributes import LIST, PERSON
from pipeline.models.classifiers.regions import DILATION

PAGE = Path(__file__).parents[4] / "docs" / "attributes.md"


def line(one: Attribute) -> str:
    cells = [f"`{one.name}`", one.meaning]
    for family in ("faces", "judge"):
        if family in one.readings:
            networks = ", ".join(f"`{name}`" for name in classifiers.load(family, (one.name,), measures=()).weights)
            cells += [networks, one.readings[family].boundary.how]
        else:
            cells += ["unjudged", ""]
    region = "person" if one.region == PERSON else ", ".join(one.region) or "none"
    grown = "" if one.grown == DILATION else f"; grown by {one.grown} px"
    return "| " + " | ".join([*cells, region + grown]) + " |"


@pytest.mark.weights
def test_the_table_of_attributes() -> None:
    text = PAGE.read_text()
    start = text.index("| attribute | meaning |")
    table = text[start : text.index("\n\n", start)].splitlines()
    assert table[2:] == [line(one) for one in LIST]
