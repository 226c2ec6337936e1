from collections.abc import Iterator
from pathlib import Path

import headless_chromium
import pytest
import synthetic_folder
from headless_chromium import Chromium


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """One for all tests: it takes seconds to start."""
    executable = headless_chromium.find()
    if executable is None:
        pytest.skip("no Chromium here: install Debian's `chromium`")
    with Chromium(executable, tmp_path_factory.mktemp("profile")) as chromium:
        yield chromium


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A whole folder of the main job."""
    return synthetic_folder.make(str(tmp_path / "faces"))
