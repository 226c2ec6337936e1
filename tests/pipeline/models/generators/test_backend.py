import sys

import numpy as np
import pytest
import torch
from filelock import FileLock, Timeout

from pipeline.errors import SpecError
from pipeline.models import backend, generators
from pipeline.models.codes import Codes


def test_auto_is_eager_and_names_are_checked() -> None:
    assert backend.resolve("auto", "cpu") == "eager"
    for name, options in {"unknown backend": {"name": "fast"}, "unknown precision": {"precision": "fp64"}}.items():
        with pytest.raises(SpecError, match=name):
            backend.choose(**options)


@pytest.mark.parametrize(("device", "precision", "message"), [("cpu", "tf32", "tf32"), ("mps", "fp32", "cpu or cuda")])
def test_what_a_device_cannot_have_is_refused(device: str, precision: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        backend.choose("auto", device, precision)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_missing_gpu_is_said() -> None:
    with pytest.raises(SpecError, match="no GPU"):
        backend.choose("auto", "cuda")


def test_compiled_needs_a_compiler_and_nothing_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(SpecError, match=r"C\+\+ compiler.*not here.*choose eager"):
        backend.resolve("compiled", "cpu")
    generator = generators.load("stylegan2-tiny")
    assert generator.backend.name == "eager"
    assert generator.synthesize(Codes("z", torch.ones(1, 512))).isfinite().all()


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script in place of a compiler")
def test_a_compiler_that_does_not_find_pythons_headers_is_told_with_what_it_says(tmp_path, monkeypatch) -> None:
    broken = tmp_path / "g++"
    broken.write_text("#!/bin/sh\necho 'Python.h: No such file' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CXX", str(broken))
    with pytest.raises(SpecError, match=r"fails \(Python.h: No such file\): install g\+\+ and python3-dev"):
        backend.resolve("compiled", "cpu")


def test_a_cache_that_cannot_be_written_is_told(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "file" / "code"))
    with pytest.raises(SpecError, match="TORCHINDUCTOR_CACHE_DIR"), backend._one_compiles("layer"):
        pass
    with pytest.raises(SpecError, match="TORCHINDUCTOR_CACHE_DIR"):
        backend._share_compiled_code()
    assert "cannot be written" in backend.cannot_keep_code()


