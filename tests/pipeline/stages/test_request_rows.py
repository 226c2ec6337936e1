"""Requests come back from their table as they went in; tables of version 1 are read too."""

import schemas
from jobs.small_outputs import write_small_table
from pipeline.editors import EditRequest
from pipeline.stages.request_rows import LAMBDAS, read_requests, to_rows
from pipeline.tables import Table
from schemas.known import from_arrow

REQUESTS = [
    EditRequest("old", ("male", "eyeglasses"), "flip", (0.1, 0.2), 1.5, {"lambda1": 0.75, "lambda2": 0.1}),
    EditRequest("smile", strengths=(-3.0, 3.0)),
    EditRequest("yaw", target="0", until=0.0, options={"alpha": 1.25, "top_k": 4.0}),
]


def test_requests_come_back_as_they_were(tmp_path):
    write_small_table(str(tmp_path), schemas.requests(), to_rows(REQUESTS), {"verb": "edit"})
    assert read_requests(Table.open(str(tmp_path))) == dict(enumerate(REQUESTS))


def test_a_table_of_version_1_has_the_lambdas_alone(tmp_path):
    old = schemas.requests(with_options=False)
    rows = to_rows(REQUESTS[:2]).drop_columns(["options", "option_values"]).replace_schema_metadata(old.arrow.metadata)
    assert from_arrow(rows.schema).arrow == old.arrow
    write_small_table(str(tmp_path), old, rows, {"verb": "edit"})
    assert read_requests(Table.open(str(tmp_path))) == dict(enumerate(REQUESTS[:2]))


def test_the_lambdas_keep_their_column():
    assert to_rows(REQUESTS)["lambdas"].to_pylist() == [[0.75, 0.1], [], []]
    assert LAMBDAS == ("lambda1", "lambda2")
