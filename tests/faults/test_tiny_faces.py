"""The main job, networks and pictures and all, on the shared cluster: the same faults, the same bytes."""

import random
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from jobs.__main__ import main
from pipeline.models.generators import GENERATORS
from pipeline.tables import Table

from . import tiny_job
from .drivers import Driver
from .whole import assert_whole, parts, summary

VERB = "dataset"
WORDS = ["--classifiers", "tiny", "--images", "png", "--size", "32", "--rows", "48", "--rows-per-shard", "8"]
WORDS += ["--batch-size", "4", "--threads", "1", "--backend", "eager", "--device", "cpu"]


class Faces:
    """Drivers of one output, by the cluster at `address`; `model` is the generator's file."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder, self.address, self.out = folder, address, str(folder / "out")
        self.model, self.orders = folder / "model", folder / "orders"
        self.model.write_text("0")
        self.orders.mkdir()
        self.drivers: list[Driver] = []

    def start(self, *words: str) -> Driver:
        program = [sys.executable, "-m", "tests.faults.tiny_job", str(self.model), str(self.orders)]
        command = [*program, *WORDS, "--out", self.out, "--address", self.address, *words]
        self.drivers.append(Driver(command, self.folder / f"driver-{len(self.drivers)}.log"))
        return self.drivers[-1]

    def finish(self, *words: str) -> Driver:
        driver = self.start(*words)
        assert driver.ended() == 0, driver.said()
        return driver

    def published(self) -> int:
        return len([name for name in parts(self.out) if name.startswith("labels/")])


@pytest.fixture
def faces(tmp_path, cluster):
    made = Faces(tmp_path, cluster.address)
    yield made
    for driver in made.drivers:
        driver.end()


@pytest.fixture(scope="module")
def whole_faces(tmp_path_factory):
    """The parts of that job where nothing goes wrong, made in this process."""
    folder = tmp_path_factory.mktemp("faces")
    (folder / "model").write_text("0")
    with pytest.MonkeyPatch.context() as here:
        here.setattr("pipeline.models.generators.GENERATORS", dict(GENERATORS))
        tiny_job.register(str(folder / "model"))
        out = str(folder / "out")
        assert main(["dataset", "--generator", tiny_job.FROM_FILE, *WORDS, "--out", out, "--local"]) == 0
    return parts(out)


def rows(out: str, table: str) -> list[dict]:
    return Table.open(f"{out}/{table}").read().to_pylist()


@pytest.mark.parametrize("where", ["a directory", "flaky s3"])
def test_workers_a_node_and_the_driver_die(faces, cluster, s3, whole_faces, where):
    chance = random.Random(where)
    if where == "flaky s3":
        faces.out, s3.flaky = "s3://faults/faces", True
    driver = faces.start("--workers", "3")
    driver.when(lambda: faces.published() >= 1, "a shard was published")
    with suppress(psutil.NoSuchProcess, IndexError):
        chance.choice(cluster.workers()).kill()
    driver.kill()
    driver = faces.start("--workers", "2")
    driver.when(cluster.workers, "workers were there")
    cluster.remove(cluster.node_of(chance.choice(cluster.workers()).pid))
    cluster.add()
    driver.ended()
    s3.flaky = False
    assert driver.process.returncode == 0, driver.said()
    assert_whole(faces.out, VERB, whole_faces)


def test_a_poison_row_and_a_latent_that_is_not_finite_are_set_aside_and_taken_up_again(faces, whole_faces):
    for order in ("raise-9", "infinite-29"):
        (faces.orders / order).touch()
    done = faces.finish("--workers", "2")
    assert "48 rows = 46 published + 2 rejected (1 not finite, 1 raised) + 0 failed" in done.said()
    raised, infinite = rows(faces.out, "rejects/dataset")
    assert (raised["index"], raised["detail"]) == (9, "ArithmeticError: no face comes of this")
    assert "_compute" in raised["traceback"]
    assert (infinite["index"], infinite["reason"]) == (29, "not finite")
    assert infinite["detail"].startswith("w, ")
    assert main(["verify", faces.out]) == 0
    made = parts(faces.out)
    harmed = [name for name in made if made[name] != whole_faces[name]]
    assert {name.split("part-")[1][:5] for name in harmed} == {"00001", "00003"}
    for order in faces.orders.iterdir():
        order.unlink()
    faces.finish("--workers", "1", "--retry-rejected")
    assert summary(faces.out, VERB)["rejected"] == 0
    assert_whole(faces.out, VERB, whole_faces)


def test_a_model_file_that_changed_between_two_runs_is_refused_with_4_by_its_digest(faces, whole_faces):
    begun = faces.start("--workers", "1", "--limit", "2")
    assert begun.ended() == 0, begun.said()
    before = parts(faces.out)
    faces.model.write_text("1")
    refused = faces.start("--workers", "1")
    assert refused.ended() == 4, refused.said()
    assert "generator_digest: " in refused.said()
    assert parts(faces.out) == before
    faces.model.write_text("0")
    assert "2 done, 4 to run" in faces.finish("--workers", "1").said()
    assert_whole(faces.out, VERB, whole_faces)


def test_a_model_file_that_changed_while_workers_opened_it_is_named(faces, cluster, whole_faces):
    (faces.orders / "hold-open").touch()
    driver = faces.start("--workers", "1")
    driver.when(cluster.workers, "a worker was about to open its models")
    faces.model.write_text("1")
    (faces.orders / "hold-open").unlink()
    assert driver.ended() == 2, driver.said()
    assert "tiny-from-file has the fingerprint" in driver.said()
    assert "the model file or the installed stylemill changed; put the old one back" in driver.said()
    assert faces.published() == 0
    faces.model.write_text("0")
    faces.finish("--workers", "1")
    assert_whole(faces.out, VERB, whole_faces)
