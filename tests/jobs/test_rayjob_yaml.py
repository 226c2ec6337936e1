"""jobs/rayjob.yaml against the fields of KubeRay that it uses.

Names were read from `ray-operator/apis/ray/v1/{rayjob,raycluster}_types.go` of ray-project/kuberay on GitHub at feeaf72
(August 2026), and of Kubernetes' core/v1 PodSpec. A field that is not here is one that nobody has looked up.
"""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from jobs.remote import checked
from jobs.submit import STOP_SECONDS

ROOT = Path(__file__).parents[2]
RAY = re.search(r"^ray==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE).group(1)
CONTAINER = {
    "name": str, "image": str, "env": [{"name": str, "value": str}], "envFrom": [{"secretRef": {"name": str}}],
    "ports": [{"containerPort": int, "name": str}],
    "resources": {"requests": {str: str}, "limits": {str: str}},
}  # fmt: skip
GROUP = {
    "rayStartParams": {str: str},
    "template": {
        "spec": {
            "nodeSelector": {str: str}, "containers": [CONTAINER],
            "tolerations": [{"key": str, "operator": str, "value": str, "effect": str}],
        }
    },
}  # fmt: skip
JOB = {
    "apiVersion": str, "kind": str, "metadata": {"generateName": str},
    "spec": {
        "submissionMode": str, "entrypoint": str, "backoffLimit": int, "shutdownAfterJobFinishes": bool,
        "ttlSecondsAfterFinished": int,
        "rayClusterSpec": {
            "rayVersion": str, "authOptions": {"mode": str}, "enableInTreeAutoscaling": bool,
            "autoscalerOptions": {"idleTimeoutSeconds": int}, "headGroupSpec": GROUP,
            "workerGroupSpecs": [
                {**GROUP, "groupName": str, "replicas": int, "minReplicas": int, "maxReplicas": int}
            ],
        },
    },
}  # fmt: skip
"""Of each field its type, or what it holds."""


def check(value: Any, kind: Any, where: str = "") -> None:
    match kind:
        case {**fields} if str in fields:
            assert all(isinstance(one, fields[str]) for one in value.values()), where
        case {**fields}:
            assert value.keys() <= fields.keys(), where
            for name, one in value.items():
                check(one, fields[name], f"{where}.{name}")
        case [one]:
            for place, each in enumerate(value):
                check(each, one, f"{where}[{place}]")
        case _:
            assert type(value) is kind, where


@pytest.fixture(scope="module")
def job() -> dict:
    return yaml.safe_load((ROOT / "jobs" / "rayjob.yaml").read_text())


@pytest.fixture(scope="module")
def groups(job) -> list[dict]:
    """The head's, and those of the workers."""
    cluster = job["spec"]["rayClusterSpec"]
    return [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]


def container(group: dict) -> dict:
    [one] = group["template"]["spec"]["containers"]
    return one


def test_it_has_no_field_that_kuberay_has_not(job):
    check(job, JOB)
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert job["spec"]["submissionMode"] in ("K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode")


def test_its_images_have_the_ray_that_was_tested(job, groups):
    assert {re.search(r"ray-([\d.]+)-py3\d+", container(group)["image"]).group(1) for group in groups} == {RAY}
    assert job["spec"]["rayClusterSpec"]["rayVersion"] == RAY


def test_it_ends_with_its_cluster_and_is_tried_again_at_most_once(job):
    assert job["spec"]["shutdownAfterJobFinishes"]
    assert job["spec"]["ttlSecondsAfterFinished"] > 0
    assert job["spec"]["backoffLimit"] <= 1


def test_its_entry_point_can_be_sent_takes_the_signal_and_asks_for_the_whole_cluster(job, groups):
    first, program, *words = shlex.split(job["spec"]["entrypoint"])
    assert (first, program) == ("exec", "stylemill")
    assert checked(words)[0] == "dataset"
    assert words[words.index("--device") + 1] == "cuda"
    assert words[words.index("--workers") + 1] == str(sum(group["maxReplicas"] for group in groups[1:]))


def test_the_head_drives_and_spot_machines_with_a_gpu_work(job, groups):
    cluster, (head, *workers) = job["spec"]["rayClusterSpec"], groups
    assert cluster["enableInTreeAutoscaling"]
    assert cluster["authOptions"]["mode"] == "token"
    assert head["rayStartParams"]["num-cpus"] == "0"
    for group in workers:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
        spec = group["template"]["spec"]
        assert any("spot" in label for label in spec["nodeSelector"])
        assert {"nvidia.com/gpu"} < {toleration["key"] for toleration in spec["tolerations"]}
        resources = container(group)["resources"]
        assert resources["limits"]["nvidia.com/gpu"] == resources["requests"]["nvidia.com/gpu"] == "1"


def test_the_head_names_rays_own_ports_and_a_stopped_driver_has_as_long_as_with_submit(groups):
    head = container(groups[0])
    given = {variable["name"]: variable["value"] for variable in head["env"]}
    assert given["RAY_JOB_STOP_WAIT_TIME_S"] == str(STOP_SECONDS)
    named = {port["name"]: port["containerPort"] for port in head["ports"]}
    assert named == {"gcs-server": 6379, "dashboard": 8265, "client": 10001}  # what KubeRay's workers join
    assert "port" not in groups[0]["rayStartParams"]


def test_every_pod_has_the_shared_zoo_and_the_secret_and_none_is_written_down(groups):
    for group in groups:
        its = container(group)
        given = {variable["name"]: variable["value"] for variable in its["env"]}
        assert given["STYLEMILL_ZOO"].startswith("s3://")
        assert not [name for name in given if name.startswith("AWS_")]
        assert [source["secretRef"]["name"] for source in its["envFrom"]] == ["stylemill-s3"]
