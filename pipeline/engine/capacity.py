"""How many workers the nodes of a cluster have room for, by their CPUs and GPUs."""

from collections.abc import Iterable, Mapping

from pipeline.errors import SpecError

TOLERANCE = 1e-9


def worker_capacity(nodes: Iterable[Mapping[str, float]], cpus: float, gpus: float) -> int:
    """Workers of `cpus` and `gpus` each that fit on nodes with these resources (`CPU`, `GPU`), were they all free."""
    return sum(min(_fit(node, "CPU", cpus), _fit(node, "GPU", gpus)) for node in nodes)


def check_capacity(nodes: Iterable[Mapping[str, float]], cpus: float, gpus: float) -> int:
    """As `worker_capacity`; an actor that no node can ever hold would wait in silence.

    Raises:
        SpecError: not one worker fits.
    """
    nodes = list(nodes)
    places = worker_capacity(nodes, cpus, gpus)
    if places:
        return places
    for kind, each in (("CPU", cpus), ("GPU", gpus)):
        largest = max((node.get(kind, 0.0) for node in nodes), default=0.0)
        if each > largest:
            raise SpecError(
                f"each worker needs {each:g} {kind}, the largest node of the cluster has {largest:g}; "
                f"ask for less (--threads, --gpus-per-worker) or add nodes"
            )
    raise SpecError(
        f"each worker needs {cpus:g} CPU and {gpus:g} GPU, and no node of the cluster has both; "
        f"ask for less (--threads, --gpus-per-worker) or add nodes"
    )


def _fit(node: Mapping[str, float], kind: str, each: float) -> int:
    have = node.get(kind, 0.0)
    if not each:
        return 1_000_000
    if kind == "GPU" and each < 1:  # a fraction lies on one GPU, never across two
        return int(have) * int(1 / each + TOLERANCE)
    return int(have / each + TOLERANCE)
