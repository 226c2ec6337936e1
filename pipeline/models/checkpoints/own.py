"""safetensors of our own: the tensors of a checkpoint, and what else is known of it as JSON in the header."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch

from pipeline.errors import ModelFileError
from pipeline.models.checkpoints.checkpoint import ARCHITECTURES, Checkpoint
from pipeline.models.checkpoints.held import Held, NoGeneratorError
from pipeline.models.checkpoints.nvidia import plain
from pipeline.models.zoo.formats import safetensors as format_

KEY = "stylemill"
VERSION = 1
LONGEST_HEADER = 100_000_000
"""Bytes: safetensors' own limit."""


def is_safetensors(data: bytes) -> bool:
    """Whether it begins as a file of safetensors does, with the length of its header and a brace."""
    return data[8:9] == b"{" and int.from_bytes(data[:8], "little") < LONGEST_HEADER


def read(data: bytes, name: str) -> Held:
    """What `write` wrote. Raises NoGeneratorError where it is another file of safetensors, ModelFileError where it is a
    damaged one."""
    tensors = format_.read(data, name)
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    text = header.get("__metadata__", {}).get(KEY)
    if text is None:
        shapes = f"{len(tensors)} tensors, such as {sorted(tensors)[0]}" if tensors else "no tensor"
        raise NoGeneratorError(f"safetensors that stylemill did not write ({shapes}), which do not say what network")
    try:
        said = json.loads(text)
        if said["version"] != VERSION or said["architecture"] not in ARCHITECTURES:
            raise ModelFileError("written by another version of stylemill: convert the original file again")
        options = {_name(name): plain(value, name) for name, value in said["options"].items()}
        form = f"stylemill's safetensors, converted from {str(said['form'])[:200]} with sha256 {said['sha256'][:12]}"
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelFileError("its header of stylemill is damaged") from error
    return Held(said["architecture"], options, tensors, form)


def _name(name: Any) -> str:
    if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9_.]{1,60}", name):
        raise ValueError("not the name of an option")
    return name


def write(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint to a local file, which `read` reads with the same architecture, options and tensors."""
    said: Mapping[str, Any] = {
        "version": VERSION,
        "architecture": checkpoint.architecture,
        "options": dict(checkpoint.options),
        "form": checkpoint.form,
        "sha256": checkpoint.digest,
    }
    tensors = {name: tensor.detach().clone().contiguous() for name, tensor in checkpoint.tensors.items()}
    safetensors.torch.save_file(tensors, path, {KEY: json.dumps(said, sort_keys=True)})
