import pytest
import torch

from pipeline.errors import SpecError
from pipeline.models.codes import SPACES, Codes


def test_spaces_are_those_of_the_design() -> None:
    assert SPACES == ("z", "w", "w+", "s")


@pytest.mark.parametrize(("space", "shape"), [("w", (2, 18, 512)), ("w+", (2, 512)), ("z", (512,)), ("s", (1, 2, 3))])
def test_a_space_fixes_the_number_of_dimensions(space: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(SpecError, match="dimensions"):
        Codes(space, torch.zeros(shape))  # type: ignore[arg-type]


def test_an_unknown_space_is_named() -> None:
    with pytest.raises(SpecError, match=r"'x'.*z, w, w\+, s"):
        Codes("x", torch.zeros(1, 2))  # type: ignore[arg-type]


def test_rows_are_selected_by_slice_mask_or_index() -> None:
    codes = Codes("w", torch.arange(12.0).view(4, 3))
    for rows in (slice(1, 3), torch.tensor([False, True, True, False]), torch.tensor([1, 2])):
        chosen = codes.select(rows)
        assert chosen.space == "w"
        assert torch.equal(chosen.values, codes.values[1:3])
        assert len(chosen) == 2
