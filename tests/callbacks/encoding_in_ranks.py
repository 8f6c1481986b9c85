"""Encode a split in two processes that share it over gloo; started as a program by the tests beside it."""

from __future__ import annotations

import multiprocessing
import os
import sys
from pathlib import Path

import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.plugins.environments import LightningEnvironment
from torch import distributed

from ae_lightning.callbacks import encoding
from ae_lightning.data import DataModule
from ae_lightning.judging import chunks
from ae_lightning.testing.training import build_trainer
from ae_lightning.variants.vae import VAE

NUM_RANKS = 2
# Several chunks, and in the last one an odd number of images.
chunks.CHUNK_SIZE = 50


class Encoding(Callback):
    """Writes what encoding gives on this rank, of the whole split and of a sample."""

    def __init__(self, folder, sizes):
        self.folder, self.sizes = folder, sizes

    def on_test_epoch_end(self, trainer, pl_module):
        for size in self.sizes:
            encoded = encoding.encode_split(trainer, pl_module, trainer.datamodule, "test", num_images=size or None)
            path = self.folder / f"{size}-{trainer.world_size}-{trainer.global_rank}.npz"
            np.savez(path, codes=encoded.codes, reconstructions=encoded.reconstructions, images=encoded.x)


def encode(folder, sizes, **options):
    torch.manual_seed(0)
    data = DataModule()
    model = VAE(spec=data.spec, latent_dim=2)
    build_trainer(callbacks=[Encoding(folder, sizes)], **options).test(model, data, verbose=False)


def encode_as_rank(rank, folder, sizes):
    torch.set_num_threads(1)
    os.environ["LOCAL_RANK"] = str(rank)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=NUM_RANKS)
    encode(folder, sizes, devices=NUM_RANKS, strategy="ddp", plugins=[LightningEnvironment()])
    distributed.destroy_process_group()


def main(folder, sizes):
    # Forked before anything was computed, so that no thread of torch's is there to be lost.
    context = multiprocessing.get_context("fork")
    ranks = [context.Process(target=encode_as_rank, args=(rank, folder, sizes)) for rank in range(NUM_RANKS)]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join()
    encode(folder, sizes)
    return max(abs(process.exitcode or 0) for process in ranks)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), [int(size) for size in sys.argv[2:]]))
