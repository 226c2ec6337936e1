"""What every editor promises: the source is step 0, a row does not depend on its neighbours, and one that is not finite
stops alone."""

import pytest
import torch

import schemas
from pipeline.editors import EDITORS, NOT_FINITE, config_of
from pipeline.editors.kept import ANY
from pipeline.models import classifiers, generators
from pipeline.models.classifiers import parsing
from pipeline.models.codes import Codes
from pipeline.models.faces import FaceScorer
from pipeline.stages.kept_rows import schema_of
from pipeline.stages.models import read_artifact
from tests.jobs.edits import trained
from tests.pipeline.editors import faces64

FLAGS = {
    "interfacegan": {"strengths": (-2.0, 3.0)},
    "ials": {"steps": 3, "step_size": 0.5},
    "style-intervention": {"steps": 2, "always": True},
    "latent-transformer": {"alphas": (-1.0, 1.25)},
    "id-style": {"target": "flip"},
}
"""Of an edit of a few steps; another editor is asked what all editors are."""
ROWS = 4
CASES = [
    (name, space)
    for name in EDITORS
    if name in FLAGS or not any(flag.is_required() for flag in config_of(name).model_fields.values())
    for space in config_of(name).SPACES
    if space != "z"
]


@pytest.fixture(scope="module")
def faces():
    generator = generators.load("stylegan2-tiny", backend="eager")
    family = classifiers.load("tiny", faces64.ATTRIBUTES, measures=())
    return FaceScorer(generator, {"": family}, parser=parsing.load("tiny"))


def artifact(what, space):
    """The tensors that an editor is given of an artifact made for it."""
    return read_artifact(trained(what, space), what).tensors


def codes(space, seed=0) -> Codes:
    return Codes(space, faces64.codes(space, ROWS, seed).values.float())


def source_in(space, some, faces):
    """The codes in the space of an editor's edits, where that is another one."""
    return faces.styles(some) if space == "s" else some.values[:, None].expand(-1, faces.generator.num_ws, -1)


def edited(name, faces, some):
    config = config_of(name).model_validate(FLAGS.get(name, {}))
    request = config.request("old")
    steps = config.traits([request]).steps
    also = config.needed(("old",), ()).also_in
    directions = [*faces64.directions(some.space, shared=True), *(faces64.directions(also) if also else ())]
    tensors = artifact(config.ARTIFACT, some.space) if config.ARTIFACT else None
    trace = config.open(faces, directions, tensors).edit(some, [request] * ROWS)
    assert trace.values.shape[:2] == (ROWS, steps + 1)
    return trace


@pytest.mark.parametrize(("name", "space"), CASES)
def test_the_source_is_step_0_and_every_step_moves(name, space, faces):
    trace = edited(name, faces, codes(space))
    moved = config_of(name).model_validate(FLAGS.get(name, {})).edits_in(space) != space
    source = source_in(trace.space, codes(space), faces) if moved else codes(space).values
    assert torch.equal(trace.at(0).values, source)
    assert trace.steps.tolist() == [list(range(trace.values.shape[1]))] * ROWS
    for step in range(1, trace.values.shape[1]):
        assert not torch.equal(trace.values[:, step], trace.values[:, step - 1])


@pytest.mark.parametrize(("name", "space"), CASES)
def test_a_row_does_not_depend_on_its_neighbours(name, space, faces):
    others = codes(space, seed=1).values
    others[2] = codes(space).values[2]
    found, alone = (edited(name, faces, some) for some in (codes(space), Codes(space, others)))
    assert torch.equal(found.values[2], alone.values[2])
    assert not torch.equal(found.values[1], alone.values[1])


@pytest.mark.parametrize(("name", "space"), CASES)
def test_what_it_keeps_besides_is_what_it_says(name, space, faces):
    config = config_of(name).model_validate(FLAGS.get(name, {}))
    some, generator = codes(space), faces.generator
    tables = config.keeps(generator.shape_of(config.edits_in(space)))
    kept = edited(name, faces, some).tables
    assert {table.name: {*table.columns} for table in tables} == {table: {*kept[table]} for table in kept}
    assert not {table.name for table in tables} & {*dir(schemas)}
    for table in tables:
        schema_of(table)
        for column, about in table.columns.items():
            found = kept[table.name][column]
            width = found.shape[1:] if about.width == ANY else () if about.width is None else (about.width,)
            assert found.shape == (ROWS, *width)
            assert (found.dtype == torch.bool) == (about.type == "bool")


@pytest.mark.parametrize(("name", "space"), CASES)
def test_a_row_that_is_not_finite_stops_alone(name, space, faces):
    broken = codes(space).values
    broken[1].view(-1)[3] = torch.nan
    found, whole = (edited(name, faces, some) for some in (Codes(space, broken), codes(space)))
    assert [stop == NOT_FINITE for stop in found.stops] == [False, True, False, False]
    assert not (found.steps[1] >= 0).any()
    rest = [0, 2, 3]
    assert torch.equal(found.values[rest], whole.values[rest])
