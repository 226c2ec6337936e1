"""validate says which column, what was wanted and found, and the first bad row."""

import numpy as np
import pyarrow as pa
import pytest
from schema_snapshot import SCHEMAS, some_rows

import schemas
from schemas import SchemaError

LABELS = schemas.labels(["smile"])
EDITS = schemas.edits((4,), ["smile"])


def labels_rows(index, smile=0.5):
    return LABELS.rows({"index": index, "smile": smile, "age_years": 30.0, "yaw_degrees": 0.0})


@pytest.mark.parametrize("name", SCHEMAS)
def test_valid_rows_pass_whole_sliced_chunked_and_empty(name):
    schema, rows = SCHEMAS[name], some_rows(SCHEMAS[name])
    for some in (rows, rows.slice(1), rows.slice(3), pa.concat_tables([rows.slice(0, 1), rows.slice(1)])):
        schema.validate(some)
    schema.validate(rows.to_batches()[0])


@pytest.mark.parametrize(("place", "layer", "row"), [(5, 0, 0), (511, 22, 2), (0, 1, 1)])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_first_non_finite_value_of_nested_vectors(place, layer, row, bad):
    schema = SCHEMAS["latents-ws"]
    ws = np.zeros((4, 23, 512), np.float32)
    ws[1 + row :, layer, place] = bad
    rows = schema.rows({"index": [10, 11, 12, 13], "ws": ws, "psi": 0.7, "seed": 1, "generator": "g"})
    where = rf"column 'ws', row {row} \(index {11 + row}\): not finite \({bad}\) at place {layer * 512 + place}"
    with pytest.raises(SchemaError, match=where):
        schema.validate(rows.slice(1))


def test_null_of_any_depth():
    images = schemas.images()
    rows = images.rows(
        {"index": [1, 2, 3], "image": [{"bytes": b"1", "path": "1"}, {"bytes": None, "path": "2"}, None]}
    )
    with pytest.raises(SchemaError, match=r"column 'image', row 2 \(index 3\): null"):
        images.validate(rows)
    with pytest.raises(SchemaError, match=r"column 'image.bytes', row 1 \(index 2\): null"):
        images.validate(rows.slice(0, 2))
    w = pa.array([[0.0] * 512, [0.0] * 511 + [None]], pa.list_(pa.float32(), 512))
    rows = some_rows(SCHEMAS["latents-w"]).slice(0, 2)
    rows = rows.set_column(1, rows.schema.field("w"), w)
    with pytest.raises(SchemaError, match=r"column 'w', row 1 \(index 4\): null"):
        SCHEMAS["latents-w"].validate(rows)


@pytest.mark.parametrize(
    ("index", "message"),
    [([1, 2, 2], r"row 2 \(index 2\): repeats"), ([1, 0, 5], r"row 1 \(index 0\): is below .* \(index 1\)")],
)
def test_index_rises(index, message):
    with pytest.raises(SchemaError, match=message):
        LABELS.validate(labels_rows(index))


def edits_rows(keys, strength=1.0):
    """Rows of these (index, request, step)."""
    index, request, step = (list(column) for column in zip(*keys, strict=True))
    columns = {"request": request, "step": step, "strength": strength, "stop": "done", "space": "w", "generator": "g"}
    latent = np.zeros((len(index), 4), np.float32)
    return EDITS.rows({"index": index, "latent": latent, "smile": 0.5, **columns})


@pytest.mark.parametrize(
    "keys",
    [[(1, 0, 0), (1, 0, 1), (1, 2, 0), (2, 0, 0)], [(1, 9, 9), (2, 0, 0)], [(1, 0, 7)], [(0, 0, 0), (0, 1, 0)]],
)
def test_an_index_has_several_rows_where_the_key_says_so(keys):
    EDITS.validate(edits_rows(keys))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ([(1, 0, 1), (1, 0, 1)], r"row 1 \(index 1, request 0, step 1\): repeats"),
        ([(1, 0, 1), (1, 1, 0), (1, 0, 2)], r"row 2 \(index 1, request 0, step 2\): is below .*request 1, step 0"),
        ([(1, 1, 1), (1, 1, 0)], r"row 1 .*is below"),
        ([(2, 0, 0), (1, 5, 5)], r"row 1 \(index 1, request 5, step 5\): is below .*in rising order of index, request"),
    ],
)
def test_the_whole_key_rises(keys, message):
    with pytest.raises(SchemaError, match=message):
        EDITS.validate(edits_rows(keys))


