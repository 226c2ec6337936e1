"""The order of the pictures of an edit."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.exports.format import Picture
from pipeline.exports.steps import edits_of

STRENGTHS = st.lists(st.floats(-9, 9, allow_nan=False), min_size=1, max_size=6)


def edit(index: int, strengths: list[float]) -> list[Picture]:
    """The source, of strength 0, and a step for each strength."""
    return [Picture((index, 0, step), b"", {"strength": each}) for step, each in enumerate([0.0, *strengths])]


@given(st.lists(STRENGTHS, min_size=1, max_size=4))
def test_each_edit_goes_from_end_to_end_with_the_source_in_its_place(edits):
    pictures = [picture for index, strengths in enumerate(edits) for picture in edit(index, strengths)]
    found = list(edits_of(pictures))
    assert sorted(place for one in found for place, _ in one) == list(range(len(pictures)))
    for index, one in enumerate(found):
        assert all(pictures[place] is picture for place, picture in one)
        assert {picture.key[0] for _, picture in one} == {index}
        along = [picture.facts["strength"] for _, picture in one]
        assert along == sorted(along, reverse=max(along) <= 0)
        if min(along) >= 0 or max(along) <= 0:
            assert one[0][1].key[-1] == 0  # to one side: from the source on


def test_without_strengths_steps_stay_in_their_order():
    pictures = [Picture((0, 0, step), b"", {}) for step in (0, 2, 5)]
    assert [place for place, _ in next(edits_of(pictures))] == [0, 1, 2]
