"""What an editor says of how it is compared: the flags of its edits at all strengths, both ways."""

import pytest
from pydantic import BaseModel

from jobs.edit.spec import SPECS
from pipeline.editors import BASELINE, EDITORS, Compared, config_of
from pipeline.errors import SpecError
from pipeline.models import generators


class Several(BaseModel):
    far: tuple[float, ...] = ()


class One(BaseModel):
    far: float = 1.0
    target: str = "1"
    steps: int = 3


def test_a_flag_of_several_numbers_makes_one_edit():
    found = Compared("far", (0.0, 1.0, 2.0), 1.0, settings={"other": 3})
    assert found.edits(Several, True) == [{"other": 3, "far": (0.0, 1.0, 2.0), "keep": "all"}]
    assert found.edits(Several, False) == [{"other": 3, "far": (0.0, -1.0, -2.0), "keep": "all"}]


def test_a_flag_of_one_number_makes_an_edit_for_each():
    found = Compared("far", (1.0, 2.0), 1.0, signed=False)
    assert found.edits(One, False) == [{"target": "0", "far": 1.0, "keep": "all"},
                                       {"target": "0", "far": 2.0, "keep": "all"}]  # fmt: skip


def test_steps_of_one_edit_are_kept_at_each_of_them():
    found = Compared("steps", (3, 6, 9), 6, signed=False, steps=True)
    assert found.edits(One, True) == [{"target": "1", "steps": 9, "keep": "3"}]


def test_at_other_strengths_the_usual_one_is_the_nearest():
    found = Compared("far", (1.0, 2.0), 2.0, settings={"other": 3}).at((0.5, 1.75, 4.0))
    assert (found.strengths, found.usual, found.settings) == ((0.5, 1.75, 4.0), 1.75, {"other": 3})


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"strengths": ()}, "give numbers that rise"),
        ({"strengths": (2.0, 1.0)}, "give numbers that rise"),
        ({"strengths": (-1.0, 1.0)}, "none below 0"),
        ({"strengths": (1.0, 3.0)}, "the usual one, 2, is not among them"),
        ({"strengths": (2.0, 5.0), "steps": True}, "give multiples of the first"),
    ],
)
def test_strengths_that_do_not_go_together_are_told(about, message):
    with pytest.raises(SpecError, match=message):
        Compared(**{"flag": "far", "usual": 2.0, **about})


def test_a_flag_that_is_not_there_is_told():
    with pytest.raises(SpecError, match="compared along its flag near, which it does not have"):
        Compared("near", (1.0,), 1.0).edits(One, True)


@pytest.mark.parametrize("name", EDITORS)
def test_every_editor_can_be_compared_and_its_edits_are_valid(name):
    config, about = config_of(name), config_of(name).COMPARED
    assert about is not None
    generator = generators.load("stylegan2-tiny", backend="eager")
    for towards in (True, False):
        for flags in about.edits(config, towards):
            edit = {"latents": ("x",), "attribute": ("smile",), "out": "out", "directions": ("d",), "artifact": "a"}
            edit = {flag: value for flag, value in edit.items() if flag in SPECS[name].model_fields}
            asked = SPECS[name].model_validate({**edit, **flags})
            forward, backward = asked.config.passes([asked.config.request("smile")], generator)
            assert forward >= backward >= 0
    assert about.claims


def test_the_one_that_others_are_compared_with_moves_along_directions():
    assert config_of(BASELINE).TAKES_DIRECTIONS


@pytest.mark.parametrize(
    ("name", "flags", "preserve", "passes"),
    [
        ("ials", {"steps": 7}, ("old", "male"), (7, 21)),
        ("ials", {"steps": 7, "lambda1": 1.0, "lambda2": 1.0}, ("old",), (0, 0)),
        ("ials", {"steps": 7, "lambda1": 1.0}, ("old",), (7, 7)),
        ("interfacegan", {"strengths": (1.0,)}, (), (0, 0)),
        ("style-intervention", {"steps": 5}, (), (45, 44)),
        ("style-intervention", {"shared_coefficients": "x"}, (), (0, 0)),
    ],
)
def test_passes_that_an_edit_takes(name, flags, preserve, passes):
    generator = generators.load("stylegan2-tiny", backend="eager")
    assert len(generator.style_layers) == 11
    config = config_of(name).model_validate(flags)
    assert config.passes([config.request("smile", preserve)], generator) == passes