def test_bad_values_of_lists_are_placed_also_in_slices():
    schema = SCHEMAS["requests"]
    columns = {"index": [5, 6, 7, 8], "attribute": "smile", "target": "1", "conditions": [["a"], [], ["b", None], []]}
    columns |= {"options": [[]] * 4, "option_values": [[]] * 4}
    columns |= {"lambdas": [[]] * 4, "strengths": [[1.0, 2.0, 3.0], [], [0.0, 1.0, np.nan], [np.inf]]}
    rows = schema.rows({**columns, "until": [[]] * 4})
    where = r"row 2 \(index 7\)"
    with pytest.raises(SchemaError, match=rf"column 'conditions', {where}: null"):
        schema.validate(rows)
    rows = schema.rows({**columns, "until": [[]] * 4, "conditions": [["a"], [], ["b"], []]})
    with pytest.raises(SchemaError, match=rf"column 'strengths', {where}: not finite \(nan\) at place 2"):
        schema.validate(rows)
    with pytest.raises(SchemaError, match=r"column 'strengths', row 1 \(index 7\): .* at place 2"):
        schema.validate(rows.slice(1))
    with pytest.raises(SchemaError, match=r"column 'strengths', row 0 \(index 8\): not finite \(inf\) at place 0"):
        schema.validate(rows.slice(3))
    schema.validate(rows.slice(0, 2))


def test_columns_missing_unknown_retyped_doubled_and_out_of_order():
    rows = labels_rows([1, 2])
    with pytest.raises(SchemaError, match=r"column 'smile' \(float\) is missing"):
        LABELS.validate(rows.drop_columns(["smile"]))
    with pytest.raises(SchemaError, match="column 'male' is not of this schema"):
        LABELS.validate(rows.append_column("male", rows["smile"]))
    with pytest.raises(SchemaError, match="column 'smile': wanted float, found double"):
        LABELS.validate(rows.set_column(1, "smile", rows["smile"].cast(pa.float64())))
    with pytest.raises(SchemaError, match=r"column 'smile' .* more than once"):
        LABELS.validate(rows.append_column("smile", rows["smile"]))
    with pytest.raises(SchemaError, match="order"):
        LABELS.validate(rows.select(["smile", "index", "age_years", "yaw_degrees"]))
    with pytest.raises(SchemaError, match=r"column 'w': wanted fixed_size_list.*\[512\], found .*\[256\]"):
        schemas.latents().validate(some_rows(schemas.latents(w_dim=256)))


def test_what_cannot_be_a_schema():
    for attributes in (["smile", "smile"], ["index"], ["age_years"], [""]):
        with pytest.raises(SchemaError, match="cannot be a column"):
            schemas.labels(attributes)
    for scores, judge in ((["judge_smile"], []), (["step"], []), (["smile", "smile"], []), ([], ["smile", "smile"])):
        with pytest.raises(SchemaError, match="cannot be a column of edits"):
            schemas.edits((512,), scores, judge)
    for shape in ((), (1, 2, 3), (0,), (18, 0)):
        with pytest.raises(SchemaError, match="dimensions"):
            schemas.edits(shape)
    for numbers in (["count", "count"], ["group"], [""]):
        with pytest.raises(SchemaError, match="cannot be a column of metrics"):
            schemas.metrics(numbers)
    for arguments in ({"space": "s"}, {"space": "w+"}, {"space": "w", "num_ws": 18}):
        with pytest.raises(SchemaError):
            schemas.latents(**arguments)


def test_footers_that_are_not_ours():
    later = schemas.images().arrow.with_metadata({"stylemill": '{"schema": "images", "version": 99}'})
    other = schemas.images().arrow.with_metadata({"stylemill": '{"schema": "poems", "version": 1}'})
    retyped = pa.schema([("index", pa.int32())], schemas.images().arrow.metadata)
    for found, message in [
        (schemas.images().arrow.remove_metadata(), "not written by stylemill"),
        (later, "later stylemill"),
        (other, "'poems' is not known"),
        (retyped, "column 'index': wanted int64, found int32"),
    ]:
        with pytest.raises(SchemaError, match=message):
            schemas.from_arrow(found)


def test_psi_and_seed_of_latents_may_be_null_and_no_other_column():
    schema = schemas.latents("w", 3)
    rows = {"index": [1, 2], "w": np.zeros((2, 3), np.float32), "psi": [0.5, None], "seed": None, "generator": "g"}
    schema.validate(schema.rows(rows))
    assert schema.rows(rows)["seed"].null_count == 2
    with pytest.raises(SchemaError, match=r"'psi', row 1 \(index 2\): not finite"):
        schema.validate(schema.rows({**rows, "psi": [None, float("nan")]}))
    with pytest.raises(SchemaError, match=r"'generator', row 0 \(index 1\): null"):
        schema.validate(schema.rows({**rows, "generator": None}))
