"""What a job tells does not decide what it does: streams that are closed, full, unread, or of another encoding."""

import json
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest

from jobs.__main__ import _answers
from jobs.streams import LenientFile
from tests.waiting import LONG

ROOT = Path(__file__).parents[2]
TINY = "--generator stylegan2-tiny --threads 1 --local --batch-size 4 --rows 8"
POLL = select.poll
FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """A line of shell in which `stylemill` is this program."""
    given = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    program = f'stylemill() {{ {sys.executable} -m jobs "$@"; }}; set -o pipefail; '
    return subprocess.run(
        ["bash", "-c", program + line], env=given, capture_output=True, check=False, timeout=LONG, cwd=ROOT
    )


@pytest.mark.parametrize(
    "closed",
    [
        "<&- >&- 2>&-",
        pytest.param(">/dev/full 2>/dev/full", marks=[needs_full, pytest.mark.slow]),
        pytest.param("2>&1 | true", marks=pytest.mark.slow),
    ],
)
def test_a_job_is_done_and_ends_with_its_own_code(tmp_path, closed):
    ended = shell(f"stylemill sample {TINY} --out {tmp_path} {closed}")
    assert ended.returncode == 0, ended
    assert json.loads((tmp_path / ".stylemill/sample/summary.json").read_text())["exit_code"] == 0
    assert (tmp_path / "latents/.stylemill/manifest.json").exists()
    assert b"Traceback" not in ended.stderr


@needs_full
@pytest.mark.slow
def test_the_code_of_a_job_that_fails_is_its_own_too(tmp_path):
    job = f"stylemill sample {TINY} --psi 1e38 --max-rejects 3 --out {tmp_path} 2>/dev/full"
    assert shell(job).returncode == 3


@needs_full
@pytest.mark.parametrize("verb", ["status DIR --json-lines", "--version"])
def test_an_answer_that_is_lost_is_one_line_and_1(made, verb):
    ended = shell(f"stylemill {verb.replace('DIR', str(made))} >/dev/full")
    assert (ended.returncode, ended.stderr.decode()) == (
        1,
        "stylemill: standard output: No space left on device: the output is lost\n",
    )


@pytest.mark.parametrize(
    ("line", "answers"),
    [
        ("", True),
        ("models list", True),
        ("directions list out", True),
        ("directions fit --help", True),
        ("directions help", True),
        ("submit --no-wait -- sample", True),
        ("submit -- sample --no-wait", False),
        ("directions fit", False),
        ("directions", False),
        ("sample", False),
    ],
)
def test_what_is_asked_for_its_answer(line, answers):
    assert _answers(line.split()) is answers


@pytest.mark.parametrize(
    ("switch", "environment", "seen"),
    [("-B", {}, b""), ("-u", {}, b"whole"), ("-B", {"PYTHONUNBUFFERED": "1"}, b"whole")],
)
def test_an_unbuffered_stream_stays_so(switch, environment, seen):
    script = "import os; from jobs import streams; streams.install(); print('whole', end=''); os._exit(0)"
    ended = shell(f'{sys.executable} {switch} -c "{script}"', **{"PYTHONUNBUFFERED": "", **environment})
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, seen, b"")


@needs_full
@pytest.mark.slow
def test_what_an_unbuffered_stream_loses_is_told(made):
    ended = shell(f"stylemill status {made} >/dev/full", PYTHONUNBUFFERED="1")
    assert (ended.returncode, ended.stderr) == (
        1,
        b"stylemill: standard output: No space left on device: the output is lost\n",
    )


def test_a_reader_that_has_enough_is_no_failure(made):
    ended = shell(f"stylemill status {made} | true")
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("name", "locale", "encoding"),
    [
        pytest.param("\u00e9t\u00e9-\u65e5\u672c", "C", "iso-8859-1", marks=pytest.mark.slow),
        (os.fsdecode(b"caf\xe9"), "C.UTF-8", "utf-8"),
    ],
)
def test_a_page_with_a_name_that_the_locale_has_not_is_written_and_named(made, tmp_path, name, locale, encoding):
    out = tmp_path / name
    out.symlink_to(made, target_is_directory=True)
    ended = shell(f"stylemill report '{out}'", LC_ALL=locale, PYTHONIOENCODING=encoding)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert b"report.html" in ended.stdout
    if encoding == "utf-8":
        assert os.fsencode(out) in ended.stdout


class Poll:
    """As `select.poll`; `vain` are the limits (ms) of the waits that came to nothing."""

    vain: ClassVar[list[float]] = []

    def __init__(self) -> None:
        self._real = POLL()
        self.register = self._real.register

    def poll(self, milliseconds: float) -> list:
        ready = self._real.poll(milliseconds)
        self.vain += [] if ready else [milliseconds]
        return ready


def test_a_reader_that_reads_no_more_is_waited_for_once(monkeypatch):
    monkeypatch.setattr("select.poll", Poll)
    read, write = os.pipe()
    file = LenientFile(write, wait_seconds=0.2)
    for _ in range(50):
        assert file.write(b"x" * 65536) == 65536
    assert (Poll.vain[0], set(Poll.vain[1:])) == (200, {0})
    assert isinstance(file.lost, TimeoutError)
    os.read(read, 1 << 20)
    assert file.write(b"again") == 5
    assert os.read(read, 1 << 20).endswith(b"again")
    os.close(read)
    assert file.write(b"gone") == 4
    os.close(write)


def test_descriptors_that_were_closed_are_taken_by_no_file(tmp_path):
    check = "import os; print([os.readlink(f'/proc/self/fd/{n}') for n in (0, 1)], file=open(os.environ['SAID'], 'w'))"
    line = f'{sys.executable} -c "from jobs import streams; streams.install(); {check}" <&- >&-'
    said = tmp_path / "said"
    ended = shell(line, SAID=str(said))
    assert ended.returncode == 0, ended.stderr
    assert said.read_text() == "['/dev/null', '/dev/null']\n"
