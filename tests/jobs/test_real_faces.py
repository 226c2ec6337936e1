"""The main job on the real networks: what the eye sees on the first faces of seed 1 is what the labels say."""

import pytest
from PIL import Image

from jobs.__main__ import main
from pipeline.tables import Table

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    out = tmp_path_factory.mktemp("faces")
    words = ["--rows", "20", "--rows-per-shard", "10", "--images", "jpeg", "--size", "512", "--local"]
    assert main(["dataset", *words, "--out", str(out)]) == 0
    return out


def test_labels_say_what_the_eye_sees(faces):
    rows = Table.open(f"{faces}/labels").read().to_pylist()
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
    import io

    for row in Table.open(f"{faces}/images").read().to_pylist():
        picture = Image.open(io.BytesIO(row["image"]["bytes"]))
        assert (picture.format, picture.size) == ("JPEG", (512, 512))


def test_labels_made_from_the_latents_table_are_the_same(faces, tmp_path):
    assert main(["label", "--latents", f"{faces}/latents", "--local", "--out", str(tmp_path)]) == 0
    assert Table.open(f"{tmp_path}/labels").read().equals(Table.open(f"{faces}/labels").read())
