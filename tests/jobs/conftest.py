import pytest
from tiny_jobs import dataset


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """One data set of 20 rows in shards of 8, with pictures."""
    out = tmp_path_factory.mktemp("made")
    assert dataset(out, "--rows", "20", "--rows-per-shard", "8", "--images", "png") == 0
    return out
