"""Configurations altered in a thousand ways: each is taken, or refused in one line; none gives a traceback."""

from __future__ import annotations

import os
import socket
import sys
from collections import Counter

import optuna
import pytest
import yaml
from config_mutations import CONFIGS, ROOT, STUDIES, mutated_document
from config_parsing import keep_parser, print_config
from hypothesis import HealthCheck, Phase, given, settings

from ae_lightning.command_line.yaml_text import load_yaml
from ae_lightning.errors import ConfigError
from ae_lightning.sweep.checking import fit_arguments
from ae_lightning.sweep.space import suggest
from ae_lightning.sweep.study_file import read_study

NUM_MUTATIONS = int(os.environ.get("AE_LIGHTNING_MUTATIONS", "1000"))
"""Of the slow tests; another number also draws others at every call."""

BASE = ROOT / "configs" / "vae.yaml"


def mutations(number):
    """Hypothesis' settings for so many examples, the same ones at every call unless another number is asked for."""
    return settings(
        max_examples=number,
        deadline=None,
        derandomize="AE_LIGHTNING_MUTATIONS" not in os.environ,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory):
    """A working directory, and one parser for all calls."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("mutations")
        patch.chdir(folder)
        keep_parser(patch)
        yield folder


@pytest.fixture(scope="module")
def resolved():
    """Every shipped configuration with all of its keys: there is more to spoil."""
    variants = [path for path in CONFIGS if path.parent == BASE.parent]
    return [yaml.safe_load(print_config("-c", path).out) for path in variants]


@pytest.fixture
def counts(record_property):
    """How many mutations were taken (0) and how many refused (2)."""
    counts = Counter()
    yield counts
    assert min(counts[0], counts[2]) > 0
    record_property("exit_codes", dict(counts))
    sys.stdout.write(f"exit codes: {dict(counts)}\n")


def write(path, text):
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return path


def check_config(folder, counts, text):
    parsed = print_config("-c", BASE, "-c", write(folder / "mutated.yaml", text))
    assert not (folder / "ran").exists()
    counts[parsed.code] += 1
    if parsed.code == 0:
        again = print_config("-c", write(folder / "printed.yaml", parsed.out))
        assert again == parsed, "what was printed is not what it says when it is read"
    else:
        assert parsed.is_refusal, parsed.err


def check_study(folder, text):
    path = write(folder / "mutated.yaml", text.replace("../configs/", f"{ROOT}/configs/"))
    try:
        study = read_study(path)
    except ConfigError:
        return
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(0)).ask()
    parsed = print_config(*fit_arguments(study, suggest(study.space, trial)))
    assert parsed.code == 0 or parsed.is_refusal, parsed.err


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_thousand_mutated_configurations(folder, resolved, counts):
    mutations(NUM_MUTATIONS)(
        given(mutated_document(CONFIGS, [{}, *resolved]))(lambda text: check_config(folder, counts, text))
    )()


@pytest.mark.slow
def test_hundreds_of_mutated_studies(folder):
    mutations(NUM_MUTATIONS // 2)(given(mutated_document(STUDIES))(lambda text: check_study(folder, text)))()


UNTAGGED = ("!!bool foo", "!!timestamp foo", '!!int ""', "!!float x", "!!omap foo", "!!timestamp 2001-99-99")
"""Values that their tag's constructor chokes on."""

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 9)
)
"""387 million values in 500 bytes."""

DENIED = "Problem with given class_path 'os.system': Importing 'os.system' is not allowed"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB + "model: *a8\n", "more than 100,000 values"),
        ("model: " + "[" * 5000 + "]" * 5000, "nest"),
        ("model: " + "[" * 100_000, "nest"),
        ("model: &a {class_path: VAE, init_args: *a}\n", "contains itself"),
        ("model: !!python/object/apply:os.system ['touch ran']\n", "tag"),
        ("model: !!python/name:os.system\n", "tag"),
        ("model: {class_path: os.system, init_args: {command: touch ran}}\n", "model: " + DENIED),
        ("trainer: {logger: {class_path: os.system, init_args: {command: touch ran}}}\n", "trainer.logger: " + DENIED),
        ("data: null\n", "data: null is not allowed; it must be a mapping"),
        ("trainer: [1]\n", "trainer: [1] is not allowed; it must be a mapping"),
        ("sampler: []\n", "sampler: '[]' is not known; Allowed: GaussianMixture, "),
        ("evaluation: \"''\"\n", "evaluation: \"''\" is not allowed; it must be a mapping"),
        ("data: digits\n", "data: 'digits' is not allowed; it must be a mapping"),
        ("3\n", "-c: '3' is no configuration"),
        ("", "-c: '' is no configuration"),
        ("? [a, b]\n: c\n", "-c"),
        ("3: null\n", "-c"),
        ("a key: 3\n", '-c: Spaces not allowed in keys: "a key"'),
        ("model: VAE\n---\nmodel: VAE\n", "single document"),
        ("trainer: {max_epochs: " + "9" * 5000 + "}\n", "4300 digits"),
        ("config: mutated.yaml\n", "loop"),
        ("trainer: {max_epochs: 3}\ntrainer: {}\n", "the key 'trainer' stands twice"),
        ("trainer: {callbacks: [], max_epochs: 3, callbacks: []}\n", "the key 'callbacks' stands twice"),
        *((f"seed_everything: {value}\n", "not valid YAML") for value in UNTAGGED),
    ],
)
def test_what_is_meant_to_do_harm(folder, text, said):
    parsed = print_config("-c", BASE, "-c", write(folder / "mutated.yaml", text))
    assert parsed.is_refusal, parsed.err
    assert said in parsed.err
    assert not (folder / "ran").exists()


