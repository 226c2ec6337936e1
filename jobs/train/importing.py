"""`stylemill train import`: an artifact of the trained files of an editor's or an encoder's public code. Nothing in a
file is executed.

Which forms there are: `pipeline.editors.others`, and `pipeline.photos.psp` of encoders.
"""

import hashlib
import shlex
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Literal

import safetensors.torch
import tyro
from pydantic import Field, field_validator

from jobs.flags import command_of, parse, say
from jobs.small_outputs import SmallOutputSpec, read_files, write_small_artifact
from pipeline.card import Card, TrainedCodes
from pipeline.editors import config_of
from pipeline.editors.others import Format, Name, OthersEditor, format_of
from pipeline.errors import SpecError
from pipeline.file_content import check_content
from pipeline.models import generators
from pipeline.models.generators import Generator
from pipeline.photos import psp
from pipeline.stages.kept_artifacts import ENCODER
from pipeline.stages.models import MODEL
from pipeline.tables.artifact import ArtifactFiles


class ImportSpec(SmallOutputSpec):
    """Read the trained files of the public code of the Latent Transformer, ID-Style, pSp or e4e, and write DIR/artifact.

    Example: stylemill train import --format id-style 100000.ckpt --generator stylegan2-ffhq-config-f.pkl --out out/theirs
    """  # noqa: E501  one line can be pasted

    VERB = "train import"

    files: tyro.conf.Positional[tuple[str, ...]] = Field(min_length=1, description="Files: paths or fsspec URLs.")
    format: Name | Literal["psp"] = Field(
        description="Whose files: of id-style one .ckpt; of latent-transformer a tnet_NUMBER.pth.tar for each "
        "attribute and the latent classifier; of psp the .pt of a pSp or an e4e."
    )
    generator: str = Field(
        description="The generator that they were trained for: a file of StyleGAN2 at 1024 px; for psp its .pt again."
    )

    @field_validator("generator")
    @classmethod
    def _is_the_same_generator_everywhere(cls, value: str) -> str:
        """As typed: it is read once, when the files are."""
        return value


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    spec = parse(ImportSpec, argv)
    url = spec.output_url("artifact")
    contents = read_files(spec.files)
    for file, content in contents.items():
        check_content(content, file)
    names = [PurePosixPath(file).name for file in spec.files]
    if doubled := [name for name in names if names.count(name) > 1]:
        raise SpecError(f"{doubled[0]} is given twice: the names of these files tell them apart")
    generator = generators.load(generators.canonical(spec.generator), backend="eager")
    if spec.format == "psp":
        return _import_encoder(spec, url, dict(zip(names, contents.values(), strict=True)), generator)
    form = format_of(spec.format)
    _check_rows(form, generator)
    read = form.read(dict(zip(names, contents.values(), strict=True)))
    config_of(spec.format).model_construct().check_artifact(read.tensors, generator.shape_of("w+"))
    digests = {
        name: hashlib.sha256(content).hexdigest() for name, content in zip(names, contents.values(), strict=True)
    }
    card = _card(spec, form, read, generator, digests)
    facts = {
        "verb": spec.VERB,
        "spec": {"format": spec.format, "generator": spec.generator, "files": names},
        "resolved": {"files_digests": list(digests.values()), "generator_digest": generator.fingerprint},
    }
    write_small_artifact(url, ArtifactFiles({MODEL: safetensors.torch.save(read.tensors)}, card), facts)
    say(f"Note  licence: {form.LICENCE}")
    say(f"Note  {form.ADVICE}")
    return 0


def _import_encoder(spec: ImportSpec, url: str, files: Mapping[str, bytes], generator: Generator) -> int:
    """Write the artifact of an encoder.

    Raises:
        SpecError: there are several files, or the generator has other rows of w+.
        ModelFileError: it is no encoder, or one that is not read.
    """
    if len(files) > 1:
        raise SpecError(f"--format psp reads one file, and {len(files)} are given")
    ((name, content),) = files.items()
    public = psp.read(content, name)
    encoder = psp.PspEncoder(public)
    found, wanted = (encoder.num_ws, encoder.w_dim), (generator.num_ws, generator.w_dim)
    if "w+" not in generator.spaces or found != wanted:
        raise SpecError(
            f"{name} gives {found[0]} rows of {found[1]} numbers, and {generator.name} takes {wanted[0]} of "
            f"{wanted[1]} in w+: pass the generator that it was trained for, which is in the same file"
        )
    digest = hashlib.sha256(content).hexdigest()
    card = Card(
        what=ENCODER,
        inputs={name: digest},
        settings={"type": public.type},
        generator=generator.name,
        generator_fingerprint=generator.fingerprint,
        licences={f"{name}, as its authors trained it": psp.LICENCE},
        citation=psp.CITATION,
        command=shlex.join(["stylemill", *command_of(spec.model_copy(update={"out": "DIR"}))]),
    )
    facts = {
        "verb": spec.VERB,
        "spec": {"format": spec.format, "generator": spec.generator, "files": [name]},
        "resolved": {"files_digests": [digest], "generator_digest": generator.fingerprint},
    }
    write_small_artifact(url, ArtifactFiles({MODEL: safetensors.torch.save(public.tensors)}, card), facts)
    say(f"Note  licence: {psp.LICENCE}")
    say(f"Note  stylemill photos invert --encoder {url} starts from it")
    return 0


def _check_rows(form: Format, generator: Generator) -> None:
    """Raise SpecError where the generator has no w+, or another number of rows."""
    if "w+" not in generator.spaces or generator.num_ws != form.ROWS:
        rows = f"{generator.num_ws} rows of w+" if "w+" in generator.spaces else "no w+"
        raise SpecError(
            f"--generator {generator.name} has {rows}, and these editors are trained for {form.ROWS}: pass the file of "
            "a StyleGAN2 at 1024 px, or train one on latents of this generator"
        )


def _card(spec: ImportSpec, form: Format, read: OthersEditor, generator: Generator, digests: dict[str, str]) -> Card:
    low, mean, high = form.NORMS
    return Card(
        what=spec.format,
        inputs=digests,
        generator=generator.name,
        generator_fingerprint=generator.fingerprint,
        codes=TrainedCodes(space="w+", norm_mean=mean, norm_min=low, norm_max=high),
        attributes=read.attributes,
        licences={f"{spec.format}, as its authors trained it": form.LICENCE},
        citation=form.CITATION,
        command=shlex.join(["stylemill", *command_of(spec.model_copy(update={"out": "DIR"}))]),
    )
