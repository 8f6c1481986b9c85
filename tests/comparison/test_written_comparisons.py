"""A comparison as Markdown and as a file for programs, on runs made by hand."""

from __future__ import annotations

import csv
import io
import re

import pytest
from handmade_runs import measured, tracked
from markdown_it import MarkdownIt

from ae_lightning.comparison.columns import UNKNOWN
from ae_lightning.comparison.csv_file import to_csv
from ae_lightning.comparison.markdown import to_markdown
from ae_lightning.comparison.table import compare_runs
from ae_lightning.judging.goals import DECIDING
from ae_lightning.judging.measure import known_measures


def test_markdown_has_a_ranking_for_each_latent_dim_with_the_best_marked():
    runs = [
        tracked("VAE", measured(0.1, 0.4)),
        tracked("VanillaAE", measured(0.3, 0.9)),
        tracked("VAE", measured(0.05, 0.7), model__latent_dim="8"),
    ]
    comparison = compare_runs(runs)
    first, second = to_markdown(comparison, "cluster").split("## latent_dim 2")[1].split("## latent_dim 8")
    assert first.strip().splitlines() == [
        "| place | run | kmeans_accuracy ↑ | mse ↓ |",
        "| ---: | --- | ---: | ---: |",
        "| 1 | VanillaAE-2 | ▲ 0.9000 | 0.3000 |",
        "| 2 | PCA-2 | 0.5000 | 0.2000 |",
        "| 3 | VAE-2 | 0.4000 | ▲ 0.1000 |",
    ]
    assert "| 1 | VAE-8 | ▲ 0.7000 | ▲ 0.0500 |" in second
    whole = to_markdown(comparison, "reconstruct", with_all=True).split("## latent_dim 8")[0]
    assert re.findall("^### (.*)$", whole, re.MULTILINE) == ["reconstruct", "cluster", UNKNOWN]
    assert "| 1 | VAE-2 | 6.4000 |" in whole


@pytest.mark.parametrize("goal", DECIDING)
def test_at_most_eight_columns_are_seen_at_first_and_all_of_them_in_the_file_for_programs(goal):
    names = [name for measure in known_measures() for name in measure.metrics]
    runs = [tracked("VAE", {**dict.fromkeys(names, 0.5), **{f"pca_{name}": 0.4 for name in names}})]
    comparison = compare_runs(runs)
    (head,) = [line for line in to_markdown(comparison, goal).splitlines() if line.startswith("| place")]
    assert head.count(" | ") == 7
    assert any(f"| {name} " in head for name in DECIDING[goal])
    (written, _) = csv.DictReader(io.StringIO(to_csv(comparison)))
    assert {name: float(written[name]) for name in names} == dict.fromkeys(names, 0.5)


def test_the_file_for_programs_has_means_and_deviations_apart():
    runs = [tracked("VAE", measured(mse, 0.5), seed_everything=seed) for mse, seed in [(0.1, "0"), (0.2, "1")]]
    vae, pca = csv.DictReader(io.StringIO(to_csv(compare_runs(runs))))
    assert (vae["run"], vae["num_runs"], float(vae["mse"])) == ("VAE-2", "2", pytest.approx(0.15))
    assert float(vae["mse_spread"]) == pytest.approx(0.05 * 2**0.5)
    assert (pca["variant"], pca["mse"], pca["mse_spread"], pca["loss"]) == ("PCA", "0.2", "", "")


HOSTILE = [
    *("<img src=x onerror=alert(1)>", "<b>0.0001</b>", "&lt;b&gt;", "**0.0001**", "__0.0001__", "_x_", "***_x_***"),
    *(
        "[here](http://evil)",
        "![seen](http://evil)",
        "![seen][evil]",
        "a | b",
        "a \\| b",
        "`code`",
        "~~gone~~",
        "<http://evil>",
    ),
    *("[32, 64]", "data.batch_size", "C:\\data", "~/data"),
]


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_shows_every_text_as_it_is(text):
    runs = [tracked(text, measured(0.1, 0.5), data__path=value) for value in (text, "other")]
    rendered = (
        MarkdownIt("commonmark")
        .enable(["table", "strikethrough"])
        .parse(to_markdown(compare_runs(runs), "reconstruct"))
    )
    parts = [token for token in rendered if token.type == "inline"]
    shown = ["".join(child.content for child in token.children) for token in parts]
    assert {f"{text}-2, path {text}", f"{text}-2, path other", f"PCA-2, path {text}"} <= set(shown)
    kinds = {child.type for token in parts for child in token.children if child.content or child.type != "text"}
    assert kinds <= {"text", "text_special", "softbreak", "strong_open", "strong_close"}
    for token in parts:
        if any(child.type == "strong_open" for child in token.children):
            bold = "".join(child.content for child in token.children).split(": ", 1)
            assert bold[0].startswith("Best to ")
            assert bold[1].startswith(f"{text}-2, path ")
    assert "html_block" not in {token.type for token in rendered}
