"""`benchmarks.gpu`: parts that end, fail, are skipped or come too late, and some that run; the wheels that it takes."""

from __future__ import annotations

import json
import time
from importlib.metadata import distributions, version

import pytest

from benchmarks import wheels
from benchmarks.gpu import main, run
from benchmarks.gpu_parts import PARTS, GpuBench, SkippedError


@pytest.fixture
def bench(tmp_path) -> GpuBench:
    return GpuBench(tmp_path, "cpu", 64, tmp_path)


def test_each_part_has_its_outcome_and_none_ends_the_others(bench):
    def raising(error: Exception):
        def part(bench: GpuBench) -> dict[str, object]:
            raise error

        return part

    parts = {
        "measured": lambda bench: {"images/s": 1234.5, "ratio": 0.5},
        "skipped": raising(SkippedError("no GPU")),
        "failed": raising(RuntimeError("out of memory\nat length")),
        "last": lambda bench: {"images": bench.num_images},
    }
    lines = [str(outcome) for outcome in run(parts, bench, 60)]
    assert lines == [
        "measured: images/s 1,234, ratio 0.5 (0 s)",
        "skipped: skipped: no GPU (0 s)",
        "failed: failed: RuntimeError: out of memory (0 s)",
        "last: images 64 (0 s)",
    ]


def test_no_part_is_begun_after_the_time(bench):
    def slow(bench: GpuBench) -> dict[str, object]:
        time.sleep(0.05)
        return {"done": True}

    outcomes = list(run({"first": slow, "second": slow}, bench, 0.01))
    assert outcomes[0].figures == {"done": True}
    assert outcomes[1].skipped == "the time is up"


def test_batches_without_images_are_named(bench):
    name = next(name for name in PARTS if "8192" in name)
    with pytest.raises(SkippedError, match="batches of 8,192 need more images than 64"):
        PARTS[name](bench)


@pytest.mark.slow
def test_fit_and_loop_and_resume_are_measured_on_a_cpu(tmp_path):
    chosen = ["vanilla, 28 × 28 × 1, batch 1024, 32-true", "resume", "one rank of ddp", "one rank of fsdp"]
    output = tmp_path / "gpu.json"
    assert main(["--device", "cpu", "--images", "2048", "--output", str(output), "--parts", *chosen]) == 0
    parts = {part["part"]: part for part in json.loads(output.read_text())["parts"]}
    figures = parts[chosen[0]]["figures"]
    assert figures["fit ÷ loop"] == pytest.approx(figures["fit, images/s"] / figures["loop, images/s"])
    assert figures["loop, images/s"] > 0
    assert parts["resume"]["figures"] == {"largest difference": 0.0}
    assert parts["one rank of ddp"]["figures"]["seconds"] > 0
    assert "GPUs alone" in parts["one rank of fsdp"]["skipped"]


def test_wheels_are_all_that_is_needed_and_lacking_with_what_that_needs():
    lacking = wheels.missing("ae-lightning", set())
    assert {"lightning", "jsonargparse", "docstring-parser", "sqlalchemy", "numpy"} <= set(lacking)
    assert not {"mlflow", "optuna", "flask", "torch", "ae-lightning"} & set(lacking)
    assert "docstring-parser" in wheels.missing("ae-lightning", {"numpy", "lightning"})
    everything = {wheels.normalised(found.metadata["Name"]) for found in distributions()}
    assert wheels.missing("ae-lightning", everything) == []


@pytest.mark.parametrize(
    "listed",
    [
        "Package    Version\n---------- -------\nnumpy      2.1\nDocstring_Parser 0.1",
        "numpy==2.1\ndocstring.parser @ file:///there",
        "numpy\ndocstring-parser\n",
    ],
)
def test_a_list_of_packages_is_read_in_any_form(listed):
    assert {"numpy", "docstring-parser"} <= wheels.names_in(listed)


def test_wheels_are_listed_with_their_versions(tmp_path, capsys):
    there = tmp_path / "there.txt"
    there.write_text("\n".join(set(wheels.missing("ae-lightning", set())) - {"jsonargparse"}))
    assert wheels.main(["--present", str(there)]) == 0
    assert capsys.readouterr().out == f"jsonargparse=={version('jsonargparse')}\n"
