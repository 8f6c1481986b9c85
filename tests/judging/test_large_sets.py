"""A million codes in bounded memory, and MNIST's figures where they are known."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pca_of_splits import pca_counterpart

from ae_lightning.callbacks.encoding import overlay_images
from ae_lightning.data import DataModule
from ae_lightning.judging.case import Case
from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.measure import run_measures, select_measures
from benchmarks.clock import peak_resident_bytes

LARGE = 1_000_000


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform != "linux", reason="no other system forgets a peak")
def test_a_million_codes_are_judged_in_bounded_memory() -> None:
    rng = np.random.default_rng(0)

    def split(num: int) -> EncodedSplit:
        labels = np.arange(num) % 10
        images = np.zeros((num, 1, 3, 3), np.float32)
        images.reshape(num, 9)[np.arange(num), labels % 9] = 1
        codes = (np.eye(10, 16, dtype=np.float32) * 4)[labels] + rng.normal(size=(num, 16)).astype(np.float32)
        return EncodedSplit(images, codes, images, labels)

    train, evaluated = split(LARGE), split(20_000)
    _, _, model = pca_counterpart(train.sample(1_000, 0), evaluated, latent_dim=16, seed=0)
    model = replace(model, decode=lambda codes, given=None: np.zeros((len(codes), 1, 3, 3), np.float32))
    # A mark that tests before this one left would allow for as much.
    Path("/proc/self/clear_refs").write_text("5")
    before = peak_resident_bytes()
    values = run_measures(
        select_measures("evaluation.measures", "all"), Case(train, evaluated, seed=0, model=model, novel_class=9)
    ).values
    assert values["knn_accuracy"] > 0.9
    assert values["linear_probe_accuracy"] > 0.9
    # The codes themselves take 64 MB.
    assert (peak_resident_bytes() - before) / 2**20 < 1500


@pytest.mark.slow
def test_pca_of_mnist_has_the_figures_that_are_known_of_it(real_data: Path) -> None:
    data = DataModule("mnist", root=str(real_data), overlay=True)
    splits = {}
    for name in ("train", "test"):
        split = data.split(name)
        assert split.labels is not None
        images = data.scale(split.x).numpy()
        splits[name] = EncodedSplit(images, np.zeros((len(images), 1), np.float32), None, split.labels.numpy())
    train, evaluated, model = pca_counterpart(splits["train"], splits["test"], latent_dim=32, seed=0)
    case = Case(train, evaluated, 0, model=model, overlaid=overlay_images(data, data.split("test"), 0))
    measures = ["linear_probe", "knn", "few_shot", "retrieval", "prior", "sample_frechet", "compression", "overlay"]
    values = run_measures(select_measures("evaluation.measures", measures), case).values
    # Nearest neighbours on about 40 components reach 0.975, a linear classifier a little over 0.9.
    assert values["knn_accuracy"] == pytest.approx(0.975, abs=0.005)
    assert values["linear_probe_accuracy"] == pytest.approx(0.905, abs=0.02)
    shots = [values[f"few_shot_accuracy_{num}"] for num in (1, 5, 10)]
    assert shots == sorted(shots)
    assert 0.1 < values["hash_map"] < values["retrieval_map"] < 0.6
    # A mixture knows more of the codes than one Gaussian with no correlations.
    assert values["sample_frechet_gmm"] < values["sample_frechet"]
    # Ten classes give a pair by chance once in 45, and one of the two once in five.
    assert values["overlay_pair_accuracy"] > 1 / 45
    assert values["overlay_one_accuracy"] > 0.2
    # The code's range at 5 bits, before entropy coding.
    assert values["bits_per_pixel"] < 5 * 32 / 784
