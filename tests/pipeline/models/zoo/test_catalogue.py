"""The catalogue's own rules, and the real networks where the cache has them."""

import re
from dataclasses import replace

import pytest
import torch

from pipeline.errors import ModelFileError
from pipeline.models import zoo
from pipeline.models.zoo import cache

ENTRIES = list(zoo.CATALOGUE.values())


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_an_entry_is_complete(entry):
    assert entry.members
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in entry.members.values())
    assert entry.folder.endswith("/")
    assert ".." not in entry.folder
    assert all("/" not in name for name in entry.members)
    assert entry.what
    assert entry.licence
    assert entry.citation


def test_digests_tell_entries_apart():
    assert len({entry.digest for entry in ENTRIES}) == len(ENTRIES)


def test_a_digest_stands_for_bytes_options_and_converter(monkeypatch):
    entry = zoo.CATALOGUE["faceres"]
    others = [
        replace(entry, members=entry.members | {"faceres.bin": "0" * 64}),
        replace(entry, options={"outputs": {"embedding": "global_pooling/Mean"}}),
    ]
    assert len({entry.digest, *(other.digest for other in others)}) == 3
    assert replace(entry, what="other words", licence="another").digest == entry.digest
    before = entry.digest
    monkeypatch.setitem(zoo.entry.CONVERTERS, "tfjs", 1_000_000)
    assert entry.digest != before


def test_the_order_of_members_does_not_matter():
    entry = zoo.CATALOGUE["mobilestylegan-ffhq"]
    assert replace(entry, members=dict(reversed(entry.members.items()))).digest == entry.digest


def test_ffhq_derived_weights_are_marked_non_commercial():
    assert "StyleGAN2-FFHQ" in zoo.CATALOGUE["mobilestylegan-ffhq"].non_commercial


def test_an_unknown_name_brings_the_closest():
    with pytest.raises(ModelFileError, match=r"no network is called 'facers': did you mean faceres"):
        zoo.find("facers")
    with pytest.raises(ModelFileError, match="`stylemill models list` shows all"):
        zoo.find("0123456789")


def test_groups_expand_to_each_entry_once():
    names = [entry.name for entry in zoo.expand(["faceres", "default", "faceres"])]
    assert names[0] == "faceres"
    assert len(names) == len(set(names)) == len(zoo.GROUPS["default"])
    assert zoo.expand([]) == zoo.expand(["default"])
    assert set(zoo.GROUPS["all"]) == set(zoo.CATALOGUE)


@pytest.mark.weights
@pytest.mark.parametrize("name", zoo.GROUPS["default"])
def test_a_real_network_loads(name):
    weights = zoo.load(name)
    assert weights.digest == zoo.CATALOGUE[name].digest
    assert weights.tensors
    assert all(torch.isfinite(tensor).all() for tensor in weights.tensors.values() if tensor.is_floating_point())
    assert cache.problem(zoo.CATALOGUE[name]) is None
    outputs = zoo.CATALOGUE[name].options.get("outputs")
    assert (weights.graph is None) == (outputs is None)
    if weights.graph is not None:
        assert set(weights.program().outputs) == set(outputs)


@pytest.mark.weights
def test_half_precision_files_stay_half_precision():
    weights = zoo.load("faceres")
    size = sum(tensor.numel() for tensor in weights.tensors.values() if tensor.dtype == torch.float16)
    assert size > 3_000_000
