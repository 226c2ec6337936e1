"""Others' files: the forms that their projects write, made here byte by byte, and files that nobody should run."""

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.directions import formats
from pipeline.directions.aliases import ALIASES, resolve
from pipeline.directions.formats import check_generator, read, write
from pipeline.errors import ModelFileError, SpecError
from pipeline.models.classifiers import ATTRIBUTES
from tests.pipeline.directions.made import direction

ROW = np.random.default_rng(1).standard_normal((1, 512))
UNIT = ROW / np.linalg.norm(ROW)


def _npy(array, **options):
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def _pt(content):
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


def _higan(layers="6-11", **options):
    content = {"boundary": UNIT, "meta_data": {"type": "attribute", "manipulate_layers": layers}}
    return content if options.get("bare") else _npy(np.array(content, dtype=object), allow_pickle=True)


class Malicious:
    """Pickles as a call that writes a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_interfacegan():
    (found,) = read("interfacegan", _npy(UNIT * 3), "pggan_celebahq_age_c_gender_boundary.npy", generator="g")
    assert (found.direction.attribute, found.direction.conditions, found.direction.space) == ("age", ("gender",), "z")
    assert (found.direction.method, found.direction.intercept, found.direction.generator) == ("imported", 0.0, "g")
    np.testing.assert_allclose(found.direction.vector, UNIT[0], rtol=1e-6)
    assert found.layers is None


def test_interfacegan_of_each_layer_and_overrides():
    rows = np.random.default_rng(2).standard_normal((18, 512))
    (found,) = read("interfacegan", _npy(rows), "boundary.npy", attribute="mine")
    assert (found.direction.attribute, found.direction.space, found.direction.vector.shape) == ("mine", "w+", (18, 512))
    (found,) = read("interfacegan", _npy(UNIT), "stylegan_ffhq_age_boundary.npy", space="w")
    assert found.direction.space == "w"
    with pytest.raises(SpecError, match=r"boundary.npy: the name does not tell the attribute: give one"):
        read("interfacegan", _npy(UNIT), "boundary.npy")


@pytest.mark.parametrize("name", ["smile.npy", "Mouth_Slightly_Open_boundary.npy", "boundaries/boundary_Young.npy"])
def test_a_plain_name_does_not_tell_the_space_and_w_is_taken(name):
    """Most published directions are of w. One of z has a name in genforce's form, or --space."""
    for array in (UNIT, UNIT[0]):
        (found,) = read("interfacegan", _npy(array), name)
        assert (found.direction.space, found.taken_as_w) == ("w", True)
        (found,) = read("interfacegan", _npy(array), name, space="z")
        assert (found.direction.space, found.taken_as_w) == ("z", False)
    for told, space in (("stylegan_ffhq_age_boundary.npy", "z"), ("stylegan_ffhq_age_w_boundary.npy", "w")):
        (found,) = read("interfacegan", _npy(UNIT), told)
        assert (found.direction.space, found.taken_as_w) == (space, False)
    rows = np.random.default_rng(2).standard_normal((18, 512))
    (found,) = read("interfacegan", _npy(rows), name)
    assert (found.direction.space, found.taken_as_w) == ("w+", False)


@pytest.mark.parametrize("form", ["interfacegan", "e4e", "anycost", "higan"])
def test_a_plain_vector_is_one_row(form):
    files = {
        "interfacegan": _npy(UNIT[0]), "e4e": _pt(torch.tensor(UNIT[0])),
        "anycost": _pt({"a": torch.tensor(UNIT[0])}), "higan": _npy(UNIT[0]),
    }  # fmt: skip
    (found,) = read(form, files[form], "a.npy")
    assert (found.direction.space, found.direction.vector.shape) == ("w", (512,))
    np.testing.assert_allclose(found.direction.vector, UNIT[0], rtol=1e-6)


def test_anycost():
    content = {"20_Male": torch.tensor(UNIT), "39_Young": torch.tensor(-UNIT)}
    found = read("anycost", _pt(content), "boundaries_anycost.pt")
    assert [(each.direction.attribute, each.direction.space) for each in found] == [("20_Male", "w"), ("39_Young", "w")]
    np.testing.assert_allclose(found[1].direction.vector, -UNIT[0], rtol=1e-6)
    with pytest.raises(SpecError, match="holds 2 directions: they cannot all be named x"):
        read("anycost", _pt(content), "b.pt", attribute="x")


def test_e4e():
    for tensor in (torch.tensor(UNIT), torch.tensor(UNIT).expand(1, 18, 512).clone()):
        (found,) = read("e4e", _pt(tensor), "editings/interfacegan_directions/pose.pt")
        assert (found.direction.attribute, found.direction.space) == ("pose", "w")
        np.testing.assert_allclose(found.direction.vector, UNIT[0], rtol=1e-6)
    rows = torch.randn(1, 18, 512)
    (found,) = read("e4e", _pt(rows), "age.pt")
    assert (found.direction.space, found.direction.vector.shape) == ("w+", (18, 512))


