"""What `stylemill submit` says before anything leaves this machine, and how it follows; the cluster is in
test_submit_cluster.py."""

import logging
import os
import re
import shlex
import subprocess
import zipfile
from typing import get_args

import pytest
from test_readme import all_verbs, kind_of

from jobs import follow as following
from jobs import models, verify
from jobs.__main__ import main
from jobs.flags import Spec
from jobs.follow import ConnectionLost, follow
from jobs.remote import NOT_SENT, checked
from jobs.submit import CHECKOUT
from pipeline.errors import SpecError

NOBODY = "http://127.0.0.1:1"


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch):
    monkeypatch.setattr(os, "environ", os.environ.copy())  # submit tells Ray the address by its variable


# -- the words after `--` ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "the command to run goes after `--`"),
        (["submit", "--", "dataset"], "'submit' cannot be sent to a cluster"),
        (["dataset", "--out", "s3://a/b", "--rows", "0"], "--rows 0: input should be greater than 0"),
        (["dataset", "--out", "out/faces"], "--out out/faces is relative"),
        (["dataset", "--out", "~/faces"], "--out ~/faces is relative"),
        (["dataset", "--out", "file://faces"], "--out file://faces is relative"),
        (["status", "out/faces"], "--out out/faces is relative"),
        (["demo"], "send `dataset`, which makes the demo's faces"),
        (["demo", "--out", "s3://a/demo"], "'demo' cannot be sent to a cluster"),
        (["label", "--out", "/x", "--latents", "out/latents"], "--latents out/latents is relative"),
        (["directions", "fit", "--out", "/x", "--latents", "/a", "--labels", "/b,c"], "--labels c is relative"),
        (["label", "--out", "/x", "--latents", "/l", "--classifiers", "faces,own.yaml"], "own.yaml is relative"),
        (["directions", "guess"], "directions has no verb 'guess'"),
        (["directions"], "directions needs a verb of its own"),
        (["reproduce", "interfacegan", "--out", "here"], "--out here is relative"),
        (["reproduce", "ials", "--out", "/x", "--from", "out/x"], "--from out/x is relative"),
        (["directions", "import", "x.pt", "--format", "e4e", "--out", "/x"], "x.pt is relative"),
        (
            ["dt", "--out", "/x", "--latents", "/l", "--labels", "out/l", "--directions", "/d"],
            "--labels out/l is relative",
        ),
        (["dataset", "--out", "/x", "--local"], "leave out --local and --address"),
        (["dataset", "--out", "/x", "--address", "head:6379"], "leave out --local and --address"),
    ],
)
def test_what_cannot_run_there_is_refused_here(words, message, refused):
    refused(main(["submit", "--address", NOBODY, "--", *words]), message)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--working-dir", "/proc", "--", "status", "/x"], "is not a checkout of stylemill"),
        (["--follow", "job", "--", "status", "/x"], "leave out `--`"),
        (["--address", NOBODY, "--", "status", "/x"], f"no job server answers at {NOBODY} (connection refused)"),
        (["--address", "http://nowhere.invalid:8265", "--", "status", "/x"], "no job server answers at http://nowhere"),
        (["--address", "head:8265", "--", "status", "/x"], "the job server is a URL"),
        (["--address", "http://", "--", "status", "/x"], "names no host"),
        (["--address", "http://head:many", "--", "status", "/x"], "is not a URL"),
    ],
)
def test_flags_that_cannot_be_are_one_line(words, message, refused):
    refused(main(["submit", *(() if "--address" in words else ("--address", NOBODY)), *words]), message)


def test_a_typo_is_told_before_the_cluster_is_asked(capsys):
    with pytest.raises(SystemExit) as raised:
        main(["submit", "--address", NOBODY, "--", "dataset", "--out", "/x", "--rws", "3"])
    assert raised.value.code == 2
    assert "--rows" in capsys.readouterr().err


def test_help_behind_the_dashes_is_shown_and_not_sent(capsys):
    with pytest.raises(SystemExit) as raised:
        main(["submit", "--address", NOBODY, "--", "dataset", "--help"])
    assert raised.value.code == 0
    assert "usage: stylemill dataset" in capsys.readouterr().out


