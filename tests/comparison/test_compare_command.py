"""`compare` on real runs."""

from __future__ import annotations

import json
import re
import shutil
import sys

import numpy as np
import pytest
import torch

from ae_lightning.checkpoints.loading import load_autoencoder
from ae_lightning.comparison.compared_models import load_compared_models
from ae_lightning.comparison.table import compare_runs
from ae_lightning.judging.pictures.latent_grid import grid_codes
from ae_lightning.judging.pixels import mse
from ae_lightning.tracking import run_page
from ae_lightning.tracking.comparison import RunReader
from quick_options import QUICK

JUDGED = ("--evaluation.measures", "[mse, kmeans]", "--evaluation.pca", "true")


@pytest.fixture(scope="module")
def compared(open_workspace):
    """Three runs, one of them with its checkpoints gone, and the report about them."""
    with open_workspace() as workspace:
        assert workspace.fit(*JUDGED).code == 0
        assert workspace.fit(*JUDGED, "--seed_everything", "1").code == 0
        assert workspace.fit("--model", "VanillaAE", *JUDGED).code == 0
        assert workspace.fit("--model", "VanillaAE", "--model.latent_dim", "3", *JUDGED).code == 0
        shutil.rmtree(workspace.checkpoint().parent)
        outcome = workspace("compare", "--output", "report")
        assert outcome.code == 0, outcome.err
        yield workspace


def page(workspace):
    return (workspace.folder / "report" / "report.html").read_text()


def test_the_table_has_every_configuration_and_the_baseline(compared):
    lines = (compared.folder / "report" / "table.md").read_text().splitlines()
    runs = [line.split(" | ")[1] for line in lines if line.startswith("| ")]
    assert sorted(run for run in runs if run not in ("run", "---")) == [
        *("PCA-2", "PCA-3", "VAE-2", "VanillaAE-2", "VanillaAE-3"),
    ]
    (vae,) = [line for line in lines if " | VAE-2 | " in line]
    assert "±" in vae


def test_the_first_lines_say_which_run_is_best_for_what(compared):
    # Of the run whose checkpoints are gone: there is nothing to draw.
    (run_id,) = [run.info.run_id for run in compared.runs() if run.data.params.get("model.latent_dim") == "3"]
    outcome = compared("compare", "--output", "goal", "--goal", "cluster", "--runs", run_id)
    assert outcome.code == 0, outcome.err
    title, first, second, *_ = outcome.out.splitlines()
    assert title == "Comparison: digits"
    assert first.startswith("• Best to cluster: ")
    assert second.startswith("• Best to reconstruct: ")
    assert "ranked by how well they cluster" in outcome.out
    kept = compared.run()
    note = kept.data.tags["mlflow.note.content"]
    assert note in (compared.folder / "goal" / "table.md").read_text()
    assert note.startswith("- Best to cluster: **")


def test_a_goal_of_which_nothing_was_measured_is_refused(compared):
    outcome = compared("compare", "--output", "goal", "--goal", "detect")
    assert outcome.code == 2
    assert "--goal detect: no run has novelty_auroc" in outcome.err
    assert "reconstruct, cluster" in outcome.err


def test_the_page_asks_no_other_host_for_anything(compared):
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=[\"']?https?:", page(compared))


@pytest.fixture(scope="module")
def tab(compared, browser):
    """The report, opened from disk; every address that it asks for is noted."""
    opened = browser.new_page(viewport={"width": 1400, "height": 1000})
    opened.asked = []
    opened.on("request", lambda request: opened.asked.append(request.url))
    opened.goto((compared.folder / "report" / "report.html").as_uri())
    opened.wait_for_selector(".scatterlayer .point")
    opened.locator("#all").check()
    yield opened
    opened.close()


def column(tab, heading):
    """What the rows that are shown say in a column."""
    names = tab.locator("#measures th").all_inner_texts()
    position = [name.strip(" ↑↓") for name in names].index(heading) + 1
    return tab.locator(f"#measures tbody tr:visible td:nth-child({position})").all_inner_texts()


def test_a_click_on_a_heading_sorts_and_another_turns_round(tab):
    heading = tab.locator("#measures th", has_text=re.compile("^mse"))
    heading.click()
    rising = [float(text.strip("▲ ").split(" ±")[0]) for text in column(tab, "mse")]
    assert rising == sorted(rising)
    heading.click()
    assert [float(text.strip("▲ ").split(" ±")[0]) for text in column(tab, "mse")] == rising[::-1]


def test_rows_without_a_value_come_last_either_way(tab):
    for _ in range(2):
        tab.locator("#measures th", has_text=re.compile("^kl")).click()
        values = column(tab, "kl")
        assert values[0]
        assert not any(values[1:])


def test_eight_columns_are_seen_until_all_are_asked_for(tab):
    assert tab.locator("#measures th:visible").count() > 8
    tab.locator("#all").uncheck()
    assert tab.locator("#measures th:visible").count() == 6, "place, run, mse, and the three of kmeans"
    tab.locator("#all").check()


