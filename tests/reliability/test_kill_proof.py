"""The proof: a training killed again and again ends like one that was left in peace, bit for bit.

CI kills a few times. `AE_LIGHTNING_KILLS=full` kills as often as docs/reliability.md says.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from dataclasses import asdict, dataclass

import pytest

# Written into the working directory: ends its own process as kill -9 does, at the moment that the environment names.
KILLING = """
import json
import os
import signal
import sys
import threading
import time
from lightning.pytorch.callbacks import Callback

moment = json.loads(os.environ.get("KILL", "{}"))
armed = False
num_events = 0

def kill():
    os.kill(os.getpid(), signal.SIGKILL)

def kill_later():
    time.sleep(moment["delay"])
    kill()

def count(event, arguments):
    # Opening, syncing, linking, renaming and removing the temporary file of a checkpoint all come by here.
    global num_events
    if armed and arguments and str(arguments[0]).endswith(".writing"):
        num_events += 1
        if num_events == moment["event"]:
            kill()

if moment.get("where") == "write":
    sys.addaudithook(count)

class Killing(Callback):
    def at(self, trainer, where):
        if armed and moment["where"] == where and trainer.global_rank == moment["rank"]:
            kill()

    def on_train_start(self, trainer, pl_module):
        # However fast the machine is, a start goes no further before it is killed from without.
        while moment.get("where") == "start":
            time.sleep(1)

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        global armed
        here = trainer.fit_loop.epoch_loop._batches_that_stepped
        if moment and not armed and here >= moment["step"] and trainer.global_rank == moment["rank"]:
            armed = True
            if moment["where"] == "step":
                threading.Thread(target=kill_later).start()

    def on_validation_batch_end(self, trainer, pl_module, outputs, batch, batch_idx, dataloader_idx=0):
        self.at(trainer, "validation")

    def on_test_batch_end(self, trainer, pl_module, outputs, batch, batch_idx, dataloader_idx=0):
        self.at(trainer, "test")
"""

STEPS_PER_EPOCH = {1: 41, 2: 21}
"""By the number of ranks, each of which takes a batch of the same size."""

NUM_EPOCHS = 5
NUM_EVENTS = 8
"""The least that writing a checkpoint has."""

IS_FULL = os.environ.get("AE_LIGHTNING_KILLS") == "full"
NUM_KILLS = 5 if IS_FULL else 1


@dataclass(frozen=True)
class Moment:
    """When a training is killed.

    Attributes:
        step: From this training step on.
        where: In the `step` itself, in the `write` of the next checkpoint, in the next `validation`, in the `test`
            after training, or in the `start`.
        delay: Seconds after the step began, or the program was started, which then waits before its first step.
        event: How many operations on the checkpoint's file are begun before.
        rank: Which rank.
    """

    step: int
    where: str
    delay: float = 0.0
    event: int = 0
    rank: int = 0


def moments(num_steps, num_writes, num_elsewhere, seed, ranks=1):
    """Draw moments, in the order in which a training reaches them."""
    draw = random.Random(seed)
    epoch_steps = STEPS_PER_EPOCH[ranks]
    # The only kill of a training comes where there is a checkpoint to go on from.
    first = 0 if IS_FULL else epoch_steps
    last = epoch_steps * NUM_EPOCHS - 1
    drawn = [Moment(draw.randrange(first, last), "step", delay=draw.uniform(0, 0.02)) for _ in range(num_steps)]
    drawn += [
        Moment(epoch * epoch_steps - 1, "write", event=draw.randint(1, NUM_EVENTS))
        for epoch in draw.sample(range(1, NUM_EPOCHS), num_writes)
    ]
    for where in ("start", "validation", "start", "test")[:num_elsewhere]:
        step = last if where == "test" else draw.randrange(last - epoch_steps)
        drawn.append(Moment(step, where, delay=draw.uniform(1, 8)))
    drawn = [Moment(**{**asdict(moment), "rank": draw.randrange(ranks)}) for moment in drawn]
    return sorted(drawn, key=lambda moment: (moment.step, moment.where))


CASES = [
    ("VAE", 1, moments(12, 4, 4, seed=0) if IS_FULL else moments(1, 1, 2, seed=3)),
    *(
        (name, 1, moments(NUM_KILLS, 0, 0, seed=1))
        for name in ("VanillaAE", "DenoisingAE", "DoubleAE", "AdversarialAE")
    ),
    ("VAE", 2, moments(NUM_KILLS, 0, 0, seed=2, ranks=2)),
]


def kill_at(training, moment):
    """Start, or go on, and be killed at the moment."""
    going_on = resume(training)
    training.start(*going_on, environment={"KILL": json.dumps(asdict(moment))})
    if moment.where == "start":
        assert going_on, "a start of which nothing is kept shows nothing"
        time.sleep(moment.delay)
        training.kill()
    # The first rank is killed in its turn, by the kernel or by the one who watches over the ranks.
    assert training.end() != 0, training.err
    if training.ranks == 1:
        assert training.process.returncode == -signal.SIGKILL
    training.kill()


def resume(training):
    """Before the first checkpoint there is nothing to go on with."""
    return ["--resume"] if list(training.workspace.folder.glob("checkpoints/*/*.ckpt")) else []


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("variant", "ranks", "killed_at"), CASES, ids=[f"{name}-{ranks}" for name, ranks, _ in CASES])
def test_killed_again_and_again_it_ends_like_one_left_in_peace(training, in_peace, variant, ranks, killed_at):
    model = ("--model", variant)
    started = training(*model, "--trainer.callbacks", "killing.Killing", ranks=ranks, files={"killing.py": KILLING})
    for moment in killed_at:
        kill_at(started, moment)
    # By now there is something to go on with, or this is refused.
    started.finish("--resume")
    assert started.workspace.run().info.status == "FINISHED"
    in_peace(*model, ranks=ranks).require_same(started)
