"""`stylemill photos edit`: photos in, edited photos and a page out, on the tiny networks."""

import re
from pathlib import Path

import pytest
from discs import discs
from edits import planted, sample
from PIL import Image
from studies import MODELS, RUN, centre

from jobs.__main__ import main
from pipeline.tables import Table

FLAGS = [
    "--align-flags", "networks=tiny,size=32,min-sharpness=0,min-size=20",
    "--invert-flags", "networks=tiny,steps=2,max-lpips=9,max-identity-dlib=9",
    "--edit-flags", "steps=3", "--paste-flags", "networks=tiny", "--target", "flip",
]  # fmt: skip


def edit(folder: Path, *words: str) -> int:
    asked = ["--attribute", "smile", "--from", f"{folder}/labelled", *FLAGS, *MODELS, *RUN]
    return main(["photos", "edit", f"{folder}/in", *asked, "--out", f"{folder}/out", *words])


def files(out: Path) -> dict[str, bytes]:
    """All that was made but records and the page's times."""
    found = [path for path in sorted(out.rglob("*")) if path.is_file() and ".stylemill" not in path.parts]
    return {str(path.relative_to(out)): path.read_bytes() for path in found}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    discs(folder / "in", 3)
    (folder / "in" / "nobody.png").write_bytes(b"")
    Image.new("RGB", (90, 60), (0, 90, 0)).save(folder / "in" / "empty.png")
    latents = sample(folder / "labelled/faces")
    planted(folder / "labelled/fit-w/directions", ("w",), names=("smile",))
    with pytest.MonkeyPatch.context() as patch:
        centre(patch)
        where = ["--out", f"{folder}/labelled/faces", *RUN]
        assert main(["label", "--latents", latents, "--classifiers", "tiny", *where]) == 0
        assert edit(folder) == 0
    return folder


def test_each_photo_with_a_face_is_written_and_shown(made):
    pasted = Table.open(f"{made}/out/pasted/pasted").read().to_pylist()
    assert [row["source"] for row in pasted] == ["album 0/0.png", "album 0/2.png", "album 1/1.png"]
    for row in pasted:
        assert Image.open(made / "out/pasted" / row["file"]).size == (row["width"], row["height"])
    page = (made / "out/report.html").read_text()
    faces = Table.open(f"{made}/out/inverted/inversions").read().to_pandas()
    assert len(faces) == 4
    captions = [*dict.fromkeys(re.findall(r"album \d/\d.png, face \d: smile to flip", page))]
    worst = faces.assign(distance=faces[["lpips_alex", "lpips_vgg"]].mean(axis=1)).sort_values("distance")[::-1]
    sources = {row["index"]: row["source"] for row in Table.open(f"{made}/out/aligned/photos").read().to_pylist()}
    wanted = [f"{sources[row.photo]}, face {row.face_number}: smile to flip" for row in worst.itertuples()]
    assert captions == wanted
    assert all(word in page for word in ("before", "aligned", "inverted", "edited", "Photos not aligned", "empty file"))
    assert "stylemill photos invert" in page


def test_started_again_it_makes_the_same_bytes_and_goes_on_where_it_was_killed(made, monkeypatch, capsys):
    before = files(made / "out")
    centre(monkeypatch)
    assert edit(made) == 0
    assert capsys.readouterr().err.count("all done") >= 4
    assert files(made / "out") == before
    for name in ("pasted", "edited"):
        for manifest in (made / "out" / name).rglob(".stylemill/manifest.json"):
            manifest.unlink()
    (part,) = (made / "out/pasted/pasted").glob("part-*.parquet")
    part.unlink()
    for line in (made / "out/pasted/.stylemill/photos-paste/outcomes").iterdir():
        line.unlink()
    assert edit(made) == 0
    assert files(made / "out") == before


def test_a_dry_run_tells_the_hours_and_writes_nothing(made, tmp_path, monkeypatch, capsys):
    centre(monkeypatch)
    assert edit(made, "--out", str(tmp_path / "none"), "--dry-run") == 0
    told = capsys.readouterr().err
    assert re.search(r"Plan  5 photos, .* GB", told)
    assert re.search(r"about \d+ faces, by 3 photos", told)
    assert re.search(r"inverted \S+ s a face, edited at most \S+ s a face, pasted \S+ s a photo", told)
    assert re.search(r"about .* in one worker of this machine", told)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--edit-flags", "strides=3"], "--edit-flags strides=3: stylemill edit ials has no such flag"),
        (["--paste-flags", "out=x"], "the command that passes it on decides this flag"),
        (["--align-flags", "faces"], "write FLAG=VALUE"),
        (["--edit-flags", "steps=none"], "--steps none"),
        (["--editor", "brush"], "--editor brush: choose from"),
        (["--editor", "latent-transformer", "--edit-flags", "alphas=1"], "needs one that was trained on codes in w+"),
    ],
)
def test_what_cannot_be_is_told_before_any_work(words, said, made, tmp_path, capsys):
    assert edit(made, "--out", str(tmp_path / "none"), *words) == 2
    told = capsys.readouterr().err
    assert said in told
    assert not (tmp_path / "none").exists()
