"""The main job, networks and pictures and all, on the shared cluster: the same faults, the same bytes."""

import pytest

from jobs.__main__ import main
from pipeline.tables import Table

from .faces import Faces, undisturbed
from .whole import assert_whole, parts, summary


@pytest.fixture
def faces(tmp_path, cluster):
    made = Faces(tmp_path, cluster.address)
    yield made
    made.end()


@pytest.fixture(scope="module")
def whole_faces(tmp_path_factory):
    """The parts of that job where nothing goes wrong."""
    return undisturbed(tmp_path_factory.mktemp("faces"))


def rows(out: str, table: str) -> list[dict]:
    return Table.open(f"{out}/{table}").read().to_pylist()


def test_a_worker_the_driver_and_a_node_die(faces, cluster, whole_faces):
    faces.give(*(f"hold-{shard}" for shard in range(2, 6)))
    driver = faces.start("--workers", "2")
    driver.when(lambda: faces.published() == 2 and len(faces.began()) >= 3, "a third shard was begun")
    killed = faces.began()
    cluster.workers()[0].kill()
    driver.when(lambda: set(faces.began()) - set(killed), "another worker came")
    driver.kill()
    before = set(faces.began())
    driver = faces.start("--workers", "2")
    driver.when(lambda: set(faces.began()) - before, "the second driver's workers were at work")
    cluster.remove(cluster.node_of((set(faces.began()) - before).pop()))
    cluster.add()
    faces.go()
    assert driver.ended() == 0, driver.said()
    assert "2 done, 4 to run" in driver.said()
    assert_whole(faces.out, faces.verb, whole_faces)


def test_a_poison_row_and_a_latent_that_is_not_finite_are_set_aside_and_taken_up_again(faces, whole_faces):
    faces.give("raise-9", "infinite-29")
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
    faces.go()
    faces.finish("--workers", "1", "--retry-rejected")
    assert summary(faces.out, faces.verb)["rejected"] == 0
    assert_whole(faces.out, faces.verb, whole_faces)


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
    assert_whole(faces.out, faces.verb, whole_faces)


def test_a_model_file_that_changed_while_workers_opened_it_is_named(faces, cluster, whole_faces):
    faces.give("hold-open")
    driver = faces.start("--workers", "1")
    driver.when(lambda: "Plan  " in driver.said(), "the model file was looked at")  # an older job's worker may be left
    driver.when(cluster.workers, "a worker was about to open its models")
    faces.model.write_text("1")
    faces.go()
    assert driver.ended() == 2, driver.said()
    assert "tiny-from-file has the fingerprint" in driver.said()
    assert "the model file or the installed stylemill changed; put the old one back" in driver.said()
    assert faces.published() == 0
    faces.model.write_text("0")
    faces.finish("--workers", "1")
    assert_whole(faces.out, faces.verb, whole_faces)
