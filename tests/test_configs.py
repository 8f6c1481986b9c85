"""Every configuration file is accepted by the real command line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from lightning.pytorch.cli import instantiate_class

CONFIGS = Path(__file__).parents[1] / "configs"
VARIANTS = sorted(CONFIGS.glob("*.yaml"))
OVERLAYS = sorted(CONFIGS.glob("*/*.yaml"))
MAX_LINES = 15


def place(path):
    return str(path.relative_to(CONFIGS))


def resolve(workspace, *paths):
    options = [option for path in paths for option in ("-c", path)]
    outcome = workspace("fit", *options, "--print_config")
    assert outcome.code == 0, outcome.err
    return yaml.safe_load(outcome.out)


def test_there_are_configurations():
    assert {"vae.yaml", "vanilla.yaml"} <= {path.name for path in VARIANTS}
    assert {path.parent.name for path in OVERLAYS} >= {"data", "trainer"}


@pytest.mark.parametrize("path", VARIANTS, ids=place)
def test_a_variant_is_accepted_and_short(bare_workspace, path):
    config = resolve(bare_workspace, path)
    given = yaml.safe_load(path.read_text())
    assert config["model"]["class_path"].endswith(f".{given['model']['class_path']}")
    assert len(path.read_text().splitlines()) <= MAX_LINES


@pytest.mark.parametrize("path", OVERLAYS, ids=place)
def test_an_overlay_is_accepted_and_says_only_its_own(bare_workspace, path):
    config = resolve(bare_workspace, CONFIGS / "vae.yaml", path)
    given = yaml.safe_load(path.read_text())
    assert given.keys() == {path.parent.name}
    assert_says(config[path.parent.name], given[path.parent.name])


def assert_says(config, given):
    """Every value given is there, and beside it only defaults."""
    for key, value in given.items():
        if isinstance(value, dict):
            assert_says(config[key], value)
        elif key == "class_path":
            assert f".{config[key]}".endswith(f".{value}")
        else:
            assert config[key] == value


def test_every_variant_has_a_configuration():
    from ae_lightning.variants import find_variants

    chosen = {yaml.safe_load(path.read_text())["model"]["class_path"] for path in VARIANTS}
    assert set(find_variants()) <= chosen


def test_the_strategy_of_fsdp_can_be_built():
    """It needs a GPU to train, none to be built."""
    (given,) = (yaml.safe_load(path.read_text()) for path in OVERLAYS if path.name == "fsdp.yaml")
    strategy = instantiate_class((), given["trainer"]["strategy"])
    assert strategy.sharding_strategy.name == given["trainer"]["strategy"]["init_args"]["sharding_strategy"]


@pytest.mark.parametrize("name", ["ddp", "fsdp", "multi_node", "slurm"])
def test_several_gpus_share_the_statistics_of_batch_norm(name):
    trainer = yaml.safe_load((CONFIGS / "trainer" / f"{name}.yaml").read_text())["trainer"]
    assert trainer["sync_batchnorm"] is True
