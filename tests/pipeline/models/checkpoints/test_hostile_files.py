"""Files that are damaged or mean harm: nothing in them runs, none hangs or fills memory, each ends in one line."""

import collections
import json
import os
import pickle
import pickletools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.models.checkpoints import reading
from pipeline.models.pickles.machine import ACTIONS, CONSTANTS, VALUES
from tests.pipeline.models.checkpoints import hostile, made
from tests.pipeline.models.checkpoints.test_forms import FILES

RANDOM = np.random.Generator(np.random.Philox(11))
OPCODES = [code.code.encode("latin1") for code in pickletools.opcodes if code.name in {*ACTIONS, *CONSTANTS, *VALUES}]
PLAIN = ("NVIDIA's, protocol 2", "NVIDIA's, protocol 4", "NVIDIA's, protocol 5", "TensorFlow's, protocol 4")
LENGTHS = ("BINBYTES", "BINBYTES8", "BINUNICODE", "SHORT_BINUNICODE", "SHORT_BINBYTES", "LONG1", "FRAME", "BYTEARRAY8")
ROOM = 2**26
"""Bytes that a reader may take besides what a file holds: imports, buffers of the machine."""


def mutated() -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    whole = {name: make() for name, (make, _) in FILES.items()}
    for name, data in whole.items():
        for length in sorted(
            {int(len(data) * share) for share in (0.001, 0.05, 0.3, 0.6, 0.9, 0.99)} | {len(data) - 1}
        ):
            found[f"{name}, cut at {length}"] = data[:length]
        for place in RANDOM.integers(0, len(data), 8):
            found[f"{name}, bit at {place}"] = changed(data, place, bytes([data[place] ^ (1 << RANDOM.integers(8))]))
    for name in PLAIN:
        data = whole[name]
        listed = [(opcode, place) for opcode, _, place in pickletools.genops(data)]
        for pick in RANDOM.integers(1, len(listed) - 1, 16):
            other = OPCODES[RANDOM.integers(len(OPCODES))]
            found[f"{name}, opcode at {listed[pick][1]}"] = changed(data, listed[pick][1], other)
        for kind in LENGTHS:
            places = [place for opcode, place in listed if opcode.name == kind]
            for place in places[:: max(1, len(places) // 3)][:3]:
                width = 8 if kind in ("BINBYTES8", "FRAME", "BYTEARRAY8") else 4 if kind.startswith("BIN") else 1
                found[f"{name}, length at {place}"] = changed(data, place + 1, b"\xfe" * (width - 1) + b"\x7f")
    return found


def changed(data: bytes, place: int, new: bytes) -> bytes:
    return data[:place] + new + data[place + len(new) :]


@pytest.fixture(scope="module", params=["every fifth", pytest.param("all", marks=pytest.mark.slow)])
def outcomes(request, tmp_path_factory):
    """What became of each file, by its name: of those that mean harm, and of those that are damaged."""
    folder, trap = tmp_path_factory.mktemp("files"), tmp_path_factory.mktemp("trap") / "ran"
    damaged = dict(list(mutated().items())[:: 1 if request.param == "all" else 5])
    files = damaged | {f"hostile: {name}": content for name, content in hostile.files(str(trap)).items()}
    names = {}
    for number, (name, content) in enumerate(files.items()):
        (folder / f"{number:04}.pkl").write_bytes(content)
        names[f"{number:04}.pkl"] = name
    reader = [sys.executable, "-m", "tests.pipeline.models.checkpoints.forked_reader", str(folder)]
    run = subprocess.run(reader, capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    found = {names[one["name"]]: one for one in map(json.loads, run.stdout.splitlines())}
    assert found.keys() == files.keys(), "a file has no outcome"
    assert not trap.exists(), "code of a file ran"
    return found


def test_there_are_three_hundred_of_them(outcomes, request):
    assert len(outcomes) >= (300 if "all" in request.node.name else 60)
    counts = collections.Counter(one["what"] for one in outcomes.values())
    assert counts["refused"] > 0.75 * len(outcomes), counts


def test_none_runs_and_none_dies_or_hangs(outcomes):
    wrong = {name: one for name, one in outcomes.items() if one["what"] not in ("read", "refused") or one["did"]}
    assert not wrong


def test_what_is_refused_is_one_line_that_names_the_file_and_says_what_is_supported(outcomes):
    for name, one in outcomes.items():
        if one["what"] == "refused":
            said = one["said"]
            assert said.startswith(one["name"]), (name, said)
            assert said.isprintable(), (name, said)
            assert len(said) < 900, (name, said)
            short = any(what in said for what in ("the file is empty", "web page", "compressed by gzip"))
            assert short or "generators are read from" in said, (name, said)


def test_none_takes_more_memory_than_it_holds(outcomes):
    greedy = {name: one["grown"] for name, one in outcomes.items() if one["grown"] > ROOM + 8 * one["bytes"]}
    assert not greedy
    assert not {name for name, one in outcomes.items() if "MemoryError" in one["said"]}


def test_what_means_harm_is_refused(outcomes):
    harmless = {name for name, one in outcomes.items() if name.startswith("hostile") and one["what"] != "refused"}
    assert not harmless


def test_the_traps_work(tmp_path):
    trap = tmp_path / "ran"
    pickle.loads(hostile.files(str(trap))["call"])
    assert Path(trap).exists()


def test_source_in_a_whole_file_is_not_run(tmp_path):
    trap = tmp_path / "ran"
    module = made.nvidia_module(made.stylegan2(), source=f"open({str(trap)!r}, 'w')")
    data = made.saved({"G_ema": module})
    assert str(trap).encode() in data
    assert reading.read(data, "a.pt").form == "NVIDIA's pickle of PyTorch, G_ema"
    assert not trap.exists()
