"""What `stylemill models` says and makes of a generator's file."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from safetensors import SafetensorError

from pipeline.errors import ModelFileError, SpecError
from pipeline.models.backend import Backend
from pipeline.models.checkpoints import files, own
from pipeline.models.checkpoints.checkpoint import Checkpoint
from pipeline.models.checkpoints.held import NoGeneratorError
from pipeline.models.checkpoints.reference import Reference
from pipeline.models.generators.architectures import build
from pipeline.models.generators.noise import Noise


def facts_of(name: str) -> Mapping[str, str] | None:
    """What a generator's file holds: label to text. None where it is a file of something else.

    Raises:
        SpecError, ModelFileError: there is no such file, or it is damaged or asks for code.
    """
    reference = Reference.parse(name)
    try:
        checkpoint = files.read(reference)
    except NoGeneratorError:
        return None
    numbers = sum(tensor.numel() for tensor in checkpoint.tensors.values())
    facts = {
        "file": files.pinned(reference).path,
        "sha256": checkpoint.digest,
        "read as": checkpoint.form,
        "architecture": checkpoint.architecture,
        "resolution": f"{checkpoint.options['img_resolution']} px",
        "holds": f"{len(checkpoint.tensors)} tensors, {numbers:,} values",
    }
    options = ", ".join(f"{key} {value}" for key, value in checkpoint.options.items())
    return {**facts, **_of_network(checkpoint, reference), "options": options}


def _of_network(checkpoint: Checkpoint, reference: Reference) -> Mapping[str, str]:
    """What only the network tells; where it cannot be built, why."""
    chosen = reference.chosen
    if chosen is None and checkpoint.options["c_dim"]:
        chosen = 0
    try:
        name, noise = PurePosixPath(reference.path).name, Noise.parse(reference.noise)
        generator = build(checkpoint, name, Backend.eager(), chosen=chosen, noise=noise)
    except (ModelFileError, SpecError) as error:
        return {"not usable": str(error)}
    shapes = {space: " x ".join(map(str, generator.shape_of(space))) for space in generator.spaces}
    mean = "in the file" if any(key.endswith("w_avg") for key in checkpoint.tensors) else "computed from seeded z"
    of_w = {"rows of w+": str(generator.num_ws), "mean of w": mean} if "w+" in shapes else {}
    return {
        "spaces": ", ".join(f"{space} ({shape})" for space, shape in shapes.items()),
        **of_w,
        "sizes": ", ".join(f"{size} px" for size in generator.sizes),
    }


def convert(name: str, out: str | None) -> tuple[Path, str]:
    """Write a generator's file as safetensors of ours. Gives the new file and what was read.

    Raises:
        SpecError: there is a file already, or it cannot be written.
        ModelFileError: the file is no generator that is known here.
    """
    reference = Reference.parse(name)
    checkpoint = files.read(reference)
    target = Path(out or f"{PurePosixPath(reference.path).stem}.safetensors")
    if target.suffix != ".safetensors":
        raise SpecError(f"--out {target}: name a file that ends in .safetensors")
    if target.exists():
        raise SpecError(f"{target} is there already: give another --out, or delete it")
    try:
        own.write(checkpoint, target)
    except (OSError, SafetensorError) as error:
        raise SpecError(f"{target} cannot be written: {error}") from error
    return target, f"{checkpoint.architecture}, {checkpoint.options['img_resolution']} px, from {checkpoint.form}"