GOOD = {
    "models list": "--markdown",
    "models pull": "faceres",
    "models verify": "",
    "models show": "faceres",
    "models convert": "s3://a/network.pkl --out s3://a/network.safetensors",
    "dataset": "--out s3://a/b --attributes old,smile --psi -0.5",
    "sample": "--rows 64 --out s3://a/codes",
    "calibrate": "--generator mobilestylegan-ffhq --rows 200 --out s3://a/calibration",
    "label": "--latents /data/latents --out file:///data/x",
    "directions fit": "--latents s3://a/latents --labels s3://a/labels,/data/labels --out s3://a/fit",
    "directions condition": "--directions s3://a/directions --primal old --preserve male --out s3://a/old",
    "directions compare": "--directions s3://a/directions --labels s3://a/labels --out s3://a/compared",
    "directions import": "s3://a/age.pt /data/smile.pt --format e4e --out s3://a/e4e",
    "directions export": "--directions s3://a/directions --format interfacegan --out /data/boundaries",
    "directions channels": "--directions s3://a/directions --attribute smile --generator g --out s3://a/channels",
    "directions list": "s3://a/fit --json-lines",
    "directions strips": "--directions s3://a/directions --latents s3://a/latents --out s3://a/fit",
    "photos align": "s3://a/photos --faces largest --out s3://a/aligned",
    "photos invert": "s3://a/aligned --steps 40 --images webp --out s3://a/inverted",
    "photos edit": "s3://a/photos --attribute smile --edit-flags steps=40 --shown 8 --out s3://a/smiling",
    "photos paste": "/p --aligned s3://a/aligned --inverted s3://a/inverted --edits s3://a/edits --out s3://a/pasted",
    "latents import": "/data/w.npy --generator g --space w --out s3://a/mine",
    "measure": "--edits s3://a/edits,/data/edits --identity --out s3://a/measured",
    "compare": "--editors interfacegan,ials --attributes smile --rows 8 --out s3://a/compare",
    "dt": "--latents /l --labels /judged --directions /d --pairs male:smile --lambdas 1:1,0.75:0 --out s3://a/dt",
    "status": "/data/faces --json-lines",
    "verify": "/data/faces --fast",
    "report": "s3://a/faces",
    "export": "s3://a/faces --format files --where 'smile > 1' --out s3://a/smiles",
    **{
        verb: re.findall(rf"Example: stylemill {verb} (.*)", kind_of(verb).__doc__)[0].replace("out/", "s3://a/")
        for verb in all_verbs()
        if verb.split()[0] in ("edit", "reproduce", "train")
    },
    "train classifier": "--image-table s3://a/images --labels /data/b.csv --attribute beard --out s3://a/beard",
    "train encoder": "--generator g --rows 4000 --out s3://a/encoder",
    "train import": "/data/100000.ckpt --format id-style --generator g --out s3://a/theirs",
}


def test_no_verb_of_the_command_line_is_forgotten():
    networks = {f"models {get_args(kind)[1].name}" for kind in get_args(models.Verb)}
    assert networks | {*all_verbs()} - {*NOT_SENT} == GOOD.keys()


@pytest.mark.parametrize("verb", GOOD)
def test_good_words_travel_as_they_are(verb):
    words = shlex.split(f"{verb} {GOOD[verb]}")
    assert checked(words) == words


def test_a_verb_of_two_specs_is_refused(monkeypatch):
    class Second(Spec):
        VERB = "verify"

    monkeypatch.setattr(verify, "Second", Second, raising=False)
    with pytest.raises(SpecError, match=r"jobs\.verify has more than one spec.*: VerifySpec, Second"):
        checked(["verify", "/data/faces"])


def test_a_spec_file_travels_as_flags(tmp_path):
    file = tmp_path / "job.yaml"
    file.write_text(
        "out: s3://a/b c\nrows: 5\npsi: -0.5\nattributes: [male, yaw]\nreplace: true\nlocal: false\nimages: jpeg\n"
    )
    sent = checked(["dataset", "--spec", str(file), "--rows", "9"])
    assert set(sent[1:]) == {
        "--out=s3://a/b c", "--rows=9", "--psi=-0.5", "--attributes=male,yaw", "--replace", "--images=jpeg",
    }  # fmt: skip
    assert checked(sent) == sent


def test_keys_of_a_spec_file_are_written_as_the_flags_are(tmp_path):
    file = tmp_path / "job.yaml"
    file.write_text("out: s3://a/ials\nfrom: s3://a/interfacegan\ndevice: cuda\nstep-size: 0.3\n")
    sent = checked(["reproduce", "ials", "--spec", str(file)])
    flags = {"--out=s3://a/ials", "--from=s3://a/interfacegan", "--device=cuda", "--step-size=0.3"}
    assert set(sent[2:]) == flags
    file.write_text("files: [s3://a/age.pt, s3://a/smile.pt]\nformat: e4e\nout: s3://a/e4e\n")
    sent = checked(["directions", "import", "--spec", str(file)])
    assert sent[:4] == ["directions", "import", "s3://a/age.pt", "s3://a/smile.pt"]
    assert set(sent[4:]) == {"--format=e4e", "--out=s3://a/e4e"}
    file.write_text("latents: /l\ndirections: /d\nattribute: old\nstrengths: [-3, -1]\nout: s3://a/older\n")
    assert "--strengths=-3.0,-1.0" in checked(["edit", "interfacegan", "--spec", str(file)])


# -- what travels with them -------------------------------------------------------------------------------------------


