"""Random command lines and studies, each parsed and built in this process; started as a program by the tests."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import resource
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Annotated, get_args, get_origin

import optuna
import torch
from hostile_checkpoints import write_spoilt
from lightning.pytorch.cli import LightningCLI
from option_grammar import ODD, Grammar, hint_of, nested, settings_of, yaml_of
from pydantic import BaseModel

from ae_lightning.__main__ import main
from ae_lightning.command_line.cli import AutoencoderCLI
from ae_lightning.command_line.commands import COMMANDS, TRAINER_COMMANDS
from ae_lightning.sweep import sweeping
from ae_lightning.sweep.checking import fit_arguments
from ae_lightning.sweep.classes import build_pruner, build_sampler
from ae_lightning.sweep.space import suggest
from ae_lightning.sweep.study_file import ClassChoice, StudyFile, read_study
from ae_lightning.sweep.trial_cli import QUIET, UNTRACKED, build_only

MAX_SECONDS = 60
ALLOWED = {0, 1, 2, 3, 129, 130, 138, 143}
PARSERS = {}
CONFIGS = Path(__file__).parents[2] / "configs"
RUN = LightningCLI._run_subcommand


class HangError(BaseException):
    """A call takes too long; no handler of the program's may take it for a fault of the user's."""


def keep_parsers():
    """Let the command lines of a command share a parser, and let each end before the Trainer starts."""
    build = AutoencoderCLI.setup_parser

    def setup_parser(cli, *arguments):
        kind = (cli._called, cli.subclass_mode_data)
        if kind not in PARSERS:
            build(cli, *arguments)
            PARSERS[kind] = {name: kept for name, kept in vars(cli).items() if "parser" in name or "subcommand" in name}
        vars(cli).update(PARSERS[kind])

    AutoencoderCLI.setup_parser = setup_parser
    LightningCLI._run_subcommand = lambda cli, subcommand: None


def call(arguments):
    """Run the program: its exit code, None for a traceback, "hang" where it takes too long; and what it said."""
    out, err = io.StringIO(), io.StringIO()
    signal.alarm(MAX_SECONDS)
    try:
        with redirect_stdout(out), redirect_stderr(err), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            code = main(arguments)
    except HangError:
        return "hang", traceback.format_exc()
    except BaseException:
        return None, traceback.format_exc()
    finally:
        signal.alarm(0)
    return code, err.getvalue()


def actions_of(command):
    """What a command's own parser takes."""
    if command in TRAINER_COMMANDS:
        if (command, False) not in PARSERS:
            call([command, "--model", "VAE", "--print_config"])
        return settings_of(PARSERS[command, False]["_subcommand_parsers"][command])
    module = import_module(COMMANDS[command].module)
    return settings_of(module.parser())


def command_line(random, folder):
    """Draw a command line; the configurations that it names are written to the folder."""
    grammar = Grammar(random)
    trains = grammar.happens(0.75)
    # Studies are drawn by themselves, and `ui` serves until somebody ends it.
    command = grammar.any_of(TRAINER_COMMANDS if trains else sorted(set(COMMANDS) - {"sweep", "ui"}))
    actions = actions_of(command)
    # A command that lacks what it needs looks at nothing else.
    needed = [action for action in actions if action.required and grammar.happens(0.85)]
    arguments = [part for action in needed for part in grammar.given(f"--{action.dest}", grammar.text(hint_of(action)))]
    if trains and grammar.happens(0.9):
        arguments += [
            "--model",
            grammar.any_of(("VAE", "VanillaAE", "SparseAE", "SampleVAE", "StackedAE", "AdversarialAE")),
        ]
    for number in range(random.randint(0, 4)):
        if trains and grammar.happens(0.2):
            path = folder / f"{number}.yaml"
            path.write_bytes(grammar.document(actions).encode("utf-8", "surrogatepass"))
            arguments += [grammar.any_of(("-c", "--config")), str(path)]
        elif actions:
            arguments += grammar.option(grammar.any_of(actions))
        else:
            # `init` takes a folder, to which it writes: one that is ours.
            arguments.append(grammar.any_of((str(folder / "made"), str(folder), "")))
    if grammar.happens(0.1):
        arguments.insert(random.randint(0, len(arguments)), grammar.any_of(ODD))
    if trains and grammar.happens(0.1):
        arguments += grammar.any_of((["--help"], ["--print_config"], ["--resume"], ["--model.help", "VAE"], arguments))
    return [command, *arguments] if grammar.happens(0.98) else arguments


