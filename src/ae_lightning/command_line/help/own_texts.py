"""Titles of the sections of help, and what keys do that are in no group."""

from __future__ import annotations

TITLES = {
    "model": "model, what is trained",
    "data": "data, what it sees",
    "evaluation": "evaluation, its measures and pictures",
    "checkpoint": "checkpoint, what is kept of it",
    "run": "the run",
    "trainer": "trainer, how and where",
}

TEXTS = {
    "seed_everything": "Fixes every random draw; a number from 0 on",
    "sampler": "What draws the codes of samples: GaussianMixture, KernelDensity, Prior or TwoStage, or your own class",
    "keep_memory": "On a CPU under glibc, keep freed buffers for the next step: faster, with more memory held",
    "compile": "Compile encoder and decoder with torch.compile; where that fails, say why and go on without",
}

_WHILE_TRAINING = (
    *("evaluation.every_n_epochs", "evaluation.draw_every_n_epochs", "evaluation.num_images"),
    *("evaluation.training_measures", "evaluation.training_pictures"),
)

UNHEEDED = {
    "fit": ("data.predict_split",),
    "validate": ("data.predict_split", "data.augment", *_WHILE_TRAINING),
    "test": ("data.predict_split", "data.augment", *_WHILE_TRAINING),
    "predict": ("data.augment",),
}
"""Keys that a command takes, since a whole configuration has them, and makes nothing of."""

SELDOM_SET = (
    *("data.dataset_options", "data.image_column", "data.label_column", "data.missing", "data.follow_links"),
    *("data.labels", "data.cache_gib"),
)
"""Keys that few set: the page of the section has them, and that of a command does not."""

PLACEHOLDERS = {"resume": "[RUN]", "ckpt_path": "FILE", "output": "FILE", "trainer.max_time": "TIME"}
"""What stands for the values of keys whose types do not tell."""

CHECKPOINT = "The checkpoint: it brings its model and data, and what is said here beats it"

TEXTS_OF_COMMANDS = {
    "fit": {
        "resume": "Go on with the newest unfinished run of this configuration, or with RUN: an id in MLflow, or a "
        "folder of runs/",
        "ckpt_path": "Begin a new run where this checkpoint ended, with all that is not said here as it was there",
    },
    "validate": {"ckpt_path": CHECKPOINT},
    "test": {"ckpt_path": CHECKPOINT},
    "predict": {
        "ckpt_path": CHECKPOINT,
        "output": "Where to write: FILE.npz or FILE.parquet, which must not be there yet",
    },
}