@pytest.mark.parametrize(("text", "layers"), [("6-11", (6, 7, 8, 9, 10, 11)), ("0,2-4", (0, 2, 3, 4)), (None, None)])
def test_higan_in_a_npy(text, layers):
    (found,) = read("higan", _higan(text), "boundaries/stylegan_bedroom/indoor_lighting_boundary.npy")
    assert (found.direction.attribute, found.direction.space, found.layers) == ("indoor_lighting", "w", layers)
    np.testing.assert_allclose(found.direction.vector, UNIT[0], rtol=1e-6)


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize("array", [UNIT, UNIT.astype(">f4"), np.asfortranarray(np.tile(UNIT, (2, 1)))[:1]])
def test_higan_as_a_bare_pickle_of_any_protocol(protocol, array):
    (found,) = read("higan", pickle.dumps({"boundary": array}, protocol), "wood_boundary.pkl")
    np.testing.assert_allclose(found.direction.vector, UNIT[0], rtol=1e-6)


def test_the_pickles_of_old_numpy_are_read():
    """Its arrays are rebuilt by numpy.core.multiarray, today's by numpy._core: the older is what HiGAN's files name."""
    data = pickle.dumps({"boundary": UNIT}, 2)
    old = data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert (old != data) == (b"numpy._core" in data)
    assert read("higan", old, "wood_boundary.pkl")[0].direction.vector.shape == (512,)


def test_higan_without_layers_is_a_plain_array():
    (found,) = read("higan", _npy(UNIT.astype(np.float32)), "stylegan2_church/clouds_boundary.npy")
    assert (found.direction.attribute, found.layers) == ("clouds", None)


@pytest.mark.parametrize("form", sorted(formats.FORMATS))
def test_a_malicious_file_is_refused_by_name_and_writes_nothing(form, tmp_path):
    target = tmp_path / "written"
    bare = pickle.dumps({"boundary": Malicious(target), "meta_data": {}})
    object_npy = _npy(np.array({"boundary": Malicious(target)}, dtype=object), allow_pickle=True)
    files = {"bare": bare, "npy": object_npy, "pt": _pt(Malicious(target)), "late": _pt({"a": Malicious(target)})}
    for kind, data in files.items():
        with pytest.raises(ModelFileError, match=f"{kind}_boundary"):
            read(form, data, f"a_b_{kind}_boundary.npy")
        assert not target.exists()
    pickle.loads(bare)["boundary"].close()
    assert target.exists(), "the file would have written, had it been run"


@pytest.mark.parametrize(
    "asked", ["_io.open", "builtins.eval", "posix.system", "numpy.load", "numpy.core.multiarray.array"]
)
def test_the_name_that_a_pickle_asks_for_is_told(asked):
    module, name = asked.rsplit(".", 1)
    data = b"\x80\x02c" + f"{module}\n{name}\n".encode() + b"X\x01\x00\x00\x00x\x85R."
    with pytest.raises(ModelFileError, match=rf"f.pkl: holds code or objects \({asked}\), which reading would run"):
        read("higan", data, "f.pkl")


def test_an_array_that_lies_about_its_size_takes_no_memory():
    data = pickle.dumps({"boundary": np.zeros((1, 512))}, 2).replace(b"M\x00\x02", b"J\xff\xff\xff\x7f")
    with pytest.raises(ModelFileError, match=r"array of shape \(1, 2147483647\) with another"):
        read("higan", data, "f.pkl")


