"""Configurations and studies are found by name, the same ones from a checkout and from a wheel."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
import yaml

from ae_lightning.errors import ConfigError
from ae_lightning.named_files import find_file, names, package_folder
from ae_lightning.sweep.command import parse_options
from ae_lightning.sweep.study_file import read_study

ROOT = Path(__file__).parents[1]
CONFIGS, STUDIES = ROOT / "configs", ROOT / "sweeps"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_file_has_a_name(folder):
    found = {kind: {find_file(kind, name) for name in names(kind)} for kind in ("configuration", "study")}
    assert found == {"configuration": set(CONFIGS.rglob("*.yaml")), "study": set(STUDIES.glob("*.yaml"))}


def test_a_file_wins_over_a_name_and_a_folder_does_not(folder):
    (folder / "vae").mkdir()
    assert find_file("configuration", "vae") == CONFIGS / "vae.yaml"
    (folder / "vanilla").write_text("model: VanillaAE")
    assert find_file("configuration", "vanilla") == Path("vanilla")
    (folder / "vae.yaml").write_text("model: VAE")
    assert find_file("configuration", "vae.yaml") == Path("vae.yaml")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("vea", "'vea' is no file, and no configuration of that name comes with ae_lightning; did you mean 'vae'?"),
        ("configs/vea.yaml", "did you mean 'configs/vae.yaml'?"),
        ("elsewhere/vae.yaml", "did you mean 'vae'?"),
        ("elsewhere/data/mnits.yaml", "did you mean 'data/mnist'?"),
        ("configs", "'configs' is a folder"),
        ("conv", "'conv' is a study; `sweep -c conv` takes it"),
    ],
)
def test_what_is_not_there_names_the_nearest(folder, given, said):
    (folder / "configs").symlink_to(CONFIGS)
    with pytest.raises(ConfigError, match=f"^-c: .*{re.escape(said)}"):
        find_file("configuration", given)


def test_the_command_line_takes_names_and_says_which_file_it_read(bare_workspace):
    named = bare_workspace("fit", "-c", "vae", "--config=data/mnist", "--print_config")
    assert named.err == f"configuration of ae_lightning: vae, data/mnist (in {CONFIGS})\n"
    by_path = bare_workspace("fit", "-c", CONFIGS / "vae.yaml", "-c", CONFIGS / "data/mnist.yaml", "--print_config")
    assert (named.out, by_path.err) == (by_path.out, "")
    missing = bare_workspace("fit", "-c", "vea")
    assert (missing.code, missing.err.count("\n")) == (2, 1)


def test_a_study_is_found_by_name_and_names_configurations_itself(folder, capsys):
    assert parse_options(["-c", "conv"]).study == STUDIES / "conv.yaml"
    assert capsys.readouterr().err == f"study of ae_lightning: conv (in {STUDIES})\n"
    study = yaml.safe_load((STUDIES / "conv.yaml").read_text())
    (folder / "own.yaml").write_text(yaml.safe_dump({**study, "configs": ["vanilla", "data/mnist"]}))
    assert read_study(Path("own.yaml")).configs == [CONFIGS / "vanilla.yaml", CONFIGS / "data/mnist.yaml"]


@pytest.mark.slow
def test_a_wheel_holds_them_and_finds_them(folder, program_environment):
    """Built as pip builds it, but by the build backend that is installed: none is fetched."""
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", str(folder), str(ROOT)], check=True)
    (wheel,) = folder.glob("*.whl")
    with ZipFile(wheel) as archive:
        archive.extractall(folder / "unpacked")
    package = folder / "unpacked" / "ae_lightning"
    for kind, origin in (("configs", CONFIGS), ("sweeps", STUDIES)):
        held = {path.relative_to(package / kind): path.read_bytes() for path in (package / kind).rglob("*.yaml")}
        assert held == {path.relative_to(origin): path.read_bytes() for path in origin.rglob("*.yaml")}
    done = subprocess.run(
        [sys.executable, "-m", "ae_lightning", "fit", "-c", "vae", "-c", "data/mnist", "--print_config"],
        env={**program_environment, "PYTHONPATH": str(package.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(package / "configs") in done.stderr
    assert yaml.safe_load(done.stdout)["data"]["name"] == "mnist"


def test_the_checkout_has_one_copy():
    assert package_folder("configuration") == CONFIGS


def test_init_copies_them_and_overwrites_nothing(bare_workspace):
    outcome = bare_workspace("init", "own")
    assert (outcome.code, outcome.err) == (0, "")
    assert "own/configs: adversarial, " in outcome.out
    for copy, origin in (("own/configs", CONFIGS), ("own/sweeps", STUDIES)):
        copied = {path.relative_to(copy): path.read_bytes() for path in Path(copy).rglob("*") if path.is_file()}
        assert copied == {path.relative_to(origin): path.read_bytes() for path in origin.rglob("*.yaml")}
    assert read_study(Path("own/sweeps/conv.yaml")).configs == [Path("own/sweeps/../configs/vanilla.yaml")]
    Path("own/configs/vae.yaml").write_text("edited")
    again = bare_workspace("init", "own")
    assert (again.code, again.err) == (
        2,
        "ae_lightning: error: init: own/configs exists already; it is not overwritten\n",
    )
    assert Path("own/configs/vae.yaml").read_text() == "edited"


def test_without_a_configuration_a_variant_trains_as_its_own_says(bare_workspace):
    alone = bare_workspace("fit", "--model", "VAE", "--print_config")
    assert alone.out == bare_workspace("fit", "-c", "vae", "--print_config").out
    config = yaml.safe_load(alone.out)
    assert (config["model"]["init_args"]["beta"], config["data"]["name"]) == ("auto", "digits")
    assert config["trainer"]["max_epochs"] == 40
