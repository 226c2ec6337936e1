import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import toy_registry

from pipeline.models.zoo import catalogue, registries


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty cache of its own and no shared zoo."""
    monkeypatch.setenv("STYLEMILL_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("STYLEMILL_ZOO", raising=False)
    return tmp_path / "home"


@pytest.fixture
def registry(tmp_path, monkeypatch, home):
    """The toy registry in place of pip and npm, and its three entries in the catalogue."""
    toys = toy_registry.ToyRegistry(tmp_path / "registry").build()
    for name, entry in toy_registry.ENTRIES.items():
        monkeypatch.setitem(catalogue.CATALOGUE, name, entry)
    monkeypatch.setattr(registries, "fetch", toys.fetch)
    return toys
