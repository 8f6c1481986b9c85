"""What the Trainer's keys do here: Lightning's texts tell of its own defaults, and of parts that are not used."""

from __future__ import annotations

OFTEN_SET = {
    "max_epochs": "How many epochs to train; -1 for no end",
    "max_steps": "End after so many steps of the optimizer; -1 for no such end",
    "max_time": "End after this time, as DD:HH:MM:SS: 00:08:00:00 are eight hours",
    "accelerator": "cpu, gpu, mps or tpu; auto takes the fastest that is there",
    "devices": "How many of them, or a list of their numbers; auto takes all, of CPUs one",
    "num_nodes": "On how many machines",
    "strategy": "How several devices share the work: auto, ddp, fsdp, or another of Lightning's, or a class",
    "precision": "32-true, 64-true, bf16-mixed or 16-mixed. Without it fit takes bf16-mixed where the device "
    "multiplies in it and 32-true elsewhere, the other commands 32-true",
    "accumulate_grad_batches": "How many batches make a step together",
    "gradient_clip_val": "The largest norm, or value, that gradients may have; null for any",
    "gradient_clip_algorithm": "norm, the default, or value",
    "check_val_every_n_epoch": "Validate after every so many epochs",
    "val_check_interval": "Validate within an epoch: after so many batches, or a share of them such as 0.25",
    "limit_train_batches": "Train on so many batches of each epoch, or on a share of them such as 0.1",
    "limit_val_batches": "Validate on so many batches, or on a share of them",
    "log_every_n_steps": "Log the training's losses every so many steps",
    "callbacks": "A class of Lightning's callbacks or your own, or a list of them, beside those of every run",
    "logger": "What keeps the run: MLflowTracker, another logger of Lightning's, or a list of them; false for the "
    "folder runs/NAME-TIME alone",
    "enable_progress_bar": "Show a progress bar, or a line an epoch where there is no terminal; true by default",
    "deterministic": "Let torch use deterministic algorithms alone: true, or warn where there is none",
}
"""What people set, in reading order."""

OTHERS = {
    "min_epochs": "Let no callback end the training before so many epochs",
    "min_steps": "Let no callback end the training before so many steps",
    "limit_test_batches": "Judge the test split on so many batches, or on a share of them",
    "limit_predict_batches": "Predict so many batches, or a share of them",
    "overfit_batches": "Train and validate on the same few batches: so many, or a share",
    "fast_dev_run": "Run so many batches of everything, to see whether it works; true for one",
    "num_sanity_val_steps": "Validate so many batches before the first epoch; 2 by default, -1 for all",
    "enable_checkpointing": "Keep best.ckpt and last.ckpt; true by default",
    "enable_model_summary": "Show the layers before training; true by default",
    "benchmark": "Let cuDNN try which algorithm is fastest",
    "inference_mode": "Judge and predict in torch's inference mode; false for no_grad",
    "use_distributed_sampler": "Let Lightning share the samples out among ranks; the data module of this package does "
    "so itself",
    "profiler": "simple, advanced, pytorch or xla, or a class: measure where the time goes",
    "detect_anomaly": "Let torch look for the operation whose gradient is NaN; slow",
    "barebones": "Train without logging, checkpoints, progress and judging, to time the loop alone",
    "plugins": "Lightning's plugins for precision, clusters and files of checkpoints, one or a list",
    "sync_batchnorm": "Share the statistics of batch norm among the ranks",
    "reload_dataloaders_every_n_epochs": "Make the loaders anew every so many epochs; 0 for never",
    "default_root_dir": "Where Lightning's own loggers and callbacks write; the working directory by default. What "
    "this package writes does not follow it",
    "enable_autolog_hparams": "Let loggers have hyperparameters from Lightning; MLflow gets the configuration anyway",
    "model_registry": "A name in Lightning's own registry, which nothing here reads",
}
"""What is seldom set."""

_JUDGING = ("accelerator", "devices", "strategy", "precision", "logger", "enable_progress_bar")

OUTSIDE_TRAINING = {
    "validate": (*_JUDGING, "limit_val_batches"),
    "test": (*_JUDGING, "limit_test_batches"),
    "predict": (*_JUDGING, "limit_predict_batches"),
}
"""What the commands that do not train heed."""
