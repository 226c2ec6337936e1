"""`.pt` of pSp, e4e, ReStyle and HyperStyle: a StyleGAN2 of rosinality's form as decoder, beside an encoder."""

from __future__ import annotations

from typing import Any

from pipeline.models.checkpoints.held import Held, stylegan2_options
from pipeline.models.checkpoints.rosinality import is_rosinality, stylegan2_tensors

PREFIX = "decoder."


def read(content: Any) -> Held | None:
    """The decoder. `latent_avg` has a row for each layer there, or one."""
    state = content.get("state_dict") if type(content) is dict else None
    if type(state) is not dict:
        return None
    decoder = {
        name.removeprefix(PREFIX): value
        for name, value in state.items()
        if type(name) is str and name.startswith(PREFIX)
    }
    if not is_rosinality(decoder):
        return None
    tensors = stylegan2_tensors(decoder, content.get("latent_avg"))
    rest = sorted({str(name).split(".")[0] for name in state if not str(name).startswith(PREFIX)})
    beside = f" (left out: {', '.join(rest[:4])})" if rest else ""
    form = f"the decoder of an encoder's checkpoint (pSp, e4e, ReStyle, HyperStyle){beside}"
    return Held("stylegan2", stylegan2_options(tensors), tensors, form)