def fault_of(code, err):
    """What is wrong with how a call ended; None where nothing is."""
    if code not in ALLOWED:
        return f"exit code {code}"
    if "Traceback" in err:
        return "a traceback"
    if code == 2 and not re.fullmatch(r"(?:.*\n)*ae_lightning: error: \S.*\n", err):
        return "no line that says what is wrong"
    return None


def run_command_lines(seeds, folder):
    """Call the program with as many command lines as seeds."""
    for seed in seeds:
        arguments = command_line(Random(seed), folder)
        yield seed, arguments, *call([one.replace("\x00", "") for one in arguments])


def look_only(options):
    """What stands in for a sweep: everything is read and built that one trial needs, and nothing trained."""
    study = read_study(options.study, options.overrides)
    build_sampler(study.sampler, study.seed)
    build_pruner(study.pruner)
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(0)).ask()
    build_only([*fit_arguments(study, suggest(study.space, trial)), *UNTRACKED, *QUIET])
    return 0


def study(random, actions):
    """Draw a study: a sound one with some fields replaced, in the types that its model gives them or in others."""
    grammar = StudyGrammar(random, actions)
    document = {
        "configs": [str(CONFIGS / "vae.yaml")],
        "space": {"model.latent_dim": {"type": "int", "low": 2, "high": 4}},
        "objectives": {"val/mse": "minimize"},
        "trials": 1,
        "settings": {"model.network": "Linear"},
    }
    fields = StudyFile.model_fields
    for name in random.sample(list(fields), random.randint(0, 3)):
        document[name] = grammar.value(fields[name].annotation)
    text = yaml_of(document)
    if grammar.happens(0.4):
        text += nested(grammar.any_of((*fields, "extra", "<<")), grammar.any_of(ODD))
    options = []
    if grammar.happens(0.3):
        name = grammar.any_of(("--timeout", "--trials", "--storage", "--workers", "--pruner", "-c"))
        options = grammar.given(name, grammar.text(grammar.any_of((int, str))))
    return text, options


class StudyGrammar(Grammar):
    """A grammar that knows the keys of a configuration, and pydantic's models."""

    def __init__(self, random, actions):
        super().__init__(random)
        self.keys = [action.dest for action in actions]

    def value(self, hint, depth=0):
        """A value for a type."""
        if get_origin(hint) is Annotated:
            hint = get_args(hint)[0]
        if get_origin(hint) is dict and get_args(hint)[0] is str and self.happens(0.8):
            keys = (*self.keys, "val/mse", "val/loss", "num_parameters", "model.latent_dim", "model.network.hidden")
            return {
                self.any_of(keys): self.value(get_args(hint)[1], depth + 1) for _ in range(self.random.randint(1, 2))
            }
        if isinstance(hint, type) and issubclass(hint, BaseModel):
            if hint is ClassChoice and self.happens(0.8):
                names = ("TPESampler", "RandomSampler", "NSGAIISampler", "GridSampler", "MedianPruner", "NopPruner")
                return self.any_of(
                    (*names, {"class_path": self.any_of(names), "init_args": super().value(dict[str, int])})
                )
            fields = hint.model_fields
            needed = [name for name, field in fields.items() if field.is_required() or self.happens(0.3)]
            return {name: self.value(fields[name].annotation, depth + 1) for name in needed}
        return super().value(hint, depth)


