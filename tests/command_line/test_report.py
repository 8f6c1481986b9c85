"""The table and the hints at the end of a run."""

from __future__ import annotations

import pytest
from rich.console import Console

from ae_lightning.command_line.report import measure_table, print_report, ui_hint
from ae_lightning.judging.measure import Measure


def rows(values, stage="test", measures=()):
    table = measure_table(stage, values, measures)
    return list(zip(*(list(column.cells) for column in table.columns), strict=True))


def test_pca_stands_beside_each_measure():
    values = {"test/mse": 0.25, "test/pca_mse": 0.5, "test/kl": 1.0, "val/mse": 9.0}
    assert rows(values) == [
        ("minimise", "kl", "1.0000", ""),
        ("reconstruct", "mse ↓", "[bold]▲ 0.2500[/bold]", "0.5000"),
    ]


def test_rows_are_in_sections_by_what_an_autoencoder_is_wanted_for():
    names = ("kmeans_nmi", "mse", "sample_frechet", "knn_accuracy", "loss", "psnr", "bits_per_pixel", "sharpness")
    found = [(goal, name.split()[0]) for goal, name, *_ in rows({f"test/{name}": 1.0 for name in names})]
    assert found == [
        ("minimise", "loss"),
        ("", "sharpness"),
        ("reconstruct", "mse"),
        ("", "psnr"),
        ("cluster", "kmeans_nmi"),
        ("classify", "knn_accuracy"),
        ("generate", "sample_frechet"),
        ("compress", "bits_per_pixel"),
    ]


@pytest.mark.parametrize(
    ("name", "own", "pca", "own_is_better"),
    [("mse", 0.1, 0.2, True), ("mse", 0.2, 0.1, False), ("psnr", 20, 10, True), ("kmeans_accuracy", 0.1, 0.9, False)],
)
def test_the_better_one_is_marked(name, own, pca, own_is_better):
    ((_, _, first, second),) = rows({f"val/{name}": own, f"val/pca_{name}": pca}, "val")
    assert ("bold" in first, "bold" in second) == (own_is_better, not own_is_better)
    assert ("▲" in first, "▲" in second) == (own_is_better, not own_is_better)


def test_of_two_estimates_below_zero_neither_is_better():
    assert rows({"test/prior_mmd": -0.0005, "test/pca_prior_mmd": -0.0007}) == [
        ("generate", "prior_mmd ↓", "[bold]▲ -0.0005[/bold]", "[bold]▲ -0.0007[/bold]")
    ]


def test_where_more_is_no_better_nothing_is_bold():
    assert rows({"test/active_units": 5, "test/pca_active_units": 7}) == [
        ("generate", "active_units", "5.0000", "7.0000")
    ]


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        (
            "sqlite:///mlflow.db",
            "`python -m ae_lightning ui` shows all runs, "
            "http://127.0.0.1:5000/#/experiments/1/runs/ab?workflowType=machine_learning",
        ),
        ("sqlite:////data/my.db", "`python -m ae_lightning ui --tracking_uri sqlite:////data/my.db`"),
        (
            "http://tracking:5000/",
            "shows all runs, http://tracking:5000/#/experiments/1/runs/ab?workflowType=machine_learning",
        ),
    ],
)
def test_the_hint_opens_the_run(uri, expected):
    assert expected in ui_hint(uri, "1", "ab")


def test_the_report_is_printed_with_its_hints_unbroken(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    hint = "open [http://here] " + "x" * 100
    print_report("test", {"test/mse": 0.125}, [hint])
    written = capsys.readouterr().out
    assert hint in written
    assert "0.1250" in written


def test_the_table_can_be_drawn():
    console = Console(width=80, record=True, quiet=False)
    console.print(measure_table("test", {"test/mse": 0.5, "test/pca_mse": 0.25}))
    assert "0.2500" in console.export_text()


def test_a_measure_of_ones_own_knows_which_way_it_is_better():
    class Softness(Measure):
        name = "softness"
        metrics = {"softness": "lower"}  # noqa: RUF012  # as a user would write it

        def compute(self, case):
            return {"softness": 0.0}

    values = {"test/softness": 0.1, "test/pca_softness": 0.2}
    assert rows(values) == [("minimise", "softness", "0.1000", "0.2000")]
    assert rows(values, measures=[Softness()]) == [("other", "softness ↓", "[bold]▲ 0.1000[/bold]", "0.2000")]
