"""What mypy knows of `ael.fit`, held against the constructors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import get_args, get_overloads, get_type_hints

import pytest
import write_options

import ae_lightning as ael
from ae_lightning.python_api import options

ROOT = Path(__file__).parents[2]

PROGRAM = """
import numpy as np
import ae_lightning as ael

x = np.zeros((10, 8, 8), np.uint8)
name: str = "vae"
result = ael.fit("vae", x, latent_dim=8, beta=0.1, trainer={"max_epochs": 1})
ael.fit(ael.VAE(spec=ael.spec_of(x), latent_dim=8), x)
ael.fit(name, x, latent_dim=8)
codes = result.codes.mean()
ael.fit("vae", x, latent_dimm=8)  # wrong
ael.fit(ael.VAE(spec=ael.spec_of(x), latent_dimm=8), x)  # wrong
ael.fit("vanilla", x, beta=0.1)  # wrong
ael.fit("vae", x, trainers={"max_epochs": 1})  # wrong
ael.VAE(latent_dim=8)  # wrong: no spec
result.code  # wrong
"""


def test_the_options_are_those_of_the_constructors():
    path = Path(options.__file__)
    assert path.read_text() == write_options.written(), "run: python tests/python_api/write_options.py"


def test_each_configuration_of_a_model_has_its_overload():
    hints = [get_type_hints(one, include_extras=True) for one in get_overloads(ael.fit)]
    literal = {get_args(hint["model"])[0]: get_args(hint["options"])[0].__name__ for hint in hints if named(hint)}
    variants = write_options.configured_variants()
    assert literal == {name: f"{variant.__name__}Options" for name, variant in variants.items()}


def named(hint):
    """Whether an overload is for one name."""
    return isinstance(next(iter(get_args(hint["model"])), None), str)


@pytest.mark.slow
def test_mypy_finds_misspelt_options(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(ROOT / ".mypy_cache"), str(program)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    found = {int(line.split(":")[1]) for line in done.stdout.splitlines() if ": error:" in line}
    wrong = {number for number, line in enumerate(PROGRAM.splitlines(), 1) if "# wrong" in line}
    assert found == wrong, done.stdout + done.stderr
