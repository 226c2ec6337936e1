"""Names: typed, printed, and in the names of files; whatever they are, nothing of them is lost."""

from pathlib import PurePosixPath

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.directions.formats import file_name, read, write
from pipeline.directions.lookup import by_name
from pipeline.directions.names import GANS, RELEASED, FileName, check_name, joined, parse_boundary, parse_stem, stem
from pipeline.errors import SpecError
from pipeline.models.classifiers import ATTRIBUTES
from tests.pipeline.directions.made import direction

FORTY = """
5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose Black_Hair Blond_Hair Blurry
Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee Gray_Hair Heavy_Makeup High_Cheekbones Male
Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard Oval_Face Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks
Sideburns Smiling Straight_Hair Wavy_Hair Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace
Wearing_Necktie Young
"""
CELEBA = FORTY.split()
ODD = "eyes_open c w z boundary a_c_b x_w age_smile stylegan_ffhq_old 50% %41 a/b a\\b .. .x ~ Ärger 笑 -3 _ a__b"
WORDS = [*CELEBA, *ATTRIBUTES, *RELEASED, *GANS, *ODD.split(), "a b"]
NAMES = st.sampled_from(WORDS) | st.text(min_size=1, max_size=12).filter(lambda text: _allowed(text))  # noqa: PLW0108
LISTS = st.lists(NAMES, max_size=3, unique=True).map(tuple)


def _allowed(name):
    try:
        check_name(name)
    except SpecError:
        return False
    return True


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("stylegan_ffhq_age_boundary.npy", FileName("age", (), "z", ("stylegan", "ffhq"))),
        ("stylegan_ffhq_age_w_boundary.npy", FileName("age", (), "w", ("stylegan", "ffhq"))),
        ("pggan_celebahq_age_c_gender_boundary.npy", FileName("age", ("gender",), "z", ("pggan", "celebahq"))),
        (
            "pggan_celebahq_age_c_gender_eyeglasses_boundary.npy",
            FileName("age", ("gender", "eyeglasses"), "z", ("pggan", "celebahq")),
        ),
        (
            "stylegan2_ffhq_old_c_eyes_open_c_mouth_open_w_boundary.npy",
            FileName("old", ("eyes_open", "mouth_open"), "w", ("stylegan2", "ffhq")),
        ),
        ("boundaries/stylegan2_ffhq_w/boundary_Big_Nose.npy", FileName("Big_Nose", (), "w", ("stylegan2", "ffhq"))),
        ("boundaries/stylegan2_ffhq_z/boundary_Young.npy", FileName("Young", (), "z", ("stylegan2", "ffhq"))),
        ("boundaries/mine/boundary_Young.npy", FileName("Young")),
        ("out/boundary.npy", FileName(None)),
        ("age_c_gender_w_boundary.npy", FileName("age", ("gender",), "w")),
        *((f"{name}_boundary.npy", FileName(name)) for name in CELEBA),
        *((f"in/{name}.npy", FileName(name)) for name in CELEBA),
    ],
)
def test_what_the_name_of_a_boundary_tells(name, told):
    assert parse_boundary(name) == told


def test_what_the_name_of_a_pt_tells():
    assert parse_stem("editings/age.pt") == FileName("age")
    assert parse_stem("old_c_eyes_open_c_male.pt") == FileName("old", ("eyes_open", "male"))
    assert all(parse_stem(f"{name}.pt") == FileName(name) for name in CELEBA)


def test_plain_names_stay_readable_in_the_names_of_files():
    made = direction(np.ones(4), "age", conditions=("gender", "eyes_open"))
    assert file_name("interfacegan", made) == "stylegan2_ffhq_age_c_gender_c_eyes_open_w_boundary.npy"
    assert file_name("e4e", made) == "age_c_gender_c_eyes_open.pt"
    for name in CELEBA:
        odd = name == "5_o_Clock_Shadow"
        assert (file_name("e4e", direction(np.ones(4), name)) == f"{name}.pt") or odd


@settings(max_examples=300)
@given(NAMES, LISTS, st.sampled_from(["interfacegan", "e4e"]), st.sampled_from(["z", "w"]), st.sampled_from(GANS))
def test_every_name_and_list_of_conditions_survives_export_and_import(attribute, conditions, form, space, gan):
    space = "w" if form == "e4e" else space
    made = direction([3.0, 4.0], attribute, space, conditions=conditions)
    try:
        name = file_name(form, made, gan, "ffhq")
    except SpecError:
        assert len(stem(attribute, conditions)) > 200  # no file system has such a name
        return
    assert PurePosixPath(name).name == name
    assert len(name.encode()) <= 255
    (found,) = read(form, write(form, made), f"folder/{name}")
    assert (found.direction.attribute, found.direction.conditions) == (attribute, conditions)
    assert (found.direction.space, found.direction.name, found.taken_as_w) == (space, made.name, False)


@settings(max_examples=200)
@given(st.lists(st.tuples(NAMES, LISTS), min_size=1, max_size=4))
def test_the_name_that_is_printed_chooses_the_direction(kinds):
    """The flag splits at commas; several directions of one name are told apart by their number."""
    made = [direction([1.0, 0.0], attribute, conditions=conditions) for attribute, conditions in kinds]
    named = by_name(made)
    assert len(named) == len(made)
    for printed, one in named.items():
        words = tuple(word.strip() for word in printed.split(",") if word.strip())
        (chosen,) = joined(words, named)
        assert named[chosen] is one


def test_words_between_commas_are_joined_to_the_longest_name():
    known = {"old", "male", "old|eyeglasses", "old|eyeglasses,male"}
    assert joined(["old", "male"], known) == ["old", "male"]
    assert joined(["old|eyeglasses", "male", "old"], known) == ["old|eyeglasses,male", "old"]
    assert joined(["old|eyeglasses", "smile"], known) == ["old|eyeglasses", "smile"]
    assert joined([], known) == []


@pytest.mark.parametrize("name", ["a, b", "a,b", "a|b", "a#1", "", " a", "a ", "a\nb", "\t"])
def test_names_that_could_not_be_typed_are_refused(name):
    with pytest.raises(SpecError, match="cannot name a direction"):
        direction([1.0, 0.0], name)


def test_a_condition_may_have_conditions_of_its_own():
    made = direction([1.0, 0.0], "old", conditions=("smile|male,young",))
    (found,) = read("e4e", write("e4e", made), file_name("e4e", made))
    assert found.direction.conditions == ("smile|male,young",)
