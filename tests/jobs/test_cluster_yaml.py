"""cluster.yaml as Ray reads it, and what an operator needs of it."""

import json
import re
import tomllib
from pathlib import Path

import jsonschema
import pytest
import ray
import yaml

from jobs.remote import checked

ROOT = Path(__file__).parents[2]
RAY = re.search(r"^ray==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE).group(1)


@pytest.fixture(scope="module")
def cluster():
    return yaml.safe_load((ROOT / "cluster.yaml").read_text())


def test_it_passes_rays_own_schema(cluster):
    schema = json.loads((Path(ray.__file__).parent / "autoscaler" / "ray-schema.json").read_text())
    jsonschema.validate(cluster, schema)


def test_the_image_has_the_ray_and_the_python_that_were_tested(cluster):
    version, minor = re.fullmatch(r"rayproject/ray:([\d.]+)-py3(\d+)-gpu", cluster["docker"]["image"]).groups()
    assert version == RAY
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert int(minor) >= int(needed.removeprefix(">=3."))


def test_the_head_drives_and_spot_machines_with_a_gpu_work(cluster):
    types = dict(cluster["available_node_types"])
    head = types.pop(cluster["head_node_type"])
    assert head["resources"] == {"CPU": 0}
    assert head["max_workers"] == 0
    assert "InstanceMarketOptions" not in head["node_config"]
    for kind in types.values():
        assert kind["resources"]["GPU"] >= 1
        assert 1 <= kind["min_workers"] <= kind["max_workers"] <= cluster["max_workers"]
        assert kind["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
        assert "IamInstanceProfile" in kind["node_config"]  # else a worker cannot write to the bucket


def test_every_node_has_the_token_and_the_shared_zoo(cluster):
    given = [option.removeprefix("--env ") for option in cluster["docker"]["run_options"]]
    assert "RAY_AUTH_MODE=token" in given
    assert any(option.startswith("STYLEMILL_ZOO=s3://") for option in given)
    assert cluster["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token"
    assert not any("models pull" in command for command in cluster["setup_commands"])  # no registry is asked
    assert any("[s3]" in command for command in cluster["setup_commands"])


def test_what_is_set_up_lies_below_what_is_mounted(cluster):
    assert cluster["file_mounts"]["~/stylemill"] == "."  # the checkout
    named = [word for command in cluster["setup_commands"] for word in re.findall(r"(?:~|\$HOME)/[\w./-]+", command)]
    assert len(named) == 2
    for path in (re.sub(r"^\$HOME", "~", word) for word in named):
        folder, _, name = path.partition("/stylemill")
        assert folder == "~"
        assert (ROOT / name.lstrip("/")).exists()


def test_the_head_scales_the_cluster_and_workers_join_it_at_its_port(cluster):
    [head] = [command for command in cluster["head_start_ray_commands"] if "ray start" in command]
    [worker] = [command for command in cluster["worker_start_ray_commands"] if "ray start" in command]
    assert "--autoscaling-config=~/ray_bootstrap_config.yaml" in head.split()  # where `ray up` puts it
    [port] = re.findall(r"--port=(\d+)", head)
    assert f"--address=$RAY_HEAD_IP:{port}" in worker.split()
    assert port == "6379"


def test_the_dashboard_is_on_the_loopback(cluster):
    [start] = [command for command in cluster["head_start_ray_commands"] if "ray start" in command]
    assert "--dashboard-host=127.0.0.1" in start
    assert "\n" not in start.strip()


def test_the_job_of_the_comment_can_be_sent_and_uses_the_whole_cluster(cluster):
    text = (ROOT / "cluster.yaml").read_text().replace("\\\n#", " ")
    [words] = re.findall(r"stylemill submit --address \S+ -- +(.*)", text)
    words = words.split()
    assert checked(words)[0] == "dataset"
    assert words[words.index("--device") + 1] == "cuda"
    assert words[words.index("--workers") + 1] == str(cluster["max_workers"])
