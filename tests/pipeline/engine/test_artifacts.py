"""An artifact is an output of a job as a table is: published whole, sealed, verified, resumed, refused, replaced."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import training
from ray import cloudpickle
from training import STEPS, VERB, steps_of, train

from jobs.__main__ import main
from pipeline.engine.local_pool import LocalPool
from pipeline.engine.run import RunOptions, run
from pipeline.errors import ModelFileError, OutputDiffers
from pipeline.stages.models import read_artifact
from pipeline.tables import Artifact, store
from tests.faults.damage import WAYS, flipped

cloudpickle.register_pickle_by_value(training)  # Ray's workers cannot import a test's modules

FILES = ["card.json", "curve.json", "model.safetensors"]


class Bench:
    """A training with its marks, and what was said."""

    def __init__(self, folder: Path) -> None:
        self.out, self.marks, self.said = str(folder / "out"), folder / "marks", []
        self.marks.mkdir(parents=True)
        self.url = f"{self.out}/artifact"

    def run(self, seed: int = 1, pool=None, **options):
        self.said.clear()
        return run(train(self.out, str(self.marks), seed), pool or LocalPool(), RunOptions(**options), self.said.append)

    def stop_at(self, step: int) -> None:
        """A run that comes no further than to this step."""
        (self.marks / f"raise-{step}").touch()
        assert self.run().exit_code == 1
        (self.marks / f"raise-{step}").unlink()

    def files(self) -> dict[str, bytes]:
        """As a reader sees them."""
        return {path.name: path.read_bytes() for path in sorted(Path(self.url).glob("[!.]*"))}

    def checkpoints(self) -> list[str]:
        return sorted(store.list_names(f"{self.out}/.stylemill/{VERB}/checkpoints"))


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    bench = Bench(tmp_path_factory.mktemp("undisturbed"))
    assert bench.run().exit_code == 0
    return bench.files()


def state(out, capsys) -> dict:
    capsys.readouterr()
    main(["status", out, "--json-lines"])
    return json.loads(capsys.readouterr().out)


def test_it_is_trained_published_sealed_and_known(bench, capsys):
    summary = bench.run()
    assert (summary.exit_code, summary.planned, summary.published) == (0, STEPS, STEPS)
    assert list(bench.files()) == FILES
    assert not Path(bench.out, "rejects").exists()
    assert bench.checkpoints() == []
    artifact = Artifact(bench.url)
    manifest = artifact.manifest()
    assert manifest["fingerprint"] == train(bench.out, "").fingerprint
    assert manifest["facts"]["spec"]["steps"] == STEPS
    assert {name: each["bytes"] for name, each in manifest["files"].items()} == {
        name: len(content) for name, content in bench.files().items()
    }
    assert state(bench.out, capsys)["complete"]
    for deep in ([], ["--fast"]):
        assert main(["verify", bench.out, *deep]) == 0
        assert "artifact: an artifact of 3 files" in capsys.readouterr().err
    assert main(["verify", bench.url]) == 0
    assert bench.run().exit_code == 0
    assert "all done" in bench.said[1]
    assert steps_of(bench.marks) == list(range(STEPS))


def test_who_reads_it_needs_its_two_files_alone(bench, tmp_path):
    bench.run()
    for name in ("card.json", "model.safetensors", "curve.json"):
        store.write_atomic(f"{tmp_path}/copy/{name}", Path(bench.url, name).read_bytes())
    trained = read_artifact(f"{tmp_path}/copy", "toy")
    assert trained.tensors["weights"].shape == (8,)
    assert (trained.card.attributes, trained.card.codes.norm_max) == (("smile",), 2.0)
    assert trained.digest == Artifact(bench.url).digest
    assert json.loads(Path(bench.url, "card.json").read_text())["generator_fingerprint"] == "1" * 64


def test_a_training_that_was_stopped_goes_on_from_its_checkpoint(bench, undisturbed, capsys):
    bench.stop_at(6)  # three tries: each goes on where the one before left its state
    assert steps_of(bench.marks) == [*range(7), 4, 5, 6, 4, 5, 6]
    bench.stop_at(10)
    assert bench.run().exit_code == 0
    assert bench.files() == undisturbed
    assert steps_of(bench.marks)[-4:] == [8, 9, 10, 11]
    assert bench.checkpoints() == []
    assert state(bench.out, capsys)["complete"]


def test_another_training_is_refused_with_4_and_replaced_when_asked(bench, undisturbed):
    bench.run()
    with pytest.raises(OutputDiffers, match="seed: 1 there, 2 asked"):
        bench.run(seed=2)
    assert bench.files() == undisturbed
    assert bench.run(seed=2, replace=True).exit_code == 0
    assert bench.files() != undisturbed
    assert list(bench.files()) == FILES


def test_a_half_trained_one_counts_as_begun(bench):
    """Its checkpoints are hours of work: another spec does not clear them without being asked."""
    bench.stop_at(6)
    assert len(bench.checkpoints()) == 1
    for file in Path(bench.out, ".stylemill", VERB, "outcomes").iterdir():
        file.unlink()
    with pytest.raises(OutputDiffers):
        bench.run(seed=2)
    assert len(bench.checkpoints()) == 1
    assert bench.run(seed=2, replace=True).exit_code == 0
    assert steps_of(bench.marks)[-STEPS:] == list(range(STEPS))  # from the beginning: that state was another's


def test_a_folder_of_other_files_is_refused(bench):
    store.write_atomic(f"{bench.url}/notes.txt", b"mine")
    with pytest.raises(OutputDiffers, match="artifact holds parts that no 'train' job"):
        bench.run()
    assert steps_of(bench.marks) == []
    assert list(bench.files()) == ["notes.txt"]


def test_a_note_of_ones_own_beside_its_files_costs_no_training(bench, capsys):
    bench.run()
    Path(bench.url, "notes.txt").write_text("mine")
    assert bench.run().exit_code == 0
    assert steps_of(bench.marks) == list(range(STEPS))
    assert main(["verify", bench.out]) == 1
    assert "notes.txt: is not in the manifest: move it elsewhere" in capsys.readouterr().err
    assert Path(bench.url, "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", FILES)
def test_what_is_missing_or_damaged_is_found_and_made_again(bench, undisturbed, capsys, name, way):
    bench.run()
    way(f"{bench.url}/{name}")
    if name == "model.safetensors":
        with pytest.raises(ModelFileError, match=r"has no file model|model.safetensors is not the file") as raised:
            read_artifact(bench.url, "toy")
        assert "\n" not in str(raised.value)
    assert main(["verify", bench.out]) == 1
    assert name in capsys.readouterr().err
    assert bench.run().exit_code == 0
    assert bench.files() == undisturbed
    assert main(["verify", bench.out]) == 0
    assert state(bench.out, capsys)["complete"]


def test_files_that_no_record_tells_of_are_adopted(bench, undisturbed):
    """The driver died between the publication and the flush of the outcome."""
    bench.run()
    for file in Path(bench.out, ".stylemill", VERB, "outcomes").iterdir():
        file.unlink()
    Artifact(bench.url).unseal()
    assert bench.run().exit_code == 0
    assert steps_of(bench.marks) == list(range(STEPS))
    assert bench.files() == undisturbed
    assert main(["verify", bench.out]) == 0


def test_a_damaged_checkpoint_is_passed_over(bench, undisturbed):
    bench.stop_at(6)
    [name] = bench.checkpoints()
    flipped(f"{bench.out}/.stylemill/{VERB}/checkpoints/{name}")
    assert bench.run().exit_code == 0
    assert steps_of(bench.marks)[-STEPS:] == list(range(STEPS))
    assert bench.files() == undisturbed


def test_before_it_is_there_verify_and_status_say_so(bench, capsys):
    bench.stop_at(6)
    assert main(["verify", bench.out]) == 1
    assert "artifact is not complete" in capsys.readouterr().err
    assert not state(bench.out, capsys)["complete"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"artifact": 2}, "is a card of version 2, this stylemill reads version 1"),
        ({"what": ""}, "what: String should have at least 1 character"),
        ({"surprise": 1}, "surprise: Extra inputs are not permitted"),
        ({"metrics": {"loss": None}}, "metrics.loss: Input should be a valid number"),
    ],
)
def test_a_card_that_is_none_is_one_line(bench, change, why):
    bench.run()
    path = Path(bench.url, "card.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ModelFileError, match=why) as raised:
        read_artifact(bench.url, "toy")
    assert "\n" not in str(raised.value)


def test_an_artifact_of_another_method_is_refused(bench):
    bench.run()
    with pytest.raises(ModelFileError, match="is an artifact of toy, not of latent-transformer"):
        read_artifact(bench.url, "latent-transformer")
    with pytest.raises(ModelFileError, match=r"is not an artifact: it has no card.json"):
        read_artifact(bench.out, "toy")


@pytest.mark.ray
@pytest.mark.slow
def test_a_worker_that_dies_is_replaced_and_goes_on(bench, undisturbed, cluster):
    from pipeline.engine.ray_pool import RayPool

    (bench.marks / "die-6").touch()
    summary = bench.run(pool=RayPool(1, cpus=1, gpus=0.0, address="auto"))
    assert (summary.exit_code, summary.workers_lost) == (0, 1)
    assert steps_of(bench.marks) == [*range(7), *range(4, STEPS)]
    assert bench.files() == undisturbed
