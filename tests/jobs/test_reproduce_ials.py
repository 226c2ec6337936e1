"""`stylemill reproduce ials` on the tiny networks: every step, the page, and its numbers made once more."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from studies import MIDDLES, MODELS, RUN, centre, frame

from jobs.__main__ import main
from pipeline.metrics import Outcomes, paired_differences
from pipeline.report import study
from pipeline.report.wording import score

pytestmark = pytest.mark.slow
WORDS = [*MODELS, "--labelled", "400", "--rows", "8", "--others", "48", "--trial", "8", "--ablated", "4"]
WORDS += ["--gradient-faces", "16", "--steps", "4", "--trial-faces", "40", *RUN]


@pytest.fixture(scope="module")
def small():
    with pytest.MonkeyPatch.context() as patch:
        centre(patch)
        yield


@pytest.fixture(scope="module")
def out(small, tmp_path_factory):
    out = tmp_path_factory.mktemp("study")
    before = set(sys.modules)
    assert main(["reproduce", "ials", *WORDS, "--out", str(out)]) == 0
    assert "ray" in before or "ray" not in sys.modules  # --local among the flags is for every step
    return out


def outcomes(out, run, request, rows):
    """Transformed and kept (N, K) of the first rows of a request, by the judge, from the scores of every step."""
    steps = frame(out, run, "dt_steps")
    steps = steps[steps["request"] == request]
    primal, condition = (
        steps.pivot(index="row", columns="step", values=name).to_numpy()[:rows] > 0
        for name in ("judge_primal", "judge_condition")
    )
    assert not primal[:, 0].any()
    return Outcomes(primal[:, 1:], condition[:, 1:] == condition[:, :1])


def request_of(out, run, *lambdas) -> int:
    asked = frame(out, run, "requests")
    return next(row["index"] for row in asked.to_dict("records") if tuple(row["lambdas"]) == lambdas)


def test_it_has_every_part(page):
    for heading in (
        "The paper's claims",
        "Is (1, 1) worse? (Table 1, Eq. 7)",
        "male, with smile preserved",
        "old, with eyeglasses preserved",
        "The same with the paper's 20 steps of 0.1",
        "male, with smile preserved, steps of 0.1",
        "The judge beside the family that edits",
        "Incremental updating (Sec. 3.3, Fig. 4)",
        "Attribute-level directions: SVM or mean of gradients",
        "Faces: male, with smile preserved",
        "Faces: old, with eyeglasses preserved",
    ):
        assert f"<h2>{heading}</h2>" in page
    assert page.index("data:image/webp") < page.index("<table")
    never = page.count("never reaches it")
    assert page.count("data:image/webp;base64,") == 2 * 2 * (5 + 6 + 6 + 5) - 2 * never
    assert page.count("<polyline") == 2 * (4 + 2)  # pairs, cells of the own steps and of the paper's
    assert "<h2>The paper&#x27;s Table 1, for comparison</h2>".replace("&#x27;", "'") in page


def test_a_step_is_as_long_as_nine_faces_of_ten_need(out, text):
    sizes = json.loads(Path(out, "step-sizes.json").read_text())
    assert list(sizes) == ["male:smile", "old:eyeglasses"]
    judged = frame(out, "trial-judged", "labels")
    for pair, size in sizes.items():
        primal = pair.split(":")[0]
        tried = frame(out, f"trial-without-{primal}")
        lacking = judged[judged[primal] <= 0]["index"].tolist()
        assert tried["key"].tolist() == [str(row) for row in lacking[:8]]
        last = frame(out, f"trial-{pair.replace(':', '-')}", "edits").groupby("index").last()
        needed = np.sort(np.where(last["stop"] == "reached", last["strength"], np.inf))
        nine = needed[7]
        assert np.isfinite(nine)
        assert size == {
            "length": pytest.approx(nine / 4, rel=1e-3), "steps": 4, "reach": pytest.approx(nine),
            "rows": 8, "beyond": 0,
        }  # fmt: skip
        assert size["length"] * 4 >= size["reach"]
        own, paper = (frame(out, f"{run}-{pair.replace(':', '-')}", "dt_auc") for run in ("dt", "dt-paper-few"))
        level = own[(own["lambda1"] == 1) & (own["lambda2"] == 1) & (own["family"] == "tiny-judge")].iloc[0]
        name = pair.replace(":", "\\|")
        assert f"- Steps of {pair.replace(':', '|')}: 4 steps of {size['length']:.4g}, chosen on 8 other faces" in text
        assert f"| {name} | 4 | {size['length']:.3f} | {level['rows']} | {level['p_max']:.3f} |" in text
        assert set(own["step_size"]) == {size["length"]}
        assert set(paper["step_size"]) == {0.1}
        assert set(paper["steps"]) == {20}
        assert set(zip(paper["lambda1"], paper["lambda2"], strict=True)) == {(1.0, 1.0), (0.75, 0.0)}
        assert paper["rows"].max() <= 4
        assert own[(own["lambda1"] == 1) & (own["lambda2"] == 1)]["p_max"].min() >= 0.75


def test_the_claims_are_told_from_the_areas(out, text):
    verdicts = []
    for pair in ("male-smile", "old-eyeglasses"):
        areas = frame(out, f"dt-{pair}", "dt_auc")
        assert areas["ranked"].all()
        judged = areas[areas["family"] == "tiny-judge"].set_index(["lambda1", "lambda2"])
        for cell, theirs in (((1.0, 0.0), "+0.034"), ((0.75, 0.0), "+0.036")):
            row = judged.loc[cell]
            verdicts.append({"better": "holds", "worse": "does not hold"}.get(row["verdict"], row["verdict"]))
            numbers = [score(row[name][0], 3) for name in ("difference", "difference_low", "difference_high")]
            name = pair.replace("-", "\\|")
            assert (
                f"| {name}: mean of q, ({cell[0]:g}, {cell[1]:g}) minus (1, 1) | {theirs} | {numbers[0]} | "
                f"{numbers[1]} to {numbers[2]} | {verdicts[-1]} |"
            ) in text
    so = verdicts.count("holds")
    assert f"is worse than the cells around the paper's choice: holds in {so} of 4" in text


def test_parts_left_out_are_compared_on_the_same_faces(out, page, text):
    choice = request_of(out, "dt-male-smile", 0.75, 0.0)
    updated = outcomes(out, "dt-male-smile", choice, 4)
    kept = outcomes(out, "dt-kept-male-smile", 0, 4)
    assert (
        list(frame(out, "dt-kept-male-smile", "dt_steps")["row"].unique())
        == sorted(frame(out, "dt-male-smile", "dt_steps")["row"].unique())[:4]
    )
    found = paired_differences({"updated": updated, "kept": kept}, "updated")["kept"]
    assert (
        f"| male\\|smile at (0.75, 0): mean of q, kept minus updated | worse | {score(found.observed, 3)} | "
        f"{score(found.low, 3)} to {score(found.high, 3)} | {found.verdict} |"
    ) in text
    assert found.verdict == "not decided"
    for cell in ((1.0, 1.0), (0.75, 0.0)):
        svm = outcomes(out, "dt-male-smile", request_of(out, "dt-male-smile", *cell), 4)
        mean = outcomes(out, "dt-gradient-male-smile", request_of(out, "dt-gradient-male-smile", *cell), 4)
        found = paired_differences({"svm": svm, "mean": mean}, "svm")["mean"]
        said = f"| male\\|smile at ({cell[0]:g}, {cell[1]:g}): mean of q, gradients minus SVM | as well |"
        assert f"{said} {score(found.observed, 3)} | {score(found.low, 3)} to {score(found.high, 3)} |" in text
    svm, mean = (frame(out, run, "directions").set_index("attribute") for run in ("fit-w", "fit-gradient"))
    assert set(mean["method"]) == {"mean-gradient"}
    for name in MIDDLES:
        assert f">{study.cell(float(np.dot(svm['vector'][name], mean['vector'][name])))}</td>" in page


def test_pictures_are_of_faces_that_were_measured(out, page):
    measured = frame(out, "dt-kept-old-eyeglasses", "dt_steps")["row"]
    shown = [int(key) for key in frame(out, "pictures-old-eyeglasses", "latents")["key"]]
    assert shown == sorted(set(measured))[:2]
    edits = frame(out, "pictures-old-eyeglasses", "edit-0.75-0", "edits")
    source = frame(out, "others", "latents").set_index("index")["w"]
    for face, index in enumerate(shown):
        same = edits[(edits["index"] == face) & (edits["step"] == 0)].iloc[0]
        assert same["latent"].tobytes() == source[index].tobytes()  # not sampled anew, where last bits may differ
        last = edits[(edits["index"] == face) & (edits["step"] == 4)].iloc[0]
        old, eyeglasses = (
            f"{name} {last[f'judge_{name}']:+.1f}".replace("-", "\N{MINUS SIGN}") for name in ("old", "eyeglasses")
        )
        assert f': lambda1 0.75, {old}, {eyeglasses}">' in page  # for those who do not see the picture
        assert (
            f'lambda1 0.75</span> <span class="score bold">{old}</span> <span class="score">{eyeglasses}</span>' in page
        )
        assert f"face {index}: incremental or not" in page
    assert page.count("their scores agree with those of the curves to 0.001.") == 2
    curves = frame(out, "dt-old-eyeglasses", "dt_curves")
    own = curves[(curves["lambda1"] == 1) & (curves["lambda2"] == 1) & (curves["family"] == "tiny-judge")]
    first = own[own["p"] >= 0.5].sort_values("step").iloc[0]
    assert f"p = 0.5: InterFaceGAN first reaches it at step {first['step']}, with {first['p']:.2f};" in page
    steps = frame(out, "dt-old-eyeglasses", "dt_steps")
    request = request_of(out, "dt-old-eyeglasses", 0.75, 0.0)
    for face, index in enumerate(shown):
        same = steps[(steps["request"] == request) & (steps["row"] == index)]["judge_primal"]
        np.testing.assert_allclose(edits[edits["index"] == face]["judge_old"], same, atol=1e-5)


def test_the_same_command_makes_nothing_anew(out, capsys):
    before = Path(out, "report.html").read_bytes()
    capsys.readouterr()
    assert main(["reproduce", "ials", *WORDS, "--out", str(out)]) == 0
    said = capsys.readouterr().err
    assert said.count("all done") == said.count("Plan  ")
    assert Path(out, "report.html").read_bytes() == before


def test_faces_and_directions_of_another_folder_are_taken(small, out, tmp_path, capsys):
    words = [*MODELS, "--from", str(out), "--rows", "4", "--others", "24", "--ablated", "4", "--step-size", "1.5"]
    words += ["--pairs", "smile:old", "--steps", "2", "--gradient-faces", "16", *RUN, "--out", str(tmp_path / "out")]
    assert main(["reproduce", "ials", *words]) == 0
    said = capsys.readouterr().err
    assert "Step  stylemill dataset" not in said
    assert "--method svm" not in said
    page = Path(tmp_path, "out", "report.html").read_text()
    assert "<dt>Steps of smile|old</dt><dd>2 steps of 1.5, as asked</dd>" in page
    assert "400 labelled" in page
    assert "Faces: smile, with old preserved" in page
    assert {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()} == {
        "others", "others-judged", "dt-smile-old", "dt-paper-few-smile-old", "dt-kept-smile-old",
        "dt-gradient-smile-old", "fit-gradient", "pictures-smile-old",
    }  # fmt: skip


def test_a_folder_that_lacks_something_is_refused(small, out, tmp_path, capsys):
    for words, message in (
        (["--pairs", "yaw:smile"], "has no direction of yaw"),
        (["--generator", "stylegan2-other"], "pass --generator stylegan2-tiny"),
    ):
        asked = [*WORDS, "--from", str(out), *words, "--out", str(tmp_path / "out")]
        assert main(["reproduce", "ials", *asked]) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_too_few_faces_are_said_as_soon_as_they_are_judged(small, out, tmp_path, capsys):
    words = [*WORDS, "--from", str(out), "--rows", "20", "--others", "24", "--out", str(tmp_path)]
    assert main(["reproduce", "ials", *words]) == 2
    judged = frame(tmp_path, "others-judged", "labels")
    there = int((judged["male"] <= 0).sum())
    assert f"{there} of 24 other faces start without male, fewer than --rows 20: pass --rows {there} --others 24" in (
        capsys.readouterr().err
    )
    assert not (tmp_path / "trial").exists()
