"""The classifier of latents that was trained, and a linear one, on faces that neither has learned from."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from jobs.reproduce.faces import LabelledFaces
from pipeline.editors.latent_transformer.rows import split
from pipeline.editors.latent_transformer.trained import TrainedNetworks
from pipeline.models.codes import Space
from pipeline.report.latent_transformer.classifier import Told
from pipeline.stages.codes import read_codes
from pipeline.stages.models import Trained
from pipeline.tables import Table


def told(
    trained: Trained, faces: LabelledFaces, attributes: Sequence[str], latents: str, labels: str,
    held_out: float | None, seed: int,
) -> dict[str, Told]:  # fmt: skip
    """By attribute, what both say of the faces of `latents`, beside their `labels`; an attribute that all or none of
    the learned faces have is left out.

    faces: on which C was trained, and the linear one is. held_out, seed: of the training, so that the linear one learns
    from the same rows; None where that is not known: it learns from all.
    """
    space: Space = trained.card.codes.space if trained.card.codes else "w"
    index_N, codes = read_codes(Table.open(latents), space, faces.generator)
    networks, asked_ND = TrainedNetworks(trained.tensors), codes.values.flatten(1)
    rows = Table.open(labels).read(columns=["index", *attributes]).to_pandas().set_index("index")
    there_N = np.isin(index_N, rows.index)
    learned, learned_ND = _learned(faces, space, attributes)
    rows_L = np.arange(len(learned)) if held_out is None else split(len(learned), held_out, seed)[1]
    found = {}
    for name in attributes:
        learned_N = learned[name].to_numpy()[rows_L] > 0
        if learned_N.all() or not learned_N.any():
            continue
        with torch.no_grad():
            network_N = (networks.logit(asked_ND, name) > 0).numpy()
        linear_N = _linear(learned_ND[rows_L], learned_N, asked_ND.numpy())
        true_N = rows[name].reindex(index_N[there_N]).to_numpy() > 0
        found[name] = Told(true_N, network_N[there_N], linear_N[there_N])
    return found


def _learned(faces: LabelledFaces, space: Space, attributes: Sequence[str]) -> tuple[pd.DataFrame, NDArray[np.float32]]:
    """Labels and latents (N, D) of the labelled faces, as the training has joined them."""
    index_N, codes = read_codes(Table.open(faces.latents), space, faces.generator)
    labels = Table.open(faces.labels).read(columns=["index", *attributes]).to_pandas().set_index("index")
    there_N = np.isin(index_N, labels.index)
    return labels.loc[index_N[there_N]], codes.values.flatten(1).numpy()[there_N]


def _linear(
    learned_ND: NDArray[np.float32], has_N: NDArray[np.bool_], asked_ND: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """As the training's own comparison: logistic regression, fitted to its end."""
    from sklearn.linear_model import LogisticRegression

    said_N: NDArray[np.bool_] = LogisticRegression(max_iter=1000).fit(learned_ND, has_N).predict(asked_ND)
    return said_N
