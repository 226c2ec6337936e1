"""`stylemill models` as a person types it."""

import pytest
import safetensors.torch
import torch

from jobs import models
from jobs.__main__ import main
from pipeline.models import generators, zoo
from pipeline.models.zoo import cache, listing
from tests.pipeline.models.checkpoints import made


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLEMILL_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("STYLEMILL_ZOO", raising=False)
    monkeypatch.setenv("COLUMNS", "160")
    return tmp_path / "home"


@pytest.fixture
def stored(home):
    """`faceres` in the cache: not the real one, but a card that agrees with its files."""
    from pipeline.models.zoo.formats import Parts

    cache.store(zoo.CATALOGUE["faceres"], Parts({"weight": torch.arange(6.0).reshape(2, 3)}))
    return cache.folder(zoo.CATALOGUE["faceres"])


def test_list_shows_every_network_and_what_is_cached(stored, capsys):
    assert main(["models", "list"]) == 0
    lines = {words[0]: line for line in capsys.readouterr().out.splitlines() if (words := line.split())}
    assert set(zoo.CATALOGUE) <= set(lines)
    assert "0.0 MB" in lines["faceres"]
    assert "non-commercial" in lines["mobilestylegan-ffhq"]


def test_the_page_of_networks_shows_the_catalogue_as_it_is():
    from pathlib import Path

    page = Path(models.__file__).parents[1] / "docs" / "networks.md"
    missing = [row for row in listing.markdown().splitlines()[2:] if row not in page.read_text()]
    assert not missing, "put the output of `stylemill models list --markdown` into docs/networks.md"


def test_verify_counts_what_is_wrong(stored, capsys):
    assert main(["models", "verify"]) == 0
    weights = stored / cache.WEIGHTS
    content = bytearray(weights.read_bytes())
    content[-3] ^= 4
    weights.write_bytes(content)
    assert main(["models", "verify", "faceres"]) == 1
    assert "has sha256" in capsys.readouterr().out


def test_verify_of_a_named_network_that_is_not_there_fails(home, capsys):
    assert main(["models", "verify", "gear"]) == 1
    assert "not pulled" in capsys.readouterr().out
    assert main(["models", "verify"]) == 0


def test_pull_leaves_what_is_whole(stored, capsys, monkeypatch):
    from pipeline.models.zoo import registries

    monkeypatch.setattr(registries, "fetch", lambda *_: pytest.fail("went to the registry"))
    assert main(["models", "pull", "faceres"]) == 0
    said = capsys.readouterr().err
    assert "faceres" in said
    assert "Done  1 networks" in said


def test_show_a_network(stored, capsys):
    assert main(["models", "show", "faceres"]) == 0
    said = capsys.readouterr().out
    for expected in (
        "Savchenko",
        "@vladmandic/human 3.3.6",
        "weight",
        "2 x 3",
        "float32",
        zoo.CATALOGUE["faceres"].digest,
    ):
        assert expected in said
    assert main(["models", "show", "emotion"]) == 0
    assert "stylemill models pull emotion" in capsys.readouterr().out


def test_show_a_file(tmp_path, home, capsys):
    path = tmp_path / "mine.safetensors"
    safetensors.torch.save_file({"layer.weight": torch.zeros(4, 5, dtype=torch.float16)}, path)
    assert main(["models", "show", str(path)]) == 0
    said = capsys.readouterr().out
    for expected in ("safetensors", "layer.weight", "4 x 5", "float16", "1 tensors, 20 values", cache.sha256_of(path)):
        assert expected in said


def test_show_and_convert_a_generators_file(tmp_path, home, capsys):
    path, out = tmp_path / "net.pkl", tmp_path / "net.safetensors"
    path.write_bytes(made.nvidia())
    assert main(["models", "show", str(path)]) == 0
    said = words_of(capsys.readouterr().out)
    for expected in (
        f"file {path}", f"sha256 {cache.sha256_of(path)}", "read as NVIDIA's pickle of PyTorch, G_ema",
        "architecture stylegan2", "resolution 16 px", "holds 48 tensors", "spaces z (16), w (16), w+ (6 x 16), s (64)",
        "rows of w+ 6", "mean of w in the file", "synthesis.channel_base 128",
    ):  # fmt: skip
        assert expected in said
    assert main(["models", "convert", str(path), "--out", str(out)]) == 0
    assert "stylegan2, 16 px, from NVIDIA's pickle" in capsys.readouterr().err
    assert main(["models", "show", str(out)]) == 0
    assert "read as stylemill's safetensors, converted from NVIDIA's pickle" in words_of(capsys.readouterr().out)
    names = (f"{path}", f"{out}")
    before, after = (generators.load(name, backend="eager") for name in names)
    assert before.fingerprint == after.fingerprint


def words_of(text: str) -> str:
    return " ".join(text.split())


def test_show_says_why_a_network_cannot_be_built(tmp_path, home, capsys):
    tensors = made.stylegan2()
    del tensors["synthesis.b8.conv0.bias"]
    path = tmp_path / "net.pkl"
    path.write_bytes(made.nvidia(tensors=tensors))
    assert main(["models", "show", str(path)]) == 0
    assert "not usable the weights of net.pkl do not fit StyleGAN2: Missing key" in words_of(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("net.pkl", "ends in .safetensors"),
        ("there.safetensors", "is there already"),
        ("a/b.safetensors", "cannot be written"),
    ],
)
def test_a_file_is_converted_to_a_new_one_alone(tmp_path, home, capsys, out, said):
    (tmp_path / "net.pkl").write_bytes(made.nvidia())
    (tmp_path / "there.safetensors").write_bytes(b"mine")
    assert main(["models", "convert", str(tmp_path / "net.pkl"), "--out", str(tmp_path / out)]) == 2
    assert said in capsys.readouterr().err
    assert (tmp_path / "there.safetensors").read_bytes() == b"mine"


def test_what_is_no_generator_is_not_converted(tmp_path, home, capsys):
    torch.save({"layer.weight": torch.zeros(2)}, tmp_path / "net.pt")
    assert main(["models", "convert", str(tmp_path / "net.pt"), "--out", str(tmp_path / "a.safetensors")]) == 2
    assert "holds a dictionary of 1 ('layer.weight'): no generator that is known here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show", "facers"], "did you mean faceres"),
        (["pull", "nosuch"], "no network is called 'nosuch'"),
        (["show", "./nosuch.npy"], "there is no such file"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(home, capsys, words, said):
    assert main(["models", *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_help_shows_an_example_of_each_verb(home, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["models", "--help"])
    assert stopped.value.code == 0
    said = capsys.readouterr().out
    assert all(f"Example: stylemill models {verb}" in said for verb in ("list", "pull", "verify", "show", "convert"))


def test_list_shows_a_damaged_card_beside_the_others(stored, capsys):
    (stored / cache.CARD).write_text("{}")
    assert main(["models", "list"]) == 0
    lines = {words[0]: words for line in capsys.readouterr().out.splitlines() if (words := line.split())}
    assert lines["faceres"][1] == "damaged"
    assert lines["gear"][1] == "-"
