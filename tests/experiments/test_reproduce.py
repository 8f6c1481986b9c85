"""The repeated experiments: what they train, that they go on where they stopped, and the tables made of them."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
from experiments.patience import run_to_its_end
from experiments.reproduce import run_missing
from experiments.results import DOCS, PAGES, main
from experiments.tables import APPLICATIONS, CODECS, THEIRS
from experiments.trainings import CONFIGS, TABULATED, Training, all_trainings
from mlflow.entities import Metric

from ae_lightning.tracking.comparison import VARIANT_TAG
from quick_options import QUICK

pytestmark = pytest.mark.slow

PROGRAM = "import sys; from experiments.reproduce import Training, run_missing"
LOGGED = (
    *("mse", "psnr", "ssim", "kmeans_accuracy", "gmm_accuracy", "nearest_centroid_accuracy", "class_gaussian_accuracy"),
    *("sample_frechet", "novelty_auroc", "novelty_auroc_code"),
    *(measure for measures in APPLICATIONS.values() for measure in measures),
)
CLASSES = dict(zip(TABULATED, ("VanillaAE", "DoubleAE", "VAE", "SampleVAE", "DoubleSampleVAE"), strict=True))


def tiny(*options):
    return Training("tried", "tiny", ("-c", str(CONFIGS / "vanilla.yaml"), *QUICK, *options))


def test_every_training_has_a_name_of_its_own():
    named = [(training.group, training.name) for training in all_trainings()]
    assert len(set(named)) == len(named)


@pytest.mark.parametrize("training", all_trainings()[::5], ids=lambda training: training.name)
def test_the_command_line_takes_a_training(bare_workspace, training):
    outcome = bare_workspace("fit", *training.arguments, "--print_config")
    assert outcome.code == 0, outcome.err


@pytest.mark.parametrize("group", dict.fromkeys(training.group for training in all_trainings()))
def test_a_training_of_every_experiment_ends_on_small_images(workspace, group):
    training = next(training for training in all_trainings() if training.group == group)
    # A Linear has none of a Conv's settings.
    arguments = list(training.arguments)
    named = [place for place, word in enumerate(arguments) if word.startswith("--model.network")]
    for place in reversed(named):
        del arguments[place : place + 2]
    source = ("--data.name", "digits", "--data.path", "null", "--data.image_size", "null")
    small = (*source, "--trainer.max_epochs", "1", "--model.network", "Linear")
    outcome = workspace("fit", *arguments, *small, "--evaluation.pictures", "[]", "--evaluation.every_n_epochs", "0")
    assert outcome.code == 0, outcome.err


def test_what_is_done_is_left_alone_and_what_fails_stops_no_other(workspace, program_environment, monkeypatch, capfd):
    monkeypatch.setattr("os.environ", program_environment)
    wrong = Training("tried", "wrong", ("--model.latent_dim", "0"))
    assert run_missing([wrong, tiny()]) == 1
    assert run_missing([tiny()]) == 0
    (run,) = workspace.runs()
    assert (run.info.run_name, run.info.status) == ("tiny", "FINISHED")
    assert "failed: tried: wrong" in capfd.readouterr().out


PATIENT = """
import signal, sys, time
from pathlib import Path
def end(number, frame):
    time.sleep(1)
    Path("ended").write_text(str(number))
    sys.exit(128 + number)
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, end)
Path("started").touch()
time.sleep(60)
"""


@pytest.mark.parametrize(
    ("number", "send"), [(signal.SIGINT, os.killpg), (signal.SIGTERM, os.kill)], ids=["Ctrl-C", "SIGTERM"]
)
def test_what_is_run_ends_by_itself(tmp_path, number, send):
    """A terminal sends Ctrl-C to all of them, whoever ends a job SIGTERM to the first."""
    (tmp_path / "patient.py").write_text(PATIENT)
    program = "import sys; from experiments.patience import run_to_its_end"
    started = subprocess.Popen(
        [sys.executable, "-c", f"{program}; sys.exit(run_to_its_end([sys.executable, 'patient.py']))"],
        env={**os.environ, "PYTHONPATH": str(CONFIGS.parent)},
        cwd=tmp_path,
        start_new_session=True,
    )
    wait_for(tmp_path, "started")
    send(started.pid, number)
    assert started.wait(30) == 128 + number
    assert (tmp_path / "ended").read_text() == str(int(number))


def wait_for(folder, pattern):
    deadline = time.monotonic() + 120
    while not list(folder.glob(pattern)):
        assert time.monotonic() < deadline, f"no {pattern} in {folder}"
        time.sleep(0.1)


def test_a_program_that_is_killed_has_a_shells_exit_code():
    assert run_to_its_end([sys.executable, "-c", "import os; os.kill(os.getpid(), 15)"]) == 143
    assert run_to_its_end([sys.executable, "-c", "raise SystemExit(3)"]) == 3


@pytest.mark.parametrize(
    ("number", "send"), [(signal.SIGINT, os.killpg), (signal.SIGTERM, os.kill)], ids=["Ctrl-C", "SIGTERM"]
)
def test_what_was_interrupted_goes_on(workspace, program_environment, monkeypatch, number, send):
    long = tiny("--trainer.max_epochs", "4000")
    started = subprocess.Popen(
        [sys.executable, "-c", f"{PROGRAM}; sys.exit(run_missing([{long!r}]))"],
        env={**program_environment, "PYTHONPATH": str(CONFIGS.parent)},
        start_new_session=True,
    )
    wait_for(workspace.folder, "checkpoints/*/last.ckpt")
    send(started.pid, number)
    assert started.wait(60) == 128 + number
    assert workspace.run().info.status == "KILLED"
    monkeypatch.setattr("os.environ", program_environment)
    epochs = 1 + max(point.step for point in workspace.history(workspace.run().info.run_id, "epoch"))
    assert run_missing([tiny("--trainer.max_epochs", str(int(epochs) + 1))]) == 0
    (run,) = workspace.runs()
    assert run.info.status == "FINISHED"


@pytest.fixture(scope="module")
def whole_store(open_workspace):
    """A database that holds a run of every training, each value told by its place."""
    with open_workspace() as workspace:
        client = workspace.client
        codecs = {name: {"bits_per_pixel": [0.1, 0.3], "psnr": [10.0, 30.0]} for name in CODECS}
        (workspace.folder / "codecs.json").write_text(json.dumps(codecs))
        for number, training in enumerate(all_trainings()):
            found = client.get_experiment_by_name(training.group)
            experiment = found.experiment_id if found else client.create_experiment(training.group)
            variant = CLASSES.get(training.name.split(",")[0], "VanillaAE")
            run = client.create_run(experiment, run_name=training.name, tags={VARIANT_TAG: variant})
            client.log_param(run.info.run_id, "trainer.max_epochs", 2)
            values = {f"test/{name}": 0.2 + number / 1000 for name in LOGGED}
            values |= {f"test/pca_{name}": 0.1 for name in LOGGED}
            metrics = [Metric(name, value, 0, 0) for name, value in values.items()]
            losses = (784.0, 784.0, 78.4, 78.4)
            metrics += [Metric("train/reconstruction", value, 0, step) for step, value in enumerate(losses)]
            client.log_batch(run.info.run_id, metrics)
            client.log_artifact(run.info.run_id, str(workspace.folder / "codecs.json"), "evaluation/test")
            client.set_terminated(run.info.run_id)
    return workspace.folder / "mlflow.db"


@pytest.fixture
def reproduced(workspace, whole_store):
    """The pages before anything is written to them, where a copy of that database is the store."""
    shutil.copy(whole_store, workspace.folder)
    pages = workspace.folder / "docs"
    pages.mkdir()
    for page in PAGES:
        (pages / page).write_text((DOCS / page).read_text())
    return pages


def table(page, name):
    found = re.search(rf"<!-- table {name} -->\n(.*?)<!-- end -->", page, re.DOTALL)
    rows = [line.strip("|").split("|") for line in found[1].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows]


def test_the_tables_hold_the_runs(reproduced):
    assert main(["--docs", str(reproduced)]) == 0
    results, limits = ((reproduced / page).read_text() for page in PAGES)
    by_name = {training.name: 0.2 + number / 1000 for number, training in enumerate(all_trainings())}
    vae = 100 * by_name["vae, 32-D, seed 0"]
    said = f"{THEIRS['k-means'][32]['vae']:.2f}"
    assert ["k-means", "32", "VAE", said, f"{vae:.2f}", f"{vae:.2f}"] in table(results, "eftimiades")
    left_out = by_name["without 7"]
    assert ["7", f"{left_out:.3f}", "0.100", f"{left_out:.3f}", "0.100"] in table(results, "novelty")
    (gap,) = [row for row in table(results, "gaps") if row[0] == "VAE, 32-D"]
    assert gap[1:3] == ["0.1000", f"{vae / 100:.4f}"]
    assert {row[0] for row in table(results, "applications")} >= set(APPLICATIONS)
    # The rate is 0.2 and more: between the two points of the curve.
    assert float(table(limits, "codecs")[2][1]) == pytest.approx(10 + (by_name["vanilla, 32-D, seed 0"] - 0.1) * 100)


def test_the_best_is_bold(reproduced):
    main(["--docs", str(reproduced)])
    rows = {row[0]: row[1:] for row in table((reproduced / "results.md").read_text(), "measures")}
    assert [cell.startswith("**") for cell in rows["`ssim`"]] == [False, False, False, False, True, False]
    assert [cell.startswith("**") for cell in rows["`mse`"]] == [False, False, False, False, False, True]


def test_what_is_repeated_has_a_spread_once_it_is_there(reproduced, workspace):
    def shown():
        assert main(["--docs", str(reproduced)]) == 0
        rows = table((reproduced / "results.md").read_text(), "eftimiades")
        (found,) = [row[4] for row in rows if row[:3] == ["k-means", "2", "VanillaAE"]]
        return found

    names = ("vanilla, 2-D, seed 1", "vanilla, 2-D, seed 2")
    assert "±" in shown()
    for run in workspace.runs():
        if run.info.run_name in names:
            workspace.client.delete_run(run.info.run_id)
    assert "±" not in shown()


def finished(workspace, name, values):
    """Put a run in the place of a finished one, as if MLflow had been away for the rest of its metrics."""
    (run,) = [run for run in workspace.runs() if run.info.run_name == name]
    workspace.client.delete_run(run.info.run_id)
    tags = {VARIANT_TAG: run.data.tags[VARIANT_TAG]}
    left = workspace.client.create_run(run.info.experiment_id, run_name=name, tags=tags)
    workspace.client.log_param(left.info.run_id, "trainer.max_epochs", 2)
    for key, value in values.items():
        workspace.client.log_metric(left.info.run_id, key, value)
    workspace.client.set_terminated(left.info.run_id)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"val/mse": 0.1}, "eftimiades: vanilla, 32-D, seed 0 has no test measures; "),
        ({"test/psnr": 20.0}, "vanilla, 32-D, seed 0 has no test/bits_per_pixel; "),
        ({"test/mse": 0.1}, "vanilla, 32-D, seed 0 has no train/reconstruction; "),
        (
            {"test/bits_per_pixel": 0.1, "test/compression_psnr": 20.0},
            "vanilla, 32-D, seed 0 has no evaluation/test/codecs.json; ",
        ),
    ],
)
def test_a_table_says_which_run_has_not_delivered_its_measures(reproduced, workspace, capsys, values, said):
    finished(workspace, "vanilla, 32-D, seed 0", values)
    assert main(["--docs", str(reproduced)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert f"{said}`python -m ae_lightning sync` delivers what still waits on disk" in lines
    assert table((reproduced / "results.md").read_text(), "novelty") != []


def test_a_table_says_which_run_is_missing(reproduced, workspace, capsys):
    (run,) = [run for run in workspace.runs() if run.info.run_name == "without 7"]
    workspace.client.delete_run(run.info.run_id)
    assert main(["--docs", str(reproduced)]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == "novelty: without 7 has not been trained; `make reproduce` does it"
    results = (reproduced / "results.md").read_text()
    assert table(results, "novelty") == []
    assert table(results, "applications") != []
