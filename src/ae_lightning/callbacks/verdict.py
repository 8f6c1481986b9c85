"""What the measures of a run come to in words: where it is better than PCA, where not, and what to try."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import get_args

from ae_lightning.judging.directions import best_places, measure_of
from ae_lightning.judging.measure import Goal, Measure
from ae_lightning.models.autoencoder import Autoencoder

WIDE_CODE = 4
"""A code of more than one number for so many values of a sample is hardly a bottleneck: PCA loses next to nothing."""


def compared_with_pca(
    own: Mapping[str, float], measures: Sequence[Measure] = ()
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return in which metrics a model is ahead of PCA and in which behind, by goal.

    Args:
        own: Metrics of one split by name, PCA's as `pca_NAME`.
        measures: Those that gave them.
    """
    ahead: dict[str, list[str]] = {}
    behind: dict[str, list[str]] = {}
    for name, value in own.items():
        pca, measure = own.get(f"pca_{name}"), measure_of(name, measures)
        if pca is None or measure is None:
            continue
        best = best_places(name, (value, pca), measures)
        if len(best) == 1:
            (ahead if 0 in best else behind).setdefault(measure.goal, []).append(name)
    return ahead, behind


def verdict(own: Mapping[str, float], model: Autoencoder, measures: Sequence[Measure] = ()) -> list[str]:
    """Return a line or two: where the model is ahead of PCA, where behind, and what to try where it reconstructs worse.

    Args:
        own: Metrics of one split by name, PCA's as `pca_NAME`.
        model: The model that was judged.
        measures: Those that gave them.
    """
    ahead, behind = compared_with_pca(own, measures)
    if not ahead and not behind:
        return []
    parts = [f"{said} PCA to {_listed(goals)}" for said, goals in (("ahead of", ahead), ("behind", behind)) if goals]
    lines = [f"verdict: {'; '.join(parts)}"]
    if "mse" in behind.get("reconstruct", ()):
        lines.append(f"to try: {_advice(own, model)}")
    return lines


def _listed(goals: Mapping[str, Sequence[str]]) -> str:
    in_order = [goal for goal in get_args(Goal) if goal in goals]
    return ", ".join(f"{goal} ({', '.join(goals[goal])})" for goal in in_order)


def _advice(own: Mapping[str, float], model: Autoencoder) -> str:
    num_values, size = model.spec.num_values, prod(model.code_shape)
    if "kl" in own:
        weight = model.term_weights().get("kl", 1.0)
        unused = own.get("active_units", size) < size / 2
        why = f"and only {own['active_units']:.0f} of {size} units are in use" if unused else "in the objective"
        return f"the KL term weighs β = {weight:.3g} {why}; --model.beta {weight / 4:.2g}, or -c vanilla"
    num_places = size // model.latent_dim
    narrow = max(1, max(2, num_values // 8) // num_places)
    if size * WIDE_CODE > num_values and narrow < model.latent_dim:
        return f"{size} numbers for {num_values} values leave PCA next to nothing to lose; --model.latent_dim {narrow}"
    return "a longer training (--trainer.max_epochs), or a larger step (--model.optimizer.lr 0.005)"
