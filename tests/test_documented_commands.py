"""Every command that a page or a comment tells of is one that there is, on configurations that there are."""

from __future__ import annotations

import re
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from ae_lightning.command_line.commands import COMMANDS, TRAINER_COMMANDS
from ae_lightning.named_files import COMMANDS as TAKEN_BY
from ae_lightning.named_files import names
from ae_lightning.spec import DataSpec
from ae_lightning.testing.training import batch_of, draws_for, generate_batch

ROOT = Path(__file__).parents[1]
PAGES = ["Makefile", "README.md", "CONTRIBUTING.md", "SECURITY.md"]
FOLDERS = {"docs": "*.md", "configs": "*.yaml", "sweeps": "*", "examples": "*.py", "src": "*.py"}
TEXTS = [*(ROOT / name for name in PAGES), *(f for name, kind in FOLDERS.items() for f in (ROOT / name).rglob(kind))]


def commands_of(text):
    """The words behind each `python -m ae_lightning`, lines that go on taken together."""
    whole = re.sub(r"\\\n[\s#]*", " ", text)
    return [found.split() for found in re.findall(r"-m ae_lightning ([a-z]+[^`{\n#]*)", whole)]


@pytest.fixture(scope="module")
def documented():
    return [words for path in TEXTS if path.is_file() for words in commands_of(path.read_text(encoding="utf-8"))]


def test_there_are_commands(documented):
    assert {words[0] for words in documented} >= {"fit", "test", "sweep", "compare", "init"}


def test_each_command_is_there(documented):
    unknown = [words for words in documented if words[0] not in {*TRAINER_COMMANDS, *COMMANDS}]
    assert unknown == []


def test_each_extra_is_there():
    """Those that another extra takes in too: the package cannot be built with one that is not."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    texts = [*(path.read_text(encoding="utf-8") for path in TEXTS if path.is_file()), repr(project)]
    named = {
        name for text in texts for extras in re.findall(r"ae_lightning\[([\w,]+)\]", text) for name in extras.split(",")
    }
    assert {"completion", "umap"} <= named <= set(project["optional-dependencies"])


@pytest.mark.parametrize("kind", TAKEN_BY)
def test_each_name_is_there(documented, kind):
    """A path of the reader's own has a suffix, and a placeholder is in capitals or braces."""
    ours = [words for words in documented if words[0] == TAKEN_BY[kind]]
    given = {value for words in ours for option, value in pairwise(words) if option == "-c"}
    assert given
    named = {value for value in given if re.fullmatch(r"[a-z_/]+", value)}
    assert named
    assert named <= set(names(kind))


def test_the_variant_of_the_readme_can_be_trained():
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    (code,) = [block for block in blocks if "class BlurryAE" in block]
    namespace = {}
    exec(code, namespace)
    model = namespace["BlurryAE"](spec=DataSpec((1, 8, 8)))
    x = generate_batch((1, 8, 8), 4)
    (term,) = model.loss_terms(batch_of(x), draws_for(model, x)).values()
    assert term.shape == (4,)
    assert torch.isfinite(term).all()
