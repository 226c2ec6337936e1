import json
from pathlib import Path

import jsonschema
import ray
import yaml

ROOT = Path(__file__).parents[2]


def test_cluster_yaml_passes_rays_own_schema():
    schema = json.loads((Path(ray.__file__).parent / "autoscaler" / "ray-schema.json").read_text())
    cluster = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    jsonschema.validate(cluster, schema)


def test_it_has_a_head_and_gpu_workers():
    cluster = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    types = cluster["available_node_types"]
    assert cluster["head_node_type"] in types
    workers = [kind for name, kind in types.items() if name != cluster["head_node_type"]]
    assert any(kind["resources"].get("GPU", 0) >= 1 and kind["max_workers"] > 0 for kind in workers)
