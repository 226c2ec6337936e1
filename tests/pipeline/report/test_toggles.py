"""Edits of one attribute read from tables: who reached which side, and what stayed."""

from functools import partial

import numpy as np
import pandas as pd
import pytest

import schemas
from pipeline.errors import StoreError
from pipeline.metrics.between_strengths import in_between
from pipeline.metrics.of_faces import NUMBERS
from pipeline.report.toggles import paired, read, stacked
from pipeline.tables import Table

JUDGED = ("smile", "old", "male")


def edits_of(url, faces, scores, attributes=("smile",), strengths=(1.0, 2.0), own=(), last=None, facts=None):
    """A folder of edits with the source and two steps. scores: by (face, request), (3, 3) by step and attribute; of the
    attributes `own` another family sees the opposite. last: by face, its last step where that is not 2.
    """
    schema = schemas.edits((2,), own, JUDGED)
    table = Table(f"{url}/edits", schema)
    records = []
    for part, face in enumerate(faces):
        steps = range(1 + (last or {}).get(face, 2))
        numbers = [(request, step) for request in range(len(attributes)) for step in steps]
        judged = np.array([scores[face, request][step] for request, step in numbers], np.float32)
        rows = {
            "index": [face] * len(numbers), "request": [one for one, _ in numbers], "step": [one for _, one in numbers],
            "strength": [0.0 if step == 0 else strengths[step - 1] for _, step in numbers],
            "stop": ["done"] * len(numbers), "space": ["w"] * len(numbers),
            "latent": np.zeros((len(numbers), 2), np.float32), "generator": ["g"] * len(numbers),
            **{f"judge_{name}": judged[:, place] for place, name in enumerate(JUDGED)},
            **{name: -judged[:, place] for place, name in enumerate(JUDGED) if name in own},
        }  # fmt: skip
        records.append(table.publish(part, schema.rows(rows), shards=len(faces)))
    table.seal(records, facts or {})
    count, schema = len(attributes), schemas.requests()
    asked = {
        "index": list(range(count)), "attribute": list(attributes), "target": ["1"] * count,
        "conditions": [[]] * count, "lambdas": [[]] * count, "strengths": [list(strengths)] * count,
        "until": [[]] * count, "options": [[]] * count, "option_values": [[]] * count,
    }  # fmt: skip
    table = Table.create(f"{url}/requests", schema, rows=count, rows_per_shard=count)
    table.seal([table.publish(0, schema.rows(asked))], {})


def values(url, faces, request=0):
    rows = [(f"{url}/edits", request, face, step, "identity", 1 - 0.1 * step - 0.01 * face)
            for face in faces for step in (1, 2)]  # fmt: skip
    return pd.DataFrame(rows, columns=["edits", "request", "face", "step", "name", "value"])


UP = np.array([[-1, 1, 1], [0.5, 1, 1], [1, -1, 1]])  # smile rises at the first step, old falls there
DOWN = np.array([[1, 1, 1], [1, 1, 1], [-1, 1, -1]])  # smile goes at the second step, and male with it


@pytest.fixture
def folders(tmp_path):
    edits_of(f"{tmp_path}/up", [4, 9], {(4, 0): UP, (9, 0): UP})
    edits_of(f"{tmp_path}/down", [5], {(5, 0): DOWN}, strengths=(-1.0, -2.0))
    return [(f"{tmp_path}/up", True), (f"{tmp_path}/down", False)]


def test_each_face_is_to_come_to_its_side(folders):
    measured = pd.concat([values(folders[0][0], [4, 9]), values(folders[1][0], [5])])
    found = read("smile", folders, measured, NUMBERS)
    assert found.faces.tolist() == [4, 9, 5]
    assert found.targets.tolist() == [True, True, False]
    assert found.strengths.tolist() == [1, 2]
    assert found.reached.tolist() == [[False, True, True]] * 2 + [[False, False, True]]
    assert found.is_toggle.all()
    assert found.kept.tolist() == [[1, 1, 0.5]] * 2 + [[1, 1, 0.5]]
    np.testing.assert_allclose(found.number("identity"), [[1, 0.86, 0.76], [1, 0.81, 0.71], [1, 0.85, 0.75]])
    assert found.swept(found.kept, among=True).counts().tolist() == [3, 2, 3]


def test_a_number_that_no_face_of_a_folder_has_is_not_there(folders):
    found = read("smile", folders, values(folders[0][0], [4, 9]), NUMBERS)
    assert np.isnan(found.number("identity")[:, 1:]).tolist() == [[False, False]] * 2 + [[True, True]]


def test_a_face_that_is_there_already_is_no_toggle(tmp_path):
    edits_of(f"{tmp_path}/up", [4, 5], {(4, 0): UP, (5, 0): DOWN})
    found = read("smile", [(f"{tmp_path}/up", True)], values(f"{tmp_path}/up", [4, 5]), NUMBERS)
    assert found.is_toggle.tolist() == [True, False]
    assert found.only(found.is_toggle).faces.tolist() == [4]