@pytest.mark.parametrize(
    ("form", "data", "message"),
    [
        ("interfacegan", b"nothing", "not a whole .npy"),
        ("interfacegan", _npy(UNIT)[:-9], "not a whole .npy"),
        ("interfacegan", _higan(), "read it as higan"),
        ("interfacegan", _npy(UNIT.T), r"has the shape \(512, 1\); a direction has \(W,\), \(1, W\)"),
        ("interfacegan", _npy(UNIT.repeat(18, axis=1)), r"has the shape \(1, 9216\); a direction has"),
        ("interfacegan", _npy(UNIT.repeat(100, axis=0)), "at most 64 layers of 2 to 4096 numbers"),
        ("interfacegan", _npy(np.ones((2, 18, 512))), r"has the shape \(2, 18, 512\)"),
        ("interfacegan", _npy(np.float64(3)), r"has the shape \(\); a direction has"),
        ("interfacegan", _npy(np.ones((0, 512))), r"has the shape \(0, 512\)"),
        ("e4e", _pt(torch.tensor(UNIT.T)), r"has the shape \(512, 1\)"),
        ("anycost", _pt({"20_Male": torch.tensor(UNIT.T)}), r"has the shape \(512, 1\)"),
        ("higan", _npy(UNIT.T), r"has the shape \(512, 1\)"),
        ("interfacegan", _npy(np.zeros((1, 512))), "and so no direction"),
        ("interfacegan", _npy(np.full((1, 512), np.nan)), "and so no direction"),
        ("interfacegan", _npy(np.ones((1, 512), dtype=np.int64)), "holds int64"),
        ("anycost", _pt(torch.tensor(UNIT)), "holds a Tensor, not a dictionary"),
        ("anycost", _pt({"a": "b"}), "holds a str where"),
        ("anycost", _pt({}), "not a dictionary"),
        ("e4e", _pt([1, 2]), "holds a list where"),
        ("e4e", _pt(torch.tensor(UNIT))[:100], "not a whole PyTorch file"),
        ("e4e", b"", "the file is empty"),
        ("higan", b"", "the file is empty"),
        ("higan", _higan()[:-300], "damaged or truncated"),
        ("higan", pickle.dumps({"a": 1}), "holds no 'boundary' array"),
        ("higan", pickle.dumps([1]), "holds no 'boundary' array"),
        ("higan", _higan("x"), "manipulate_layers are 'x'"),
        ("higan", _higan("5-2"), "manipulate_layers are '5-2'"),
        ("higan", pickle.dumps({"boundary": np.array([["a"]])}), "array of type 'U1'; only numbers"),
        ("higan", pickle.dumps({"boundary": np.array([1, "a"], dtype=object)}), "an array of objects"),
    ],
)
def test_files_of_another_form(form, data, message):
    with pytest.raises(ModelFileError, match=message):
        read(form, data, "stylegan_ffhq_age_boundary.npy")


def test_an_unknown_format():
    with pytest.raises(SpecError, match="choose one of interfacegan, anycost, e4e, higan"):
        read("tf", b"", "x")
    with pytest.raises(SpecError, match="choose interfacegan or e4e"):
        write("higan", direction([1.0]))
    with pytest.raises(SpecError, match="is in s, which e4e has no form for"):
        write("e4e", direction([1.0], space="s"))


@pytest.mark.parametrize("form", ["interfacegan", "e4e"])
@pytest.mark.parametrize(("space", "shape"), [("w", (512,)), ("w+", (18, 512))])
def test_what_is_written_is_what_is_read(form, space, shape):
    made = direction(np.random.default_rng(3).standard_normal(shape), "age", space)
    (found,) = read(form, write(form, made), "age.pt", attribute="age", space=space)
    np.testing.assert_allclose(found.direction.vector, made.vector, rtol=1e-6)


def test_written_files_have_the_form_of_the_originals():
    made = direction(UNIT[0])
    np.testing.assert_array_equal(np.load(io.BytesIO(write("interfacegan", made))), made.vector[None])
    tensor = torch.load(io.BytesIO(write("e4e", made)), weights_only=True)
    assert (tensor.shape, tensor.dtype) == ((1, 512), torch.float32)


def test_names_resolve_to_ours():
    assert resolve("39_Young") == resolve("young") == ("old", -1)
    assert resolve("age") == ("old", 1)
    assert resolve("20_Male") == resolve("gender") == ("male", 1)
    assert resolve("31_Smiling") == ("smile", 1)
    assert resolve("pose") == ("yaw", -1)
    assert resolve("17_Gray_Hair") == ("grey_hair", 1)
    assert resolve("24_No_Beard") is None
    assert {attribute for attribute, _ in ALIASES.values()} == set(ATTRIBUTES)
    assert all(resolve(attribute) == (attribute, 1) for attribute in ATTRIBUTES)


def test_the_generator_is_checked():
    unknown, known = direction([1.0]), direction([1.0], generator="a" * 64)
    assert "generator of the direction of old is unknown" in check_generator(unknown, "b" * 64)
    assert check_generator(known, "a" * 64) is None
    with pytest.raises(SpecError, match="is of generator aaaaaaaaaaaa, this one is bbbbbbbbbbbb"):
        check_generator(known, "b" * 64)
    assert "aaaaaaaaaaaa" in check_generator(known, "b" * 64, force=True)


def test_the_room_needs_torch_and_numpy_alone():
    import subprocess
    import sys

    code = (
        "import sys\n"
        "for name in ('pyarrow', 'pandas', 'ray', 'sklearn', 'scipy', 'pydantic', 'fsspec'): sys.modules[name] = None\n"
        "import pipeline.directions.choose, pipeline.directions.formats, pipeline.directions.aliases\n"
        "import pipeline.directions.compare, pipeline.directions.conditional, pipeline.directions.sefa\n"
    )
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)
