"""A disk that is full, and a limit on the size of files."""

import resource
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from .whole import assert_whole, parts


@pytest.fixture
def small_disk(tmp_path):
    """A file system of one megabyte, where this machine lets us mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if subprocess.run(command, check=False, capture_output=True).returncode == 0:
        yield place
        subprocess.run(["umount", "--lazy", place], check=True)
        return
    pytest.skip("no file system can be mounted here")


def fill(place: Path) -> Path:
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return ballast


def test_a_full_disk_ends_the_run_with_1_and_the_same_command_continues(job, small_disk, undisturbed):
    job.out = str(small_disk / "out")
    job.give(*(f"hold-{shard}" for shard in range(3, 8)))
    driver = job.start("--workers", "1")
    driver.when(lambda: job.published() == 3, "three shards were published")
    ballast = fill(small_disk)
    job.go()
    assert driver.ended() == 1, driver.said()
    assert "the disk is full: free some space, then run the same command again" in driver.said()
    assert "Traceback" not in driver.said()
    ballast.unlink()
    assert len(parts(job.out)) == 9
    assert "3 done, 5 to run" in job.finish().said()
    assert_whole(job.out, job.verb, undisturbed)


def test_a_limit_on_the_size_of_files_is_named(job, undisturbed):
    smallest_limit = max(len(content) for content in undisturbed.values()) - 1

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (smallest_limit, smallest_limit))

    driver = job.start("--local", prepare=limit)
    assert driver.ended() == 1, driver.said()
    assert "the file is larger than this disk or process may write" in driver.said()
    job.finish("--local")
    assert_whole(job.out, job.verb, undisturbed)