def test_the_other_family_may_see_it_otherwise(tmp_path):
    edits_of(f"{tmp_path}/up", [4], {(4, 0): UP}, own=("smile", "old"))
    found = read("smile", [(f"{tmp_path}/up", True)], values(f"{tmp_path}/up", [4]), NUMBERS)
    assert found.reached.tolist() == [[False, True, True]]
    assert found.reached_by_own.tolist() == [[True, False, False]]
    assert found.along(partial(in_between, parts=2)).only(np.array([0])).reached_by_own.shape == (1, 5)
    edits_of(f"{tmp_path}/none", [4], {(4, 0): UP})
    assert read("smile", [(f"{tmp_path}/none", True)], values(f"{tmp_path}/none", [4]), NUMBERS).reached_by_own is None


def test_a_request_is_found_by_its_attribute(tmp_path):
    scores = {(4, 0): UP, (4, 1): DOWN}
    edits_of(f"{tmp_path}/both", [4], scores, ("smile", "old"))
    found = read("old", [(f"{tmp_path}/both", False)], values(f"{tmp_path}/both", [4], request=1), NUMBERS)
    assert found.scores["smile"].tolist() == [[1, 1, -1]]
    with pytest.raises(StoreError, match="0 requests are of male, and one is to be read"):
        read("male", [(f"{tmp_path}/both", False)], values(f"{tmp_path}/both", [4]), NUMBERS)


def test_two_methods_are_compared_on_the_faces_that_both_have(folders, tmp_path):
    measured = pd.concat([values(folders[0][0], [4, 9]), values(folders[1][0], [5])])
    first = read("smile", folders, measured, NUMBERS)
    edits_of(f"{tmp_path}/other", [9, 5], {(9, 0): UP, (5, 0): UP})
    second = read("smile", [(f"{tmp_path}/other", True)], values(f"{tmp_path}/other", [9, 5]), NUMBERS)
    one, other = paired(first, second)  # face 5 goes down in the first
    assert one.faces.tolist() == other.faces.tolist() == [9]
    with pytest.raises(StoreError, match="no number mse: measure them with that metric"):
        one.number("mse")


def test_folders_of_other_strengths_are_told(folders, tmp_path):
    edits_of(f"{tmp_path}/far", [7], {(7, 0): UP}, strengths=(1.0, 3.0))
    measured = pd.concat([values(folders[0][0], [4, 9]), values(f"{tmp_path}/far", [7])])
    with pytest.raises(StoreError, match="smile have other strengths"):
        read("smile", [folders[0], (f"{tmp_path}/far", True)], measured, NUMBERS)


def test_a_source_whose_face_is_not_found_has_no_number(folders):
    told = pd.concat([values(folders[0][0], [4, 9]), values(folders[1][0], [5])])
    found = read("smile", folders, told, NUMBERS, {"identity": [9, 77]})
    assert found.faces.tolist() == [4, 9, 5]
    assert np.isnan(found.number("identity")).tolist() == [[False] * 3, [True] * 3, [False] * 3]


def test_a_face_that_has_stopped_stands_still_where_faces_may_stop(tmp_path):
    faces, scores = [4, 9, 11], {(face, 0): UP for face in (4, 9, 11)}
    measured = values(f"{tmp_path}/up", faces)
    at = {9: 1, 11: 0}
    measured = measured[measured["step"] <= measured["face"].map(at).fillna(2)]
    edits_of(f"{tmp_path}/up", faces, scores, last=at, facts={"spec": {"rows_may_stop": True, "keep": "1", "steps": 2}})
    found = read("smile", [(f"{tmp_path}/up", True)], measured, NUMBERS)
    assert found.faces.tolist() == faces
    assert found.strengths.tolist() == [1, 2]
    assert found.reached.tolist() == [[False, True, True], [False, True, True], [False, False, False]]
    assert found.scores["male"].tolist() == [[1, 1, 1]] * 3
    assert found.scores["old"].tolist() == [[1, 1, -1], [1, 1, 1], [1, 1, 1]]
    np.testing.assert_allclose(found.number("identity"), [[1, 0.86, 0.76], [1, 0.81, 0.81], [1, 1, 1]])
    edits_of(f"{tmp_path}/not", faces, scores, last=at)
    assert read("smile", [(f"{tmp_path}/not", True)], measured, NUMBERS).faces.tolist() == [4]


def test_edits_at_one_strength_each_are_those_of_a_method(tmp_path):
    both = {(face, 0): UP for face in (4, 9)}
    edits_of(f"{tmp_path}/near", [9, 4], both)
    edits_of(f"{tmp_path}/far", [4, 9, 5], {**both, (5, 0): UP}, strengths=(3.0, 4.0))
    near, far = (read("smile", [(f"{tmp_path}/{name}", True)], values(f"{tmp_path}/{name}", [4, 9, 5]), NUMBERS)
                 for name in ("near", "far"))  # fmt: skip
    found = stacked([near, far])
    assert found.faces.tolist() == [4, 9]
    assert found.strengths.tolist() == [1, 2, 3, 4]
    assert found.reached.tolist() == [[False, True, True, True, True]] * 2
    np.testing.assert_allclose(found.number("identity")[0], [1, 0.86, 0.76, 0.86, 0.76])
