"""`fit --help` and its like: short, in reading order, and true here."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from lightning.pytorch import Trainer
from lightning.pytorch.cli import LightningArgumentParser

from ae_lightning.command_line.help.page import GROUPS
from ae_lightning.command_line.help.trainer_keys import OFTEN_SET, OTHERS
from ae_lightning.command_line.type_words import in_words


@pytest.fixture
def page(bare_workspace, monkeypatch):
    """Show a page of help in a terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")

    def show(*arguments):
        outcome = bare_workspace(*arguments)
        assert outcome.code == 0, outcome.err
        return outcome.out

    return show


def keys(text):
    """Its keys, in their order."""
    return re.findall(r"^  --([\w.]+)", text, re.MULTILINE)


def sections(text):
    return [key.split(".")[0] for key in keys(text) if key.split(".")[0] in GROUPS]


@pytest.mark.slow
def test_help_of_fit_is_short(program_environment):
    """In a process of its own: it names every variant that there is, those of other tests too."""
    program = [sys.executable, "-m", "ae_lightning", "fit", "--help"]
    done = subprocess.run(
        program, env={**program_environment, "COLUMNS": "80"}, capture_output=True, text=True, check=True
    )
    assert 100 < len(done.stdout.splitlines()) < 200


def test_help_of_fit_is_in_reading_order(page):
    text = page("fit", "--help")
    assert list(dict.fromkeys(sections(text))) == ["model", "data", "evaluation", "checkpoint", "trainer"]
    assert {"resume", "ckpt_path", "seed_everything", "sampler", "compile", "data.name", "model.network"} <= {
        *keys(text)
    }
    assert sections(text).count("trainer") == len(OFTEN_SET) == 20
    for untrue in ("registry", "TensorBoard", "Default:", "Namespace", "class_path"):
        assert untrue not in text
    assert "(default: MLflowTracker)" in " ".join(text.split())
    assert "fit --help trainer" in text


def test_a_section_has_every_key_and_every_word(page):
    parser = LightningArgumentParser()
    parser.add_lightning_class_args(Trainer, "trainer")
    known = {action.dest for action in parser._actions if action.dest.startswith("trainer.")}
    whole = page("fit", "--help", "trainer")
    assert {*keys(whole)} == {name for name in known if not name.endswith(".help")}
    assert "A stream was divided by convert" in " ".join(page("fit", "--help", "data").split())


def test_each_key_of_the_trainer_is_explained_by_this_package(page):
    """Lightning's own texts tell of its defaults, not of ours."""
    assert {f"trainer.{name}" for name in {**OFTEN_SET, **OTHERS}} == {*keys(page("fit", "--help", "trainer"))}


def test_help_has_the_keys_of_the_variant_that_is_chosen(page):
    assert "model.penalty" not in keys(page("fit", "--help"))
    assert "model.penalty" in keys(page("fit", "--model", "SparseAE", "--help"))
    assert "model.penalty" in keys(page("fit", "-c", "sparse", "--help", "model"))


@pytest.mark.parametrize("command", ["validate", "test", "predict"])
def test_help_of_what_does_not_train_begins_with_the_checkpoint(page, command):
    text = page(command, "--help")
    assert keys(text)[0] == "ckpt_path"
    assert len(text.splitlines()) < 120
    assert not {"trainer.max_epochs", "checkpoint.monitor", "resume"} & {*keys(text)}


def test_a_section_that_is_not_there(refuse):
    assert refuse("fit", "--help", "modle").startswith("--help: 'modle' is not known; did you mean 'model'?")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("Union[float, Annealing, Literal['auto']]", "a number, {start, end, warmup_epochs} or auto"),
        ("<class 'int'>, typing.Literal['a', 'b,c'], <class 'NoneType'>", "a whole number, a, b,c or null"),
        ("Optional[bool]", "true, false or null"),
        ("int | None", "a whole number or null"),
        ("tuple[float, float]", "a list of 2 numbers"),
        ("tuple[int, ...]", "a list of whole numbers"),
        ("Union[int, float]", "a number"),
        ("Sequence[Union[str, Mapping[str, Any], Augmentation[Any]]]", "a list of names or mappings"),
        ("<class 'ae_lightning.spec.DataSpec'>", "DataSpec"),
    ],
)
def test_types_in_words(kind, words):
    assert in_words(kind) == words
