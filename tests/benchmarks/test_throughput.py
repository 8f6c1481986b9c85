"""The benchmark's driver on a handful of generated images: who sees what, and what is written. No timing is tested."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from benchmarks import throughput
from benchmarks.clock import WARM_UP_EPOCHS
from benchmarks.images import generate_images
from benchmarks.models import NETWORKS, build_model
from benchmarks.options import exit_code_of
from benchmarks.results import Epoch, Run, summarise
from benchmarks.roster import CONTENDERS, KEPT, Contender
from benchmarks.running import Bench, ContenderError, last_line, run_in_terminal
from benchmarks.tables import HEADINGS

TRIED = ("fit", "bare", "tuned+memory")
NUM_IMAGES, BATCH_SIZE = 300, 128


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """What the driver writes: its JSON and its tables."""
    folder = tmp_path_factory.mktemp("benchmark")
    output, markdown = folder / "found.json", folder / "tables.md"
    arguments = [
        *("--rounds", "1", "--epochs", "1", "--threads", "1", "--batch-size", str(BATCH_SIZE)),
        *("--data", "generated", "--num-images", str(NUM_IMAGES), "--contenders", *TRIED),
        *("--output", str(output), "--markdown", str(markdown)),
    ]
    assert throughput.main(arguments) == 0
    return json.loads(output.read_text(encoding="utf-8")), markdown.read_text(encoding="utf-8")


@pytest.mark.slow
def test_every_contender_ran_and_saw_the_same_images_in_as_many_steps(measured):
    found, _ = measured
    assert [run["contender"] for run in found["runs"]] == list(TRIED)
    assert found["not_run"] == {}
    for run in found["runs"]:
        assert len(run["epochs"]) == WARM_UP_EPOCHS + 1
        assert {(epoch["images"], epoch["steps"]) for epoch in run["epochs"]} == {(NUM_IMAGES, 3)}


@pytest.mark.slow
def test_every_contender_trained_as_many_parameters(measured):
    found, _ = measured
    assert len({row["num_parameters"] for row in found["summary"]}) == 1


@pytest.mark.slow
def test_the_clock_reads_in_the_order_of_events(measured):
    found, _ = measured
    for run in found["runs"]:
        for epoch in run["epochs"]:
            assert 0 < epoch["startup_seconds"] < epoch["first_step_seconds"]
            assert epoch["seconds"] > 0
            assert epoch["processor_seconds"] > 0
            assert epoch["peak_bytes"] > 50 << 20
        assert run["epochs"][0]["pause_seconds"] == 0 < run["epochs"][1]["pause_seconds"]
        assert run["seconds_after"] > 0


@pytest.mark.slow
def test_the_table_has_a_row_for_each_contender(measured):
    found, tables = measured
    rows = [line for line in tables.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(TRIED)
    assert all(line.count("|") == len(HEADINGS) + 1 for line in rows)
    for name in TRIED:
        assert sum(f"| {CONTENDERS[name].title} |" in line for line in rows) == 1
    assert f"{found['conditions']['processors']}" in tables


@pytest.mark.parametrize("name", NETWORKS)
def test_pytorchs_layers_and_the_packages_own_are_as_many_parameters(name):
    sizes = {
        sum(parameter.numel() for parameter in build_model(name, (1, 28, 28), own_layers=own).parameters())
        for own in (False, True)
    }
    assert len(sizes) == 1


def run_of(contender, *rates):
    """A run whose epochs each train on 100 images, at so many images a second; the first is the warm-up."""
    epochs = [Epoch(100, 10, 100 / rate, 200 / rate, 0.5, 2.0, 3.0, 1 << 20, 7, 0.0) for rate in rates]
    return Run(contender, "vanilla", 128, epochs, 4.0)


def test_ratios_are_taken_within_a_round_and_the_warm_up_does_not_count():
    rounds = [(200, 100), (50, 100), (100, 40)]
    runs = [run for fit, bare in rounds for run in (run_of("fit", 1, fit), run_of("bare", 1000, bare))]
    fit, bare = summarise(runs)
    assert fit.images_per_second == pytest.approx(100)
    assert bare.images_per_second == pytest.approx(100)
    assert bare.fit_ratio == pytest.approx(2)
    assert bare.ratio_spread == pytest.approx((2.5 - 0.5) / 2)
    assert fit.fit_ratio == pytest.approx(1)


def test_a_rate_is_all_images_over_all_time():
    run = run_of("bare", 1, 100, 50)
    assert run.images_per_second == pytest.approx(200 / 3)
    assert run.images_per_processor_second == pytest.approx(100 / 3)


def test_without_fit_there_is_no_ratio():
    (row,) = summarise([run_of("bare", 1, 2)])
    assert row.fit_ratio is None


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path, threads=1, epochs=1, pythons={"own": sys.executable})


def test_a_contender_without_its_package_is_named(bench):
    with pytest.raises(ContenderError, match="no_such_package is not installed"):
        bench.require(Contender("peer", "a peer", "peer", package="no_such_package"))


def test_a_program_runs_in_a_terminal_and_its_failure_is_seen(tmp_path):
    program = "import sys; print(sys.stdout.isatty(), sys.stderr.isatty()); sys.exit(3)"
    code, said = run_in_terminal([sys.executable, "-c", program], {}, tmp_path)
    assert (code, said.strip()) == (3, "True True")


@pytest.mark.parametrize(
    "said",
    [
        "first\r\nthe last line\r\n\r\n",
        "\x1b[32m10/430 drawn\x1b[0m" + 40 * "\b" + "the last line\r\n",
        "drawn\rthe \x1b[1mlast\x1b[0m line",
    ],
)
def test_of_what_a_program_drew_the_last_line_is_told(said):
    assert last_line(said) == "the last line"


def test_a_program_that_said_nothing_has_no_last_line():
    assert last_line("\r\n") == ""


def test_contenders_that_keep_memory_differ_in_nothing_else():
    for name, contender in CONTENDERS.items():
        if name.endswith(KEPT):
            plain = CONTENDERS[name.removesuffix(KEPT)]
            assert contender.keeps_memory
            assert not plain.keeps_memory
            assert (contender.module, contender.variant) == (plain.module, plain.variant)


def test_generated_images_are_the_same_each_time_and_differ_from_each_other():
    images = generate_images(20, 28)
    np.testing.assert_array_equal(images, generate_images(20, 28))
    assert images.shape == (20, 28, 28)
    assert len(np.unique(images, axis=0)) == 20


def test_missing_images_are_said_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("AE_LIGHTNING_DATA", str(tmp_path / "data"))
    (tmp_path / "data").write_text("no folder", encoding="utf-8")
    assert exit_code_of(lambda: throughput.main(["--data", "mnist"])) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("arguments", [["--rounds", "0"], ["--side", "30"], ["--contenders", "nobody"]])
def test_what_cannot_be_measured_is_refused(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        throughput.parse(arguments)
    assert end.value.code == 2
    assert arguments[1] in capsys.readouterr().err
