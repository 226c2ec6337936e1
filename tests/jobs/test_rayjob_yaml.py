"""jobs/rayjob.yaml against the fields of KubeRay that it uses.

Names and types were read from `ray-operator/apis/ray/v1/{rayjob,raycluster}_types.go` of ray-project/kuberay on GitHub
at feeaf72 (August 2026), and of Kubernetes' core/v1 PodSpec. A field that is not here is one that nobody has looked up.
"""
# ruff: noqa: N815  (Kubernetes' own names)

import re
import shlex
from pathlib import Path
from typing import Annotated, Literal

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field

from jobs.remote import checked
from jobs.submit import STOP_SECONDS

ROOT = Path(__file__).parents[2]
RAY = re.search(r"^ray==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE).group(1)

Int32 = Annotated[int, Field(ge=0, lt=2**31)]
Quantity = Annotated[str, Field(pattern=r"^\d+(\.\d+)?(m|Ki|Mi|Gi|Ti)?$")]


class Object(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Env(Object):
    name: str
    value: str


class Name(Object):
    name: str


class EnvFrom(Object):
    secretRef: Name


class Port(Object):
    containerPort: Int32
    name: str


class Resources(Object):
    requests: dict[str, Quantity]
    limits: dict[str, Quantity]


class Container(Object):
    name: str
    image: str
    env: list[Env]
    envFrom: list[EnvFrom]
    ports: list[Port] = []
    resources: Resources


class Toleration(Object):
    key: str
    operator: Literal["Exists", "Equal"]
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


class PodSpec(Object):
    nodeSelector: dict[str, str] = {}
    tolerations: list[Toleration] = []
    containers: list[Container]


class Template(Object):
    spec: PodSpec


class HeadGroup(Object):
    rayStartParams: dict[str, str]
    template: Template


class WorkerGroup(HeadGroup):
    groupName: str
    replicas: Int32
    minReplicas: Int32
    maxReplicas: Int32


class AuthOptions(Object):
    mode: Literal["disabled", "token"]


class AutoscalerOptions(Object):
    idleTimeoutSeconds: Int32


class RayClusterSpec(Object):
    rayVersion: str
    authOptions: AuthOptions
    enableInTreeAutoscaling: bool
    autoscalerOptions: AutoscalerOptions
    headGroupSpec: HeadGroup
    workerGroupSpecs: list[WorkerGroup]


class RayJobSpec(Object):
    submissionMode: Literal["K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"]
    entrypoint: str
    backoffLimit: Int32
    shutdownAfterJobFinishes: bool
    ttlSecondsAfterFinished: Int32
    rayClusterSpec: RayClusterSpec


class Metadata(Object):
    generateName: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$", max_length=40)]


class RayJob(Object):
    apiVersion: Literal["ray.io/v1"]
    kind: Literal["RayJob"]
    metadata: Metadata
    spec: RayJobSpec


@pytest.fixture(scope="module")
def job() -> RayJob:
    return RayJob.model_validate(yaml.safe_load((ROOT / "jobs" / "rayjob.yaml").read_text()))


def test_its_images_have_the_ray_that_was_tested(job):
    spec = job.spec.rayClusterSpec
    groups = [spec.headGroupSpec, *spec.workerGroupSpecs]
    images = {container.image for group in groups for container in group.template.spec.containers}
    assert [re.search(r"ray-([\d.]+)-py3\d+", image).group(1) for image in images] == [RAY]
    assert spec.rayVersion == RAY


def test_it_ends_with_its_cluster_and_is_tried_again_at_most_once(job):
    assert job.spec.shutdownAfterJobFinishes
    assert job.spec.ttlSecondsAfterFinished > 0
    assert job.spec.backoffLimit <= 1


def test_its_entry_point_is_a_verb_that_can_be_sent_and_takes_the_signal(job):
    first, program, *words = shlex.split(job.spec.entrypoint)
    assert (first, program) == ("exec", "stylemill")
    assert checked(words)[0] == "dataset"
    assert words[words.index("--device") + 1] == "cuda"


def test_its_job_asks_for_as_many_workers_as_the_cluster_may_have(job):
    words = shlex.split(job.spec.entrypoint)
    most = sum(group.maxReplicas for group in job.spec.rayClusterSpec.workerGroupSpecs)
    assert words[words.index("--workers") + 1] == str(most)


def test_the_head_drives_and_spot_machines_with_a_gpu_work(job):
    spec = job.spec.rayClusterSpec
    assert spec.enableInTreeAutoscaling
    assert spec.authOptions.mode == "token"
    assert spec.headGroupSpec.rayStartParams["num-cpus"] == "0"
    for group in spec.workerGroupSpecs:
        assert group.minReplicas <= group.replicas <= group.maxReplicas
        assert any("spot" in label for label in group.template.spec.nodeSelector)
        assert {"nvidia.com/gpu"} < {toleration.key for toleration in group.template.spec.tolerations}
        [container] = group.template.spec.containers
        assert container.resources.limits["nvidia.com/gpu"] == container.resources.requests["nvidia.com/gpu"] == "1"


def test_a_stopped_driver_has_as_long_as_with_submit(job):
    [head] = job.spec.rayClusterSpec.headGroupSpec.template.spec.containers
    given = {variable.name: variable.value for variable in head.env}
    assert given["RAY_JOB_STOP_WAIT_TIME_S"] == str(STOP_SECONDS)


def test_the_head_names_rays_own_ports(job):
    [head] = job.spec.rayClusterSpec.headGroupSpec.template.spec.containers
    named = {port.name: port.containerPort for port in head.ports}
    assert named == {"gcs-server": 6379, "dashboard": 8265, "client": 10001}  # what KubeRay's workers join
    assert "port" not in job.spec.rayClusterSpec.headGroupSpec.rayStartParams


def test_every_pod_has_the_shared_zoo_and_the_secret_and_none_is_written_down(job):
    spec = job.spec.rayClusterSpec
    for group in (spec.headGroupSpec, *spec.workerGroupSpecs):
        [container] = group.template.spec.containers
        given = {variable.name: variable.value for variable in container.env}
        assert given["STYLEMILL_ZOO"].startswith("s3://")
        assert not [name for name in given if name.startswith("AWS_")]
        assert [source.secretRef.name for source in container.envFrom] == ["stylemill-s3"]
