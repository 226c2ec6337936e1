"""A driver with a Ray of its own, its worker and itself killed and stopped: the same command makes the same bytes."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

from tests.faults.faces import WORDS, Faces, undisturbed
from tests.faults.whole import assert_whole, summary
from tests.waiting import LONG, until

pytestmark = [pytest.mark.ray, pytest.mark.slow]


@pytest.fixture
def faces(tmp_path):
    made = Faces(tmp_path / "job", None)
    yield made
    made.end()
    made.go()


def workers(driver: psutil.Process) -> list[psutil.Process]:
    return [process for process in driver.children(recursive=True) if process.name().startswith("ray::_Actor")]


def test_a_worker_and_its_driver_are_killed_and_the_driver_is_stopped(faces, tmp_path):
    faces.give(*(f"hold-{shard}" for shard in range(2, 6)))
    first = faces.start("--workers", "2")
    first.when(lambda: faces.published() == 2 and len(set(faces.began())) == 2, "both workers were at work")
    driver = psutil.Process(first.process.pid)
    killed, _ = at_work = workers(driver)
    assert {worker.environ()["OMP_WAIT_POLICY"] for worker in at_work} == {"PASSIVE"}
    assert {worker.nice() for worker in at_work} == {driver.nice()}
    killed.kill()
    first.when(lambda: len(set(faces.began())) == 3, "another worker was at work")
    first.tell(signal.SIGINT)
    assert first.ended() == 130, first.said()
    assert "2 shards are safe; the same command continues" in first.said()
    assert "Traceback" not in first.said()
    before = set(faces.began())
    second = faces.start("--workers", "1")
    second.when(lambda: set(faces.began()) - before, "it had gone on")
    orphans = workers(psutil.Process(second.process.pid))
    second.kill()
    assert not psutil.wait_procs(orphans, LONG)[1]  # else one of them may still publish its shard
    faces.go()
    assert "2 done, 4 to run" in faces.finish("--workers", "2").said()
    assert summary(faces.out, faces.verb)["workers_lost"] == 0
    assert_whole(faces.out, faces.verb, undisturbed(tmp_path))


def test_signals_while_ray_shuts_down_change_no_exit_code(tmp_path):
    words = [*WORDS, "--generator", "stylegan2-tiny", "--workers", "1", "--out", str(tmp_path)]
    words[words.index("--rows") + 1] = "8"
    environment = {**os.environ, "RAY_ADDRESS": "local"}
    environment.pop("OMP_WAIT_POLICY", None)
    command = [sys.executable, "-m", "jobs", "dataset", *words]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    driver = psutil.Process(process.pid)
    assert any(line.startswith("Done  1/1 shards") for line in process.stderr)
    nodes = driver.children()
    until(lambda: any(not node.is_running() or node.status() == psutil.STATUS_ZOMBIE for node in nodes), "Ray ended")
    for number in (signal.SIGINT, signal.SIGTERM):
        process.send_signal(number)
    assert process.wait(LONG) == 0
    assert process.stderr.read() == ""
