import pytest

from tests.kept_generator import kept_generator


@pytest.fixture(autouse=True, scope="module")
def one_generator():
    """A command finds the tiny generator open."""
    with kept_generator():
        yield