def run_studies(seeds, folder):
    """Sweep as many studies as seeds, up to the first trial."""
    sweeping.run_sweep = look_only
    actions = actions_of("fit")
    for seed in seeds:
        text, options = study(Random(seed), actions)
        path = folder / "study.yaml"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        yield seed, [text, *options], *call(["sweep", "-c", str(path), *options])


QUICK = (
    *(
        "--trainer.enable_model_summary=false",
        "--trainer.num_sanity_val_steps=0",
        "--trainer.enable_progress_bar=false",
    ),
    *(
        "--evaluation.every_n_epochs=0",
        "--evaluation.measures=[mse]",
        "--evaluation.pictures=[]",
        "--evaluation.pca=false",
    ),
    *("--trainer.limit_train_batches=1", "--trainer.limit_val_batches=1", "--trainer.limit_test_batches=1"),
    *("--trainer.limit_predict_batches=1", "--trainer.logger=false"),
)


def run_checkpoints(seeds, folder):
    """Read as many hostile checkpoints as seeds, each by one command; `fit` goes on with one for a step."""
    LightningCLI._run_subcommand = RUN
    start = ("--model=VAE", "--model.network=Linear", "--model.latent_dim=2", "--model.scheduler=StepLR")
    code, err = call(["fit", *start, "--model.scheduler.step_size=3", "--trainer.max_epochs=1", *QUICK])
    assert code == 0, err
    sound = next(folder.rglob("last.ckpt"))
    state = torch.load(sound, weights_only=True)
    for seed in seeds:
        random = Random(seed)
        try:
            path, done = write_spoilt(random, state, folder)
        except Exception as error:  # what cannot be written is no checkpoint
            done, path = [f"not written: {error}"], sound
        commands = ("export", "predict", "test", "sample", *("fit", "fit", "fit") * (path.suffix == ".ckpt"))
        command = random.choice(commands)
        more = {
            "export": ("--output", "x.safetensors"),
            "sample": ("--output", "x.npz", "--num", "2"),
            "predict": ("--output", "x.npz", *QUICK),
            "test": QUICK,
            "fit": ("--trainer.max_epochs=2", *QUICK),
        }[command]
        yield seed, [command, path.suffix, *done], *call([command, "--ckpt_path", str(path), *more])
        for left in ("x.npz", "x.safetensors"):
            Path(left).unlink(missing_ok=True)


def main_of_program(kind, first, number, folder):
    """Run, and print counts, then every fault, as JSON."""
    resource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30))

    def alarm(*_):
        raise HangError

    signal.signal(signal.SIGALRM, alarm)
    os.chdir(folder)
    logging.disable(logging.WARNING)
    keep_parsers()
    counts, faults = Counter(), []
    for seed, arguments, code, err in KINDS[kind](range(first, first + number), folder):
        counts[str(code)] += 1
        fault = fault_of(code, err)
        if fault is not None:
            faults.append({"seed": seed, "arguments": arguments, "fault": fault, "err": err})
        if "AE_LIGHTNING_SHOWN" in os.environ:
            sys.stderr.write(
                f"{round(time.monotonic())} {seed} {code} {[one[:80] for one in arguments]} {err[-600:]}\n"
            )
    sys.stdout.write(json.dumps({"counts": counts, "faults": faults}) + "\n")


def run_processes(seeds, folder):
    """Start the program anew for each seed's command line; what would train only prints its configuration."""
    for seed in seeds:
        arguments = command_line(Random(seed), folder)
        trains = any(argument in TRAINER_COMMANDS for argument in arguments)
        given = [os.fsencode(one.replace("\x00", "")) for one in (*arguments, *["--print_config"] * trains)]
        command = [sys.executable, "-m", "ae_lightning", *given]
        try:
            done = subprocess.run(command, capture_output=True, timeout=5 * MAX_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            yield seed, arguments, "hang", ""
        else:
            yield seed, arguments, done.returncode, done.stderr.decode(errors="replace")


KINDS = {
    "processes": run_processes,
    "command_lines": run_command_lines,
    "studies": run_studies,
    "checkpoints": run_checkpoints,
}

if __name__ == "__main__":
    main_of_program(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