def test_a_variable_is_named_and_never_shown(monkeypatch, capsys):
    monkeypatch.setenv("A_SECRET", "hunter2")
    words = ["--env", "A_SECRET", "--env", "OTHER=hunter3", "--", "status", "/x"]
    assert main(["submit", "--address", NOBODY, *words]) == 2
    assert main(["submit", "--address", NOBODY, "--env", "=hunter4", "--", "status", "/x"]) == 2
    shown = "".join(capsys.readouterr())
    assert "hunter" not in shown
    assert main(["submit", "--address", NOBODY, "--env", "NOT_SET_HERE", "--", "status", "/x"]) == 2
    assert "--env NOT_SET_HERE: it is not set here" in capsys.readouterr().err


def test_the_upload_is_the_code_and_small(tmp_path):
    from ray._private.runtime_env.packaging import create_package

    package = tmp_path / "package.zip"
    create_package(
        str(CHECKOUT), package, include_gitignore=True, excludes=[".git", ".venv"], logger=logging.getLogger("quiet")
    )
    names = set(zipfile.ZipFile(package).namelist())
    [told] = re.findall(r"\((\d+\.\d) MB: what `.rayignore` lets through\)", (CHECKOUT / "docs/cluster.md").read_text())
    assert package.stat().st_size == pytest.approx(float(told) * 1e6, abs=1e5)
    assert {name.split("/")[0] for name in names} == {"jobs", "pipeline", "schemas"}
    tracked = subprocess.run(
        ["git", "ls-files", "jobs", "pipeline", "schemas"], cwd=CHECKOUT, capture_output=True, text=True, check=True
    ).stdout.split()
    there = {name for name in tracked if (CHECKOUT / name).is_file()}
    assert there - names == {"pipeline/report/demo.jpg", "pipeline/report/edits.jpg"}
    assert not [name for name in names if "__pycache__" in name]


# -- following --------------------------------------------------------------------------------------------------------


class Server:
    """Stands for Ray's client: a log that breaks off after each of `pieces`, then the job's end."""

    def __init__(self, pieces: list[str], end: dict, silent: int = 0) -> None:
        self._pieces, self._end, self._silent = pieces, end, silent
        self._sent = 0

    def get_job_info(self, job: str):
        from ray.job_submission import JobDetails

        if self._silent and self._sent:
            self._silent -= 1
            raise ConnectionError("gone")
        record = {"status": "RUNNING"} if self._sent < len(self._pieces) else self._end
        return JobDetails(type="SUBMISSION", entrypoint="", **record)

    async def tail_job_logs(self, job: str):
        self._sent += 1
        for piece in self._pieces[: self._sent]:
            yield piece
        raise RuntimeError("WebSocket connection closed unexpectedly")

    def get_job_logs(self, job: str) -> str:
        return "".join(self._pieces)


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ({"status": "SUCCEEDED", "driver_exit_code": 0}, 0),
        ({"status": "FAILED", "driver_exit_code": 4}, 4),
        ({"status": "FAILED", "driver_exit_code": -9}, 137),
        ({"status": "STOPPED"}, 130),
        ({"status": "FAILED", "message": "the node of the driver died"}, 1),
    ],
)
def test_a_log_that_breaks_off_comes_out_once_and_the_code_is_the_verbs(end, code, capsys, monkeypatch):
    monkeypatch.setattr(following, "RETRY_SECONDS", 0.0)
    assert follow(Server(["one\ntw", "o\n", "three\n"], end, silent=3), "job", "again") == code
    shown = capsys.readouterr()
    assert shown.out == "one\ntwo\nthree\n"
    assert f"Ended job: exit code {code}" in shown.err
    assert shown.err.count("the connection is lost") == 1
    assert end.get("message", "") in shown.err


def test_a_cluster_out_of_sight_is_given_up_with_what_to_do(capsys, monkeypatch):
    monkeypatch.setattr(following, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(following, "GIVE_UP_SECONDS", 0.01)
    with pytest.raises(
        ConnectionLost, match=r"the job may go on\. Look again with: stylemill submit --follow job"
    ) as raised:
        follow(Server(["one\n"] * 2, {"status": "SUCCEEDED"}, silent=10**9), "job", "stylemill submit --follow job")
    assert raised.value.exit_code == 1


def test_a_stream_that_goes_quiet_is_opened_anew(capsys, monkeypatch):
    import asyncio

    class Quiet(Server):
        async def tail_job_logs(self, job: str):
            self._sent += 1
            for piece in self._pieces[: self._sent]:
                yield piece
            await asyncio.Event().wait()

    monkeypatch.setattr(following, "QUIET_SECONDS", 0.05)
    assert follow(Quiet(["one\n", "two\n"], {"status": "SUCCEEDED"}), "job", "again") == 0
    assert capsys.readouterr().out == "one\ntwo\n"
