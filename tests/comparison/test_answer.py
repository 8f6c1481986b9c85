"""What a comparison says in words, and that no difference within the spread of seeds is called a win."""

from __future__ import annotations

import pytest
from handmade_runs import measured, tracked

from ae_lightning.comparison.answer import answer
from ae_lightning.comparison.table import compare_runs
from ae_lightning.judging.directions import measure_of
from ae_lightning.judging.goals import DECIDING


def said(runs, goal="reconstruct"):
    (contest,) = compare_runs(runs).contests(by_latent_dim=False)
    return ["".join(words.text for words in sentence) for sentence in answer(contest, goal)]


def seeds(variant, *accuracies):
    return [
        tracked(variant, measured(0.1, accuracy), seed_everything=str(seed)) for seed, accuracy in enumerate(accuracies)
    ]


def test_each_goal_has_a_winner_by_how_much_and_what_comes_next():
    runs = [tracked("VAE", measured(0.1, 0.4)), tracked("VanillaAE", measured(0.3, 0.9))]
    assert said(runs, "cluster") == [
        "Best to cluster: VanillaAE-2 (kmeans_accuracy 0.9000), 0.4000 above PCA's 0.5000; next VAE-2 (0.4000).",
        "Best to reconstruct: VAE-2 (mse 0.1000), 50% below PCA's 0.2000; next VanillaAE-2 (0.3000).",
        "Not measured: classify, generate, compress, detect.",
        "Each was trained once: how much another seed would change is not known.",
    ]


def test_pca_wins_where_it_is_better():
    runs = [tracked("VAE", measured(0.3, 0.4)), tracked("VanillaAE", measured(0.25, 0.3))]
    assert said(runs)[0] == "Best to reconstruct: PCA-2 (mse 0.2000); of the runs VanillaAE-2 (0.2500)."


@pytest.mark.parametrize(
    ("others", "first"),
    [
        # 0.80 ± 0.02 and 0.83 ± 0.02 touch, 0.80 ± 0.02 and 0.85 ± 0.02 do not; a single seed spreads as the others do.
        ((0.81, 0.83, 0.85), "VanillaAE-2 (kmeans_accuracy 0.8300 ± 0.0200) and VAE-2 (0.8000 ± 0.0200), within the"),
        ((0.83, 0.85, 0.87), "VanillaAE-2 (kmeans_accuracy 0.8500 ± 0.0200), 0.3500 above"),
        ((0.815,), "VanillaAE-2 (kmeans_accuracy 0.8150) and VAE-2 (0.8000 ± 0.0200), within the spread of seeds"),
        ((0.9,), "VanillaAE-2 (kmeans_accuracy 0.9000), 0.4000 above"),
    ],
)
def test_a_difference_within_the_spread_of_seeds_is_no_win(others, first):
    runs = [*seeds("VAE", 0.78, 0.8, 0.82), *seeds("VanillaAE", *others)]
    sentences = said(runs, "cluster")
    assert sentences[0].startswith(f"Best to cluster: {first}")
    assert any("Trained once" in sentence for sentence in sentences) == (len(others) == 1)
    (contest,) = compare_runs(runs).contests(by_latent_dim=False)
    assert contest.ranks("kmeans_accuracy")["VAE-2"] == (1 if "within" in first else 2)


def test_the_spread_of_pca_is_no_autoencoders():
    """Its gain differs by what each variant's own corruption is."""
    runs = [
        tracked("DenoisingAE", {"denoising_psnr_gain": 9.5, "pca_denoising_psnr_gain": 9.0}),
        tracked("VanillaAE", {"denoising_psnr_gain": 3.5, "pca_denoising_psnr_gain": 3.0}),
    ]
    (contest,) = compare_runs(runs).contests(by_latent_dim=True)
    assert str(contest.rows[-1].values["denoising_psnr_gain"]) == "6.0000 ± 4.2426"
    assert contest.ranks("denoising_psnr_gain")["VanillaAE-2"] == 3


def test_the_spread_of_what_has_not_finished_is_no_spread_of_seeds():
    killed = {"status": "KILLED", "trainer__max_epochs": "40"}
    runs = [
        tracked("VAE", {"val/mse": 0.1}),
        tracked("VanillaAE", {"val/mse": 0.15}),
        tracked("SparseAE", {"val/mse": 0.9}, **killed),
        tracked("SparseAE", {"val/mse": 0.1}, **killed, seed_everything="1"),
    ]
    (contest,) = compare_runs(runs, "val").contests(by_latent_dim=True)
    assert contest.ranks("mse") == {"VAE-2, max_epochs 3": 1, "VanillaAE-2, max_epochs 3": 2}


def test_equal_values_share_a_place_and_the_next_one_counts_them():
    runs = [tracked("VAE", measured(0.1, 0.4)), tracked("VanillaAE", measured(0.1, 0.3))]
    (contest,) = compare_runs(runs).contests(by_latent_dim=True)
    assert contest.ranks("mse") == {"VAE-2": 1, "VanillaAE-2": 1, "PCA-2": 3}
    assert said(runs)[0] == (
        "Best to reconstruct: VAE-2 (mse 0.1000) and VanillaAE-2 (0.1000), alike, 50% below PCA's 0.2000."
    )


def test_what_estimates_a_distance_is_not_better_below_zero():
    runs = [tracked(name, {"prior_mmd": mmd}) for name, mmd in (("VAE", -0.2), ("VanillaAE", 0.0), ("SparseAE", 0.1))]
    (contest,) = compare_runs(runs).contests(by_latent_dim=True)
    assert contest.ranks("prior_mmd") == {"VAE-2": 1, "VanillaAE-2": 1, "SparseAE-2": 3}


def test_what_was_not_measured_is_said():
    runs = [
        tracked("VAE", measured(0.1, 0.4, gmm_accuracy=0.5, prior_swd=0.3)),
        tracked("VanillaAE", measured(0.3, 0.3, gmm_accuracy=0.9, prior_swd=0.4)),
        tracked("SparseAE", {"mse": 0.5}),
    ]
    sentences = said(runs, "cluster")
    assert sentences[0].endswith("Not so by gmm_accuracy: VanillaAE-2 (0.9000).")
    (generate,) = [sentence for sentence in sentences if sentence.startswith("Best to generate")]
    assert "PCA was not measured" in generate
    assert "sample_frechet does, which was not measured" in generate
    assert "Of SparseAE-2 there is no measure to cluster and generate." in sentences


def test_codes_of_several_lengths_are_answered_for_together_and_ranked_apart():
    runs = [
        tracked("VAE", measured(0.1, 0.4)),
        tracked("VAE", measured(0.05, 0.4, pca_mse=0.06), model__latent_dim="8"),
    ]
    assert said(runs)[0] == "Best to reconstruct: VAE-8 (mse 0.0500), 17% below PCA's 0.0600; next VAE-2 (0.1000)."
    first, second = compare_runs(runs).contests(by_latent_dim=True)
    assert (first.ranks("mse"), second.ranks("mse")) == ({"VAE-2": 1, "PCA-2": 2}, {"VAE-8": 1, "PCA-8": 2})


@pytest.mark.parametrize("goal", DECIDING)
def test_what_decides_a_goal_is_a_measure_of_it_that_has_a_better_way(goal):
    for name in DECIDING[goal]:
        measure = measure_of(name)
        assert measure.goal == goal
        assert measure.metrics[name] != "none"
