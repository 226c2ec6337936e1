"""What every job of edits promises: its table has what the editor makes of the same codes, whichever flags are given;
the steps that are kept are those of a job that keeps all; other size of micro-batches, the same bits."""

import numpy as np
import pytest

import schemas
from jobs.edit import SPECS
from jobs.flags import parse
from pipeline.directions.conditional import project
from pipeline.editors import EDITORS, config_of
from pipeline.models import classifiers, generators
from pipeline.models.classifiers import parsing
from pipeline.models.faces import FaceScorer
from pipeline.stages.codes import read_codes
from pipeline.tables import Table
from tests.jobs.edits import edit, edits, planted, sample

from .jobs_of_each_verb import CASES
from .test_editors import FLAGS as FLAGS_OF
from .test_editors import artifact

ROWS, B = 6, 4
NAMES = ("old", "eyeglasses", "young", "male")
FLAGS = {
    "interfacegan": {
        "z": "--strengths=-3,-1,1,3", "w": "--strengths=-3,3", "s": "--strengths=-1,1",
        "absolute": "--space w --preserve eyeglasses,male --absolute --strengths 2,5",
        "as released": "--space w --as-released --strengths=2",
        "layers": "--space w+ --layers 0-2,5 --strengths 3 --psi-after 0.5",
        "cutoff": "--space w+ --layers 0-2,5 --strengths 3 --psi-after 0.5",
        "until": "--space w --until 0.5 --target flip --bound 64",
        "alias": "--space w --attribute young --until 0.5 --target 1 --tolerance 0.05",
    },
    "ials": {
        "w": "--preserve eyeglasses --steps 3 --step-size 0.5", "w+": "--preserve male --steps 2",
        "per layer": "--space w+ --preserve male --steps 2 --per-layer", "s": "--preserve male --steps 2 --recompute",
        "once": "--space w --preserve male --steps 2 --no-incremental",
        "as released": "--space w --preserve eyeglasses --steps 2 --as-released",
        "until": "--space w --lambda1 0 --steps 8 --step-size 2 --until 0.5 --target flip",
    },
    "id-style": {
        "w+": "--intensity 2", "cutoff": "--space w+", "flip": "--space w --target flip",
        "most": "--space w --target 0 --top-k 9",
    },
    "latent-transformer": {"w+": "--alphas=-0.5,1", "flip": "--space w --target flip --alpha 2"},
}  # fmt: skip
"""Of each editor: a name, which may be that of a space, and its flags; `cutoff`: of latents whose layers differ."""
WAYS = [(editor, way) for editor in EDITORS for way in FLAGS.get(editor, {"w": ""})]