def test_words_choose_the_rows_that_are_shown(tab):
    tab.locator("#filter").fill("vanilla 3")
    assert column(tab, "variant") == ["VanillaAE"]
    assert column(tab, "latent_dim") == ["3"]
    tab.locator("#filter").fill("")
    assert len(column(tab, "variant")) == 5


def test_hovering_a_code_shows_its_image_and_nothing_is_asked_of_any_host(compared, tab):
    point = tab.locator("#codes-0 .scatterlayer .trace").last.locator(".point").first
    point.scroll_into_view_if_needed()
    box = point.bounding_box()
    tab.mouse.move(box["x"] + box["width"] / 2 + 1, box["y"] + box["height"] / 2)
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    card = tab.locator(".card:visible")
    card.wait_for()
    assert "image" in card.inner_text()
    assert {url for url in tab.asked if not url.startswith(("data:", "blob:"))} == {
        (compared.folder / "report" / "report.html").as_uri()
    }


def test_the_page_shows_what_could_be_loaded_and_names_the_rest(compared):
    text = page(compared)
    for picture in ("Reconstructions of the same images", "Samples", "Worst reconstructions, the same images for all"):
        assert text.count(f'<img alt="{picture}"') == 1
    assert text.count('<img alt="VAE-2"') == 1
    assert "VanillaAE-3: checkpoint" in text
    assert "there is no such file" in text


def test_the_curves_are_those_that_were_logged(compared):
    run = next(run for run in compared.runs() if run.data.tags.get("ae_lightning.variant") == "VanillaAE")
    (logged,) = compared.history(run.info.run_id, "val/loss")
    assert json.dumps(logged.value) in page(compared)


def test_the_report_is_kept_as_a_run_that_is_no_training(compared):
    kept = compared.run()
    assert compared.artifacts(kept.info.run_id) == {"report.html", "table.csv", "table.md"}
    assert kept.info.status == "FINISHED"
    again = compared("compare", "--output", "again")
    assert again.code == 0
    assert run_page("http://127.0.0.1:5000", kept.info.experiment_id, compared.run().info.run_id) in again.out
    assert (compared.folder / "again" / "table.md").read_text() == (compared.folder / "report" / "table.md").read_text()


def test_runs_by_id(compared):
    chosen = [run.info.run_id for run in compared.runs() if run.data.params.get("model.latent_dim") == "3"]
    outcome = compared("compare", "--runs", *chosen, "--output", "one")
    assert outcome.code == 0, outcome.err
    assert "latent_dim 2" not in (compared.folder / "one" / "table.md").read_text()


def test_runs_by_filter(compared):
    outcome = compared("compare", "--filter", "tags.`ae_lightning.variant` = 'VAE'", "--output", "filtered")
    assert outcome.code == 0, outcome.err
    assert "VanillaAE" not in (compared.folder / "filtered" / "table.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--experiment", "digit"], "did you mean 'digits'?"),
        (["--runs", "nothing"], "has no run 'nothing'"),
        (["--filter", "metrics = 3"], "--filter"),
        (["--experiment", "digits", "--runs", "a"], "not allowed with"),
        (["--stage", "train"], "invalid choice"),
    ],
)
def test_what_cannot_be_compared_is_said_in_a_line(compared, arguments, message):
    outcome = compared("compare", "--output", "nowhere", *arguments)
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert message in outcome.err


def test_a_report_that_cannot_be_written(compared):
    chosen = compared.run().info.run_id
    (compared.folder / "taken" / "table.md").mkdir(parents=True)
    outcome = compared("compare", "--output", "taken")
    assert outcome.code == 2
    assert outcome.err.splitlines()[-1].startswith("ae_lightning: error: --output: taken/table.md cannot be written")
    assert compared.run().info.run_id == chosen


@pytest.fixture(scope="module")
def in_pictures(compared):
    """The comparison, and what its pictures are made of."""
    comparison = compare_runs(RunReader(compared.uri).of_experiment("digits"))
    return comparison, {model.label: model for model in load_compared_models(comparison.rows, "test").found}


def test_images_that_rows_have_in_common_are_held_once(in_pictures):
    _, models = in_pictures
    assert sorted(models) == ["PCA-2", "VAE-2", "VanillaAE-2"]
    assert len({id(model.encoded.x) for model in models.values()}) == 1


def require_the_pca_that_was_measured(comparison, models, label):
    """The test split is no larger than what pictures look at."""
    encoded = models[label].encoded
    (row,) = [row for row in comparison.rows if row.label == label]
    assert mse(encoded.x, encoded.reconstructions) == pytest.approx(row.values["mse"].mean, rel=1e-4)


def test_pca_in_the_pictures_is_the_one_that_was_measured(in_pictures):
    require_the_pca_that_was_measured(*in_pictures, "PCA-2")