def test_while_one_compiles_others_wait(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(backend, "LOCK_SECONDS", 0.1)
    monkeypatch.setattr(backend, "_waits", [True])
    with backend._one_compiles("first"):
        with pytest.raises(Timeout):
            FileLock(tmp_path / "stylemill.lock", timeout=0).acquire()
        with backend._one_compiles("second"):
            pass  # the holder hangs: after a while one goes on without, and waits no more
        assert backend._waits == [False]
    with FileLock(tmp_path / "stylemill.lock", timeout=0):
        pass


def test_nobody_waits_for_what_is_compiled(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(backend, "_waits", [True])
    with pytest.raises(ZeroDivisionError), backend._one_compiles("layer"):
        raise ZeroDivisionError
    assert not list(tmp_path.glob("*.compiled"))
    with backend._one_compiles("layer"):
        pass
    with FileLock(tmp_path / "stylemill.lock"), backend._one_compiles("layer"):
        assert backend._waits == [True]


def test_equal_layers_share_their_code() -> None:
    layers = [torch.nn.Linear(4, width) for width in (4, 4, 5)]
    state = (torch.zeros(2, 3),)
    keys = [backend._code_key(layer, state, torch.float32) for layer in layers]
    assert keys[0] == keys[1] != keys[2]
    assert backend._code_key(layers[0], (torch.zeros(3, 3),), torch.float32) != keys[0]


@pytest.mark.parametrize(("flags", "slow"), [("fpu avx512f", True), ("fpu avx512f avx512_bf16", False)])
def test_instructions_for_bf16_are_looked_for(flags, slow, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cpuinfo").write_text(f"flags : {flags}\n")
    monkeypatch.setattr(backend, "Path", lambda place: tmp_path / "cpuinfo")
    assert backend.bf16_is_slow("cpu") == slow
    assert not backend.bf16_is_slow("cuda")


def test_compiled_layers_put_the_styles_into_the_weights() -> None:
    """What is compiled, run as it is: equal to the eager layers but for rounding."""
    from pipeline.models.generators.mobilestylegan import SeparableConv, State, ToImage

    random = torch.Generator().manual_seed(0)
    for layer in (SeparableConv(8, 6, 4), ToImage(8)):
        for parameter in layer.parameters():
            parameter.data = torch.randn(parameter.shape, generator=random)
        state, s_NC = (torch.randn(shape, generator=random) for shape in ((3, 4, 4, 8), (3, 8)))
        with torch.no_grad(), pytest.MonkeyPatch.context() as patch:
            eager = layer(State(state.clone()), s_NC)
            patch.setattr(torch.compiler, "is_compiling", lambda: True)
            folded = layer(State(state.clone()), s_NC)
        torch.testing.assert_close(folded.features, eager.features, atol=1e-4, rtol=1e-5)


def test_threads_are_set() -> None:
    before = torch.get_num_threads()
    try:
        backend.choose("eager", threads=1)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_bf16_keeps_latents_styles_and_images_in_float32() -> None:
    exact, rough = (generators.load("stylegan2-tiny", precision=p) for p in ("fp32", "bf16"))
    z = torch.randn(2, 512, generator=torch.Generator().manual_seed(0))
    s = rough.styles(rough.map(z))
    assert torch.equal(s, exact.styles(exact.map(z)))
    state = rough.run(s, rough.start(2), 0, 4)
    assert state.features.dtype == torch.bfloat16
    x, y = rough.synthesize(Codes("s", s)), exact.synthesize(Codes("s", s))
    assert x.dtype == torch.float32
    assert 0 < (x - y).abs().max() < 0.1


def test_batches_grow_as_images_shrink() -> None:
    sizes = [backend.default_batch_size(resolution, "cpu", "eager") for resolution in (1024, 512, 256, 32)]
    assert sizes == [2, 8, 32, 32]
    assert backend.default_batch_size(1024, "cuda", "eager") > sizes[0]


def test_large_blocks_are_kept_by_the_process() -> None:
    """A freed block of 64 MB must not be mapped anew the next time: each page would fault at its first touch."""
    import resource

    backend.choose("eager")
    faults = []
    for _ in range(4):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.ones(1 << 24)
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    assert min(faults) < 100, f"{faults} page faults for 16,384 pages"


@pytest.mark.slow
@pytest.mark.skipif(bool(backend.cannot_compile()), reason="needs a C++ compiler")
def test_compiled_is_equal_and_shares_its_code(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One layer, since compiling takes seconds: the same values, gradients from the eager layer, code in the cache."""
    from pipeline.models.generators.stylegan2 import State

    monkeypatch.setenv("STYLEMILL_HOME", str(tmp_path))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "")  # put back afterwards
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    monkeypatch.setattr(backend, "LARGE", 0)
    eager, compiled = (generators.load("stylegan2-tiny", backend=name) for name in ("eager", "compiled"))
    random = np.random.default_rng(0)
    x = torch.from_numpy(random.standard_normal((2, 32, 4, 4), dtype=np.float32))
    s = torch.from_numpy(random.standard_normal((2, eager.num_styles), dtype=np.float32))
    state = State(x, x[:, :3])
    with torch.no_grad():
        ours, theirs = (generator.run(s, state, 0, 1) for generator in (compiled, eager))
    torch.testing.assert_close(ours.features, theirs.features, atol=1e-5, rtol=1e-5)
    assert list((tmp_path / "inductor").rglob("*.so")), "no compiled code under STYLEMILL_HOME"
    s.requires_grad_()
    compiled.run(s, state, 0, 1).features.sum().backward()
    assert s.grad is not None
    assert s.grad.abs().sum() > 0