@pytest.fixture(scope="module")
def generator():
    return generators.load("stylegan2-tiny", backend="eager")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Latents, latents with a cutoff, and the directions by attribute and space with their table."""
    out = tmp_path_factory.mktemp("inputs")
    found = {(one.attribute, one.space): one for one in planted(out / "directions", names=NAMES)}
    return sample(out, ROWS), sample(out / "cut", ROWS, 4, "--cutoff", "3"), out / "directions", found


def words_of(editor: str, way: str) -> list[str]:
    space = ["--space", way] if way in ("z", "w", "w+", "s") else []
    given = FLAGS.get(editor, {}).get(way, "").split()
    return [*space, *given, *(() if "--attribute" in given else ("--attribute", "old"))]


def by_hand(editor, words, latents, directions, generator):
    """The trace of all rows, by the editor itself, in micro-batches as a job has them."""
    kind = SPECS[editor].EDITOR[1]
    own = ["--directions", "d"] if kind.TAKES_DIRECTIONS else []
    own += ["--artifact", "a"] if kind.ARTIFACT else []
    spec = parse(SPECS[editor], ["--latents", "l", *own, "--out", "o", *words])
    config, needed = spec.config, spec.config.needed(spec.attribute, spec.preserve)
    space = spec.space or "w"
    level = {name: directions[name, "w" if space == "w+" else space] for name in NAMES}
    level = {name: one.in_w_plus() if space == "w+" else one for name, one in level.items()}
    if needed.projected:
        one, conditions = level[spec.attribute[0]], [level[name] for name in spec.preserve]
        one = project(one, conditions) if conditions else one
        request, wanted = config.request(one.attribute, one.conditions), [one]
    else:
        request, wanted = config.request(spec.attribute[0], spec.preserve), [level[name] for name in needed.names]
    if needed.also_in:
        wanted += [directions[name, needed.also_in] for name in needed.names]
    family = classifiers.load("tiny", ("old", "eyeglasses", "male"), measures=())
    faces = FaceScorer(generator, {"": family}, parser=parsing.load("tiny"))
    opened = config.open(faces, wanted, artifact(kind.ARTIFACT, space) if kind.ARTIFACT else None)
    index, codes = read_codes(Table.open(latents), space, generator)
    assert index.tolist() == list(range(ROWS))
    found = []
    for first in range(0, ROWS, B):
        some = codes.select(slice(first, first + B))
        trace = opened.edit(some.in_slots(range(len(some)), B), [request] * B)
        found += [
            (step, float(trace.strengths[row, place]), trace.stops[row], trace.values[row, place].numpy())
            for row in range(len(some)) for place, step in enumerate(trace.steps[row].tolist()) if step >= 0
        ]  # fmt: skip
    return request, found


@pytest.mark.parametrize(("editor", "way"), WAYS)
def test_a_table_has_what_the_editor_makes(editor, way, inputs, generator, tmp_path):
    latents, cut, directions, level = inputs
    table, words = cut if way == "cutoff" else latents, words_of(editor, way)
    assert edit(table, directions, tmp_path, editor, *words, "--keep", "all") == 0
    request, wanted = by_hand(editor, words, table, level, generator)
    rows = Table.open(f"{tmp_path}/edits").read()
    assert rows["step"].to_pylist() == [step for step, *_ in wanted]
    assert rows["stop"].to_pylist() == [stop for *_, stop, _ in wanted]
    latent = schemas.to_numpy(rows["latent"])
    np.testing.assert_allclose(rows["strength"].to_numpy(), [strength for _, strength, *_ in wanted], atol=1e-5)
    np.testing.assert_allclose(latent, [values for *_, values in wanted], atol=2e-6, rtol=1e-6)
    assert np.abs(np.diff(latent.reshape(len(latent), -1), axis=0)).max() > 0.01
    [row] = Table.open(f"{tmp_path}/requests").read().to_pylist()
    assert (row["attribute"], row["conditions"]) == (request.attribute, list(request.preserve))
    assert row["strengths"] == pytest.approx(list(request.strengths))
    assert row["until"] == ([] if request.until is None else [request.until])


def scored(inputs, editor, out, *more: str) -> list[dict]:
    """The rows of a job that looks at its faces."""
    way = CASES[editor].words.split("--attribute", 1)[1].split()
    words = ["--attribute", "old", "--space", "w", *way[1:], *more]
    assert edit(inputs[0], inputs[2], out, editor, *words) == 0
    return edits(out)


@pytest.fixture(scope="module")
def whole(inputs, tmp_path_factory):
    """name of an editor -> the rows of its job of three steps or more, of which all are kept."""
    made = {}

    def of(editor):
        if editor not in made:
            made[editor] = scored(inputs, editor, tmp_path_factory.mktemp(editor), "--keep", "all")
        return made[editor]

    return of


@pytest.mark.parametrize("editor", EDITORS)
@pytest.mark.parametrize("keep", ["last", "2"])
def test_the_steps_that_are_kept_are_what_they_would_have_been(editor, keep, inputs, whole, tmp_path):
    last = max(row["step"] for row in whole(editor))
    steps = {last} if keep == "last" else {*range(0, last, 2), last}
    found = scored(inputs, editor, tmp_path, "--keep", keep)
    assert found == [row for row in whole(editor) if row["step"] in steps]


@pytest.mark.parametrize("editor", EDITORS)
def test_the_size_of_micro_batches_changes_no_bit_of_a_latent(editor, inputs, whole, tmp_path):
    """Where styles are made of the latents first, their last bits may be others."""
    found = [row["latent"] for row in scored(inputs, editor, tmp_path, "--keep", "all", "--batch-size", "2")]
    wanted = [row["latent"] for row in whole(editor)]
    if config_of(editor).model_validate(FLAGS_OF.get(editor, {})).edits_in("w") == "w":
        assert found == wanted
    else:
        np.testing.assert_allclose(found, wanted, atol=1e-4)