LONGER = """
import torch
from ae_lightning import VanillaAE

class Longer(VanillaAE):
    def features(self, latent):
        return torch.cat([latent, latent.square()], 1)
"""


@pytest.mark.slow
def test_pca_has_as_many_numbers_as_a_latent_where_codes_have_more(workspace):
    (workspace.folder / "longer.py").write_text(LONGER)
    assert workspace.fit("--model", "longer.Longer", *JUDGED).code == 0
    comparison = compare_runs(RunReader(workspace.uri).of_experiment("digits"))
    models = {model.label: model for model in load_compared_models(comparison.rows, "test").found}
    require_the_pca_that_was_measured(comparison, models, "PCA-2")


OWN = """
from ae_lightning.models.autoencoder import Autoencoder

class Own(Autoencoder):
    def __init__(self, **options):
        super().__init__(latent_dim=3, **options)
"""


def test_a_variant_that_fixes_its_latent_dim_has_a_row_like_any_other(workspace):
    (workspace.folder / "own.py").write_text(OWN)
    outcome = workspace("fit", *QUICK, "--data.name", "digits", "--model", "own.Own")
    assert outcome.code == 0, outcome.err
    # The installed program is another process, which does not look in the working directory by itself.
    sys.path.remove(str(workspace.folder))
    del sys.modules["own"]
    outcome = workspace("compare", "--output", "report")
    assert outcome.code == 0, outcome.err
    assert "## latent_dim 3\n\n| place | run |" in (workspace.folder / "report" / "table.md").read_text()
    assert "cannot be imported" not in page(workspace)


@pytest.mark.slow
def test_a_grid_is_decoded_as_of_the_first_class_and_left_out_of_maps(workspace):
    assert workspace.fit("--model", "conditional_vae.ConditionalVAE").code == 0
    checkpoint = workspace.checkpoint()
    outcome = workspace.fit("--model", "vq_vae.VQVAE", "--model.network", "Conv", "--model.network.filters", "[4, 8]")
    assert outcome.code == 0, outcome.err
    outcome = workspace("compare", "--output", "report")
    assert outcome.code == 0, outcome.err
    text = page(workspace)
    assert text.count('<img alt="ConditionalVAE-2') == 1
    assert '<img alt="VQVAE-2' not in text
    rows = compare_runs(RunReader(workspace.uri).of_experiment("digits")).rows
    found = load_compared_models(rows, "test")
    assert found.left_out == {}
    (conditional,) = [model for model in found.found if model.label.startswith("ConditionalVAE-2")]
    assert conditional.grid_class == "0"
    with torch.no_grad():
        decoded = load_autoencoder(checkpoint).eval().decode(torch.from_numpy(grid_codes()), torch.zeros(900).long())
    np.testing.assert_allclose(conditional.decoded_grid, decoded, atol=1e-6)


def test_no_name_of_others_reaches_the_terminal_or_a_page_as_more_than_a_text(workspace):
    """All of them are as MLflow takes them from anybody who can write to the store."""
    bad = "\x1b]0;owned\x07\x1b[2J\u202e<script>alert(1)</script>"
    client = workspace.client
    experiment = client.create_experiment(bad)
    for number in range(2):
        run_id = client.create_run(experiment, run_name=bad, tags={"ae_lightning.variant": bad}).info.run_id
        client.log_param(run_id, "model.latent_dim", "2")
        client.log_param(run_id, "data.path", f"{bad}{number}")
        client.log_metric(run_id, "test/mse", number)
        client.log_metric(run_id, "val/loss", number)
        client.set_terminated(run_id)
    outcome = workspace("compare", "--output", "report")
    assert outcome.code == 0, outcome.err
    refused = workspace("compare", "--experiment", "owned", "--output", "report")
    assert refused.code == 2
    folder = workspace.folder / "report"
    for shown in (outcome.out, outcome.err, refused.err, (folder / "table.md").read_text()):
        assert not {letter for letter in shown if not letter.isprintable()} - {"\n"}
    assert (folder / "table.md").read_text().startswith("# Comparison: ")
    text = page(workspace)
    assert "<script>alert(1)" not in text
    assert not {"\x1b", "\x07", "\u202e"} & set(text)


def test_an_empty_store_says_what_makes_runs(workspace):
    outcome = workspace("compare", "--output", "report")
    assert outcome.code == 2
    assert "`fit` makes them" in outcome.err


def test_a_folder_that_cannot_be_made(workspace):
    (workspace.folder / "file").write_text("")
    outcome = workspace("compare", "--output", "file/report")
    assert outcome.code == 2
    assert "--output" in outcome.err


def test_a_folder_that_takes_no_files_is_found_out_before_any_work(bare_workspace):
    # Not even root makes a file there.
    outcome = bare_workspace("compare", "--output", "/proc")
    assert outcome.code == 2
    assert "--output: /proc cannot be written" in outcome.err
    assert list(bare_workspace.folder.iterdir()) == []
