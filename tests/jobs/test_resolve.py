"""Open choices: how many workers, threads, rows to a shard."""

from types import SimpleNamespace

import pytest

from jobs import resolve as resolve_module
from jobs.options import RunFlags
from jobs.resolve import CODES, FACES, FITS, GRADIENTS, VECTORS, resolve, spec_facts
from pipeline.engine import workers as workers_module
from pipeline.engine.fingerprint import differences
from pipeline.engine.job_records import SPEC, JobRecords
from pipeline.engine.workers import GB, rows_of_a_shard
from pipeline.errors import OutputDiffers, SpecError
from pipeline.stages.models import Runtime


@pytest.fixture
def machine(monkeypatch):
    """A machine of 8 cores, 2 GPUs and 64 GB that are free; `machine(cores, gigabytes)` changes it."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(resolve_module.torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(resolve_module.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(resolve_module.backend, "cannot_compile", lambda: "")
    monkeypatch.setattr(resolve_module.backend, "cannot_keep_code", lambda: "")

    def change(cores: int, gigabytes: float = 64) -> None:
        monkeypatch.setattr(resolve_module, "cores", lambda: cores)
        monkeypatch.setattr(workers_module, "cores", lambda: cores)
        monkeypatch.setattr(workers_module, "free_memory", lambda: int(gigabytes * GB))

    change(8)
    return change


@pytest.fixture
def choose(machine, tmp_path):
    """(workers, threads, rows per shard) of a job of 6,400 rows."""

    def chosen(rows=6400, shards=None, load=FACES, resolution=1024, **flags):
        spec = RunFlags(out=str(tmp_path), **{"device": "cpu", "batch_size": 2, "backend": "eager", **flags})
        runtime, per_shard, workers = resolve(
            spec, "dataset", SimpleNamespace(resolution=resolution), rows, shards, load
        )
        return workers, runtime.threads, per_shard

    return chosen


def test_here_there_is_one_worker_for_each_gpu_and_the_cores_are_shared_out(choose, monkeypatch):
    assert choose(device="cuda", rows=1) == (2, 4, 4096)
    assert choose(device="cuda", workers=8)[:2] == (8, 1)
    assert choose(device="cuda", workers="auto")[:2] == (None, 2)
    assert choose(device="cuda", local=True)[:2] == (1, 8)
    monkeypatch.setenv("RAY_ADDRESS", "")
    assert choose(device="cuda")[:2] == (2, 4)


def test_elsewhere_there_are_as_many_as_there_is_room_for(choose, monkeypatch):
    assert choose(address="head:6379", device="cuda")[:2] == (None, 2)
    assert choose(address="head:6379")[:2] == (None, 2)
    assert choose(address="head:6379", workers=3)[:2] == (3, 2)
    assert choose(address="local")[:2] == (8, 1)
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")  # as the job server sets it
    assert choose()[:2] == (None, 2)
    assert choose(local=True)[:2] == (1, 8)


def test_on_cpus_each_worker_has_one_thread_and_there_are_as_many_as_cores(choose, machine, capsys):
    assert choose()[:2] == choose(workers="auto")[:2] == (8, 1)
    machine(2)
    assert choose()[:2] == (2, 1)
    machine(1)
    assert choose()[:2] == (1, 1)
    assert capsys.readouterr().err == ""


def test_threads_and_workers_that_are_asked_are_taken(choose):
    assert choose(threads=2)[:2] == (4, 2)
    assert choose(threads=16)[:2] == (1, 16)
    assert choose(workers=3)[:2] == (3, 1)
    assert choose(workers=1)[:2] == (1, 1)
    assert choose(workers=20, threads=3)[:2] == (20, 3)
    assert choose(local=True, threads=3)[:2] == (1, 3)


def test_where_no_face_is_made_there_is_always_one_thread(choose):
    for load in (CODES, FITS, VECTORS):
        assert choose(local=True, load=load)[:2] == choose(local=True, load=load, threads=3)[:2] == (1, 1)
        assert choose(load=load, threads=2, rows=10**7)[:2] == (8, 1)


@pytest.mark.parametrize(
    ("gigabytes", "load", "workers"),
    [(64, GRADIENTS, 8), (8, FACES, 4), (8, GRADIENTS, 3), (3.5, GRADIENTS, 1), (0.1, GRADIENTS, 1), (8, CODES, 8)],
)
def test_memory_allows_so_many(choose, machine, capsys, gigabytes, load, workers):
    machine(8, gigabytes)
    assert choose(rows=100_000, load=load)[0] == workers
    said = capsys.readouterr().err
    if workers == 8:
        assert said == ""
    else:
        assert f"on 8 cores: {gigabytes:.1f} GB of memory are free, and each may take" in said
        assert "--workers N" in said


def test_more_rows_at_once_and_larger_pictures_take_more_memory(choose, machine):
    machine(8, 16)
    assert choose(batch_size=8)[0] == 3
    assert choose(batch_size=8, resolution=256)[0] == 8


def test_no_more_workers_than_shards_or_than_the_work_is_worth(choose, capsys):
    assert choose(rows=64) == (4, 1, 16)
    assert "4 workers of 1 thread on 8 cores: the job has 4 shards" in capsys.readouterr().err
    assert choose(rows=4)[0] == 1
    assert "1 worker of 1 thread on 8 cores: the job has 1 shard" in capsys.readouterr().err
    assert choose(rows=64, shards=32)[0] == 4
    assert "4 workers of 1 thread on 8 cores: the work is done before another would have its models" in (
        capsys.readouterr().err
    )
    assert choose(rows=1000, shards=1)[0] == 1
    choose(rows=4, dry_run=True)
    assert choose(rows=4, workers=3)[0] == 3
    assert "Note" not in capsys.readouterr().err.split("has 1 shard")[-1]


def test_a_resume_keeps_threads_and_shards_and_takes_the_workers_that_fit(choose, tmp_path):
    begun = {"threads": 4, "rows_per_shard": 64, "batch_size": 2}
    JobRecords(str(tmp_path), "dataset").create_spec({**{name: kind() for name, kind in SPEC.items()}, "spec": begun})
    assert choose() == (2, 4, 64)
    assert choose(local=True) == (1, 4, 64)
    assert choose(replace=True) == (8, 1, 64)


@pytest.fixture
def backend_of(machine, tmp_path):
    """The backend of a job on 2 cores, by its load, rows and flags."""
    machine(2)

    def chosen(rows, load=FACES, resolution=1024, units=None, **flags):
        spec = RunFlags(out=str(tmp_path), **{"device": "cpu", **flags})
        return resolve(spec, "dataset", SimpleNamespace(resolution=resolution), rows, None, load, units)[0].backend

    return chosen


def test_jobs_that_repay_compilation_are_compiled_and_say_so(backend_of, capsys):
    assert backend_of(8191) == "eager"
    assert capsys.readouterr().err == ""
    assert backend_of(8192) == backend_of(16, units=8192) == "compiled"
    assert "--backend compiled: for 8,192 faces it is worth" in capsys.readouterr().err
    assert backend_of(8192 * 16, resolution=256) == "compiled"
    assert backend_of(8192 * 16 - 1, resolution=256) == "eager"


@pytest.mark.parametrize("rows", [8191, 8192])
def test_the_backend_depends_on_no_worker(backend_of, rows):
    """It decides bytes, and more workers change none."""
    ways = [{}, {"local": True}, {"workers": 1}, {"workers": 3}, {"workers": 64}, {"workers": "auto"}]
    assert len({backend_of(rows, **way) for way in ways}) == 1


def test_what_gains_nothing_or_was_not_measured_is_eager(backend_of, capsys):
    for load in (GRADIENTS, CODES, VECTORS):
        assert backend_of(10**9, load=load) == "eager"
    assert backend_of(10**9, device="cuda", gpus_per_worker=1) == "eager"
    assert backend_of(10**5, resolution=32) == "eager"
    assert "backend" not in capsys.readouterr().err


def test_without_a_compiler_a_long_job_is_eager_and_says_why(backend_of, capsys, monkeypatch):
    assert backend_of(10**5, address="head:6379", workers=2) == "eager"
    assert "cannot tell whether the cluster's workers have a C++ compiler" in capsys.readouterr().err
    monkeypatch.setattr(resolve_module.backend, "cannot_compile", lambda: "g++ is not here")
    assert backend_of(10**5) == "eager"
    assert "--backend eager: compiled would be faster, but g++ is not here" in capsys.readouterr().err
    with monkeypatch.context() as patch:
        patch.setattr(resolve_module.backend, "cannot_compile", lambda: "")
        patch.setattr(resolve_module.backend, "cannot_keep_code", lambda: "/code cannot be written (full)")
        assert backend_of(10**5) == "eager"
    assert "would be faster, but /code cannot be written (full)" in capsys.readouterr().err
    with pytest.raises(SpecError, match=r"needs a C\+\+ compiler, and g\+\+ is not here"):
        backend_of(10**5, backend="compiled")


@pytest.mark.parametrize("slow", [True, False])
def test_bf16_where_it_is_slow_is_told(backend_of, capsys, monkeypatch, slow):
    monkeypatch.setattr(resolve_module.backend, "bf16_is_slow", lambda device: slow)
    backend_of(16)
    assert capsys.readouterr().err.count("bf16") == 0
    backend_of(16, precision="bf16")
    assert capsys.readouterr().err.count("--precision fp32 is faster") == slow


@pytest.mark.parametrize("begun", ["eager", "compiled"])
def test_a_resume_keeps_the_backend_of_the_first_start(backend_of, tmp_path, begun, monkeypatch):
    stored = {"backend": begun, "rows_per_shard": 64, "batch_size": 2, "threads": 1}
    JobRecords(str(tmp_path), "dataset").create_spec({**{name: kind() for name, kind in SPEC.items()}, "spec": stored})
    assert backend_of(16) == backend_of(10**6) == begun
    if begun == "compiled":
        monkeypatch.setattr(resolve_module.backend, "cannot_compile", lambda: "g++ is not here")
        with pytest.raises(OutputDiffers, match="started with options that this machine does not support"):
            backend_of(16)


def test_compiled_code_of_another_version_is_another_job(tmp_path):
    spec = RunFlags(out=str(tmp_path), replace=True)
    eager, compiled = (spec_facts(spec, Runtime("cpu", 1, name, "fp32", 2)) for name in ("eager", "compiled"))
    assert "compiled_version" not in eager
    earlier = {**compiled, "compiled_version": compiled["compiled_version"] - 1}
    assert list(differences(earlier, compiled)) == [
        f"compiled_version: {earlier['compiled_version']} there, {compiled['compiled_version']} asked"
    ]


@pytest.mark.parametrize(
    ("rows", "fewest", "most", "per_shard"),
    [
        (1, 16, 64, 16),
        (64, 16, 64, 16),
        (512, 16, 64, 32),
        (1000, 16, 64, 32),
        (1024, 16, 64, 64),
        (10**9, 16, 64, 64),
        (8, 1, 8192, 2),
        (64, 1, 8192, 4),
        (10_000, 1, 8192, 512),
        (10**6, 1, 8192, 8192),
    ],
)
def test_shards_are_as_many_as_keep_workers_busy_and_worth_a_workers_start(rows, fewest, most, per_shard):
    assert rows_of_a_shard(rows, 2, fewest, most) == per_shard


@pytest.mark.parametrize("batch_size", [1, 2, 3, 4, 32, 48])
@pytest.mark.parametrize("rows", [1, 15, 16, 17, 255, 256, 100_000])
def test_shards_are_whole_microbatches_on_every_machine(choose, machine, rows, batch_size):
    found = set()
    for cores in (1, 2, 64):
        machine(cores)
        found.add(choose(rows=rows, batch_size=batch_size)[2])
    (per_shard,) = found
    assert per_shard % batch_size == 0
    assert per_shard >= batch_size
