"""The page of a whole folder: what is on it, and what is never on it."""

import base64
import hashlib
import io
import itertools
import re
from pathlib import Path

import numpy as np
import pytest
import synthetic_folder
from page_reader import Page
from PIL import Image

from pipeline import report
from pipeline.report import page


def colour_of(uri: str) -> tuple[int, ...]:
    head, data = uri.split(",", 1)
    assert head == "data:image/webp;base64"
    image = Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")
    return tuple(round(value) for value in np.asarray(image)[image.height // 2 :].reshape(-1, 3).mean(0))


def test_the_url_of_the_page_comes_back(folder: str) -> None:
    assert report.write(folder) == f"{folder}/report.html"
    assert Path(folder, "report.html").is_file()


def test_every_section_is_there_under_one_first_heading(folder: str) -> None:
    document = Page.of(report.write(folder))
    assert document.one("h1").text == "faces"
    assert [h.text for h in document.all("h2") if "section" in h.inside] == [
        "Random faces",
        "Attributes",
        "Labels with a unit",
        "Correlations of the labels",
        "Rejects",
        "Provenance",
        "Weights",
        "On using these faces and labels",
    ]
    assert [h.text for h in document.all("h3")][:7] == [*synthetic_folder.ATTRIBUTES, "age", "yaw angle"]
    levels = [int(e.tag[1]) for e in document.elements if re.fullmatch("h[1-6]", e.tag)]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_each_picture_is_that_of_its_index(folder: str) -> None:
    shown = Page.of(report.write(folder)).faces()
    assert len(shown) == page.RANDOM_FACES + 3 * page.STRIP_FACES * len(synthetic_folder.ATTRIBUTES)
    for index, uri in shown:
        assert np.abs(np.subtract(colour_of(uri), synthetic_folder.colour(index))).max() <= 6


def test_strips_hold_the_ends_and_the_middle_of_the_scale(folder: str) -> None:
    document = Page.of(report.write(folder))
    grids = [e.attributes["data-sheet"] for e in document.all("div", "grid")]
    assert grids[:4] == ["random", "smile, lowest", "smile, nearest the boundary", "smile, highest"]
    shown = [index for index, _ in document.faces()][page.RANDOM_FACES :]
    smile_N = synthetic_folder.scores(40, ["smile"])["smile"]
    lowest, nearest, highest = (shown[k * 9 : (k + 1) * 9] for k in range(3))
    assert lowest == np.argsort(smile_N)[:9].tolist()
    assert highest == np.argsort(-smile_N)[:9].tolist()
    assert sorted(nearest) == sorted(np.argsort(np.abs(smile_N))[:9].tolist())
    assert np.all(np.diff(smile_N[nearest]) > 0)


def test_run_facts_and_provenance_are_read_from_the_books(folder: str) -> None:
    document = Page.of(report.write(folder))
    facts = document.facts()
    assert {name: facts[name] for name in ("planned", "published", "rejected", "failed", "last run")} == {
        "planned": "42",
        "published": "40",
        "rejected": "2",
        "failed": "0",
        "last run": "14 m 02 s",
    }
    assert facts["Fingerprint"] == synthetic_folder.DIGEST
    assert facts["Generator's digest"] == "a" * 64
    assert facts["Truncation cutoff"] == "none"
    assert facts["Classifiers' digest"] == "not recorded"
    assert facts["Noise of its own"] == "3"
    assert facts["Exit code"] == "0, complete"
    assert facts["Synth time, summed"] == "5 m 00 s"
    assert facts["torch"] == "2.13.0"
    assert document.one("p", "origin").text == "mobilestylegan-ffhq, psi 0.7, seed 7, labels by faces"
    assert document.one("p", "state").text == "Sealed: latents, labels, images"


def test_the_most_memory_of_a_worker_is_told_in_its_own_words(folder: str) -> None:
    counters = {"peak_rss_bytes": 2.31e9, "peak_device_bytes": 17.5e9}
    synthetic_folder.document(folder, "summary", {**synthetic_folder.SUMMARY, "counters": counters})
    facts = Page.of(report.write(folder)).facts()
    assert facts["Most memory of a worker"] == "2.31 GB"
    assert facts["Most device memory of a worker"] == "17.5 GB"


def test_licences_citations_and_what_labels_are_not(folder: str) -> None:
    document = Page.of(report.write(folder))
    assert "Belousov 2021, https://arxiv.org/abs/2104.04767" in document.text
    tagged = [heading.text for heading in document.all("h3") if "non-commercial" in heading.text]
    assert tagged == ["mobilestylegan-ffhq non-commercial", "parser non-commercial"]
    assert document.facts()["Restriction"] == "learned from FFHQ, whose terms are non-commercial"
    assert "Non-commercial use only: mobilestylegan-ffhq, parser, and with them what was made here." in document.text
    assert "not a person’s gender" in document.text
    assert "Consent." in document.text


def test_base_rates_and_correlations_are_those_of_the_labels(folder: str) -> None:
    document = Page.of(report.write(folder))
    score_NA = synthetic_folder.scores(40, synthetic_folder.ATTRIBUTES)
    for name, header in zip(score_NA, [e for e in document.all("header") if "article" in e.inside], strict=True):
        above = int((score_NA[name] > 0).sum())
        assert f"{100 * above / 40:.1f} % above 0 ({above} of" in " ".join(header.text.split())
    cells = [e for e in document.all("td") if e.has("plus") or e.has("minus")]
    assert len(cells) == 7 * 6
    wanted = np.corrcoef(score_NA["smile"], score_NA["male"])[0, 1]
    assert float(cells[0].text.replace("−", "-")) == pytest.approx(wanted, abs=0.006)


def test_rejects_are_counted_by_reason_most_frequent_first(folder: str) -> None:
    synthetic_folder.rejects(folder, {40: "undecodable", **dict.fromkeys(range(50, 65), "not finite")}, "label")
    synthetic_folder.document(folder, "spec", {}, verb="label")
    document = Page.of(report.write(folder))
    captions = [caption.text for caption in document.all("caption")]
    assert captions == ["Rows that dataset rejected", "Rows that label rejected"]
    cells = [e.text for e in document.elements if e.tag in ("td", "th") and "tbody" in e.inside]
    assert cells[-6:] == ["not finite", "15", "50, 51, 52, 53, 54, 55, 56, 57 …", "undecodable", "1", "40"]


def test_the_same_folder_gives_the_same_bytes(tmp_path: Path) -> None:
    one, two = (synthetic_folder.make(str(tmp_path / name / "faces")) for name in ("one", "two"))
    assert Path(report.write(one)).read_bytes() == Path(report.write(two)).read_bytes()
    assert Path(report.write(one)).read_bytes() == Path(report.write(two)).read_bytes()


def test_the_seed_moves_the_random_sheet_and_nothing_else(folder: str) -> None:
    first, second = ([index for index, _ in Page.of(report.write(folder, seed=seed)).faces()] for seed in (0, 1))
    assert first[: page.RANDOM_FACES] != second[: page.RANDOM_FACES]
    assert first[page.RANDOM_FACES :] == second[page.RANDOM_FACES :]


def test_shards_of_another_size_show_the_same_faces(tmp_path: Path) -> None:
    shown = [
        Page.of(report.write(synthetic_folder.make(str(tmp_path / str(rows)), rows_per_shard=rows))).faces()
        for rows in (7, 40)
    ]
    assert shown[0] == shown[1]


def test_nothing_outside_the_file_is_named_by_an_element(folder: str) -> None:
    text = Path(report.write(folder)).read_text()
    document = Page(text)
    for element in document.elements:
        for name in ("src", "href", "srcset", "action", "poster", "data"):
            value = element.attributes.get(name)
            assert value is None or value.startswith(("data:", "#")), (element.tag, name, value)
    (style,) = [e.text for e in document.all("style")]
    assert "url(" not in style
    assert "@import" not in style
    (policy,) = [e.attributes["content"] for e in document.all("meta") if "http-equiv" in e.attributes]
    digest = base64.b64encode(hashlib.sha256(document.one("script").text.encode()).digest()).decode()
    assert policy == f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def test_strings_of_the_tables_and_books_are_text_and_never_markup(tmp_path: Path) -> None:
    hostile = '"><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}'
    folder = synthetic_folder.make(str(tmp_path / "faces"), attributes=[hostile, "male"])
    spec = {"spec": {"generator": hostile, "attributes": [hostile, "male"], "seed": [hostile]}, hostile: hostile}
    synthetic_folder.document(folder, "spec", spec)
    synthetic_folder.document(
        folder, "summary", {"weights": [{"name": hostile, "citation": hostile}], "counters": {hostile: hostile}}
    )
    synthetic_folder.rejects(folder, {40: hostile, 41: hostile})
    document = Page.of(report.write(folder, title=hostile))
    assert len(document.all("script")) == 1
    assert not [e for e in document.elements if any(name.startswith("on") for name in e.attributes)]
    assert document.one("h1").text == hostile
    assert document.all("h3")[0].text == hostile
    assert all((e.attributes["src"] or "").startswith("data:image/webp;base64,") for e in document.all("img"))
