"""What `ael.fit` takes a path for."""

from __future__ import annotations

from pathlib import Path

import pytest

from ae_lightning.python_api.given_data import given_data


@pytest.mark.parametrize(
    ("path", "name"), [("x.npz", "npz"), ("x.npy", "npz"), ("x.csv", "table"), ("x.Parquet", "table"), (".", "folder")]
)
def test_a_path_is_what_its_suffix_says(path, name):
    given = given_data(Path(path), settings={"split_seed": 1})
    assert given.settings == {"name": name, "path": path, "split_seed": 1}
