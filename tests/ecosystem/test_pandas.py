"""pandas opens every table's directory."""

import numpy as np
import pandas as pd
from sealed_tables import PSI_OR_NONE


def test_numbers(numbers_table):
    frame = pd.read_parquet(numbers_table.url)
    assert list(frame.columns) == list(numbers_table.columns)
    for name, wanted in numbers_table.columns.items():
        if isinstance(wanted, list) and isinstance(wanted[0], list):
            assert [value.tolist() for value in frame[name]] == wanted
        elif isinstance(wanted, list):
            assert frame[name].tolist() == wanted
        elif wanted.ndim == 1:
            assert frame[name].dtype == wanted.dtype
            np.testing.assert_array_equal(frame[name], wanted)
        else:
            found = np.array([np.stack(row) if wanted.ndim == 3 else row for row in frame[name]])
            assert found.dtype == np.float32
            np.testing.assert_array_equal(found, wanted)


def test_pictures(images_table):
    frame = pd.read_parquet(images_table.url)
    assert frame["index"].tolist() == images_table.columns["index"].tolist()
    assert frame["image"].tolist() == images_table.columns["image"]


def test_a_number_that_a_row_may_be_without_is_missing(examples):
    frame = pd.read_parquet(examples["directions"].url)
    assert frame["C"].str[0].fillna(-1).tolist() == [-1, 0.5, -1, 0.25, -1, -1, 1.0]


def test_psi_and_seed_of_own_codes_are_missing(examples):
    frame = pd.read_parquet(examples["latents-own"].url)
    assert frame["psi"].fillna(-1).tolist() == [-1 if psi is None else psi for psi in PSI_OR_NONE]
    assert frame["seed"].isna().all()


def test_labels_join_latents_on_index(examples):
    labels = pd.read_parquet(examples["labels"].url).set_index("index")
    latents = pd.read_parquet(examples["latents-w"].url, columns=["index", "psi"]).set_index("index")
    assert len(labels.join(latents, how="inner")) == len(labels)