@pytest.mark.parametrize("option", ["compile", "data.batch_size", "evaluation.max_gib"])
@pytest.mark.parametrize("value", [*UNTAGGED, BOMB])
def test_an_option_whose_value_is_not_of_its_tag(option, value):
    refused = print_config("-c", BASE, f"--{option}", value)
    assert refused.is_refusal, refused.err
    assert f"{option}: {' '.join(value.split())[:20]!r}"[:-1] in refused.err
    assert "is not allowed; it must be " in refused.err


def test_settings_of_the_data_are_taken_for_no_class(folder):
    path = write(folder / "data.yaml", "{name: npz, path: images.npz}\n")
    for value in (path.name, "{name: npz, path: images.npz}"):
        assert "images.npz" in print_config("-c", BASE, "--data", value).out
    assert "data: 'folder' is not allowed; it must be a mapping" in print_config("-c", BASE, "--data", "folder").err


@pytest.mark.parametrize("option", ["-c", "--config", "--config="])
def test_a_file_too_large_for_a_configuration_is_not_read(folder, option):
    path = folder / "large.yaml"
    with path.open("wb") as file:
        file.truncate(1 << 33)
    parsed = print_config(f"{option}{path}") if option.endswith("=") else print_config(option, path)
    path.unlink()
    assert parsed.is_refusal
    assert "holds 8,589,934,592 bytes; that is no configuration" in parsed.err


@pytest.fixture(params=["/dev/zero", "pipe", "socket"])
def endless(request, tmp_path):
    """What could be read for ever, or waited for."""
    path = tmp_path / request.param
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "socket":
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(path))
    return path


@pytest.mark.timeout(20)
def test_what_is_no_file_is_no_configuration(endless):
    assert f"-c: {endless} is no file" in print_config("-c", endless).err
    with pytest.raises(ConfigError, match=f"^-c: {endless} is no file$"):
        read_study(endless)


@pytest.mark.timeout(20)
def test_a_pipe_is_no_part_of_a_configuration(folder, tmp_path):
    """Which an option, or a value in a file, may name."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for named in (("--data", pipe), ("-c", write(folder / "mutated.yaml", f"data: {pipe}\n"))):
        parsed = print_config("-c", BASE, *named)
        assert parsed.is_refusal, parsed.err
        assert f"error: {pipe} is no file" in parsed.err


def test_a_pipe_of_a_shell_is_read(folder):
    reading, writing = os.pipe()
    os.write(writing, b"seed_everything: 31\n")
    os.close(writing)
    assert "seed_everything: 31" in print_config("-c", BASE, "-c", f"/dev/fd/{reading}").out
    os.close(reading)


@pytest.mark.parametrize("value", [*UNTAGGED, "2001-99-99", "1" * 5000])
def test_a_study_whose_values_are_not_of_their_tag(folder, value):
    with pytest.raises(ConfigError, match=r"mutated\.yaml is not valid YAML"):
        read_study(write(folder / "mutated.yaml", f"trials: {value}\n"))


def test_keys_alike_in_several_mappings_stand_once_in_each(folder):
    path = write(folder / "mutated.yaml", "x: &a {y: [y, y, {y: y}], z: y}\nw: *a\ny: {y: {y: x}, x: y}\n")
    assert load_yaml(path.read_text()) == yaml.safe_load(path.read_text())


def test_a_study_that_grows_when_it_is_read(folder):
    with pytest.raises(ConfigError, match="more than 100,000 values"):
        read_study(write(folder / "mutated.yaml", BOMB + "space: *a8\n"))
