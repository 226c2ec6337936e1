"""The main job on the real networks: what the eye sees on the first faces of seed 1 is what the labels say."""

import io

import pytest
from PIL import Image

from jobs.__main__ import main
from pipeline.tables import Table

pytestmark = [pytest.mark.weights, pytest.mark.slow]

LOOKED_AT = (0, 2, 8, 14, 17, 18)
HOW = ("--batch-size", "1", "--local")


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """The last two of those looked at."""
    out = tmp_path_factory.mktemp("faces")
    words = ["--range", "17:19", "--images", "jpeg", "--size", "512", *HOW]
    assert main(["dataset", *words, "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    """Of all that were looked at, from a table of latents."""
    out = tmp_path_factory.mktemp("labels")
    assert main(["sample", "--rows", "19", *HOW, "--out", str(out)]) == 0
    words = ["--latents", f"{out}/latents", "--index", ",".join(map(str, LOOKED_AT)), *HOW]
    assert main(["label", *words, "--out", str(out)]) == 0
    return Table.open(f"{out}/labels").read()


def test_labels_say_what_the_eye_sees(labels):
    rows = {row["index"]: row for row in labels.to_pylist()}
    assert rows[18]["eyeglasses"] > 0  # a man in sunglasses, smiling
    assert rows[18]["male"] > 0
    assert rows[18]["smile"] > 0
    assert rows[17]["smile"] > 0  # a woman who smiles
    assert rows[17]["male"] < 0
    assert rows[8]["smile"] < 0  # a man with his mouth shut
    assert rows[2]["yaw_degrees"] < -15  # a man whose head is turned to the left of the picture
    assert rows[14]["old"] > 0  # a man with white hair and beard
    assert rows[0]["eyeglasses"] < 0


def test_pictures_are_faces_of_the_size_asked_for(faces):
    for row in Table.open(f"{faces}/images").read().to_pylist():
        picture = Image.open(io.BytesIO(row["image"]["bytes"]))
        assert (picture.format, picture.size) == ("JPEG", (512, 512))


def test_labels_made_from_the_latents_table_are_the_same(faces, labels):
    assert Table.open(f"{faces}/labels").read().equals(labels.slice(len(LOOKED_AT) - 2))
